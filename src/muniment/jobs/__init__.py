"""The ledger and its two engines: what was asked, what is done, what is owed, and who does it.

The words (`Call`, `Done`, `Again`, `Step`, ...) are light; `Ledger` and the engines are loaded on first use,
so that the command line starts without a database library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.jobs.model import (
    Again,
    Call,
    Claim,
    Done,
    HistoryLine,
    Job,
    JobState,
    Json,
    Priority,
    Progress,
    State,
    StepRow,
    WorkerRow,
)
from muniment.jobs.schedules import Period
from muniment.jobs.steps import Context, Deadlines, Registry, Step

if TYPE_CHECKING:
    from muniment.jobs.celery import CeleryEngine
    from muniment.jobs.keyring import Keyring
    from muniment.jobs.ledger import Ledger
    from muniment.jobs.local import LocalEngine

_LATE = {
    "CeleryEngine": "muniment.jobs.celery",
    "Keyring": "muniment.jobs.keyring",
    "Ledger": "muniment.jobs.ledger",
    "LocalEngine": "muniment.jobs.local",
}

__all__ = [
    "Again",
    "Call",
    "CeleryEngine",
    "Claim",
    "Context",
    "Deadlines",
    "Done",
    "HistoryLine",
    "Job",
    "JobState",
    "Json",
    "Keyring",
    "Ledger",
    "LocalEngine",
    "Period",
    "Priority",
    "Progress",
    "Registry",
    "State",
    "Step",
    "StepRow",
    "WorkerRow",
]


def __getattr__(name: str) -> object:
    """Load what needs a database library on first use."""
    if name in _LATE:
        import importlib  # noqa: PLC0415 - only for what is late

        return getattr(importlib.import_module(_LATE[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
