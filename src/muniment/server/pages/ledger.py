"""Ledger: who works, what stands in which queue, what is planned when, and what holds work up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.server.pages.page import Page

router = APIRouter(include_in_schema=False)
_HERE = "/admin/ledger"


@router.get(_HERE, operation_id="page_ledger")
def ledger(request: Request) -> Response:
    """The page."""
    page = Page(request)
    page.access.require(ADMIN, None)
    now = page.jobs.operations.look()
    n, t = page.texts.counted, page.texts
    waiting = sum(each.steps for each in now.depths if each.state != "running")
    heading = t("No worker has said for three minutes that it lives")
    if now.alive:
        heading = n(now.alive, "One worker lives|{n} workers live")
    if now.outages:
        heading = n(len(now.outages), "One thing of our own does not answer|{n} things of our own do not answer")
    return page.show(
        "ledger.html",
        t("Ledger"),
        _HERE,
        heading=f"{heading}, {n(waiting, 'one step waits|{n} steps wait') if waiting else t('nothing waits')}",
        now=now,
        waiting={each.waits_for: each.steps for each in now.held_up},
        periods=sorted(page.jobs.ledger.periods(), key=lambda each: each[2]),
    )


@router.post(f"{_HERE}/lift", operation_id="page_ledger_lift")
def lift(request: Request, name: Annotated[str, Form()] = "") -> Response:
    """Open a closed limit, and wake what waits for it."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    page.jobs.operations.lift(name[:300])
    return page.go(_HERE)


@router.get("/admin", operation_id="page_admin")
def administration(request: Request) -> Response:
    """The way for who types the beginning of an address; `/admin/projects` is the list of projects."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/admin/policies", 308)


@router.get("/admin/projects", operation_id="page_admin_projects")
def projects(request: Request) -> Response:
    """The projects, each with its policy in words and who may do what there."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/projects", 308)
