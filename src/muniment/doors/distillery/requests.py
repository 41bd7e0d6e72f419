"""Asking for a batch: a preview or a run, for one collection at a time; and what was asked before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from muniment.doors.distillery.policy import BatchPolicy
from muniment.doors.distillery.preview import destinations_of
from muniment.doors.distillery.steps import BEGIN, KIND, KIND_PREVIEW, PREVIEW
from muniment.errors.distillery import BatchNotFound, NotReadyToDistill
from muniment.errors.jobs import JobNotFound
from muniment.jobs import Call, Job, Priority
from muniment.layouts.preservation import is_collection_id

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext


def run_collection(
    given: DistilleryContext,
    collection: str,
    to: Sequence[str],
    *,
    requester: str,
    partly: bool = False,
    key: str | None = None,
    previewed: str = "",
    policy: BatchPolicy | None = None,
) -> Job:
    """Ask for a run; with `partly`, of the folders that are ready. Under one `key` it is run once.

    `previewed` is the batch of the preview that it follows; it is remembered. Without a policy it is that of the
    settings as they are now.

    Raises:
        NotReadyToDistill, NoDestination: It is no collection's id, or no destination is named.
        SubjectTaken: A batch of the collection is under way.
        MunimentError: Nothing was recorded.
    """
    return _ask(
        given, KIND, BEGIN, collection, to, requester, partly=partly, subjects=[collection], key=key,
        previewed=previewed, policy=policy,
    )  # fmt: skip


def preview_collection(
    given: DistilleryContext,
    collection: str,
    to: Sequence[str],
    *,
    requester: str,
    policy: BatchPolicy | None = None,
) -> Job:
    """Ask for a preview, done in the background.

    Raises:
        MunimentError: As `run_collection`.
    """
    return _ask(given, KIND_PREVIEW, PREVIEW, collection, to, requester, policy=policy)


def find_batch(given: DistilleryContext, batch: str) -> Job:
    """The job of a batch.

    Raises:
        BatchNotFound: There is none.
    """
    try:
        job = given.ledger.job(batch)
    except JobNotFound:
        raise BatchNotFound(batch=batch[:80]) from None
    if job.kind not in {KIND, KIND_PREVIEW}:
        raise BatchNotFound(batch=batch[:80])
    return job


def pause_batch(given: DistilleryContext, batch: str, *, by: str) -> Job:
    """Begin nothing more of a batch until it is told to go on; the log says who paused it.

    Raises:
        BatchNotFound: There is none.
        DatabaseUnavailable: Nothing was changed.
    """
    before = find_batch(given, batch)
    job = given.ledger.control.pause(before.id, by=by)
    if job.paused and not before.paused:
        given.batches.say(job.id, f"Paused by {by}: nothing more is begun until it is told to go on")
    return job


def resume_batch(given: DistilleryContext, batch: str, *, by: str) -> Job:
    """Let a batch that was paused go on.

    Raises:
        BatchNotFound: There is none.
        DatabaseUnavailable: Nothing was changed.
    """
    before = find_batch(given, batch)
    if before.paused and not before.ended:
        # Said before it goes on: its own lines follow.
        given.batches.say(before.id, f"Told to go on by {by}")
    return given.ledger.control.resume(before.id, by=by)


def batches(given: DistilleryContext, *, limit: int = 100) -> list[Job]:
    """The runs, the newest first."""
    return list(given.ledger.jobs(kind=KIND, limit=limit))


def batch_document(job: Job) -> dict[str, Any]:
    """A batch as JSON."""
    asked = cast("Mapping[str, Any]", job.given or {})
    return {
        "batch": job.id,
        "kind": "run" if job.kind == KIND else "preview",
        "collection": asked.get("collection", ""),
        "to": list(asked.get("to", ())),
        "folders": list(asked.get("folders", ())),
        "normalisation": asked.get("normalisation", ""),
        "broken": asked.get("broken", ""),
        "previewed": asked.get("previewed", ""),
        "requester": job.requester,
        "state": str(job.state),
        "reason": job.reason,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
        "steps": job.steps,
        "steps_done": job.steps_done,
        "steps_failed": job.steps_failed,
    }


def _ask(
    given: DistilleryContext,
    kind: str,
    step: str,
    collection: str,
    to: Sequence[str],
    requester: str,
    *,
    partly: bool = False,
    subjects: Sequence[str] = (),
    key: str | None = None,
    previewed: str = "",
    policy: BatchPolicy | None = None,
) -> Job:
    if not is_collection_id(collection):
        problems = "that is no collection's id: it has letters, digits, '-', '.', '_' and '~'"
        raise NotReadyToDistill(collection=repr(collection[:80]), problems=problems)
    policy = policy or BatchPolicy.of(given.settings, {})
    wanted = {"collection": collection, "to": list(destinations_of(to)), **policy.as_json()}
    wanted |= {"partly": True} if partly else {}
    priority = Priority.PRIORITY if kind == KIND_PREVIEW else Priority.BULK
    call = Call(step, cast("Any", wanted))
    asked = {**wanted, **({"previewed": previewed} if previewed else {})}
    return given.ledger.submit(
        kind, call, requester=requester, given=cast("Any", asked), priority=priority, subjects=subjects, key=key
    )
