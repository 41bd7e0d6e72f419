"""CKAN portals: how is the portal, what is broken, why, and do we have it? Nothing is counted in a request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from muniment.doors.ckan import report
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.portals import Portal
from muniment.doors.ckan.statuses import Status
from muniment.doors.ckan.write_back import cache_url
from muniment.http.files import disposition
from muniment.http.throttling import READ
from muniment.server.pages.page import Page, resource_path
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_ORGANIZATIONS = 20
_HOSTS = 8
_LINKS = 50
_YEAR = 366 * 86_400.0
_ATTEMPTS = 60

COLUMNS: tuple[Column[dict[str, object]], ...] = tuple(
    Column(name, lambda each, name=name: each[name])  # type: ignore[misc] # the name is bound to each column's own
    for name in (
        "name",
        "datasets",
        "broken_datasets",
        "links",
        "broken",
        "broken_percent",
        "unknown",
        "kept",
        "broken_kept",
    )
)


@dataclass(frozen=True, slots=True)
class PortalFigures:
    """One portal in the list."""

    portal: Portal
    totals: dict[str, int]


@router.get("/portals", operation_id="page_portals")
def portals(request: Request) -> Response:
    """All portals whose project may be read."""
    page = Page(request)
    page.access.require_somewhere(READ)
    given = page.jobs.ckan
    found = [
        PortalFigures(each, report.Reports(given.ledger).totals(each.name))
        for each in given.portals.all()
        if page.access.may(READ, each.project)
    ]
    n, t = page.texts.counted, page.texts
    broken = sum(each.totals["broken"] for each in found)
    links = sum(each.totals["links"] for each in found)
    heading = t("No portal is watched yet")
    if found:
        heading = t("{broken} of {links} links are broken", broken=t.number(broken), links=t.number(links))
        if not broken:
            heading = (
                n(links, "One link, and it is not broken|{n} links, and none is broken")
                if links
                else t("No link was seen yet")
            )
    return page.show("portals.html", page.texts("CKAN portals"), "/portals", heading=heading, portals=found)


@router.get("/portals/{name}", operation_id="page_portal")
def portal(request: Request, name: str) -> Response:
    """One portal: what it holds, when it was looked at, and where its report is."""
    page, given, known = _readable(request, name)
    reports = report.Reports(given.ledger)
    totals = reports.totals(known.name)
    return page.show(
        "portal.html",
        known.name,
        "/portals",
        portal=known,
        totals=totals,
        heading=_sentence(page, totals),
        statuses=[(_status(each["name"]), each["links"]) for each in reports.by(known.name, "status")],
        sizes=reports.sizes(known.name),
        settings=sorted((key, str(value)) for key, value in known.settings.as_json().items()),
    )


@router.get("/portals/{name}/broken", operation_id="page_broken_links")
def broken(request: Request, name: str) -> Response:
    """The report of broken links: over a year, why, where, and by organisation, one of which may be open."""
    page, given, known = _readable(request, name)
    reports = report.Reports(given.ledger)
    form = wants(request)
    opened, host = request.query_params.get("open"), page.asked("host", 300) or None
    if form == "csv":
        return _csv(given, known, opened)
    organizations = [
        each for each in reports.by(known.name, "organization") if each["broken"] or each["broken_datasets"]
    ]
    if form == "json":
        return table_of(COLUMNS, organizations, "json", "organizations")
    totals = reports.totals(known.name)
    place = page.asked("page", 6)
    start = int(place) * _ORGANIZATIONS if place.isdecimal() else 0
    after = page.asked("after", 200)
    links: list[dict[str, object]] = []
    if opened is not None or host:
        links = reports.broken(known.name, organization=opened, host=host, after=after, limit=_LINKS + 1)
    days = reports.days(known.name, since=time.time() - _YEAR)
    hosts = [each for each in reports.by(known.name, "host") if each["broken"]]
    return page.show(
        "broken.html",
        page.texts("Broken links"),
        "/portals",
        portal=known,
        totals=totals,
        heading=_sentence(page, totals),
        days=days,
        why=[(_status(each["name"]), each["broken"]) for each in reports.by(known.name, "status") if each["broken"]],
        hosts=hosts[:_HOSTS],
        other_hosts=hosts[_HOSTS:],
        organizations=organizations[start : start + _ORGANIZATIONS],
        organizations_in_all=len(organizations),
        next_page=start // _ORGANIZATIONS + 1 if start + _ORGANIZATIONS < len(organizations) else 0,
        opened=opened,
        host=host,
        links=[_link(page, row) for row in links[:_LINKS]],
        following=links[_LINKS - 1]["resource"] if len(links) > _LINKS else "",
    )


@router.get("/portals/{name}/links/{resource}", operation_id="page_link")
def link(request: Request, name: str, resource: str) -> Response:
    """One link: its state, its history, and the copies of it."""
    page, given, known = _readable(request, name)
    row = given.links.get(known.name, resource)
    history = given.links.history(known.name, resource, _ATTEMPTS)
    held = page.archive.exists(resource, known.project)
    return page.show(
        "link.html",
        str(row["name"] or row["url"])[:200],
        "/portals",
        portal=known,
        link=_link(page, dict(row)),
        row=row,
        history=[(each["at"], _status(each["status"]), each["reason"], _shape(each["status"])) for each in history],
        kept=resource_path(known.project, resource) if held else "",
    )


@router.get("/ckan", operation_id="page_ckan", include_in_schema=False)
def ckan(request: Request) -> Response:
    """The way here for who knows the door's name."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/portals", 308)


def _readable(request: Request, name: str) -> tuple[Page, CkanContext, Portal]:
    page = Page(request)
    page.access.require(READ, f"ckan/{name}")
    given = page.jobs.ckan
    return page, given, given.portals.get(name)


def _sentence(page: Page, totals: dict[str, int]) -> str:
    t = page.texts
    if not totals["links"]:
        return str(t("No link was seen yet"))
    if not totals["broken"]:
        return str(t.counted(totals["links"], "One link, and it is not broken|{n} links, and none is broken"))
    numbers = {name: t.number(totals[name]) for name in ("broken", "links", "broken_kept")}
    return str(t("{broken} of {links} links are broken; {broken_kept} of them are kept here", **numbers))


def _link(page: Page, row: dict[str, object]) -> dict[str, object]:
    copy = cache_url(page.root, row) if row["kept_as"] else ""
    shape, word = _state(page, row)
    return {**row, "copy_at": copy, "shape": shape, "word": word, "status_words": _status(row["status"])}


def _state(page: Page, row: dict[str, Any]) -> tuple[str, str]:
    """What a link is: broken, failed once only, could not tell, or well."""
    t = page.texts
    if row["status"] is None:
        return "wait", str(t("Not checked yet"))
    if row["is_broken"] is None:
        return "unknown", str(t("Could not tell"))
    if not row["is_broken"]:
        return "ok", str(t("Not broken"))
    return ("warn", str(t("Once only"))) if row["failure_count"] <= 1 else ("bad", str(t("Broken")))


def _status(value: Any) -> str:
    try:
        return Status(int(value)).text
    except (TypeError, ValueError):
        return str(value or "not yet checked")


def _shape(value: Any) -> str:
    try:
        broken = Status(int(value)).is_broken
    except (TypeError, ValueError):
        return "wait"
    return "unknown" if broken is None else "bad" if broken else "ok"


def _csv(given: CkanContext, known: Portal, organization: str | None) -> Response:
    reports = report.Reports(given.ledger)
    rows = (report.broken_row(row) for row in reports.every_broken(known.name, organization))
    headers = {"Content-Disposition": disposition(f"broken-links-{known.name}.csv")}
    return StreamingResponse(_encoded(report.as_csv(rows)), media_type="text/csv; charset=utf-8", headers=headers)


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    for line in lines:
        yield line.encode("utf-8", "replace")
