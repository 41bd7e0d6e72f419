"""`/v1/resources`: JSON-LD documents with revisions and tags; files and packages can be looked at here as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from muniment.content.jsonld import METADATA
from muniment.doors.nexus.documents import plain
from muniment.doors.nexus.http import links
from muniment.doors.nexus.http.answers import Answer, StreamedAnswer, document, printed
from muniment.doors.nexus.http.call import Call, is_tag
from muniment.doors.nexus.http.listing import list_resources
from muniment.doors.nexus.http.negotiation import JSON, JSON_LD
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.resources import refuse_schema
from muniment.doors.nexus.revision import Revision
from muniment.errors.nexus import FieldsRefused, NamedNotFound
from muniment.layouts.selection import MAX_LONG

Handler = Callable[[Call], Answer | StreamedAnswer]
READ, WRITE = "resources/read", "resources/write"
TAGS_CONTEXT = "https://bluebrain.github.io/nexus/contexts/tags.json"


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case [_] | [_, _]:
            return {"GET": list_resources}
        case [_, _, _] | [_, _, _, _]:
            return {"POST": create, "GET": list_resources}
        case [_, _, _, _, _]:
            return {"PUT": put, "GET": fetch, "DELETE": deprecate}
        case [_, _, _, _, _, below]:
            return _BELOW.get(below, {})
        case [_, _, _, _, _, "tags", _]:
            return {"DELETE": remove_tag}
    return {}


def create(call: Call) -> Answer:
    """Make a resource; its document or the server gives it an id."""
    payload = call.json()
    project = call.writable(WRITE)
    if len(call.parts) > 3:  # noqa: PLR2004 - what follows the project
        refuse_schema(project, project.space.expand(call.parts[3], "Schema"))
    made = call.nexus.resources.create(project, None, call.body, payload, call.actor, tag=call.tag())
    return _summary(call, project, made, status=201)


def put(call: Call) -> Answer:
    """Make a resource under an id, or with `rev` put another document in its place."""
    payload = call.json()
    project = call.writable(WRITE)
    iri = _iri(call, project)
    rev = call.rev()
    if rev is None:
        made = call.nexus.resources.create(project, iri, call.body, payload, call.actor, tag=call.tag())
        return _summary(call, project, made, status=201)
    made = call.nexus.resources.update(
        project,
        iri,
        rev,
        call.body,
        payload,
        call.actor,
        tag=call.tag(),
        shown=lambda newest: call.nexus.documents.metadata(newest, project),
    )
    return _summary(call, project, made, status=200)


def fetch(call: Call) -> Answer:
    """A revision in the form the client takes."""
    project, revision = _revision(call)
    documents = call.nexus.documents
    return document(call, documents.compacted(revision, project), lambda: documents.expanded(revision, project))


def source(call: Call) -> Answer:
    """A revision as it was sent; with `annotate=true` with its metadata."""
    project, revision = _revision(call)
    documents = call.nexus.documents
    shown = documents.annotated if call.flag("annotate") else documents.source
    return printed(call, shown(revision, project))


def undeprecate(call: Call) -> Answer:
    """Take a deprecation back."""
    project = call.writable(WRITE)
    found = changeable(call, project)
    made = call.nexus.changing.undeprecate(found, call.rev(needed=True), call.actor)
    return _summary(call, project, made, status=200)


def deprecate(call: Call) -> Answer:
    """Mark a resource as no longer to be used."""
    project = call.writable(WRITE)
    found = changeable(call, project)
    made = call.nexus.changing.deprecate(found, call.rev(needed=True), call.actor)
    return _summary(call, project, made, status=200)


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
    found = changeable(call, project)
    made = call.nexus.changing.tag(found, call.rev(needed=True), call.actor, tag, tagged)
    return _summary(call, project, made, status=201)


def remove_tag(call: Call) -> Answer:
    """Take a name away."""
    project = call.writable(WRITE)
    found = changeable(call, project)
    made = call.nexus.changing.untag(found, call.rev(needed=True), call.actor, tag_segment(call))
    return _summary(call, project, made, status=200)


def tag_of(payload: object) -> tuple[str, int]:
    """A tag and the revision it is to name.

    Raises:
        FieldsRefused: The payload says neither.
    """
    tag = payload.get("tag") if isinstance(payload, Mapping) else None
    rev = payload.get("rev") if isinstance(payload, Mapping) else None
    if not isinstance(tag, str) or not is_tag(tag):
        raise FieldsRefused(details="'tag' is not 1 to 64 printable ASCII characters.")
    if isinstance(rev, bool) or not isinstance(rev, int) or not 0 <= rev <= MAX_LONG:
        raise FieldsRefused(details="'rev' is not a revision.")
    return tag, rev


def tag_segment(call: Call) -> str:
    """The tag at the end of the address."""
    return unquote(call.parts[-1])


def tags_of(call: Call, revision: Revision) -> Answer:
    """The tags as they are shown."""
    named = [{"rev": rev, "tag": tag} for tag, rev in sorted(revision.tags.items())]
    kind = call.accept.require((JSON_LD, JSON))
    return Answer(200, plain({"@context": TAGS_CONTEXT, "tags": named}), {"Content-Type": kind})


def changeable(call: Call, project: Project) -> Revision:
    """The resource of the address, which is neither a file nor deprecated by its project.

    Raises:
        NamedNotFound: There is none, or it is a file, which has an address of its own.
    """
    iri = _iri(call, project)
    found = call.nexus.resources.find(project, iri)
    if found.is_file:
        raise NamedNotFound(kind="Resource", id=iri, project=project.name)
    return found


def _iri(call: Call, project: Project) -> str:
    refuse_schema(project, project.space.expand(call.parts[3], "Schema"))
    return project.space.expand(call.parts[4])


def _revision(call: Call) -> tuple[Project, Revision]:
    project = call.project(READ)
    rev, tag = call.version()
    iri = project.space.expand(call.parts[4])
    newest = call.nexus.resources.find(project, iri)
    schema = project.space.expand(call.parts[3], "Schema")
    # '_' stands for any schema; another one has to be the resource's own.
    if not newest.is_file or newest.schema != schema:
        refuse_schema(project, schema)
    return project, call.nexus.records.at(newest, rev, tag)


def _summary(call: Call, project: Project, revision: Revision, *, status: int) -> Answer:
    documents = call.nexus.documents
    return document(
        call,
        documents.summary(revision, project),
        lambda: call.nexus.jsonld.expand_metadata(
            {"@id": revision.iri, **documents.metadata(revision, project)}, (METADATA,)
        ),
        status=status,
    )


_BELOW: Mapping[str, Mapping[str, Handler]] = {
    "incoming": {"GET": linking},
    "outgoing": {"GET": linked},
    "source": {"GET": source},
    "tags": {"GET": tags, "POST": add_tag},
    "undeprecate": {"PUT": undeprecate},
}
"""What can be done at the addresses below a resource's own."""
