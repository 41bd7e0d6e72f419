"""CKAN portals: how is the portal, what is broken, why, and do we have it? Nothing is counted in a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from muniment.doors.ckan import report
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.harvest import DATASET_END, KIND_DATASET, KIND_SWEEP
from muniment.doors.ckan.portals import Portal
from muniment.doors.ckan.statuses import Status
from muniment.doors.ckan.write_back import cache_url, wanted_fields
from muniment.http.names import text_of
from muniment.http.throttling import READ, WRITE
from muniment.jobs import Job, JobState, State
from muniment.server.pages.page import Page, resource_path

router = APIRouter(include_in_schema=False)
_ATTEMPTS = 60
_RUNNING = 200
_SILENT = 20
_MOST_OWED = 1000
_BARS = {"ok": "b-ok", "bad": "b-bad", "unknown": "b-un", "wait": "b-bg"}


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
    page, given, known = readable(request, name)
    reports = report.Reports(given.ledger)
    totals = reports.totals(known.name)
    running = harvests_of(given, known)
    return page.show(
        "portal.html",
        known.name,
        "/portals",
        portal=known,
        totals=totals,
        heading=sentence(page, totals),
        statuses=[(status_words(each["name"]), each["links"]) for each in reports.by(known.name, "status")],
        sizes=reports.sizes(known.name),
        settings=sorted((key, str(value)) for key, value in known.settings.as_json().items()),
        sweep=next(iter(running), None),
        owed=owed_of(given, running),
        most_owed=_MOST_OWED,
        silent=given.slots.silent({each["name"] for each in reports.by(known.name, "host")}, _SILENT),
        may_check=page.access.may(WRITE, known.project),
    )


@router.get("/portals/{name}/links/{resource}", operation_id="page_link")
def link(request: Request, name: str, resource: str) -> Response:
    """One link: its state, its history, and the copies of it."""
    page, given, known = readable(request, name)
    resource = text_of(resource)
    row = given.links.get(known.name, resource)
    history = given.links.history(known.name, resource, _ATTEMPTS)
    root = given.cache_url_root(known)
    held = page.archive.exists(resource, known.project)
    return page.show(
        "link.html",
        str(row["name"] or row["url"])[:200],
        "/portals",
        portal=known,
        link=link_row(page, dict(row)),
        row=row,
        history=[(each["at"], status_words(each["status"]), each["reason"], _shape(each["status"]))
                 for each in history],
        strip=strip_of(history, given.now()),
        copies=[(each["kept_as"].partition("/")[0], cache_url(page.root, {**row, "kept_as": each["kept_as"]}))
                for each in history if each["kept_as"]],
        told=sorted((key, str(value)) for key, value in wanted_fields(root, row).items()),
        tells=known.settings.write_back,
        has_root=bool(root),
        kept=resource_path(known.project, resource) if held else "",
    )  # fmt: skip


@router.get("/ckan", operation_id="page_ckan", include_in_schema=False)
def ckan(request: Request) -> Response:
    """The way here for who knows the door's name."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/portals", 308)


def readable(request: Request, name: str) -> tuple[Page, CkanContext, Portal]:
    """Let somebody in who may read what is kept of a portal.

    Raises:
        MunimentError: 401, 403, or there is no such portal.
    """
    page = Page(request)
    page.access.require(READ, f"ckan/{name}")
    given = page.jobs.ckan
    return page, given, given.portals.get(name)


def harvests_of(given: CkanContext, portal: Portal) -> list[Job]:
    """What looks at a portal's links right now: sweeps, checks of the broken ones, changed datasets."""
    found = [
        job
        for kind in (KIND_SWEEP, KIND_DATASET)
        for job in given.ledger.jobs(kind=kind, state=JobState.RUNNING, limit=_RUNNING)
    ]
    return [job for job in found if isinstance(job.given, Mapping) and job.given.get("portal") == portal.name]


def owed_of(given: CkanContext, running: Sequence[Job]) -> int:
    """How many datasets the portal still has to be told of, by what looks at it now; counted to a thousand."""
    found = (
        step
        for job in running
        for step in given.ledger.steps(job.id, name=DATASET_END)
        if step.state in {State.READY, State.RUNNING, State.WAITING}
    )
    return sum(1 for _ in islice(found, _MOST_OWED + 1))


def strip_of(history: Sequence[Mapping[Any, Any]], now: float) -> list[tuple[str, float]]:
    """A link's states as parts of a strip, the oldest first: how each looks, and how many seconds it lasted."""
    found = sorted(history, key=lambda row: row["at"])
    ends = [row["at"] for row in found[1:]] + [now]
    return [(_BARS[_shape(row["status"])], max(end - row["at"], 1.0)) for row, end in zip(found, ends, strict=True)]


def sentence(page: Page, totals: dict[str, int]) -> str:
    """How the links of a portal are, as the heading says it."""
    t = page.texts
    if not totals["links"]:
        return str(t("No link was seen yet"))
    if not totals["broken"]:
        return str(t.counted(totals["links"], "One link, and it is not broken|{n} links, and none is broken"))
    numbers = {name: t.number(totals[name]) for name in ("broken", "links", "broken_kept")}
    return str(t("{broken} of {links} links are broken; {broken_kept} of them are kept here", **numbers))


def link_row(page: Page, row: dict[str, object]) -> dict[str, object]:
    """A link as lists show it: with its state in words and the address of its copy."""
    copy = cache_url(page.root, row) if row["kept_as"] else ""
    shape, word = _state(page, row)
    return {**row, "copy_at": copy, "shape": shape, "word": word, "status_words": status_words(row["status"])}


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


def status_words(value: Any) -> str:
    """A status in words, also of a link that has none yet."""
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
