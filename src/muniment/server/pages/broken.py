"""Broken links of a portal: what is broken, why, and do we have it? Nothing is counted in a request."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from muniment.doors.ckan import causes, report
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.counters import AGAIN, ONCE
from muniment.doors.ckan.harvest import KIND_SWEEP, sweep
from muniment.doors.ckan.portals import Portal
from muniment.doors.ckan.report import BROKEN, STATES, UNKNOWN, LinkFilter
from muniment.http.browsers import refuse_other_sites
from muniment.http.files import disposition
from muniment.http.throttling import WRITE
from muniment.jobs import Job, JobState
from muniment.server.pages.page import Page
from muniment.server.pages.portals import link_row, readable, sentence
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_ROWS = 20
_HOSTS = 5
_LINKS = 50
_MOST_LINKS = 500
_DAY = 86_400.0
_YEAR = 366 * _DAY
_PART = 0.25
"""A host with so large a part of the broken links is named in the first sentence."""
SINCE = (1, 7, 30, 365)
SORTS = ("broken_datasets", "broken", "broken_percent", "broken_kept")
STATE_WORDS = {BROKEN: "Broken", AGAIN: "Several times in a row", ONCE: "Once only", UNKNOWN: "Could not tell"}
CAUSE_WORDS = {
    causes.NOT_FOUND: "Not found (404, 410)",
    causes.NO_HOST: "Host not there",
    causes.TIMED_OUT: "Timed out",
    causes.CERTIFICATE: "Certificate invalid",
    causes.REFUSED: "Not for everybody (401, 403)",
    causes.SERVER_ERROR: "The server fails (5xx)",
    causes.NO_ADDRESS: "No address",
    causes.OTHER: "Other",
}
_NONE = "/"
"""Stands in an address for links without an organisation; no organisation is called so."""
_FILTERS = ("host", "reason", "since", "kept", "state", "q")

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
class ReportFilter:
    """What the address of the page asks for: which links, how the table is sorted, and which row of it is open."""

    opened: str | None
    by: str
    sort: str
    asked: Mapping[str, str]

    @classmethod
    def of(cls, request: Request, page: Page) -> ReportFilter:
        """Of a request; what cannot be asked is not asked."""
        given = {name: page.asked(name, 300) for name in _FILTERS}
        known = {
            "state": (*STATES, ""),
            "kept": ("yes", "no", ""),
            "since": (*map(str, SINCE), ""),
            "reason": (*causes.CAUSES, ""),
        }
        asked = {name: value if value in known.get(name, (value,)) else "" for name, value in given.items()}
        opened = request.query_params.get("org", request.query_params.get("open"))
        opened = "" if opened == _NONE else opened
        sort = page.asked("sort", 20)
        by = "host" if page.asked("by", 10) == "host" else "organization"
        return cls(opened, by, sort if sort in SORTS[by == "host" :] else SORTS[by == "host"], asked)

    @property
    def filtered(self) -> bool:
        """Whether links are asked for, of whatever organisation."""
        return any(self.asked.values())

    @property
    def in_address(self) -> dict[str, str]:
        """What stands in the addresses of pages that ask for the same."""
        org = {} if self.opened is None else {"org": self.opened or _NONE}
        return {**org, **self.asked}

    def links(self) -> LinkFilter:
        """The links that are asked for."""
        asked = self.asked
        return LinkFilter(
            state=asked["state"] or BROKEN,
            organization=self.opened,
            host=asked["host"] or None,
            cause=asked["reason"] or None,
            since=time.time() - int(asked["since"]) * _DAY if asked["since"] else None,
            kept={"yes": True, "no": False}.get(asked["kept"]),
            begins=asked["q"],
        )


@router.get("/portals/{name}/broken", operation_id="page_broken_links")
def broken(request: Request, name: str) -> Response:
    """The report: over a year, why, where, and by organisation, one of which may be open; or the links asked for."""
    page, given, known = readable(request, name)
    reports = report.Reports(given.ledger)
    question = ReportFilter.of(request, page)
    form = wants(request)
    if form == "csv":
        return _csv(reports, known, question.links())
    if form == "json" and (question.filtered or question.opened is not None):
        return _json(page, reports, known, question.links())
    table = [each for each in reports.by(known.name, question.by) if each["broken"] or each["broken_datasets"]]
    table.sort(key=lambda each: (-each[question.sort], -each["broken"], each["name"]))
    if form == "json":
        return table_of(COLUMNS, table, "json", "organizations" if question.by == "organization" else "hosts")
    totals = reports.totals(known.name)
    place = page.asked("page", 6)
    start = int(place) * _ROWS if place.isdecimal() else 0
    links: list[dict[str, Any]] = []
    if question.filtered or question.opened is not None:
        links = reports.listed(known.name, question.links(), after=page.asked("after", 300), limit=_LINKS + 1)
    hosts = table if question.by == "host" else [each for each in reports.by(known.name, "host") if each["broken"]]
    hosts = sorted(hosts, key=lambda each: (-each["broken"], each["name"]))
    return page.show(
        "broken.html",
        page.texts("Broken links"),
        "/portals",
        portal=known,
        totals=totals,
        once=reports.once_only(known.name),
        heading=sentence(page, totals),
        most=hosts[0] if hosts and hosts[0]["broken"] >= _PART * totals["broken"] and len(hosts) > 1 else None,
        sweep=sweep_of(given, known),
        days=reports.days(known.name, since=time.time() - _YEAR),
        why=[each for each in reports.by(known.name, "cause") if each["broken"]],
        hosts=hosts[:_HOSTS],
        other_hosts=hosts[_HOSTS:],
        rows=table[start : start + _ROWS],
        in_all=len(table),
        page_number=start // _ROWS,
        next_page=start // _ROWS + 1 if start + _ROWS < len(table) else 0,
        question=question,
        opened=question.opened,
        links=[link_row(page, row) for row in links[:_LINKS]],
        following=report.place_of(links[_LINKS - 1]) if len(links) > _LINKS else "",
        state_words=STATE_WORDS,
        cause_words=CAUSE_WORDS,
        since=SINCE,
        may_check=page.access.may(WRITE, known.project),
    )  # fmt: skip


@router.post("/portals/{name}/check", operation_id="page_check_broken")
def check(request: Request, name: str) -> Response:
    """Have the broken links checked now; where that is being done already, its page comes."""
    refuse_other_sites(request)
    page, given, known = readable(request, name)
    page.access.require(WRITE, known.project)
    job = sweep(given, known, requester=page.access.caller.agent, broken=True)
    return page.go(f"/portals/{known.name}/broken?begun={job}")


def sweep_of(given: CkanContext, portal: Portal) -> Job | None:
    """What looks at the portal's links right now: a sweep, or a check of the broken ones."""
    running = given.ledger.jobs(kind=KIND_SWEEP, state=JobState.RUNNING, limit=200)
    return next((job for job in running if cast("Any", job.given or {}).get("portal") == portal.name), None)


def _csv(reports: report.Reports, known: Portal, wanted: LinkFilter) -> Response:
    rows = (report.broken_row(row) for row in reports.every(known.name, wanted))
    headers = {"Content-Disposition": disposition(f"broken-links-{known.name}.csv")}
    return StreamingResponse(_encoded(report.as_csv(rows)), media_type="text/csv; charset=utf-8", headers=headers)


def _json(page: Page, reports: report.Reports, known: Portal, wanted: LinkFilter) -> Response:
    found: Sequence[dict[str, Any]] = reports.listed(
        known.name, wanted, after=page.asked("after", 300), limit=_MOST_LINKS + 1
    )
    columns = tuple(Column(name, lambda each, name=name: each[name]) for name in report.COLUMNS)  # type: ignore[misc]
    following = report.place_of(found[_MOST_LINKS - 1]) if len(found) > _MOST_LINKS else ""
    lines = [report.broken_row(row) for row in found[:_MOST_LINKS]]
    return table_of(columns, lines, "json", "links", {"after": following})


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    for line in lines:
        yield line.encode("utf-8", "replace")
