"""`/v1/archives`: selections are described by POST or PUT and downloaded by GET."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence

from muniment.content.jsonld import ARCHIVES, ARCHIVES_METADATA, METADATA
from muniment.doors.nexus.addresses import ARCHIVE_SCHEMA
from muniment.doors.nexus.delivery import READ, ZIP
from muniment.doors.nexus.http.answers import CHUNK, Answer, StreamedAnswer, form_of, simple
from muniment.doors.nexus.http.call import Call
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.selections import Definition
from muniment.doors.nexus.times import at
from muniment.errors.nexus import AddressUnknown, QueryRefused
from muniment.http.representations import REPR_DIGESTS
from muniment.http.streaming import DIGESTERS

Handler = Callable[[Call], Answer | StreamedAnswer]
WRITE = "archives/write"
_RESERVED = {"events", "source", "tags"}
_WITHOUT_ID = 3


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case [_, _, _]:
            return {"POST": create}
        case [_, _, _, id] if id not in _RESERVED:
            return {"PUT": create_as, "GET": fetch, "POST": follow}
    return {}


def create(call: Call) -> Answer:
    """Describe a selection, and be sent to where it is downloaded."""
    return _create(call, packed=call.accept.packed() is not None)


def create_as(call: Call) -> Answer:
    """Describe a selection under an id; it is downloaded later, perhaps by somebody else."""
    return _create(call, packed=call.accept.names_packed())


def _create(call: Call, *, packed: bool) -> Answer:
    """The order of the checks is part of the API: body, rights, project, id, payload, whether the id is free."""
    if not packed:
        call.accept.document()
        form_of(call)
    payload = call.json()
    project = call.writable(WRITE)
    iri = project.space.expand(call.parts[3], "Archive") if len(call.parts) > _WITHOUT_ID else None
    found = call.nexus.select(project, iri, payload, call.actor.identity, call.may_read)
    return _redirect(call, found) if packed else _described(call, project, found, status=201)


def fetch(call: Call) -> Answer | StreamedAnswer:
    """Download a selection, or see what it is."""
    project = call.project(READ)
    ignore = call.flag("ignoreNotFound")
    manifest = _manifest(call)
    iri = project.space.expand(call.parts[3], "Archive")
    kind = call.accept.selection()
    found = call.nexus.selections.get(project.name, iri)
    if call.accept.packed() is None:
        return _described(call, project, found, status=200)
    delivering = call.nexus.delivering
    plan = delivering.plan(found, call.may_read, kind, ignore_missing=ignore, manifest=manifest)

    def read(start: int, stop: int) -> Iterator[bytes]:
        # Whoever resumes shall have as sure a file as whoever did not have to.
        sent = plan.read(start, stop, chunk=CHUNK, prove=True, threads=DIGESTERS)
        whole = stop - start == plan.length
        try:
            yield from REPR_DIGESTS.listening(call.headers, plan.etag, sent) if whole else sent
        finally:
            # Also of a download that was broken off: whoever resumes it needs what was learnt until then.
            delivering.done()

    name = "archive.zip" if kind == ZIP else "archive.tar"
    headers = {
        "Content-Type": kind,
        "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}",
        "Vary": "Accept",
        **REPR_DIGESTS.fields(call.headers, plan, plan.etag),
    }
    return StreamedAnswer(plan.length, plan.etag, read, headers, plan.modified)


def _manifest(call: Call) -> bool:
    asked = call.query.get("manifest")
    if asked not in {None, "sha256"}:
        raise QueryRefused(name="manifest", reason="only 'sha256' is made")
    return asked is not None


def follow(call: Call) -> Answer | StreamedAnswer:
    """Download by a POST without a body: what `curl -L -X POST`, as the API's page has it, makes of the redirect.

    Raises:
        AddressUnknown: It has a body; a selection is described at an address without id, or by PUT.
    """
    if call.body:
        raise AddressUnknown
    return fetch(call)


def _redirect(call: Call, found: Definition) -> Answer:
    location = call.nexus.addresses.location(found.project, found.id)
    body = f'The response to the request can be found under <a href="{html.escape(location)}">this URI</a>.'
    return Answer(303, body.encode(), {"Location": location, "Content-Type": "text/html; charset=UTF-8"})


def _described(call: Call, project: Project, found: Definition, *, status: int) -> Answer:
    addresses = call.nexus.addresses
    moment, agent = at(found.created_at), addresses.agent(found.created_by)
    created = status == 201  # noqa: PLR2004 - as HTTP has it
    said: dict[str, object] = {
        "@id": found.id,
        "@type": "Archive",
        **({} if created else {"resources": [entry.echo() for entry in found.entries]}),
        "_constrainedBy": ARCHIVE_SCHEMA,
        "_createdAt": moment,
        "_createdBy": agent,
        "_deprecated": False,
        "_expiresInSeconds": found.left(call.nexus.selections.clock()),
        "_project": addresses.project(project.name),
        "_rev": 1,
        "_self": addresses.selection(project.name, project.space, found.id),
        "_updatedAt": moment,
        "_updatedBy": agent,
    }
    contexts = (ARCHIVES_METADATA, METADATA) if created else (ARCHIVES, METADATA)
    return simple(call, said, contexts, status=status)
