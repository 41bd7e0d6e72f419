"""The steps that fetch a resource, as a worker does them.

```
fetch.begin ─► fetch.source …       each source, all into one transaction
     └ then ─► fetch.commit         the next instance, or none where nothing changed
                  └ then ─► fetch.again   where the transaction was lost: all of it once more
```

Files that cannot be had are no failure; they are named in the instance's metadata. Each step may be killed and run
again at any point: the transaction's journal says what came. What a failed fetch brought is left for the next one.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any, cast

from muniment.content import Entry
from muniment.content.times import now
from muniment.content.transaction import Transaction
from muniment.errors.archive import (
    InstanceNotFound,
    LeftoverNotFound,
    ResourceExists,
    ResourceNotFound,
    StaleTransaction,
    TransactionBusy,
)
from muniment.errors.base import MissingThing
from muniment.errors.fetch import FetchFailed, NothingFetched
from muniment.errors.registration import TransactionGone
from muniment.jobs import Again, Call, Context, Deadlines, Done, Json, State, Step, StepRow
from muniment.workflows.fetch.context import FetchContext
from muniment.workflows.fetch.service import ServiceFetch, deadlines
from muniment.workflows.fetch.transactions import TransactionLease

BEGIN = "fetch.begin"
SOURCE = "fetch.source"
COMMIT = "fetch.commit"
AGAIN = "fetch.again"

METADATA = "fetched"
"""Where an instance's metadata says what it was fetched from, what could not be had, and what was left behind."""
_MOST_FAILURES = 1000
"""Failures that a job's result names; the instance names them all."""

Given = Mapping[str, Any]


class _FetchStep:
    deadlines = Deadlines(ours=True)

    def __init__(self, context: FetchContext) -> None:
        self._means = context

    def _newest(self, wanted: Given) -> Any:
        """The newest instance of the resource, or None."""
        try:
            return self._means.archive.get(wanted["id"], project=wanted["project"])
        except ResourceNotFound:
            return None


class BeginStep(_FetchStep):
    """Begin the transaction that all sources are fetched into."""

    name = BEGIN

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - all steps are run alike
        """Begin one, or go on with what an earlier fetch of the same resource left.

        Raises:
            MunimentError: The archive cannot be written.
        """
        wanted = cast("Given", given)
        transaction = self._left_by_former(wanted) or self._begin(wanted)
        several = len(wanted["sources"]) > 1
        folders = tuple(f"{source['label']}/" for source in wanted["sources"]) if several else ("",)
        for path in [entry.path for entry in transaction.files() if not entry.path.startswith(folders)]:
            transaction.delete(path)
        transaction.park(lease=self._means.policy.lease)
        known = {"id": wanted["id"], "project": wanted["project"], "transaction": transaction.transaction}
        calls = [
            Call(
                SOURCE,
                {**known, "source": source, "prefix": source["label"] if several else "", "again": wanted["again"]},
                secrets=(source["secret"],) if source["secret"] else (),
            )
            for source in wanted["sources"]
        ]
        then = Call(COMMIT, cast("Json", {**wanted, "transaction": transaction.transaction}))
        return Done({"transaction": transaction.transaction}, spawn=calls, then=then)

    def _begin(self, wanted: Given) -> Transaction:
        archive, id, project = self._means.archive, wanted["id"], wanted["project"]  # noqa: A001 - the field's name
        if self._newest(wanted) is not None:
            return archive.get(id, "a", project=project, message=wanted["message"])
        try:
            return archive.new(id, project, message=wanted["message"])
        except ResourceExists:
            return archive.get(id, "a", project=project, message=wanted["message"])

    def _left_by_former(self, wanted: Given) -> Transaction | None:
        """The transaction of an earlier fetch that failed, if it is there and still follows the newest instance."""
        former = wanted.get("former")
        if former is None:
            return None
        newest = self._newest(wanted)
        number = 1 if newest is None else newest.number + 1
        for row in self._means.ledger.steps(former, name=BEGIN):
            left = row.result.get("transaction") if isinstance(row.result, Mapping) else None
            with contextlib.suppress(LeftoverNotFound, MissingThing, TransactionBusy, StaleTransaction):
                found = self._means.archive.resume(str(left))
                if found.number == number:
                    return found
                found.rollback()
        return None


class SourceStep(_FetchStep):
    """Fetch one source into the transaction."""

    name = SOURCE

    @property
    def deadlines(self) -> Deadlines:  # type: ignore[override]  # the others' are the same for all
        """As the policy says."""
        return deadlines(self._means.policy)

    def work_seen(self, given: Json, context: Context) -> int:
        """Bytes that are on their way."""
        return self._fetch(cast("Given", given), context).size_on_the_way()

    def run(self, given: Json, context: Context) -> Done | Again:
        """Fetch what is not there yet. What whoever asked has to change is an answer, so that all of it is told.

        Raises:
            MunimentError: The service or the archive failed; it is tried again.
        """
        wanted = cast("Given", given)
        newest = self._newest(wanted)
        earlier = None if newest is None else {entry.path: entry for entry in newest.files()}
        answer = self._fetch(wanted, context).run(
            wanted["id"],
            wanted["transaction"],
            lambda _: str(wanted["prefix"]),
            earlier=earlier,
            again=wanted["again"],
        )
        return answer if isinstance(answer, Again) else Done(cast("Json", answer))

    def _fetch(self, wanted: Given, context: Context) -> ServiceFetch:
        return ServiceFetch(self._means, context, wanted["source"], wanted["source"]["label"])


class CommitStep(_FetchStep):
    """Make the instance of what came, unless a source failed or nothing changed."""

    name = COMMIT

    def run(self, given: Json, context: Context) -> Done:
        """Commit it, once.

        Raises:
            FetchFailed: A source failed as a whole. What came is kept for the next fetch of the resource.
            NothingFetched: The sources hold nothing.
            MunimentError: The archive failed.
        """
        wanted = cast("Given", given)
        rows = list(context.children())
        if reasons := list(_reasons(rows)):
            raise FetchFailed(id=wanted["id"], reason=" ".join(reasons))
        answers = [cast("dict[str, Any]", row.result) for row in rows]
        done = self._done_before(wanted)
        if done is None and any(answer.get("gone") for answer in answers):
            return _anew(wanted, context)
        failures = [failure for answer in answers for failure in answer["failures"]]
        result: dict[str, Any] = {
            "id": wanted["id"],
            "project": wanted["project"],
            "files": sum(answer["files"] for answer in answers),
            "size": sum(answer["size"] for answer in answers),
            "failures": failures[:_MOST_FAILURES],
            "failed": len(failures),
            "not_taken": {answer["label"]: answer["not_taken"] for answer in answers if answer["not_taken"]},
        }
        if done is None:
            if not result["files"]:
                raise NothingFetched(id=wanted["id"], failures=len(failures))
            try:
                done, changed = self._commit(wanted, answers, failures, context)
            except (TransactionGone, StaleTransaction, ResourceExists):
                return _anew(wanted, context)
        else:
            changed = True
        shutil.rmtree(self._means.scratch(context.job), ignore_errors=True)
        return Done(cast("Json", {**result, "instance": done.number, "changed": changed}))

    def _done_before(self, wanted: Given) -> Any:
        """The instance that this transaction became, where the worker was killed before it could say so; or None."""
        try:
            return self._means.archive.get(wanted["id"], instance=str(wanted["transaction"]), project=wanted["project"])
        except (ResourceNotFound, InstanceNotFound):
            return None

    def _commit(
        self, wanted: Given, answers: list[dict[str, Any]], failures: list[object], context: Context
    ) -> tuple[object, bool]:
        means = self._means
        hold = TransactionLease(means.archive, wanted["id"], wanted["transaction"], means.policy.lease, context.check)
        newest = self._newest(wanted)
        transaction = hold.closing()
        if newest is not None and _content(transaction.files()) == _content(newest.files()):
            transaction.rollback()
            return newest, False
        names = ("label", "service", "fields", "resource", "prefix", "files", "size", "not_taken")
        transaction.metadata[METADATA] = {
            "at": now(),
            "job": context.job,
            "requester": means.ledger.job(context.job).requester,
            "sources": [{name: answer[name] for name in names} for answer in answers],
            "failures": failures,
        }
        context.progress("committing", 0, 1)
        services = ", ".join(str(answer["label"]) for answer in answers)
        transaction.commit(message=wanted["message"] or f"fetched from {services}")
        return means.archive.get(wanted["id"], project=wanted["project"]), True


class AgainStep(_FetchStep):
    """After everything was fetched once more: as well or as badly as that went."""

    name = AGAIN

    def run(self, given: Json, context: Context) -> Done:
        """Pass on how it went.

        Raises:
            FetchFailed: It failed.
        """
        id = cast("Given", given)["id"]  # noqa: A001 - the field's name
        found: Json = None
        for row in self._means.ledger.steps(context.job, name=COMMIT):
            if row.state is State.DONE and isinstance(row.result, Mapping):
                found = row.result
        if found is None or any(row.outcome is not State.DONE for row in context.children()):
            reasons = [row.reason for row in self._means.ledger.steps(context.job, state=State.FAILED)]
            raise FetchFailed(id=id, reason=bare_reason(id, reasons[-1]) if reasons else "It was ended.")
        return Done(found)


def steps(context: FetchContext) -> list[Step]:
    """Every step a worker has to know to fetch resources."""
    return [BeginStep(context), SourceStep(context), CommitStep(context), AgainStep(context)]


def bare_reason(id: str, reason: str) -> str:
    """A reason without the words of `FetchFailed` around it."""
    start, _, end = FetchFailed(id=id, reason="\0").message.partition("\0")
    head, found, tail = reason.partition(start)
    return tail.removesuffix(end) if found else head


def _anew(wanted: Given, context: Context) -> Done:
    """Fetch all of it once more: the transaction expired, or somebody else made an instance meanwhile."""
    again = {name: value for name, value in wanted.items() if name not in {"transaction", "former"}}
    call = Call(BEGIN, cast("Json", again), key=f"after {context.key}")
    return Done(spawn=[call], then=Call(AGAIN, {"id": wanted["id"]}))


def _reasons(rows: list[StepRow]) -> Iterator[str]:
    for row in rows:
        answer = row.result if isinstance(row.result, Mapping) else {}
        if row.state is not State.DONE:
            yield f"{cast('Given', row.given)['source']['label']}: {row.reason}"
        elif answer.get("fatal"):
            yield str(answer["fatal"])


def _content(entries: Iterator[Entry]) -> dict[str, Mapping[str, str]]:
    return {entry.path: dict(entry.digests) for entry in entries}
