"""The last steps of a registration: commit or give up, write to the stores, and owe the callbacks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any, cast

from muniment.doors.osf import calls
from muniment.doors.osf.callbacks import failed, success, tell, told
from muniment.doors.osf.calls import Given, OsfStep, sentence, why
from muniment.doors.osf.registration import Registration
from muniment.errors.registration import ContainerFailed, TransactionGone
from muniment.jobs import Call, Context, Done, Json, State, StepRow
from muniment.workflows.fetch.transactions import TransactionLease


class SealStep(OsfStep):
    """Commit a container whose services and children ended well; otherwise say why it cannot be."""

    name = calls.SEAL

    def run(self, given: Json, context: Context) -> Done:
        """Commit it, once.

        Raises:
            ContainerFailed: A service or a child failed; everybody was told.
            MunimentError: The archive failed.
        """
        wanted = cast("Given", given)
        tree, transaction = wanted["tree"], wanted["transaction"]
        id = str(tree["metadata"]["id"])  # noqa: A001 - the field's name
        rows = list(context.children())
        reasons = list(self._reasons(rows, context))
        services = [row.result for row in rows if row.name == calls.SERVICE and isinstance(row.result, Mapping)]
        if reasons:
            self._give_up(id, transaction)
            tell(self._office, context.job, failed(id, reasons))
            raise ContainerFailed(id=id, reason=" ".join(sentence(reason) for reason in reasons))
        instance = self._already(id, wanted["digest"])
        if instance is None:
            if any(answer.get("gone") for answer in services):
                return self._anew(wanted, context)
            try:
                instance = self._commit(id, wanted, services, context)
            except TransactionGone:
                return self._anew(wanted, context)
        further = {"id": id, "instance": str(instance.instance), "parents": wanted["parents"]}
        registrations = [
            Call(calls.REGISTRATION, {**further, "store": number}) for number in range(len(self._office.stores))
        ]
        return Done(
            {"id": id, "status": "committed"}, spawn=registrations, then=Call(calls.FINISH, cast("Json", further))
        )

    def _commit(self, id: str, wanted: Given, services: list[Mapping[str, Any]], context: Context) -> object:
        policy = self._office.policy
        hold = TransactionLease(self._office.archive, id, wanted["transaction"], policy.lease, context.check)
        transaction = hold.closing()
        tree = wanted["tree"]
        transaction.metadata.clear()
        transaction.metadata.update(
            {
                "container": dict(tree["metadata"]),
                "services": [_kept(answer) for answer in services],
                "children": [child["metadata"]["id"] for child in tree["children"]],
                "parents": list(wanted["parents"]),
                "failures": [failure for answer in services for failure in answer["failures"]],
                "submission": wanted["digest"],
            }
        )
        context.progress(f"{id}: committing", 0, 1)
        transaction.commit(message=f"archived the container {id}")
        return self._office.archive.get(id, project=policy.project)

    def _anew(self, wanted: Given, context: Context) -> Done:
        """Fetch the container once more: its transaction expired, or somebody removed it."""
        again = {"tree": wanted["tree"], "parents": wanted["parents"], "digest": wanted["digest"]}
        call = Call(calls.CONTAINER, cast("Json", again), key=f"after {context.key}")
        return Done(spawn=[call], then=Call(calls.AGAIN, {"id": wanted["tree"]["metadata"]["id"]}))

    def _give_up(self, id: str, transaction: str | None) -> None:
        if transaction is None:
            return
        hold = TransactionLease(self._office.archive, id, transaction, self._office.policy.lease, lambda: None)
        with contextlib.suppress(TransactionGone):
            hold.closing().rollback()

    def _reasons(self, rows: list[StepRow], context: Context) -> Iterator[str]:
        for row in rows:
            given = cast("Given", row.given)
            answer = row.result if isinstance(row.result, Mapping) else {}
            if row.name == calls.SERVICE and row.state is not State.DONE:
                yield f"{given['service']['label']}: {row.reason}"
            elif row.name == calls.SERVICE and answer.get("fatal"):
                yield str(answer["fatal"])
            elif row.name == calls.CONTAINER and row.outcome is not State.DONE:
                child = given["tree"]["metadata"]["id"]
                yield f"child {child}: {why(self._office, context.job, child) or row.reason or 'it failed'}"


class AgainStep(OsfStep):
    """After a container was fetched anew: as well or as badly as that went."""

    name = calls.AGAIN

    def run(self, given: Json, context: Context) -> Done:
        """Pass on how it went.

        Raises:
            ContainerFailed: It failed.
        """
        id = str(cast("Given", given)["id"])  # noqa: A001 - the field's name
        for row in context.children():
            if row.outcome is not State.DONE:
                raise ContainerFailed(id=id, reason=why(self._office, context.job, id) or row.reason)
        return Done({"id": id})


class RegistrationStep(OsfStep):
    """Write the registration of a committed container to one store."""

    name = calls.REGISTRATION

    def run(self, given: Json, context: Context) -> Done:
        """Write what is not there yet.

        Raises:
            MunimentError: Archive, store or par2 failed.
        """
        wanted = cast("Given", given)
        registration_context, id = self._office, str(wanted["id"])  # noqa: A001 - the field's name
        store = registration_context.stores[int(wanted["store"])]
        instance = self._committed(id, wanted["instance"])
        scratch = registration_context.scratch(context.job, f"{id}-{wanted['store']}-registration")
        try:
            registration = Registration(
                store,
                instance,
                list(wanted["parents"]),
                archive=registration_context.archive,
                parity=registration_context.policy.parity,
                scratch=scratch,
                context=context,
            )
            done = registration.write()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return Done({"files": done.files, "size": done.size, "new": done.new, "store": store.container})


class FinishStep(OsfStep):
    """Owe the callbacks of a container that is in all stores, or is not."""

    name = calls.FINISH

    def run(self, given: Json, context: Context) -> Done:
        """Tell everybody.

        Raises:
            ContainerFailed: A store does not have it.
        """
        wanted = cast("Given", given)
        id = str(wanted["id"])  # noqa: A001 - the field's name
        reasons = [row.reason for row in context.children() if row.state is not State.DONE]
        if reasons:
            tell(self._office, context.job, failed(id, reasons))
            raise ContainerFailed(id=id, reason=" ".join(sentence(reason) for reason in reasons))
        instance = self._committed(id, wanted["instance"])
        failures = list(instance.metadata.get("failures", []))
        tell(self._office, context.job, success(id, failures))
        return Done({"id": id, "status": "success", "failures": len(failures)})


class EndStep(OsfStep):
    """The last step: see that every address was told of every container, also when a step ended that should have."""

    name = calls.END

    def run(self, given: Json, context: Context) -> Done:
        """Tell those who were not told, and end the job as its outermost container ended.

        Raises:
            ContainerFailed: The outermost container failed.
        """
        wanted = cast("Given", given)
        root = str(wanted["ids"][0])
        broken = [row for row in context.children() if row.outcome is not State.DONE]
        for id in wanted["ids"]:  # noqa: A001 - the field's name
            if not told(self._office.ledger, context.job, id, self._office.callbacks):
                reason = why(self._office, context.job, id) or "a container that it belongs to failed"
                tell(self._office, context.job, failed(id, [reason]))
        with contextlib.suppress(OSError):
            shutil.rmtree(self._office.scratch(context.job))
        if broken:
            reason = why(self._office, context.job, root) or broken[0].reason or "it failed"
            raise ContainerFailed(id=root, reason=reason)
        return Done({"id": root, "status": "success"})


def _kept(answer: Mapping[str, Any]) -> dict[str, object]:
    names = ("label", "service", "resource", "prefix", "force_parity", "files", "size")
    # A service that was fetched before this was recorded has nothing to say of it.
    return {name: answer[name] for name in names} | {"not_taken": list(answer.get("not_taken", ()))}
