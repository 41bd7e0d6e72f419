"""Lists of resources and files: of a project, an organisation or all, with the filters and the order of Delta."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from urllib.parse import quote, unquote

from muniment.doors.nexus.delivery import READ
from muniment.doors.nexus.http.answers import Answer
from muniment.doors.nexus.http.call import Call, label
from muniment.doors.nexus.http.paging import Page, listed, page_of
from muniment.doors.nexus.listing import SORTS, Filter
from muniment.doors.nexus.projects import RESERVED, Project
from muniment.errors.delivery import InvalidSegment
from muniment.errors.nexus import QueryRefused

_OF_PROJECT = 3
_ANY = "_"


def list_resources(call: Call) -> Answer:
    """What is in a project, in the projects of an organisation, or in all of them that the caller may read."""
    return _listing(call, "")


def list_files(call: Call) -> Answer:
    """The files of a project."""
    return _listing(call, "file")


def _listing(call: Call, kind: str) -> Answer:
    one = len(call.parts) >= _OF_PROJECT
    projects = [call.project(READ)] if one else _readable(call)
    page = page_of(call)
    wanted = _wanted(call, kind, projects[0] if one else None)
    if one and wanted == Filter():
        return _plain(call, projects[0], page)
    if page.after and (not one or wanted.sort):
        raise QueryRefused(name="after", reason="it goes with the list of one project by id alone; use 'from'")
    found = call.nexus.listing.found(projects, wanted)
    start = bisect_right(found, page.after, key=lambda each: each[1].id) if page.after else page.start
    part = found[start : start + page.size]
    documents = call.nexus.documents
    results = [documents.summary(revision, project) for project, revision in part]
    following = _following(call, page, start, by_id=one and not wanted.sort, last=part[-1][1].id if part else "")
    more = start + page.size < len(found) and bool(part)
    return listed(call, _address(call), results, len(found), following if more else {})


def _plain(call: Call, project: Project, page: Page) -> Answer:
    """Everything in a project, by id: one page is read and no more."""
    nexus = call.nexus
    items = list(nexus.archive.resources(project.name, after=page.after, skip=page.start, limit=page.size + 1))
    shown = items[: page.size]
    found = (nexus.revision_of(project, item) for item in shown)
    results = [nexus.documents.summary(each, project) for each in found if each is not None]
    following = {"after": shown[-1].id, "size": page.size} if shown and len(items) > page.size else {}
    return listed(call, _address(call), results, nexus.archive.count(project.name), following)


def _following(call: Call, page: Page, start: int, *, by_id: bool, last: str) -> dict[str, object]:
    """The query of the next page: the same filters, and where it begins."""
    kept: dict[str, object] = {
        name: list(values) for name, values in call.parameters.items() if name not in {"from", "after", "size"}
    }
    return {**kept, **({"after": last} if by_id else {"from": start + page.size}), "size": page.size}


def _address(call: Call) -> str:
    return "/".join((call.nexus.addresses.root, *call.parts))


def _readable(call: Call) -> list[Project]:
    stem = f"{label(call.parts[1])}/" if len(call.parts) > 1 else ""
    names = [name for name in call.nexus.archive.projects() if name.startswith(stem) and "/" in name]
    readable = [name for name in names if not name.startswith(f"{RESERVED}/") and call.may(READ, name)]
    if not readable:
        # Whoever may read nothing learns nothing of what there is.
        call.require(READ, stem.rstrip("/") or None)
    return [call.nexus.projects.project(name) for name in readable]


def _wanted(call: Call, kind: str, project: Project | None) -> Filter:
    query = call.query
    schema = ""
    if len(call.parts) > _OF_PROJECT and unquote(call.parts[_OF_PROJECT]) != _ANY:
        schema = _iri(project, unquote(call.parts[_OF_PROJECT]), "schema")
    if "schema" in query:
        schema = _iri(project, query["schema"], "schema")
    return Filter(
        kind=kind,
        deprecated=call.choice("deprecated"),
        types=frozenset(each for text in call.parameters.get("type", ()) for each in _types(project, text)),
        created_by=query.get("createdBy", query.get("created_by", "")),
        updated_by=query.get("updatedBy", query.get("updated_by", "")),
        id=_iri(project, query["id"], "id") if "id" in query else "",
        schema=schema,
        rev=call.rev(),
        sort=tuple(_sort(text) for text in call.parameters.get("sort", ())),
    )


def _iri(project: Project | None, text: str, name: str) -> str:
    try:
        return project.space.expand(quote(text, safe="")) if project is not None else text
    except InvalidSegment:
        raise QueryRefused(name=name, reason=f"'{text[:40]}' is no IRI") from None


def _types(project: Project | None, text: str) -> Sequence[str]:
    """What a type may be meant as: as a document writes it, as an IRI, or as a word of the project's vocabulary."""
    if project is None:
        return (text,)
    if ":" in text or text in project.space.mappings:
        return (text, _iri(project, text, "type"))
    return (text, project.vocab + text)


def _sort(text: str) -> tuple[str, bool]:
    name = text.removeprefix("-").removeprefix("+").strip()
    if name not in SORTS:
        raise QueryRefused(name="sort", reason=f"'{text[:40]}' is none of {', '.join(sorted(SORTS))}")
    return name, text.startswith("-")
