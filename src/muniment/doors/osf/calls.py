"""What the steps of a registration share: their names, the calls that make them, and their context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from muniment.doors.osf.context import RegistrationContext
from muniment.errors.archive import InstanceNotFound, ResourceNotFound
from muniment.errors.registration import InstanceGone
from muniment.jobs import Call, Deadlines, Json, State
from muniment.jobs.model import derived

Given = Mapping[str, Any]

SUBMISSION = "osf.submission"
CONTAINER = "osf.container"
SERVICE = "osf.service"
SEAL = "osf.seal"
AGAIN = "osf.again"
REGISTRATION = "osf.registration"
FINISH = "osf.finish"
END = "osf.end"


class OsfStep:
    """What all steps share: the registration_context, and that they ask nobody else where nothing else is said."""

    deadlines = Deadlines(ours=True)

    def __init__(self, registration_context: RegistrationContext) -> None:
        self._office = registration_context

    def _already(self, id: str, digest: str) -> Any:
        """The instance a container was committed as by this submission or an equal one before it, or None."""
        try:
            found = self._office.archive.get(id, project=self._office.policy.project)
        except ResourceNotFound:
            return None
        return found if found.metadata.get("submission") == digest else None

    def _committed(self, id: str, instance: str) -> Any:
        """The instance that a container was committed as.

        Raises:
            InstanceGone: It is not there any more, or not to be seen: nothing that was submitted can help that.
        """
        try:
            return self._office.archive.get(id, instance=instance, project=self._office.policy.project)
        except (ResourceNotFound, InstanceNotFound) as error:
            raise InstanceGone(id=id, instance=instance) from error


def container_call(tree: Given, parents: list[str]) -> Call:
    """The step that begins a container."""
    given = {"tree": tree, "parents": parents, "digest": digest_of(tree, parents)}
    return Call(CONTAINER, cast("Json", given))


def service_call(id: str, service: Given, transaction: str) -> Call:
    """The step that fetches a service; it alone is shown the credential."""
    given = {"id": id, "service": service, "transaction": transaction}
    secrets = (service["secret"],) if service["secret"] else ()
    return Call(SERVICE, cast("Json", given), secrets=secrets)


def digest_of(tree: Given, parents: list[str]) -> str:
    """What a container was asked to be, in one word: with another it is another instance."""
    return derived(cast("Json", tree), cast("Json", parents))


def digests_of(tree: Given, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The id and the digest of each container of a tree, the outermost first."""
    id = str(tree["metadata"]["id"])  # noqa: A001 - the field's name
    yield id, digest_of(tree, list(parents))
    for child in tree["children"]:
        yield from digests_of(child, (*parents, id))


def why(registration_context: RegistrationContext, job: str, id: str) -> str:
    """Why a container of a job failed, in the words of the step that did; nothing where none says."""
    for row in registration_context.ledger.steps(job, state=State.FAILED):
        given = cast("Given", row.given) if isinstance(row.given, Mapping) else {}
        known = given.get("id") or given.get("tree", {}).get("metadata", {}).get("id")
        if known == id and row.reason:
            return row.reason.removeprefix(f"The container {id!r} could not be registered: ")
    return ""


def sentence(reason: str) -> str:
    """A reason that ends as a sentence does."""
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."
