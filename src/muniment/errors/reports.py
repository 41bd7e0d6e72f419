"""Errors of reports."""

from __future__ import annotations

from muniment.errors.base import BadInput


class BadAnswers(BadInput):
    """The answers in {path} cannot be used: {reason}."""
