"""What an error means for its step: *ours*, then it waits until that is over; or *theirs*, then it counts and ends.

Ours is a failure of what the archive is made of: its storage and server, the stores, the ledger, the broker, par2, a
full disk. It says nothing about what was asked for, so it never fails a job, however long it lasts. Theirs is a
failure of what was asked for or of the service it lies at: the submission's credential, a server that never answers.
The class of an error says which (`MunimentError.outage`); this is the one place that decides by it.
"""

from __future__ import annotations

import errno
import logging

from muniment.errors.base import MunimentError
from muniment.errors.jobs import SecretNotGiven
from muniment.jobs.model import Claim, Outcome, State
from muniment.jobs.outcomes import FAILURES
from muniment.jobs.steps import Step
from muniment.jobs.waiting import wait_after

logger = logging.getLogger(__name__)

_MACHINE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ENOTCONN,
    }
)
"""What the machine says when it is the machine: full, failing or unmounted disks, too many open files, no memory."""
_PLACES = ("place", "store", "url", "program", "realm")


def is_outage(error: BaseException) -> bool:
    """Whether an error is ours: the step waits until what failed works again."""
    if isinstance(error, MunimentError):
        return error.outage
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _MACHINE)


def outage_name(error: BaseException) -> str:
    """What an outage is called: the same for all who meet it, so that it is told once and its end wakes them all."""
    if isinstance(error, MunimentError):
        places = (str(error.details[name]) for name in _PLACES if error.details.get(name))
        return " at ".join([error.code(), *list(places)[:1]])
    return f"{type(error).__name__} {errno.errorcode.get(getattr(error, 'errno', None) or 0, '')}".strip()


def outcome(claim: Claim, step: Step | None, error: Exception, reason: str, now: float) -> Outcome:
    """What becomes of a step that raised `error`; `reason` is its message without credentials, `now` the ledger's."""
    if is_outage(error):
        return Outcome(claim, State.READY, reason=reason, waits_for=outage_name(error), counts="outages")
    logger.warning("step %s of job %s, attempt %d: %s", claim.name, claim.job, claim.attempt, reason)
    failures = claim.failures + 1
    limit = claim.max_failures or getattr(step, "failures", None) or FAILURES
    hopeless = isinstance(error, MunimentError) and (not error.retry or isinstance(error, SecretNotGiven))
    if hopeless or failures >= limit:
        return Outcome(claim, State.FAILED, reason=reason, counts="failures")
    wait = wait_after(claim.id, failures)
    if isinstance(error, MunimentError):
        wait = max(wait, float(error.details.get("retry_after") or 0.0))
    return Outcome(claim, State.READY, reason=reason, next_at=now + wait, counts="failures", history="tried in vain")
