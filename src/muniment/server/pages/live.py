"""What is live on a page: a stream of events whose numbers are those of the log, so that a cut loses nothing."""

from __future__ import annotations

import functools
import json
import zlib
from itertools import islice

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from muniment.errors.jobs import JobNotFound
from muniment.http.live import News, Streams, live
from muniment.http.throttling import ADMIN, EVENTS
from muniment.server.pages.page import Page

router = APIRouter(include_in_schema=False)
_LOOK_EVERY = 0.5
_AT_ONCE = 200
_WORK_EVERY = 1.0


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


@router.get("/live/jobs", operation_id="page_live_jobs")
async def live_jobs(request: Request) -> Response:
    """Says that the work which a page shows is no more as it was; the page is then asked for again.

    The number of an event stands for the state that it tells of, so a browser that comes back after a cut, or after
    a restart of the server, is told of what changed meanwhile. With `events` what happened in the archive counts too.

    Raises:
        TooMuchAtOnce: There are as many such streams as the server serves.
    """
    page = await run_in_threadpool(Page, request)
    whose, job = await run_in_threadpool(_whose, page), page.asked("job", 64)
    asked = request.headers.get("last-event-id") or page.asked("after", 12)
    start = int(asked) if asked.isdecimal() and len(asked) < 13 else 0  # noqa: PLR2004 - as above
    events = whose is None and bool(page.asked("events", 1))
    look = functools.partial(_work_and_log, page) if events else functools.partial(_work, page, job, whose)
    return live(
        request.app.state.page_streams, look, start, what="live pages", every=_WORK_EVERY, begin=b"retry: 2000\n"
    )


def _whose(page: Page) -> str | None:
    """Whose work is told of: None for everybody's, to an administrator; else the caller's own.

    Raises:
        MunimentError: 401 or 403.
    """
    if page.access.may(ADMIN, None):
        return None
    agent, job = page.access.caller.agent, page.asked("job", 64)
    if page.access.caller.anonymous or (job and not _owned(page, job, agent)):
        page.access.require(ADMIN, None)
    return agent


def _owned(page: Page, job: str, agent: str) -> bool:
    try:
        return page.jobs.operations.find(job).requester == agent
    except JobNotFound:
        return False


def state_of_work(page: Page, job: str = "", whose: str | None = None) -> int:
    """A number for the state of a job with its steps, or of all work: another number for another state.

    Raises:
        JobNotFound: There is no such job.
    """
    control = page.jobs.operations
    if job:
        found = control.find(job)
        steps = islice(page.jobs.ledger.steps(found.id), _AT_ONCE)
        seen = [(each.id, str(each.state), each.attempt, each.done, each.total, each.reason) for each in steps]
        return _number((str(found.state), found.steps, found.steps_done, found.reason, seen))
    now = control.look(whose)
    waiting = [(each.job.id, each.job.steps_done, each.running, each.until, each.reason) for each in now.jobs]
    return _number((waiting, [each.id for each in now.failed], bool(now.alive)))


def _number(state: object) -> int:
    return zlib.crc32(repr(state).encode())


def state_of_everything(page: Page) -> int:
    """A number for the state of all work and of the log together."""
    return _number((state_of_work(page), page.archive.head().seq))


def _work(page: Page, job: str, whose: str | None, at: int) -> News:
    return _changed(state_of_work(page, job, whose), at)


def _work_and_log(page: Page, at: int) -> News:
    return _changed(state_of_everything(page), at)


def _changed(number: int, at: int) -> News:
    if number == at:
        return News(at)
    return News(number, b"id: %d\nevent: change\ndata: {}\n\n" % number)


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
