"""Events: what happened, and is the record itself intact?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import groupby, islice

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.archive import Event
from muniment.errors.remote import NoSuchPage
from muniment.http.throttling import EVENTS
from muniment.server.pages.page import Page, resource_path
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_PAGE = 50
_LOOKED_AT = 4000
"""Lines of the log that one page looks through for what was asked; it says when there is more."""
_WINDOW = 500

COLUMNS: tuple[Column[Event], ...] = (
    Column("seq", lambda each: each.seq),
    Column("timestamp", lambda each: each.timestamp),
    Column("event", lambda each: each.event),
    Column("project", lambda each: each.project),
    Column("resource", lambda each: each.resource),
    Column("instance", lambda each: each.instance),
    Column("outcome", lambda each: each.outcome),
    Column("agent", lambda each: each.agent),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the log is asked for."""

    verb: str
    resource: str
    project: str
    agent: str
    outcome: str
    since: str = ""
    """The first day, as RFC 3339 begins; nothing before it is looked at."""

    def passes(self, event: Event) -> bool:
        """Whether an event is asked for."""
        return (
            (not self.verb or event.event == self.verb)
            and (not self.resource or event.resource == self.resource)
            and (not self.project or event.project == self.project)
            and (not self.outcome or event.outcome == self.outcome)
            and (not self.agent or self.agent.casefold() in event.agent.casefold())
            and (not self.since or event.timestamp >= self.since)
        )


@router.get("/events", operation_id="page_events")
def events(request: Request) -> Response:
    """The page: the newest first."""
    page = Page(request)
    filters = Filters(*(page.asked(name, 300) for name in ("verb", "resource", "project", "agent", "outcome", "from")))
    if filters.project:
        page.access.require(EVENTS, filters.project)
    else:
        page.access.require_somewhere(EVENTS)
    head = page.archive.head()
    before = page.asked("before", 12)
    last = int(before) if before.isdecimal() else head.seq + 1
    found, at = _backwards(page, filters.passes, min(last, head.seq + 1), filters.since)
    if form := wants(request):
        return table_of(COLUMNS, found, form, "events", {"before": str(at) if at > 1 else ""})
    t, n = page.texts, page.texts.counted
    whole = page.contents.last_check() if page.access.may(EVENTS, None) else None
    heading = n(head.seq, "The log has one line|The log has {n} lines") if head.seq else t("Nothing has happened yet")
    if head.seq and whole is not None and whole.outcome == "success":
        heading = n(
            head.seq,
            "The log has one line, unbroken when it was last checked|"
            "The log has {n} lines, unbroken when it was last checked",
        )
    return page.show(
        "events.html",
        page.texts("Events"),
        "/events",
        heading=heading,
        head=head,
        days=[(day, list(each)) for day, each in groupby(found, key=lambda event: event.timestamp[:10])],
        whole=whole,
        sees_evidence=page.access.may(EVENTS, None),
        filters=filters,
        filtered=any(asdict(filters).values()),
        before=at if at > 1 else 0,
        first=not before,
        resource_path=resource_path,
        verbs=(
            "ingestion",
            "fixity check",
            "repair",
            "deletion",
            "recovery",
            "quarantine",
            "replication",
            "access refusal",
        ),
    )


@router.get("/events/{number}", operation_id="page_event")
def event(request: Request, number: str) -> Response:
    """One event with its line as the log has it."""
    page = Page(request)
    page.access.require_somewhere(EVENTS)
    wanted = int(number) if number.isdecimal() and len(number) < 13 else 0  # noqa: PLR2004 - a log of a million million lines
    found = next(islice(page.archive.events(wanted - 1), 1), None) if wanted else None
    if found is None or found.seq != wanted or not _may_see(page, found):
        raise NoSuchPage(path=request.scope["path"][:200])
    if wants(request) == "json":
        return Response(found.as_line(), media_type="application/json")
    return page.show(
        "event.html",
        f"{found.event} {found.seq}",
        "/events",
        event=found,
        line=json.dumps(found.as_json(), ensure_ascii=False, indent=2),
        newest=page.archive.head().seq,
        resource_path=resource_path,
    )


def latest(page: Page, passes: Callable[[Event], bool], most: int) -> list[Event]:
    """Of the newest events that the reader may see those that pass, the newest first."""
    return _backwards(page, passes, page.archive.head().seq + 1)[0][:most]


def _backwards(page: Page, passes: Callable[[Event], bool], before: int, since: str = "") -> tuple[list[Event], int]:
    """Up to a page of events before a number, newest first, and where to go on (1 where there is nothing more).

    What is from before `since` is the end.
    """
    found: list[Event] = []
    at, looked = before, 0
    while at > 1 and looked < _LOOKED_AT:
        start = max(at - 1 - _WINDOW, 0)
        window = list(islice(page.archive.events(start), at - 1 - start))
        looked += len(window)
        for event in reversed(window):
            at = event.seq
            # Where a clock was ahead, `latest` says so, and lines before may still be of that time.
            if since and max(event.timestamp, event.latest) < since:
                return found, 1
            if passes(event) and _may_see(page, event):
                found.append(event)
                if len(found) == _PAGE:
                    return found, at
        at = start + 1
    return found, at


def _may_see(page: Page, event: Event) -> bool:
    return page.access.may(EVENTS, event.project or None)
