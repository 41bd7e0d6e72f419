"""The first steps of a registration: the submission, each container, and the services that are fetched."""

from __future__ import annotations

from typing import cast

from muniment.doors.osf import calls
from muniment.doors.osf.calls import Given, OsfStep, container_call, service_call
from muniment.doors.osf.submission import ids_of
from muniment.errors.archive import ResourceExists
from muniment.jobs import Again, Call, Context, Deadlines, Done, Json
from muniment.layouts import registration as layout
from muniment.sources import Source
from muniment.workflows.fetch.service import ServiceFetch, deadlines


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
        return deadlines(self._office.policy)

    def work_seen(self, given: Json, context: Context) -> int:
        """Bytes that are on their way."""
        return self._fetch(cast("Given", given), context).size_on_the_way()

    def run(self, given: Json, context: Context) -> Done | Again:
        """Fetch what is not there yet. What the submission has to change is an answer, so that all of it is told.

        Raises:
            MunimentError: The service or the archive failed; it is tried again.
        """
        wanted = cast("Given", given)

        def prefix(source: Source) -> str:
            return "/".join([wanted["service"]["label"], *layout.resource_parts(source.resource)])

        answer = self._fetch(wanted, context).run(wanted["id"], wanted["transaction"], prefix)
        return answer if isinstance(answer, Again) else Done(cast("Json", answer))

    def _fetch(self, wanted: Given, context: Context) -> ServiceFetch:
        service = wanted["service"]
        return ServiceFetch(self._office.fetching, context, service, f"{wanted['id']}-{service['label']}")
