"""Errors of what other packages bring."""

from __future__ import annotations

from muniment.errors.base import BadInput


class ExtensionBroken(BadInput):
    """The {what} {name}, which the package {package} brings, cannot be used: {reason}."""

    http_status = 500
