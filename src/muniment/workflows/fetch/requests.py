"""The requesters' side of fetching: put a request into the ledger, see how far it is, and take it back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from muniment.content.identity import check_id, check_project
from muniment.errors.base import MissingThing, MunimentError
from muniment.errors.fetch import FetchFailed, FetchNotFound, FetchRunning
from muniment.errors.jobs import JobNotFound, SubjectTaken
from muniment.jobs import Call, Job, JobState, Json, Priority, State, StepRow
from muniment.jobs.model import derived
from muniment.workflows.fetch.context import FetchContext
from muniment.workflows.fetch.request import FetchRequest
from muniment.workflows.fetch.steps import BEGIN, bare_reason

KIND = "fetch"
"""The kind of the jobs that fetch."""

_MOST_WAITING = 100


class Fetches:
    """Takes requests in and says how they stand. Thread-safe."""

    def __init__(self, context: FetchContext) -> None:
        self._context = context

    def submit(self, request: FetchRequest, *, requester: str) -> Job:
        """Put a request into the ledger. The same once more, while it runs, is the same job.

        After a fetch that failed, the next one goes on with what that had brought.

        Raises:
            FetchRunning: Another fetch of the same resource is under way.
            BadSubmission: It cannot be kept, for example because a credential stands in an open field.
            BadId, BadProject: The resource cannot be called so.
            DatabaseUnavailable: Nothing was recorded.
        """
        ledger = self._context.ledger
        given = request.as_json(check_project(request.project or self._context.archive.config.project))
        check_id(given["id"])
        subject = derived(given["project"], given["id"])
        former = ledger.about(KIND, subject)
        goes_on = former is not None and former.state in {JobState.FAILED, JobState.CANCELLED}
        call = Call(BEGIN, cast("Json", {**given, "former": former.id if former is not None and goes_on else None}))
        try:
            return ledger.submit(
                KIND,
                call,
                requester=requester,
                given=cast("Json", given),
                priority=Priority.BULK,
                secrets=cast("Mapping[str, Json]", dict(request.secrets)),
                subjects=[subject],
            )
        except SubjectTaken as error:
            running = ledger.job(str(error.details["job"]))
            if running.given != given:
                raise FetchRunning(id=given["id"], job=running.id) from None
            return running

    def find(self, job: str) -> Job:
        """The job of a fetch.

        Raises:
            FetchNotFound: There is none.
        """
        try:
            found = self._context.ledger.job(job)
        except JobNotFound:
            raise FetchNotFound(job=job) from None
        if found.kind != KIND:
            raise FetchNotFound(job=job)
        return found

    def newest(self, *, after: str | None = None, limit: int = 100) -> list[Job]:
        """Fetches, the newest first; the next page begins `after` the last one of this.

        Raises:
            FetchNotFound: There is no fetch `after`.
        """
        return self._context.ledger.jobs(kind=KIND, after=None if after is None else self.find(after), limit=limit)

    def cancel(self, job: str, *, by: str) -> Job:
        """Stop a fetch and give back what it had brought, unless a worker is at it at this moment.

        Raises:
            FetchNotFound: There is none.
            DatabaseUnavailable: Nothing was recorded.
        """
        ended = self._context.ledger.cancel(self.find(job).id, by=by)
        for row in self._context.ledger.steps(job, name=BEGIN):
            if isinstance(row.result, Mapping) and ended.state is JobState.CANCELLED:
                with contextlib.suppress(MissingThing, MunimentError):
                    self._context.archive.roll_back(str(row.result["transaction"]))
        return ended

    def show(self, job: str) -> dict[str, Any]:
        """How far a fetch is, or what came of it, as a document.

        Raises:
            FetchNotFound: There is none.
        """
        found = self.find(job)
        progress = self._context.ledger.progress(found.id)
        waiting = self._context.ledger.steps(found.id, state=State.READY)
        return {
            **summary(found),
            "bytes": progress.size,
            "running": [_running(step) for step in progress.running],
            "waiting": [
                {"what": _source_of(step), "reason": step.reason, "again": rfc3339(step.next_at)}
                for step, _ in zip(waiting, range(_MOST_WAITING), strict=False)
                if step.reason
            ],
        }


def summary(job: Job) -> dict[str, Any]:
    """A fetch in a list: what was asked, and how it ended if it has."""
    given = cast("Mapping[str, Any]", job.given)
    return {
        "fetch": job.id,
        "state": str(job.state),
        "reason": bare_reason(given["id"], job.reason),
        "id": given["id"],
        "project": given["project"],
        "sources": [{each["service"]: each["fields"]} for each in given["sources"]],
        "requester": job.requester,
        "created": rfc3339(job.created_at),
        "ended": None if job.ended_at is None else rfc3339(job.ended_at),
        "result": job.result,
    }


def refuse_failed(document: Mapping[str, object]) -> None:
    """See that a fetch that has ended ended well.

    Raises:
        FetchFailed: It did not.
    """
    if document["state"] != JobState.DONE:
        reason = document["reason"] or "It was cancelled."
        raise FetchFailed(id=document["id"], reason=reason)


def rfc3339(seconds: float) -> str:
    """A time of the ledger as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _running(step: StepRow) -> dict[str, object]:
    return {
        "what": step.what,
        "source": _source_of(step),
        "done": step.done,
        "total": step.total,
        "bytes": step.size,
        "worker": step.lease_owner,
    }


def _source_of(step: StepRow) -> str:
    given = step.given if isinstance(step.given, Mapping) else {}
    source = given.get("source")
    return str(source["label"]) if isinstance(source, Mapping) else step.name
