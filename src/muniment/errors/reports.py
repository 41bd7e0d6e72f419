"""Errors of reports."""

from __future__ import annotations

from muniment.errors.base import BadInput, MissingThing


class BadAnswers(BadInput):
    """The answers in {path} cannot be used: {reason}."""


class ReportNotMade(MissingThing):
    """The report {kind} of {what} was not computed yet: run `muniment report {kind}`, or POST to its address."""
