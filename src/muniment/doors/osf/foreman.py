"""The foreman: takes submissions in, says how they stand, and hands out what was registered."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from muniment.doors.osf.callbacks import deliveries, failed, tell, told
from muniment.doors.osf.calls import SUBMISSION as SUBMISSION_STEP
from muniment.doors.osf.calls import digests_of
from muniment.doors.osf.context import KIND, RegistrationContext
from muniment.doors.osf.links import Links, disposition
from muniment.doors.osf.progress import ServiceProgress, services_of
from muniment.doors.osf.registration import MANIFEST_LIMIT
from muniment.doors.osf.submission import Submission, read_body, read_submission
from muniment.errors.archive import ResourceNotFound
from muniment.errors.base import BadInput
from muniment.errors.jobs import BadSubmission, KeyUsed, SubjectTaken
from muniment.errors.registration import (
    ContainerExists,
    ContainerField,
    ContainerNotFound,
    FileNotFound,
    ServiceNotFound,
)
from muniment.errors.stores import KeyNotFound
from muniment.jobs import Call, Job, JobState, Json, Priority, State, StepRow
from muniment.layouts import registration as layout
from muniment.stores import Store, read_bytes
from muniment.workflows.signing import SUBMISSION

_DOCUMENT = 1 << 20
_MANIFESTS_KEPT = 16
_RECENT_FAILURES = 100


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a submitter is told: the container's id, the time in seconds since 1970 UTC, and the job."""

    id: str
    date: int
    job: str


@dataclass(frozen=True, slots=True)
class NamedCredential:
    """A credential of a service of a container, as the ledger knows it: its name and fields, never their values."""

    name: str
    container: str
    label: str
    service: str
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class Download:
    """Where to fetch a file: an address of the store's own, or else the query of a signed link of ours."""

    url: str | None
    query: str = ""


class Foreman:
    """What a door speaks with. Thread-safe."""

    def __init__(
        self, registration_context: RegistrationContext, links: Links, *, signed_submissions: bool = False
    ) -> None:
        self.registration_context = registration_context
        self._links = links
        self._signed = signed_submissions
        self._manifests: OrderedDict[str, Mapping[str, object]] = OrderedDict()
        self._lock = threading.Lock()

    # --- taking in

    def submit(self, body: bytes, *, requester: str, headers: Mapping[str, str] | None = None) -> Accepted:
        """Check a submission whole and put it into the ledger. Header names are in small letters.

        Raises:
            NotSigned: Submissions have to be signed, and this one is not.
            SubmissionNotJson, ContainerField: It cannot be used; nothing was asked of anybody.
            ContainerExists: One of its containers is registered, or is being registered.
            DatabaseUnavailable: It could not be recorded.
        """
        document = read_body(body)
        if self._signed:
            assert self.registration_context.signer is not None
            self.registration_context.signer.check(headers or {}, body, document, SUBMISSION)
        submission = read_submission(document)
        self._refuse_known(submission)
        return self._ask(submission, requester)

    def submit_again(self, id: str, credentials: Mapping[str, Sequence[str]], *, requester: str) -> Accepted:
        """Submit a container that failed once more as it was, with new credentials where it had some.

        `credentials` are as `credentials_of` names them. The former ones were erased when it failed.

        Raises:
            ContainerNotFound: Nobody submitted it, or the ledger knows no more as what.
            ContainerExists: It is registered, or is being registered.
            BadInput: A credential is missing, or is none of this container.
            DatabaseUnavailable: It could not be recorded.
        """
        job, tree = self._submitted(id)
        wanted = {each.name: each for each in _credentials(tree)}
        if unknown := set(credentials) - set(wanted):
            raise BadInput(reason=f"{id} has no credential {min(unknown)!r}; it has {', '.join(wanted) or 'none'}")
        for name, each in wanted.items():
            if len(credentials.get(name, ())) != len(each.fields) or not all(credentials[name]):
                raise BadInput(reason=f"the credential of {each.label} of {each.container} is missing or not whole")
        submission = Submission(tree, {name: list(values) for name, values in credentials.items()})
        if job.state is JobState.RUNNING:
            raise ContainerExists(id=id, how=f"is being registered (job {job.id})")
        self._refuse_known(submission)
        return self._ask(submission, requester)

    def credentials_of(self, id: str) -> list[NamedCredential]:
        """Which credentials a container that failed needs to be submitted again; never what they were.

        Raises:
            ContainerNotFound: Nobody submitted it, or the ledger knows no more as what.
        """
        return list(_credentials(self._submitted(id)[1]))

    def _submitted(self, id: str) -> tuple[Job, Mapping[str, Any]]:
        """The newest job of a container and the tree that was submitted, without its credentials."""
        job = self._job(id)
        if job is None:
            raise ContainerNotFound(id=id)
        root = next(self.registration_context.ledger.steps(job.id, name=SUBMISSION_STEP), None)
        given = root.given if root is not None and isinstance(root.given, Mapping) else {}
        tree = given.get("tree")
        if not isinstance(tree, Mapping):
            raise ContainerNotFound(id=id)
        return job, tree

    def _ask(self, submission: Submission, requester: str) -> Accepted:
        given = {"tree": submission.tree}
        try:
            job = self.registration_context.ledger.submit(
                KIND,
                Call(SUBMISSION_STEP, cast("Json", given)),
                requester=requester,
                given={"ids": submission.ids()},
                priority=Priority.BULK,
                key=submission.id,
                secrets=submission.secrets,
                after_failure=True,
                subjects=submission.ids(),
            )
        except SubjectTaken as error:
            taken, job_id = str(error.details["subject"]), error.details["job"]
            raise ContainerExists(id=taken, how=f"is being registered (job {job_id})") from None
        except KeyUsed as error:
            raise ContainerExists(id=submission.id, how=f"is being registered (job {error.details['job']})") from None
        except BadSubmission as error:
            reason = str(error.details["reason"])
            raise ContainerField(field="container", reason=reason, errors=[]) from None
        if not job.new:
            raise ContainerExists(id=submission.id, how=f"is being registered (job {job.id})")
        return Accepted(submission.id, int(time.time()), job.id)

    def _refuse_known(self, submission: Submission) -> None:
        former = self.registration_context.ledger.find(KIND, submission.id)
        for id, digest in digests_of(submission.tree):  # noqa: A001 - the field's name
            if self._store.stat(layout.manifest_key(id)) is None:
                continue
            ours = former is not None and former.state is not JobState.RUNNING and id in _ids(former)
            if not ours or id == submission.id:
                raise ContainerExists(id=id, how="is registered")
            # A child that an earlier attempt at the same tree finished stays as it is, and the attempt goes on.
            if not self._is_archived(id, digest):
                raise ContainerExists(id=id, how="is registered as it was submitted before: leave it as it was")

    def _is_archived(self, id: str, digest: str) -> bool:
        """Whether the archive has a container as it was submitted with this digest."""
        try:
            found = self.registration_context.archive.get(id, project=self.registration_context.policy.project)
        except ResourceNotFound:
            return False
        return found.metadata.get("submission") == digest

    def cancel(self, id: str, *, by: str) -> Job:
        """Stop a job, and tell everybody that its containers will not come.

        Raises:
            ContainerNotFound: There is no such job.
        """
        job = self._job(id)
        if job is None:
            raise ContainerNotFound(id=id)
        ended = self.registration_context.ledger.cancel(job.id, by=by)
        for each in _ids(job):
            if not told(self.registration_context.ledger, job.id, each, self.registration_context.callbacks):
                tell(self.registration_context, job.id, failed(each, [f"It was cancelled by {by}."]))
        return ended

    # --- what there is

    def containers(self, *, after: str = "", limit: int | None = None) -> tuple[list[str], str | None]:
        """The ids of registered containers from after an id, and the id to go on after; None at the end."""
        found: list[str] = []
        start = layout.manifest_key(after) if after else ""
        for each in self._store.list(f"{layout.MANIFESTS}/", start):
            id = layout.container_of(each.key)  # noqa: A001 - the field's name
            if id is None:
                continue
            if limit is not None and len(found) == limit:
                return found, found[-1]
            found.append(id)
        return found, None

    def manifest(self, id: str, service: str | None = None) -> Mapping[str, object]:
        """The manifest of a container, or of one of its services.

        Raises:
            ContainerNotFound, ServiceNotFound: There is none.
        """
        if service is None:
            return self._manifest(id)
        services = self._manifest(id)["services"]
        if service not in services:
            raise ServiceNotFound(id=id, service=service)
        return cast("Mapping[str, object]", services[service])

    def files(self, id: str) -> dict[str, Any]:
        """The files of a container's own services.

        Raises:
            ContainerNotFound: There is no such container.
        """
        return {label: service["files"] for label, service in self._manifest(id)["services"].items()}

    def file_metadata(self, id: str, sha256: str) -> object:
        """What is known of a file of a container.

        Raises:
            ContainerNotFound, FileNotFound: The container has no such file.
        """
        self._require_file(id, sha256)
        try:
            return json.loads(read_bytes(self._store, layout.metadata_key(sha256), _DOCUMENT))
        except KeyNotFound:
            raise FileNotFound(id=id, sha256=sha256) from None

    def download(self, id: str, sha256: str, name: str = "", *, ours: bool = False) -> Download:
        """Where a file of a container may be fetched from for a while, to be saved as `name`.

        With `ours` it is a link to this server, also where the store gives addresses of its own.

        Raises:
            ContainerNotFound, FileNotFound: The container has no such file.
            BadFileName: It cannot be saved under that name.
        """
        self._require_file(id, sha256)
        header = disposition(name)
        if self._store.capabilities.links and not ours:
            return Download(self._store.link(layout.file_key(sha256), life=self._links.life, disposition=header))
        return Download(None, self._links.query(id, sha256, name))

    def linked(self, id: str, sha256: str, *, name: str, expires: str, signature: str) -> tuple[Store, str, str]:
        """What a link of ours leads to: the store, the key, and the Content-Disposition.

        Raises:
            LinkRefused: The link is not ours, or its time is over.
            ContainerNotFound, FileNotFound: The container has no such file.
        """
        self._links.check(id, sha256, name, expires, signature)
        self._require_file(id, sha256)
        return self._store, layout.file_key(sha256), disposition(name)

    # --- how it stands

    def status(self, id: str) -> dict[str, Any]:
        """How far a container is: job, progress, what runs, what failed, and who was told.

        Raises:
            ContainerNotFound: Nobody ever submitted it.
        """
        job = self._job(id)
        registered = self._store.stat(layout.manifest_key(id)) is not None
        if job is None and not registered:
            raise ContainerNotFound(id=id)
        if job is None:
            # Registered, and the ledger that did it is another: what the store holds is all there is to say.
            return {
                "id": id,
                "status": "SUCCESS",
                "registered": True,
                "reason": "",
                "running": [],
                "services": [],
                "failures": self._failures(id),
                "waiting": [],
                "callbacks": [],
            }
        ledger = self.registration_context.ledger
        progress = ledger.progress(job.id)
        services = self.services(id)
        return {
            "id": id,
            "status": _word(job, registered=registered),
            "registered": registered,
            "reason": job.reason,
            "job": {
                "id": job.id,
                "state": str(job.state),
                "containers": _ids(job),
                "created": job.created_at,
                "ended": job.ended_at,
            },
            "progress": {
                "done": job.steps_done,
                "total": job.steps,
                "failed": job.steps_failed,
                "bytes": progress.size,
            },
            "running": [_running(step) for step in progress.running],
            "services": [each.as_json() for each in services],
            "failures": self._failures(id)
            if registered
            else [failure for each in services if each.container == id for failure in each.failures],
            "waiting": [
                {"step": step.name, "reason": step.reason, "again": step.next_at}
                for step in _some(ledger.steps(job.id, state=State.READY))
                if step.reason
            ],
            "callbacks": deliveries(ledger, job.id, id, self.registration_context.callbacks),
        }

    def services(self, id: str) -> list[ServiceProgress]:
        """How far each service of a container is, and of all below it; nothing where the ledger knows no more of it."""
        with contextlib.suppress(ContainerNotFound):
            job, tree = self._submitted(id)
            return services_of(self.registration_context.ledger, job.id, tree, id)
        return []

    def _failures(self, id: str) -> object:
        try:
            return json.loads(read_bytes(self._store, layout.failures_key(id), MANIFEST_LIMIT))
        except KeyNotFound:
            return []

    # --- inside

    @property
    def _store(self) -> Store:
        return self.registration_context.stores[0]

    def _manifest(self, id: str) -> Mapping[str, Any]:
        """A container's manifest. It never changes, so the last few are kept."""
        with self._lock:
            if id in self._manifests:
                self._manifests.move_to_end(id)
                return self._manifests[id]
        try:
            found: Mapping[str, object] = json.loads(read_bytes(self._store, layout.manifest_key(id), MANIFEST_LIMIT))
        except KeyNotFound:
            raise ContainerNotFound(id=id) from None
        with self._lock:
            self._manifests[id] = found
            while len(self._manifests) > _MANIFESTS_KEPT:
                self._manifests.popitem(last=False)
        return found

    def _require_file(self, id: str, sha256: str) -> None:
        for files in self.files(id).values():
            for file in files:
                if sha256 == file["sha256"] or sha256 in file.get("versions", {}).values():
                    return
        raise FileNotFound(id=id, sha256=sha256[:64])

    def _job(self, id: str) -> Job | None:
        """The newest job a container belongs to, as the outermost or as a child."""
        found = self.registration_context.ledger.find(KIND, id)
        if found is not None:
            return found
        return self.registration_context.ledger.about(KIND, id)


def _credentials(tree: Mapping[str, Any]) -> Iterator[NamedCredential]:
    for service in tree["services"]:
        if service["secret"]:
            where = str(tree["metadata"]["id"])
            yield NamedCredential(
                service["secret"], where, service["label"], service["service"], list(service["secret_fields"])
            )
    for child in tree["children"]:
        yield from _credentials(child)


def _ids(job: Job) -> Sequence[str]:
    given = job.given if isinstance(job.given, Mapping) else {}
    return [str(each) for each in cast("Sequence[Json]", given.get("ids", []))]


def _word(job: Job, *, registered: bool) -> str:
    if job.state is JobState.RUNNING:
        return "SUCCESS" if registered else "STARTED"
    if registered:
        return "SUCCESS"
    return {JobState.FAILED: "FAILED", JobState.CANCELLED: "CANCELLED"}.get(job.state, "FAILED")


def _running(step: StepRow) -> dict[str, object]:
    return {
        "step": step.name,
        "what": step.what,
        "done": step.done,
        "total": step.total,
        "bytes": step.size,
        "attempt": step.attempt,
        "worker": step.lease_owner,
    }


def _some(rows: Iterator[StepRow]) -> Iterator[StepRow]:
    for number, row in enumerate(rows):
        if number == _RECENT_FAILURES:
            return
        yield row
