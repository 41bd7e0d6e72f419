"""Errors of reports."""

from __future__ import annotations

from muniment.errors.base import BadInput, MissingThing


class BadAnswers(BadInput):
    """The answers in {path} cannot be used: {reason}."""


class ReportNotMade(MissingThing):
    """The report {kind} of {what} was not computed yet. A POST to its address has it computed.

    Or run `muniment report {kind}`.
    """
