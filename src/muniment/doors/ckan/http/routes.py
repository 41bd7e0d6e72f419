"""The routes of the CKAN door: a copy by its time or the latest, a link's record, reports, and word of a change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from muniment.doors.ckan import archiving, report
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.harvest import queue_dataset
from muniment.doors.ckan.http import documents
from muniment.doors.ckan.portals import Portal
from muniment.doors.ckan.records import aggregate
from muniment.doors.ckan.write_back import cache_url
from muniment.errors.archive import ResourceNotFound
from muniment.errors.base import MissingThing
from muniment.errors.catalogues import LinkNotFound
from muniment.errors.remote import BadRequest, NoSuchPage
from muniment.http.authorization import authorized
from muniment.http.files import FileResponse, NotModified, unchanged
from muniment.http.throttling import READ, WRITE
from muniment.workflows.signing import HEADER_SIGNATURE

PREFIX = "/ckan/v1"
_STAMP = re.compile(r"latest|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_BODY = 65_536
_MOST = 1000

router = APIRouter(tags=["ckan"])


@router.get(
    "/archive/{stamp}/{resource}/{filename}",
    response_class=Response,
    operation_id="ckan_get_copy",
    responses=documents.COPY,
    openapi_extra=documents.READING,
)
@router.head(
    "/archive/{stamp}/{resource}/{filename}",
    response_class=Response,
    operation_id="ckan_head_copy",
    responses=documents.COPY,
    openapi_extra=documents.READING,
)
def copy(request: Request, stamp: str, resource: str, filename: str, portal: str | None = None) -> Response:
    """The copy of a link's file that was made at a time, or the latest one; its name is part of the address.

    The latest copy's address stays the same when the file's name changes: another name leads there.
    """
    if not _STAMP.fullmatch(stamp):
        raise NoSuchPage(path=request.scope["path"][:200])
    access = authorized(request)
    project = _project_of(request, resource, portal)
    access.require(READ, project)
    found = archiving.copy_at(access.archive, resource, stamp, project)
    names = list(found) if found is not None else []
    if found is None or not names or archiving.KEY not in found.metadata:
        raise ResourceNotFound(id=resource)
    if filename not in names:
        if stamp != archiving.LATEST:
            raise NoSuchPage(path=request.scope["path"][:200])
        root = request.scope.get("root_path", "")
        row = {"kept_as": f"{archiving.LATEST}/{names[0]}", "resource": resource}
        return RedirectResponse(cache_url(root, row), 302)
    entry = found[filename]
    if unchanged(request, entry):
        return NotModified(entry)
    return FileResponse(request, found, entry, access.archive.context.pieces)


@router.get(
    PREFIX + "/{portal}/resources/{id}",
    operation_id="ckan_get_link",
    responses={**documents.READ, 200: {"model": documents.LinkOut}},
)
def resource_show(request: Request, portal: str, id: str) -> JSONResponse:
    """What is known of a link, in the shape of CKAN's `archiver_resource_show`."""
    access = authorized(request)
    given, known = _readable(request, portal)
    row = given.links.get(known.name, id)
    same = given.links.same_content(known.name, id, row["sha256"]) if row["sha256"] else []
    seen = [{"portal": place, "resource_id": other} for place, other in same if access.may(READ, f"ckan/{place}")]
    record = report.resource_record(row, _copy_address(request, given, known, row))
    return JSONResponse({**record, "same_content": seen})


@router.get(
    PREFIX + "/{portal}/resources/{id}/history",
    operation_id="ckan_get_link_history",
    responses={**documents.READ, 200: {"model": documents.LinkHistoryOut}},
)
def resource_history(request: Request, portal: str, id: str) -> JSONResponse:
    """The changes of a link's state, the newest first."""
    given, known = _readable(request, portal)
    given.links.get(known.name, id)
    lines = [
        {"at": report.iso(row["at"]), "status_id": row["status"], "reason": row["reason"], "kept_as": row["kept_as"]}
        for row in given.links.history(known.name, id)
    ]
    return JSONResponse({"history": lines})


@router.get(
    PREFIX + "/{portal}/datasets/{id}",
    operation_id="ckan_get_dataset",
    responses={**documents.READ, 200: {"model": documents.DatasetOut}},
)
def dataset_show(request: Request, portal: str, id: str) -> JSONResponse:
    """A dataset's state and its links', in the shape of CKAN's `archiver_dataset_show`."""
    given, known = _readable(request, portal)
    found = given.links.find_dataset(known.name, id)
    if found is None or found["gone"]:
        raise LinkNotFound(portal=known.name, id=id)
    rows = given.links.of_dataset(known.name, found["id"])
    resources = [report.resource_record(row, _copy_address(request, given, known, row)) for row in rows]
    return JSONResponse({"package_id": found["id"], **aggregate(rows), "resources": resources})


@router.get(
    PREFIX + "/{portal}/report",
    response_class=Response,
    operation_id="ckan_get_broken_links",
    responses=documents.REPORT,
)
def broken_links(
    request: Request,
    portal: str,
    organization: str | None = None,
    format: str = "json",
    after: str = "",
    limit: int = 200,
) -> Response:
    """The report of broken links: all organisations, or the links of one; as JSON, or as CSV with every line."""
    given, known = _readable(request, portal)
    reports = report.Reports(given.ledger)
    if format == "csv":
        rows = (
            report.broken_row(row, _copy_address(request, given, known, row))
            for row in reports.every_broken(known.name, organization)
        )
        name = f"report_broken-links_{known.name}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_encoded(report.as_csv(rows)), media_type="text/csv; charset=utf-8", headers=headers)
    if format != "json":
        raise BadRequest(reason=f"there is no format {format[:40]!r}; there are json and csv")
    if organization is None:
        organizations = reports.by(known.name, "organization")
        return JSONResponse(
            {"portal": known.name, "totals": reports.totals(known.name), "organizations": organizations}
        )
    page = reports.broken(known.name, organization=organization, after=after, limit=max(1, min(limit, _MOST)))
    lines = [report.broken_row(row, _copy_address(request, given, known, row)) for row in page]
    following = lines[-1]["resource_id"] if len(page) == max(1, min(limit, _MOST)) else None
    return JSONResponse({"portal": known.name, "organization": organization, "broken": lines, "next": following})


@router.post(
    PREFIX + "/{portal}/changed",
    status_code=202,
    operation_id="ckan_tell_change",
    responses=documents.TOLD,
    openapi_extra=documents.CHANGE,
)
async def changed(request: Request, portal: str) -> JSONResponse:
    """Word from a portal, or from somebody, that a dataset or resource was edited: it is looked at before all others.

    Either signed with the key that the server signs with, or by somebody who may write to the portal's project.
    """
    body = await request.body()
    if len(body) > _BODY:
        raise BadRequest(reason=f"its body is larger than {_BODY} bytes")
    return JSONResponse(await run_in_threadpool(_changed, request, portal, body), 202)


def _changed(request: Request, portal: str, body: bytes) -> dict[str, object]:
    given = _given(request)
    if HEADER_SIGNATURE.lower() in request.headers and given.signer is not None:
        given.signer.check(dict(request.headers), body, None, ())
        known = given.portals.get(portal)
    else:
        access = authorized(request)
        access.require(WRITE, f"ckan/{portal}")
        known = given.portals.get(portal)
    dataset = _dataset_named(given, known, body)
    job = queue_dataset(given, known, dataset, f"asked {int(given.now() // 5)}", requester="changed")
    return {"job": job, "dataset": dataset}


def _dataset_named(given: CkanContext, portal: Portal, body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest(reason="its body is not JSON") from None
    named = document if isinstance(document, dict) else {}
    if isinstance(named.get("package_id"), str) and named["package_id"]:
        return str(named["package_id"])
    if isinstance(named.get("resource_id"), str) and named["resource_id"]:
        return str(given.links.get(portal.name, named["resource_id"])["dataset"])
    raise BadRequest(reason='its body names neither "package_id" nor "resource_id"')


def _readable(request: Request, portal: str) -> tuple[CkanContext, Portal]:
    """The door and a portal whose project the caller may read.

    Raises:
        PortalNotFound: There is none such.
        MunimentError: 401 or 403.
    """
    authorized(request).require(READ, f"ckan/{portal}")
    given = _given(request)
    return given, given.portals.get(portal)


def _project_of(request: Request, resource: str, portal: str | None) -> str:
    """The project a copy lies in: the portal's that is named, else the only portal's that has such a resource.

    Raises:
        MissingThing: There is none, or several and none is named.
    """
    if portal is not None:
        return f"ckan/{portal}"
    access = authorized(request)
    readable = [each.project for each in _given(request).portals.all() if access.may(READ, each.project)]
    found = [project for project in readable if access.archive.exists(resource, project)]
    if len(found) == 1:
        return found[0]
    if not readable:
        access.require_somewhere(READ)
    if found:
        names = ", ".join(each.removeprefix("ckan/") for each in found)
        raise MissingThing(reason=f"several portals have a resource {resource!r}: say which with ?portal= ({names})")
    raise ResourceNotFound(id=resource)


def _copy_address(request: Request, given: CkanContext, portal: Portal, row: Any) -> str:
    if row["kept_as"] is None:
        return row["url"] if row["url_type"] == "upload" and row["is_broken"] is False else ""
    root = given.cache_url_root(portal) or str(request.base_url).rstrip("/")
    return cache_url(root, row)


def _given(request: Request) -> CkanContext:
    given: CkanContext = request.app.state.osf.ckan
    return given


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    return (line.encode("utf-8", "replace") for line in lines)
