"""Errors of scanning folders on their way to preservation: what a folder or an image is named wrongly."""

from __future__ import annotations

from muniment.errors.base import BadInput


class BadFolderName(BadInput):
    """The folder {folder!r} cannot be matched with an archival object: {reason}."""


class BadImageName(BadInput):
    """{folder}/{name} cannot be placed: {reason}."""
