"""`…/incoming` and `…/outgoing` of resources and files: where the links lead that every answer shows."""

from __future__ import annotations

from muniment.doors.nexus.http.answers import Answer
from muniment.doors.nexus.http.call import Call
from muniment.doors.nexus.http.paging import listed, page_of
from muniment.doors.nexus.links import Link
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.revision import Revision


def outgoing(call: Call, project: Project, revision: Revision) -> Answer:
    """What a document names; with `includeExternalLinks=false` only what is in the project."""
    found = call.nexus.links.outgoing(project, revision)
    if call.choice("includeExternalLinks") is False:
        found = [each for each in found if each.revision is not None]
    return _shown(call, project, found)


def incoming(call: Call, project: Project, revision: Revision) -> Answer:
    """The documents of the project that name it."""
    return _shown(call, project, call.nexus.links.incoming(project, revision.iri))


def _shown(call: Call, project: Project, found: list[Link]) -> Answer:
    page = page_of(call)
    documents = call.nexus.documents
    results = []
    for each in found[page.start : page.start + page.size]:
        known = {} if each.revision is None else documents.summary(each.revision, project)
        results.append({**known, "@id": each.iri, "paths": list(each.path)})
    more = page.start + page.size < len(found)
    kept = {name: call.query[name] for name in ("includeExternalLinks", "rev", "tag") if name in call.query}
    following = {**kept, "from": page.start + page.size, "size": page.size} if more else {}
    return listed(call, "/".join((call.nexus.addresses.root, *call.parts)), results, len(found), following)
