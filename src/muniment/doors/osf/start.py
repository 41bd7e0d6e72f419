"""The first steps of a registration: the submission, each container, and the services that are fetched."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any, cast

from muniment.content import LogicalPath
from muniment.content.times import seconds
from muniment.content.trees import files_below
from muniment.doors.osf import calls
from muniment.doors.osf.calls import Given, OsfStep, container_call, service_call
from muniment.doors.osf.fetch import Fetch, Stopping, Taken
from muniment.doors.osf.submission import ids_of
from muniment.doors.osf.transactions import TransactionLease
from muniment.errors.archive import ResourceExists
from muniment.errors.base import MunimentError
from muniment.errors.register import TransactionGone
from muniment.errors.sources import RateLimited
from muniment.jobs import Again, Call, Context, Deadlines, Done, Json
from muniment.jobs.keyring import Blackout
from muniment.layouts import registration as layout
from muniment.sources import Source, SourceContext, find, open_source


class SubmissionStep(OsfStep):
    """The first step: the outermost container, and after it the last word."""

    name = calls.SUBMISSION

    def run(self, given: Json, context: Context) -> Done:
        """Begin."""
        tree = cast("Given", given)["tree"]
        call = container_call(tree, [])
        return Done(spawn=[call], then=Call(calls.END, {"ids": list(ids_of(tree)), "job": context.job}))


class ContainerStep(OsfStep):
    """Begin a container: its transaction, a step for each service, and its children."""

    name = calls.CONTAINER

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - all steps are run alike
        """Begin it, or find that it is committed already.

        Raises:
            MunimentError: The archive cannot be written.
        """
        wanted = cast("Given", given)
        tree, parents = wanted["tree"], list(wanted["parents"])
        id = str(tree["metadata"]["id"])  # noqa: A001 - the field's name
        children = [container_call(child, [*parents, id]) for child in tree["children"]]
        sealing = {"tree": tree, "parents": parents, "digest": wanted["digest"]}
        if self._already(id, wanted["digest"]) is not None:
            return Done(spawn=children, then=Call(calls.SEAL, {**sealing, "transaction": None}))
        transaction = self._begin(id)
        services = [service_call(id, service, transaction) for service in tree["services"]]
        return Done(spawn=[*services, *children], then=Call(calls.SEAL, {**sealing, "transaction": transaction}))

    def _begin(self, id: str) -> str:
        policy = self._office.policy
        message = f"archived the container {id}"
        try:
            transaction = self._office.archive.new(id, policy.project, message=message)
        except ResourceExists:
            # An earlier submission got this far and failed after it; what it committed stays as an instance.
            transaction = self._office.archive.get(id, "a", project=policy.project, message=message)
            for path in [entry.path for entry in transaction.files()]:
                transaction.delete(path)
        transaction.park(lease=policy.lease)
        return str(transaction.transaction)


class ServiceStep(OsfStep):
    """Fetch one service into its container's transaction."""

    name = calls.SERVICE

    @property
    def deadlines(self) -> Deadlines:  # type: ignore[override]  # the others' are the same for all
        """As the policy says."""
        return Deadlines(total=self._office.policy.attempt, silence=self._office.policy.silence)

    def work_seen(self, given: Json, context: Context) -> int:
        """Bytes in its scratch folder: git says nothing while it clones for hours."""
        wanted = cast("Given", given)
        folder = self._office.scratch(context.job, f"{wanted['id']}-{wanted['service']['label']}")
        return sum(_size(Path(place)) for place in files_below(folder))

    def run(self, given: Json, context: Context) -> Done | Again:
        """Fetch what is not there yet. What the submission has to change is an answer, so that all of it is told.

        Raises:
            MunimentError: The service or the archive failed; it is tried again.
        """
        wanted = cast("Given", given)
        service = wanted["service"]
        secrets = Blackout(dict(context.secrets))
        scratch = self._office.scratch(context.job, f"{wanted['id']}-{service['label']}")
        answer: dict[str, Any] = {"label": service["label"], "service": service["service"]}
        answer["force_parity"] = bool(service["force_parity"])
        answer["not_taken"] = list(find(service["service"]).leaves)
        try:
            with contextlib.ExitStack() as stack:
                source = self._open(service, context, scratch)
                stack.callback(getattr(source, "close", lambda: None))
                prefix = "/".join([service["label"], *layout.resource_parts(source.resource)])
                LogicalPath.parse(prefix)
                taken = self._fetch(wanted, source, prefix, context)
                answer |= {"resource": source.resource, "prefix": prefix, **_as_json(taken, secrets, service["label"])}
        except Stopping:
            return Again(time.time(), "the worker is being stopped; what was fetched is kept")
        except RateLimited as error:
            again = seconds(error.details["until"]) + 1
            return Again(again, secrets.redact(error.message), waits_for=error.details.get("limit"))
        except TransactionGone as error:
            answer["gone"] = error.message
        except MunimentError as error:
            if error.retry or error.outage:
                raise
            answer["fatal"] = f"{service['label']}: {secrets.redact(error.message)}"
        shutil.rmtree(scratch, ignore_errors=True)
        return Done(cast("Json", answer))

    def _open(self, service: Given, context: Context, scratch: Any) -> Source:
        policy = self._office.policy
        kind = find(service["service"])
        fields = dict(service["fields"])
        if service["secret"]:
            fields |= zip(service["secret_fields"], cast("list[str]", context.secrets[service["secret"]]), strict=True)
        calls = policy.hourly_calls.get(kind.name, kind.hourly_calls)
        means = SourceContext(self._office.session, scratch, max_file_size=policy.max_file_size, hourly_calls=calls)
        return open_source(kind.name, fields, means)

    def _fetch(self, wanted: Given, source: Source, prefix: str, context: Context) -> Taken:
        policy = self._office.policy
        hold = TransactionLease(self._office.archive, wanted["id"], wanted["transaction"], policy.lease, context.check)

        def last_time() -> bool:
            return self._office.ledger.step(context.key).failures >= policy.patience - 1

        return Fetch(source, hold, prefix, context, streams=policy.streams, last_time=last_time).run()


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0  # it was there a moment ago


def _as_json(taken: Taken, secrets: Blackout, label: str) -> dict[str, Any]:
    failures = [
        {"file": failure.file, "reason": secrets.redact(failure.reason), "service": label} for failure in taken.failures
    ]
    return {"files": taken.files, "size": taken.size, "failures": failures}
