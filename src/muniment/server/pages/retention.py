"""Retention: what is kept until when, what ends soon, and which purges wait for a second person."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.content.locks import LockMode
from muniment.errors.base import BadInput, MunimentError
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN, EVENTS
from muniment.server.pages.page import Page, resource_path
from muniment.workflows.copies.retention import Retention, Retentions, lock_copies, purge_requests_of, time_of

router = APIRouter(include_in_schema=False)
_HERE = "/copies/retention"
_SHOWN = 200
_SOON = 90
_DAY = 86400.0
_MODES: tuple[LockMode, ...] = ("governance", "compliance")


@router.get(_HERE, operation_id="page_retention")
def retention(request: Request) -> Response:
    """The page: the first to end comes first."""
    page = Page(request)
    page.access.require(EVENTS, None)
    return _retention(page)


@router.post(_HERE, operation_id="page_retention_set")
def keep(
    request: Request,
    id: Annotated[str, Form()] = "",
    project: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    mode: Annotated[str, Form()] = "governance",
    hold: Annotated[str, Form()] = "",
) -> Response:
    """Keep a resource until then, longer than before, or with a legal hold; copies with locks are locked too."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    typed = {"id": id[:1000], "project": project[:130], "until": until[:60], "mode": mode, "hold": hold}
    service = page.jobs.copy_service
    retentions = Retentions(service.table.database)
    try:
        strict = next((each for each in _MODES if each == mode), None)
        if strict is None:
            raise BadInput(reason=f"there is no mode {mode[:40]!r}; there are governance and compliance")
        place = page.archive.instance(id, project=project or None).project
        known = retentions.get(place, id)
        held = {"set": True, "lift": False}.get(hold, known is not None and known.hold)
        now = service.table.now()
        wanted = replace(known or Retention(place, id, strict, now), hold=held)
        if until.strip():
            wanted = replace(wanted, mode=strict, until_at=time_of(until.strip(), now))
        elif known is None and not held:
            raise BadInput(reason="it is not said until when; a date, or a length of time such as 10y")
        retentions.set(page.archive, wanted)
    except MunimentError as error:
        return _retention(page, typed=typed, wrong=error.message, status=error.http_status)
    return _retention(page, kept=wanted, left=lock_copies(service, wanted))


def _retention(
    page: Page,
    *,
    typed: dict[str, str] | None = None,
    wrong: str = "",
    kept: Retention | None = None,
    left: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    database = page.jobs.copy_service.table.database
    retentions, now = Retentions(database), database.now()
    soon = page.asked("soon", 1) == "1"
    found = retentions.all(ending_before=now + _SOON * _DAY if soon else None, most=_SHOWN + 1)
    ending = len(retentions.all(ending_before=now + _SOON * _DAY, most=_SHOWN + 1))
    waiting = purge_requests_of(database)
    n, t = page.texts.counted, page.texts
    heading = t("Nothing is under retention")
    if ending:
        heading = n(ending, "One retention ends within 90 days|{n} retentions end within 90 days")
    elif found:
        heading = t("No retention ends within 90 days")
    return page.show(
        "retention.html",
        t("Retention"),
        "/copies",
        status=status,
        heading=heading,
        found=[(each, resource_path(each.project, each.resource), each.until_at <= now) for each in found[:_SHOWN]],
        more=len(found) > _SHOWN,
        soon=soon,
        waiting=[
            (each, *(resource_path(each.project, each.resource, below) for below in ("", "purge"))) for each in waiting
        ],
        may_set=page.access.may(ADMIN, None),
        typed=typed
        or {"id": page.asked("id", 1000), "project": page.asked("project", 130), "until": "", "mode": "", "hold": ""},
        wrong=wrong,
        kept=kept,
        left=left or {},
    )
