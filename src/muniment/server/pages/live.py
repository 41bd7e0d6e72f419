"""What is live on a page: a stream of events whose numbers are those of the log, so that a cut loses nothing."""

from __future__ import annotations

import functools
import json
from itertools import islice

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from muniment.http.live import News, Streams, live
from muniment.http.throttling import EVENTS
from muniment.server.pages.page import Page

router = APIRouter(include_in_schema=False)
_LOOK_EVERY = 0.5
_AT_ONCE = 200


@router.get("/live", operation_id="page_live")
async def live_events(request: Request) -> Response:
    """Says of each new event of the log its number, verb and resource: enough to say that there is something new.

    Raises:
        TooMuchAtOnce: There are as many such streams as the server serves.
    """
    page = await run_in_threadpool(_let_in, request)
    asked = request.headers.get("last-event-id") or request.query_params.get("after", "")
    start = int(asked) if asked.isdecimal() and len(asked) < 13 else (await run_in_threadpool(page.archive.head)).seq  # noqa: PLR2004 - as in `events`
    streams: Streams = request.app.state.page_streams
    look = functools.partial(_news, page)
    return live(streams, look, start, what="live pages", every=_LOOK_EVERY, begin=b"retry: 2000\n")


def _let_in(request: Request) -> Page:
    page = Page(request)
    page.access.require_somewhere(EVENTS)
    return page


def _news(page: Page, at: int) -> News:
    if page.archive.head().seq <= at:
        return News(at)
    lines: list[bytes] = []
    for event in islice(page.archive.events(at), _AT_ONCE):
        at = event.seq
        if page.access.may(EVENTS, event.project or None):
            said = {"seq": event.seq, "event": event.event, "resource": event.resource, "outcome": event.outcome}
            lines.append(
                b"id: %d\nevent: event\ndata: %s\n\n" % (event.seq, json.dumps(said, ensure_ascii=False).encode())
            )
    return News(at, b"".join(lines))
