"""Choose files: just these files of an instance, as a tar or a zip whose length is known before its first byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.archive import Instance
from muniment.content import Entry
from muniment.content.pieces import PieceBook
from muniment.content.times import seconds
from muniment.doors.nexus.http.archives import WRITE as MAKE
from muniment.errors.base import BadInput
from muniment.http.files import ARCHIVE_TYPES, PlanResponse
from muniment.http.names import path_of
from muniment.layouts.packages import folder_name
from muniment.layouts.streams import Member, Plan, TarPlan, ZipPlan
from muniment.server.pages.page import Page, resource_path
from muniment.server.pages.resources import asked_instance, listed, title_of

router = APIRouter(include_in_schema=False)


@router.get("/resources/{id}/choose", operation_id="page_choose")
def choose(request: Request, id: str) -> Response:
    """The page: boxes for files and folders."""
    page = Page(request)
    found = asked_instance(page, id)
    title = title_of(found) or found.id
    return page.show(
        "choose.html",
        title,
        "/find",
        found=found,
        title_text=title,
        here=resource_path(found.project, found.id, instance=found.number),
        at=lambda **fields: resource_path(found.project, found.id, "choose", instance=found.number, **fields),
        listing=listed(found, page.asked("folder", 4000), page.asked("filter", 200), page.asked("after", 4000)),
        filter=page.asked("filter", 200),
        result=folder_name(found.id),
        may_select=page.access.may(MAKE, found.project),
    )


@router.get("/resources/{id}/chosen", operation_id="page_chosen")
def chosen(request: Request, id: str) -> Response:
    """The chosen files; every one is compared with its digest while it is sent, and ranges can be asked for.

    Raises:
        BadInput: None is chosen, or there is no such form.
    """
    page = Page(request)
    found = asked_instance(page, id)
    form = page.asked("form", 3) or "tar"
    if form not in ARCHIVE_TYPES:
        raise BadInput(reason=f"there is no form {form!r}; there are tar and zip")
    entries = list(chosen_files(found, request.query_params.getlist("path")))
    if not entries:
        raise BadInput(reason="no file is chosen")
    plan = _plan(found, entries, form, page.access.archive.context.pieces)
    own = {"Cache-Control": "private, no-cache"}
    return PlanResponse(request, plan, f"{folder_name(found.id)}.{form}", headers=own)


def chosen_files(found: Instance, paths: Iterable[str]) -> Iterator[Entry]:
    """The files that were chosen, each once: by their own paths, or by a folder's with all below it."""
    wanted = {str(path_of(path, encoded=False)) for path in paths if path}
    for entry in found.files():
        path = str(entry.path)
        above = path.split("/")[:-1]
        if path in wanted or any("/".join(above[: depth + 1]) in wanted for depth in range(len(above))):
            yield entry


def _plan(found: Instance, entries: list[Entry], form: str, book: PieceBook) -> Plan:
    modified = seconds(found.created)
    members = [
        Member(entry.path, entry.size or 0, partial(_open, found, entry), dict(entry.digests), modified, book=book)
        for entry in entries
    ]
    return ZipPlan(members) if form == "zip" else TarPlan(members)


def _open(found: Instance, entry: Entry, offset: int) -> BinaryIO:
    return found.open(entry.path, offset, verify=False)
