"""What is live on a page: a stream of events whose numbers are those of the log, so that a cut loses nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import islice

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from muniment.errors.remote import TooMuchAtOnce
from muniment.http.throttling import EVENTS
from muniment.server.native.events import Streams
from muniment.server.pages.page import Page

router = APIRouter(include_in_schema=False)
_LOOK_EVERY = 0.5
_SIGN_OF_LIFE = 15.0
_AT_ONCE = 200


@router.get("/live", operation_id="page_live")
async def live(request: Request) -> Response:
    """Says of each new event of the log its number, verb and resource: enough to say that there is something new.

    Raises:
        TooMuchAtOnce: There are as many such streams as the server serves.
    """
    page = await run_in_threadpool(_let_in, request)
    streams: Streams = request.app.state.page_streams
    if streams.open >= streams.most:
        raise TooMuchAtOnce(what="live pages")
    asked = request.headers.get("last-event-id") or request.query_params.get("after", "")
    start = int(asked) if asked.isdecimal() and len(asked) < 13 else (await run_in_threadpool(page.archive.head)).seq  # noqa: PLR2004 - as in `events`
    return StreamingResponse(
        _stream(page, streams, start), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _let_in(request: Request) -> Page:
    page = Page(request)
    page.visit.require_somewhere(EVENTS)
    return page


async def _stream(page: Page, streams: Streams, at: int) -> AsyncIterator[bytes]:
    streams.open += 1
    quiet_since = time.monotonic()
    try:
        yield b"retry: 2000\n: live\n\n"
        while not streams.stopping.is_set():
            at, lines = await run_in_threadpool(_next, page, at)
            if lines or time.monotonic() - quiet_since > _SIGN_OF_LIFE:
                yield lines or b": nothing new\n\n"
                quiet_since = time.monotonic()
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await streams.stopping.wait()
            except TimeoutError:
                continue
    finally:
        streams.open -= 1


def _next(page: Page, at: int) -> tuple[int, bytes]:
    if page.archive.head().seq <= at:
        return at, b""
    lines: list[bytes] = []
    for event in islice(page.archive.events(at), _AT_ONCE):
        at = event.seq
        if page.visit.may(EVENTS, event.project or None):
            said = {"seq": event.seq, "event": event.event, "resource": event.resource, "outcome": event.outcome}
            lines.append(
                b"id: %d\nevent: event\ndata: %s\n\n" % (event.seq, json.dumps(said, ensure_ascii=False).encode())
            )
    return at, b"".join(lines)
