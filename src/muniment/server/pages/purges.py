"""Purge: remove this for ever? The id is typed for it, and where a policy keeps things, a second person decides."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.archive import Mode
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.copies import ApprovalNeeded
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.server.pages.page import Page, resource_path
from muniment.server.pages.resources import asked_instance, title_of
from muniment.workflows.copies.policies import Policies
from muniment.workflows.copies.retention import Retentions, purge_request_of, requester_of, withdraw_purge

router = APIRouter(include_in_schema=False)
_LONGEST_ID = 1000
_LONGEST_REASON = 2000


@router.get("/resources/{id}/purge", operation_id="page_purge")
def purge(request: Request, id: str) -> Response:
    """What would be lost and what stays, what is in the way, and who asked for it already."""
    return _purge(Page(request), id)


@router.post("/resources/{id}/purge", operation_id="page_purge_do")
def do_purge(
    request: Request, id: str, typed: Annotated[str, Form()] = "", reason: Annotated[str, Form()] = ""
) -> Response:
    """Ask for it, or, as the second person, let it be done; the page of what happened comes next."""
    refuse_other_sites(request)
    page = Page(request)
    found = asked_instance(page, id)
    page.access.require(ADMIN, found.project)
    given = (typed[:_LONGEST_ID], reason[:_LONGEST_REASON])
    try:
        if typed.strip() != found.id:
            raise BadInput(reason="the id that was typed is not the resource's")
        event = page.archive.purge(found.id, reason.strip(), found.project)
    except ApprovalNeeded as error:
        return _purge(page, id, given=given, asked=error.message)
    except MunimentError as error:
        return _purge(page, id, given=given, wrong=error.message, status=error.http_status)
    return page.go(f"/events/{event.seq}")


@router.post("/resources/{id}/purge/withdraw", operation_id="page_purge_withdraw")
def withdraw(request: Request, id: str) -> Response:
    """Take a request back, one's own or another's: the resource stays."""
    refuse_other_sites(request)
    page = Page(request)
    found = asked_instance(page, id)
    page.access.require(ADMIN, found.project)
    withdraw_purge(page.jobs.copy_service.table.database, found.project, found.id)
    return page.go("/copies/retention")


def _purge(
    page: Page, id: str, *, given: tuple[str, str] = ("", ""), asked: str = "", wrong: str = "", status: int = 200
) -> Response:
    found = asked_instance(page, id)
    page.access.require(ADMIN, found.project)
    database = page.jobs.copy_service.table.database
    known = Retentions(database).get(found.project, found.id)
    request = purge_request_of(database, found.project, found.id)
    t = page.texts
    return page.show(
        "purge.html",
        t("Remove for ever"),
        "/copies",
        status=status,
        heading=t("Remove {id} for ever?", id=found.id),
        found=found,
        title_text=title_of(found),
        here=resource_path(found.project, found.id),
        itself=resource_path(found.project, found.id, "purge"),
        withdrawal=resource_path(found.project, found.id, "purge/withdraw"),
        may_be=page.archive.config.mode is Mode.DYNAMIC,
        retention=known if known is not None and (known.hold or known.until_at > database.now()) else None,
        two=Policies(database).of(found.project).keep is not None,
        asked_before=request,
        mine=request is not None and request.requester == requester_of(page.archive),
        typed=given[0],
        reason=given[1],
        asked=asked,
        wrong=wrong,
    )
