"""Routes that show what there is: the archive, its resources, their instances and files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any

from fastapi import Query, Request, Response

from muniment import __version__
from muniment.archive import Archive, Description, Instance, Summary, describe, described, newest_number, number_in
from muniment.content import Entry
from muniment.http.authorization import AuthorizedRequest, authorized, etag_of, refuse_other_version
from muniment.http.description import AT_VERSION, BINARY, BYTES, OF_FILE, OF_PART, TO_READ, gives, takes
from muniment.http.files import FileResponse, NotModified, unchanged
from muniment.http.names import (
    After,
    FilePath,
    Limit,
    Number,
    Project,
    Segment,
    path_of,
    text_of,
)
from muniment.http.throttling import ADMIN, READ
from muniment.server.native.recent import RecentInstances
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import (
    ArchiveInfo,
    FileOut,
    FilePage,
    HistoryOut,
    InstanceOut,
    InventoryOut,
    ProjectsOut,
    PurgeIn,
    ResourcePage,
    SummaryOut,
)

router = new_router("resources")

_OF_VERSION: dict[int | str, dict[str, Any]] = {200: gives("ETag")}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {BYTES: BINARY, "*/*": BINARY}, "description": "The file.", **gives(*OF_FILE)},
    206: {"content": {BYTES: BINARY, "*/*": BINARY}, "description": "A part of it.", **gives(*OF_PART)},
    304: {"description": "It is as the client has it.", **gives("ETag")},
}


@router.get("", operation_id="get_archive")
def archive(request: Request) -> ArchiveInfo:
    """What the archive is."""
    access = authorized(request)
    access.require_somewhere(READ)
    config = access.archive.config
    return ArchiveInfo(
        id=config.id,
        created=config.created,
        mode=config.mode,
        digests=list(config.digests),
        redundancy=config.redundancy,
        project=config.project,
        format=config.format,
        layout=config.layout,
        resources=access.archive.count() if access.may(READ, None) else None,
        version=__version__,
        lease=request.app.state.open_transactions.lease,
    )


@router.get("/projects", operation_id="list_projects")
def projects(request: Request) -> ProjectsOut:
    """The projects that hold a resource, of those one may read."""
    access = authorized(request)
    access.require_somewhere(READ)
    return ProjectsOut(projects=[place for place in access.archive.projects() if access.may(READ, place)])


@router.get("/resources", operation_id="list_resources")
def resources(
    request: Request,
    project: Project = None,
    after: After = None,
    after_project: Annotated[str | None, Query(max_length=200, description="The `next_project` beside it.")] = None,
    limit: Limit = 100,
    whole: Annotated[bool | None, Query(description="Compare the index with the objects on disk first.")] = None,
) -> ResourcePage:
    """Resources in the order of their ids, a page at a time."""
    access = authorized(request)
    if project:
        access.require(READ, project)
    else:
        access.require_somewhere(READ)
    start = "" if not after else after if after_project is None else (after, after_project)
    found = list(islice(_visible(access, project, start, whole=bool(whole)), limit + 1))
    page = [SummaryOut(**asdict(item)) for item in found[:limit]]
    if len(found) <= limit:
        return ResourcePage(resources=page)
    return ResourcePage(resources=page, next=page[-1].id, next_project=page[-1].project)


def _visible(
    access: AuthorizedRequest, project: str | None, start: str | tuple[str, str], *, whole: bool
) -> Iterator[Summary]:
    known: dict[str, bool] = {}
    for item in access.archive.resources(project, after=start, whole=whole):
        if item.project not in known:
            known[item.project] = access.may(READ, item.project)
        if known[item.project]:
            yield item


@router.get("/resources/{id}", operation_id="get_resource", responses=_OF_VERSION, openapi_extra=AT_VERSION)
@router.head("/resources/{id}", operation_id="head_resource", responses=_OF_VERSION, openapi_extra=AT_VERSION)
def resource(request: Request, response: Response, id: Segment, project: Project = None) -> InstanceOut:
    """A resource, by its newest instance."""
    return _shown(request, response, id, "newest", project)


@router.get("/resources/{id}/summary", operation_id="get_summary")
def summary(request: Request, id: Segment, project: Project = None) -> SummaryOut:
    """A resource as a list shows it, with when it was last audited."""
    access = authorized(request)
    name = text_of(id)
    return SummaryOut(**asdict(access.archive.summary(name, access.project_of(name, project, READ))))


@router.delete("/resources/{id}", operation_id="purge_resource", status_code=200, openapi_extra=AT_VERSION)
def purge(request: Request, given: PurgeIn, id: Segment, project: Project = None) -> dict[str, object]:
    """Remove a resource for ever, in an archive of dynamic mode; the answer is the event."""
    access = authorized(request)
    name = text_of(id)
    place = access.project_of(name, project, ADMIN)
    refuse_other_version(request, access.archive.instance(name, project=place))
    return access.archive.purge(name, given.reason, place).as_json()


@router.get("/resources/{id}/instances", operation_id="list_instances")
def history(request: Request, id: Segment, project: Project = None) -> HistoryOut:
    """Every instance of a resource, the oldest first."""
    access = authorized(request)
    name = text_of(id)
    place = access.project_of(name, project, READ)
    numbers = range(1, newest_number(access.archive, place, name) + 1)
    return HistoryOut(
        instances=[shown(_description(request, access.archive, name, str(number), place)) for number in numbers]
    )


@router.get(
    "/resources/{id}/instances/{number}",
    operation_id="get_instance",
    responses=_OF_VERSION,
    openapi_extra=AT_VERSION,
)
def instance(request: Request, response: Response, id: Segment, number: Number, project: Project = None) -> InstanceOut:
    """One instance."""
    return _shown(request, response, id, number, project)


@router.get("/resources/{id}/instances/{number}/inventory", operation_id="get_inventory")
def inventory(request: Request, id: Segment, number: Number, project: Project = None) -> InventoryOut:
    """The digest of the inventory that came with an instance: it vouches for all that is in it."""
    return InventoryOut(digest=instance_asked_for(request, id, number, project).inventory_digest())


@router.get("/resources/{id}/instances/{number}/files", operation_id="list_files")
def files(
    request: Request,
    id: Segment,
    number: Number,
    project: Project = None,
    after: After = None,
    limit: Limit = 100,
) -> FilePage:
    """The files of an instance in the order of their paths, a page at a time."""
    found = instance_asked_for(request, id, number, project)
    return page_of_files(found.paths_after(after or "", limit + 1), found.__getitem__, None, limit)


@router.get(
    "/resources/{id}/instances/{number}/files/{path:path}",
    operation_id="read_file",
    response_class=Response,
    responses=_FILE,
    openapi_extra=takes(*TO_READ),
)
@router.head(
    "/resources/{id}/instances/{number}/files/{path:path}",
    operation_id="head_file",
    response_class=Response,
    responses={status: {**said, "content": {}} for status, said in _FILE.items()},
    openapi_extra=takes(*TO_READ),
)
def file(request: Request, id: Segment, number: Number, path: FilePath, project: Project = None) -> Response:
    """The bytes of a file; `Range`, `If-Range`, `If-None-Match` and `HEAD` work, and digests go with it.

    Sent from its first byte to its last, a file is compared with its digest while it is sent; the
    transfer of a damaged one is broken before its end.
    """
    access = authorized(request)
    found = _instance_for(access, request, id, number, project)
    name = path_of(path)
    entry = found[name]
    if unchanged(request, entry):
        return NotModified(entry)
    return FileResponse(request, found, entry, access.archive.context.pieces)


def _shown(request: Request, response: Response, id: str, number: str, project: str | None) -> InstanceOut:
    access = authorized(request)
    name, wanted = text_of(id), text_of(number)
    found = _description(request, access.archive, name, wanted, access.project_of(name, project, READ))
    refuse_other_version(request, found)
    response.headers["ETag"] = etag_of(found)
    return shown(found)


def _description(request: Request, archive: Archive, id: str, wanted: str, project: str) -> Description:
    number = number_in(wanted)
    if number is not None or wanted == "newest":
        found = describe(archive, project, id, number)
        if found is not None:
            return found
    recent: RecentInstances = request.app.state.recent
    return described(recent.asked(archive, id, wanted, project))


def instance_asked_for(request: Request, id: str, number: str, project: str | None) -> Instance:
    """The instance a request names, for a caller who may read it.

    Raises:
        MunimentError: There is none, or none for this caller.
    """
    return _instance_for(authorized(request), request, id, number, project)


def _instance_for(access: AuthorizedRequest, request: Request, id: str, number: str, project: str | None) -> Instance:
    recent: RecentInstances = request.app.state.recent
    name = text_of(id)
    if project and number.isdecimal():
        access.require(READ, project)
        return recent.get(access.archive, name, int(number[:9]), project)
    return recent.asked(access.archive, name, text_of(number), access.project_of(name, project, READ))


def shown(found: Description) -> InstanceOut:
    """An instance as a document."""
    return InstanceOut(
        id=found.id,
        project=found.project,
        number=found.number,
        head=found.head,
        instance=found.instance,
        created=found.created,
        message=found.message,
        agent=dict(found.agent),
        files=found.files,
        record=dict(found.record),
    )


def file_out(entry: Entry) -> FileOut:
    """An entry as a document."""
    return FileOut(path=entry.path, size=entry.size, digests=dict(entry.digests), modified=entry.modified)


def page_of_files(paths: list[str], entry: Any, after: str | None, limit: int) -> FilePage:
    """One page of sorted paths with their entries."""
    first = bisect_right(paths, after) if after else 0
    page = paths[first : first + limit]
    more = first + limit < len(paths)
    return FilePage(files=[file_out(entry(path)) for path in page], next=page[-1] if more else None)
