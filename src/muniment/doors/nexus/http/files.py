"""`/v1/files`: bytes with a name and a media type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from muniment.content.jsonld import parse_json
from muniment.doors.nexus.files import Upload, description_of
from muniment.doors.nexus.http import links
from muniment.doors.nexus.http.answers import CHUNK, Answer, StreamedAnswer, document
from muniment.doors.nexus.http.call import Call
from muniment.doors.nexus.http.listing import list_files
from muniment.doors.nexus.http.multipart import Form
from muniment.doors.nexus.http.negotiation import DOCUMENTS
from muniment.doors.nexus.http.resources import tag_of, tag_segment, tags_of
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.revision import Revision
from muniment.errors.nexus import NothingAcceptable, StorageUnknown
from muniment.http.names import digest_fields
from muniment.http.streaming import DIGESTERS
from muniment.layouts.streams import Member, Slice, gather

Handler = Callable[[Call], Answer | StreamedAnswer]
READ, WRITE = "resources/read", "files/write"
_DESCRIBED = "x-nxs-file-metadata"
_STORAGES = {"https://bluebrain.github.io/nexus/vocabulary/diskStorageDefault"}


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case [_, _, _]:
            return {"POST": create, "GET": list_files}
        case [_, _, _, _]:
            return {"PUT": put, "GET": fetch, "DELETE": deprecate}
        case [_, _, _, _, "incoming"]:
            return {"GET": linking}
        case [_, _, _, _, "outgoing"]:
            return {"GET": linked}
        case [_, _, _, _, "undeprecate"]:
            return {"PUT": undeprecate}
        case [_, _, _, _, "tags"]:
            return {"GET": tags, "POST": add_tag}
        case [_, _, _, _, "tags", _]:
            return {"DELETE": remove_tag}
    return {}


def create(call: Call) -> Answer:
    """Store a file."""
    project = call.writable(WRITE)
    upload = _upload(call, project, "")
    return _shown(call, project, call.nexus.files.create(project, None, upload, call.actor, tag=call.tag()), status=201)


def put(call: Call) -> Answer:
    """Store a file under an id, or with `rev` put another file in its place."""
    project = call.writable(WRITE)
    iri = project.space.expand(call.parts[3], "File")
    rev = call.rev()
    described = _described(call)
    if rev is not None and described is not None and not call.is_form and not call.body:
        made = call.nexus.files.describe(project, iri, rev, described, call.actor, tag=call.tag())
        return _shown(call, project, made, status=200)
    upload = _upload(call, project, iri)
    if rev is None:
        made = call.nexus.files.create(project, iri, upload, call.actor, tag=call.tag())
        return _shown(call, project, made, status=201)
    made = call.nexus.files.update(project, iri, rev, upload, call.actor, tag=call.tag())
    return _shown(call, project, made, status=200)


def fetch(call: Call) -> Answer | StreamedAnswer:
    """A file's bytes; its description where only that is accepted."""
    project, revision = _revision(call)
    media_type = revision.file["media_type"]
    plain_type = media_type.partition(";")[0].strip()
    accept = call.accept
    # Exactly a document's type asks for the description, also of a file that is JSON itself.
    if any(accept.names(kind) for kind in DOCUMENTS) and accept.best((*DOCUMENTS, "*/*")) in DOCUMENTS:
        return _shown(call, project, revision, status=200)
    if accept.weight(plain_type) <= 0:
        raise NothingAcceptable(types=f"'{plain_type}'")
    content = revision.content
    member = Member(
        content.name, content.size, content.open, {"sha256": content.sha256}, book=call.nexus.archive.context.pieces
    )

    def read(start: int, stop: int) -> Iterator[bytes]:
        return gather([Slice(member, start, stop, prove=True)], CHUNK, DIGESTERS)

    return StreamedAnswer(
        content.size,
        f'"{content.sha256}"',
        read,
        {
            "Content-Type": media_type,
            "Content-Disposition": _attachment(revision.file["filename"]),
            "X-Content-Type-Options": "nosniff",
            "Repr-Digest": digest_fields({"sha256": content.sha256}),
        },
        revision.modified,
    )


def deprecate(call: Call) -> Answer:
    """Mark a file as no longer to be used."""
    project = call.writable(WRITE)
    found = call.nexus.files.find(project, project.space.expand(call.parts[3], "File"))
    made = call.nexus.changing.deprecate(found, call.rev(needed=True), call.actor)
    return _shown(call, project, made, status=200)


def undeprecate(call: Call) -> Answer:
    """Take a deprecation back."""
    project = call.writable(WRITE)
    found = call.nexus.files.find(project, project.space.expand(call.parts[3], "File"))
    made = call.nexus.changing.undeprecate(found, call.rev(needed=True), call.actor)
    return _shown(call, project, made, status=200)


def linking(call: Call) -> Answer:
    """What names it."""
    return links.incoming(call, *_revision(call))


def linked(call: Call) -> Answer:
    """What it names."""
    return links.outgoing(call, *_revision(call))


def tags(call: Call) -> Answer:
    """The names of revisions."""
    _, revision = _revision(call)
    return tags_of(call, revision)


def add_tag(call: Call) -> Answer:
    """Give a revision a name."""
    tag, tagged = tag_of(call.json())
    project = call.writable(WRITE)
    found = call.nexus.files.find(project, project.space.expand(call.parts[3], "File"))
    made = call.nexus.changing.tag(found, call.rev(needed=True), call.actor, tag, tagged)
    return _shown(call, project, made, status=201)


def remove_tag(call: Call) -> Answer:
    """Take a name away."""
    project = call.writable(WRITE)
    found = call.nexus.files.find(project, project.space.expand(call.parts[3], "File"))
    made = call.nexus.changing.untag(found, call.rev(needed=True), call.actor, tag_segment(call))
    return _shown(call, project, made, status=200)


def _revision(call: Call) -> tuple[Project, Revision]:
    project = call.project(READ)
    rev, tag = call.version()
    newest = call.nexus.files.find(project, project.space.expand(call.parts[3], "File"))
    return project, call.nexus.records.at(newest, rev, tag)


def _upload(call: Call, project: Project, iri: str) -> Upload:
    storage = call.query.get("storage")
    if storage is not None and project.space.expand(quote(storage, safe=""), "Storage") not in _STORAGES:
        raise StorageUnknown(storage=storage, project=project.name)
    content_type = call.headers.get("content-type", "")
    upload = Form(content_type, call.pieces(), limit=call.nexus.options.file).upload(iri)
    return replace(upload, described=_described(call))


def _described(call: Call) -> dict[str, object] | None:
    """The custom metadata of the header, where there is one."""
    said = call.headers.get(_DESCRIBED)
    return None if said is None else description_of(parse_json(said.encode("latin-1", "replace")))


def _shown(call: Call, project: Project, revision: Revision, *, status: int) -> Answer:
    documents = call.nexus.documents
    return document(
        call, documents.compacted(revision, project), lambda: documents.expanded(revision, project), status=status
    )


def _attachment(filename: str) -> str:
    """`Content-Disposition` by RFC 6266: a plain name for old clients, the whole one for others."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\;%' else "_" for letter in filename
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
