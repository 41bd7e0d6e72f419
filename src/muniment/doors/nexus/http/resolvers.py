"""`/v1/resolvers`: what an IRI means to a project: a shipped context, a resource of the project, or one of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from muniment.content.jsonld import DEFAULT_RESOLVER, SHIPPED
from muniment.doors.nexus.delivery import READ
from muniment.doors.nexus.http.answers import Answer, StreamedAnswer, document
from muniment.doors.nexus.http.call import Call
from muniment.errors.nexus import NamedNotFound

Handler = Callable[[Call], Answer | StreamedAnswer]
_ANY = "_"


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case [_, _, _, _, _]:
            return {"GET": resolve}
    return {}


def resolve(call: Call) -> Answer:
    """What has the IRI at the end of the address, for the project at its beginning.

    The resolver is `_` for any, or the one that each project has.
    """
    project = call.project(READ)
    iri = project.space.expand(call.parts[4])
    rev, tag = call.version()
    if call.parts[3] != _ANY:
        resolver = project.space.expand(call.parts[3], "Resolver")
        if resolver != DEFAULT_RESOLVER:
            raise NamedNotFound(kind="Resolver", id=resolver, project=project.name)
    if iri in SHIPPED:
        shipped = dict(SHIPPED[iri])
        return document(call, shipped, lambda: {"@id": iri})
    # The resolver of a project looks in the project; any resolver, in all that the caller may read.
    may_read = call.may_read if call.parts[3] == _ANY else project.name.__eq__
    newest = call.nexus.resolver.find(project, iri, may_read)
    if newest is None:
        raise NamedNotFound(kind="Resource", id=iri, project=project.name)
    found = call.nexus.records.at(newest, rev, tag)
    home = project if found.project == project.name else call.nexus.projects.project(found.project)
    documents = call.nexus.documents
    return document(call, documents.compacted(found, home), lambda: documents.expanded(found, home))
