"""Routes of the log: a page of events, or a stream of them as they come."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from fastapi import Query, Request, Response
from starlette.concurrency import run_in_threadpool

from muniment.archive import Event
from muniment.content.acceptable import check_json
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.description import takes
from muniment.http.live import STREAM, News, live
from muniment.http.names import START_FORM, Limit, Project
from muniment.http.throttling import ADMIN, EVENTS, WRITE
from muniment.server.native.given import IdempotencyKey
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import EventIn, EventOut, EventPage, LogHead

router = new_router("events")

_AT_ONCE = 500

Start = Annotated[
    str | None,
    Query(
        max_length=100,
        description="Only after this: an event's number, an ISO 8601 time or a Unix time.",
        json_schema_extra=START_FORM,
    ),
]


@router.get(
    "/events",
    operation_id="list_events",
    response_model=EventPage,
    responses={
        200: {
            "content": {"application/json": {}, STREAM: {"schema": {"type": "string"}}},
            "description": "Events, the oldest first.",
        }
    },
    openapi_extra=takes("Last-Event-ID"),
)
async def events(request: Request, start: Start = None, project: Project = None, limit: Limit = 100) -> Response:
    """The log, a page at a time, or with `Accept: text/event-stream` live from `start` (or `Last-Event-ID`) on."""
    access = await run_in_threadpool(_let_in, request, project)
    follow = STREAM in request.headers.get("accept", "")
    begin = request.headers.get("last-event-id", start) if follow else start
    if not follow:
        return await run_in_threadpool(_page, access, begin, project, limit)
    first = await run_in_threadpool(_first_number, access, begin)
    return live(request.app.state.streams, functools.partial(_news, access, project), first, what="event streams")


@router.get("/events/head", operation_id="get_head")
def head(request: Request) -> LogHead:
    """How far the log reaches: the newest event's number and the sha256 of its line."""
    return LogHead(**_let_in(request, None).archive.head()._asdict())


@router.post("/events", operation_id="record_event", status_code=201)
def record_event(request: Request, given: EventIn, idempotency_key: IdempotencyKey = "") -> EventOut:
    """Write an event of one's own into the log: about a resource, a project, or with every right about the archive."""
    check_json(given.model_dump(), "the event")
    access = authorized(request)
    if given.resource:
        place: str | None = access.project_of(given.resource, given.project or None, WRITE)
    else:
        place = given.project or None
    access.require(WRITE if place else ADMIN, place)

    def make() -> dict[str, Any]:
        return access.archive.record_event(
            given.event,
            resource=given.resource,
            project=place or "",
            instance=given.instance,
            outcome=given.outcome,
            detail=given.detail,
        ).as_json()

    record = request.app.state.idempotency.once(idempotency_key, access.caller.agent, given.model_dump(), make)
    return EventOut(**record)


def _let_in(request: Request, project: str | None) -> AuthorizedRequest:
    access = authorized(request)
    if project:
        access.require(EVENTS, project)
    else:
        access.require_somewhere(EVENTS)
    return access


def _page(access: AuthorizedRequest, start: str | None, project: str | None, limit: int) -> Response:
    after = _first_number(access, start)
    page: list[dict[str, Any]] = []
    last = after
    for event, shown in _seen(access, project, access.archive.events(after)):
        last = event.seq
        if shown:
            page.append(event.as_json())
        if len(page) == limit:
            break
    return Response(
        json.dumps({"events": page, "next": str(last)}, ensure_ascii=False).encode("utf-8"),
        media_type="application/json",
    )


def _first_number(access: AuthorizedRequest, start: str | None) -> int:
    """The number of the last event that is not after `start`."""
    if start is None or start == "":
        return 0
    if start.isdecimal() and len(start) < 10:  # noqa: PLR2004 - as `Archive.events`: below 1,000,000,000
        return int(start)
    first = next(iter(islice(access.archive.events(start), 1)), None)
    if first is not None:
        return first.seq - 1
    return _newest(access)


def _newest(access: AuthorizedRequest) -> int:
    newest: int = access.archive.head().seq
    return newest


def _seen(access: AuthorizedRequest, project: str | None, found: Iterator[Event]) -> Iterator[tuple[Event, bool]]:
    everything = access.may(EVENTS, None)
    known: dict[str, bool] = {}
    for event in found:
        if event.project not in known:
            known[event.project] = everything or bool(event.project and access.may(EVENTS, event.project))
        yield event, known[event.project] and project in {None, event.project}


def _news(access: AuthorizedRequest, project: str | None, at: int) -> News:
    if _newest(access) <= at:
        return News(at)
    lines: list[bytes] = []
    for event, shown in islice(_seen(access, project, access.archive.events(at)), _AT_ONCE):
        at = event.seq
        if shown:
            lines.append(b"id: %d\nevent: event\ndata: %s\n\n" % (event.seq, event.as_line()))
    return News(at, b"".join(lines), more=bool(lines))
