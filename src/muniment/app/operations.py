"""Operations: what an archive and its ledger are doing, as one document, and taking jobs and limits in hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from muniment.errors.base import BadInput, MunimentError

if TYPE_CHECKING:
    from muniment.app.background import BackgroundServices
    from muniment.archive import Usage
    from muniment.jobs import Job, JobState, Ledger
    from muniment.jobs.operations import Operations, WaitingJob, WorkerAtWork

ACTIONS = ("retry", "cancel", "pause", "resume")
"""What can be done with a job."""


AGES = (30, 90, 180, 365)
"""Days since the last verification, by which resources are counted."""


class OperationsControl:
    """What an operator sees of the ledger and may do with it, on the command line and over HTTP alike."""

    def __init__(self, services: BackgroundServices) -> None:
        self._services = services

    @property
    def _ledger(self) -> Ledger:
        return self._services.ledger()

    def look(self, requester: str | None = None) -> Operations:
        """What is owed, held up, being done and failed; with a `requester`, of that one's jobs.

        Raises:
            MunimentError: The ledger cannot be opened or reached.
        """
        return self._ledger.control.operations(requester)

    def copies(self) -> dict[tuple[str, str], tuple[int, int]]:
        """How many copies there are and how many bytes, by store and state; the archive itself is a store, too.

        Raises:
            MunimentError: The ledger cannot be opened or reached.
        """
        from muniment.workflows.copies.table import CopyTable  # noqa: PLC0415 - a database library comes with it

        return CopyTable(self._ledger.database).counts()

    def ages(self) -> list[int]:
        """How many resources were last verified within each of `AGES`, in days, and how many before.

        Raises:
            MunimentError: The ledger cannot be opened or reached.
        """
        from muniment.workflows.copies.registry import ARCHIVE  # noqa: PLC0415 - as above
        from muniment.workflows.copies.table import CopyTable  # noqa: PLC0415 - as above

        return CopyTable(self._ledger.database).ages(ARCHIVE, AGES)

    def longest_ago(self) -> tuple[float, float] | None:
        """When the resource verified longest ago was (seconds since 1970 UTC), and the seconds its policy allows.

        None where none was verified.

        Raises:
            MunimentError: The ledger cannot be opened or reached.
        """
        from muniment.workflows.copies.policies import Policies  # noqa: PLC0415 - as above
        from muniment.workflows.copies.registry import ARCHIVE  # noqa: PLC0415 - as above
        from muniment.workflows.copies.table import CopyTable  # noqa: PLC0415 - as above

        database = self._ledger.database
        row = CopyTable(database).longest_ago(ARCHIVE)
        if row is None or row.verified_at is None:
            return None
        return row.verified_at, Policies(database).of(row.project).verify

    def workers_alive(self) -> int:
        """How many workers said lately that they live.

        Raises:
            MunimentError: The ledger cannot be opened or reached.
        """
        return self._ledger.control.workers_alive()

    def find(self, id: str) -> Job:
        """A job by its id, or the newest of a container by the container's.

        Raises:
            JobNotFound: There is none.
        """
        from muniment.doors.osf import KIND  # noqa: PLC0415 - a database library comes with it

        return self._ledger.find(KIND, id) or self._ledger.job(id)

    def jobs(
        self,
        *,
        state: JobState | None,
        kind: str | None,
        after: str | None,
        limit: int,
        requester: str | None = None,
    ) -> list[Job]:
        """Jobs, the newest first; the next page begins `after` the id of the last one of this.

        Raises:
            JobNotFound: There is no job `after`.
            DatabaseUnavailable: It cannot be known.
        """
        last = None if after is None else self._ledger.job(after)
        return self._ledger.jobs(kind=kind, state=state, requester=requester, after=last, limit=limit)

    def act(self, action: str, id: str, *, by: str) -> Job:
        """Do one of `ACTIONS` with a job; the job as it is then, or the new one that goes on in its place.

        For a container that is cancelled, everybody who waits for it is told.

        Raises:
            BadInput: There is no such action.
            JobNotFound, NothingToRetry, CredentialsErased, SubjectTaken: It cannot be done.
            DatabaseUnavailable: Nothing was changed.
        """
        from muniment.doors.osf import KIND  # noqa: PLC0415 - as above

        if action not in ACTIONS:
            raise BadInput(reason=f"there is no action {action!r}; there are {', '.join(ACTIONS)}")
        found, ledger = self.find(id), self._ledger
        if action == "cancel":
            if found.kind == KIND and found.key:
                return self._services.foreman().cancel(found.key, by=by)
            return ledger.cancel(found.id, by=by)
        if action == "retry":
            return ledger.control.retry(found.id, by=by)
        return (ledger.control.pause if action == "pause" else ledger.control.resume)(found.id, by=by)

    def limits(self) -> list[dict[str, object]]:
        """The limits that are closed, the longest first.

        Raises:
            DatabaseUnavailable: It cannot be known.
        """
        return [
            {"name": each.name, "until": time_text(each.until), "by": each.by}
            for each in self._ledger.limits.all_closed()
        ]

    def lift(self, name: str) -> bool:
        """Open a closed limit and wake what waits for it; whether it was closed.

        Raises:
            DatabaseUnavailable: Nothing was changed.
        """
        return self._ledger.limits.lift(name)


def document(
    found: Operations | MunimentError, usage: Usage | None, bucket: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Operations as JSON: what the ledger says, or why it cannot be reached, and what the archive or `bucket` holds."""
    archive = None
    if usage is not None:
        archive = {
            "resources": usage.resources,
            "bytes": usage.bytes,
            "disk_free": usage.disk_free,
            "disk_size": usage.disk_size,
            "audited": usage.audited or None,
            "audited_clean": usage.audited_clean or None,
            "parity_owed": usage.parity_owed,
        }
    if isinstance(found, MunimentError):
        return {"ledger": {"reached": False, "reason": found.message}, "archive": archive, "bucket": bucket}
    waiting = {each.waits_for: each.steps for each in found.held_up}
    return {
        "ledger": {"reached": True, "reason": ""},
        "at": time_text(found.at),
        "workers_alive": found.alive,
        "workers": [_worker(each) for each in found.workers],
        "depths": [
            {"queue": str(each.queue), "kind": each.kind, "state": str(each.state), "steps": each.steps}
            for each in found.depths
        ],
        "oldest_due": {str(queue): time_text(at) for queue, at in found.oldest_due.items()},
        "limits": [
            {"name": each.name, "until": time_text(each.until), "by": each.by, "waiting": waiting.get(each.name, 0)}
            for each in found.limits
        ],
        "outages": [
            {
                "name": each.name,
                "since": time_text(each.since),
                "reason": each.reason,
                "waiting": waiting.get(each.name, 0),
            }
            for each in found.outages
        ],
        "jobs": [_waiting(each) for each in found.jobs],
        "failed": [{**job_document(each), "reason": each.reason} for each in found.failed],
        "archive": archive,
        "bucket": bucket,
    }


def job_document(found: Job) -> dict[str, Any]:
    """A job as JSON."""
    return {
        "id": found.id,
        "kind": found.kind,
        "key": found.key,
        "state": str(found.state),
        "paused": found.paused,
        "requester": found.requester,
        "priority": str(found.priority),
        "created": time_text(found.created_at),
        "ended": None if found.ended_at is None else time_text(found.ended_at),
        "steps": found.steps,
        "steps_done": found.steps_done,
        "steps_failed": found.steps_failed,
        "reason": found.reason,
    }


def time_text(seconds: float) -> str:
    """A time as RFC 3339 has it, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return "9999-12-31T23:59:59Z"


def _worker(found: WorkerAtWork) -> dict[str, Any]:
    row = found.row
    return {
        "id": found.id,
        "engine": row.engine if row else None,
        "started": time_text(row.started_at) if row else None,
        "seen": time_text(row.seen_at) if row else None,
        "holds": [
            {
                "step": held.step.name,
                "job": held.step.job,
                "kind": held.kind,
                "key": held.key,
                "since": time_text(held.since),
                "attempt": held.step.attempt,
                "what": held.step.what,
                "done": held.step.done,
                "total": held.step.total,
                "bytes": held.step.size,
            }
            for held in found.holds
        ],
    }


def _waiting(found: WaitingJob) -> dict[str, Any]:
    return {
        **job_document(found.job),
        "running": found.running,
        "waits_for": found.waits_for,
        "until": None if found.until is None else time_text(found.until),
        "reason": found.reason,
    }
