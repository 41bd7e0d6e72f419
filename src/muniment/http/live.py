"""Live streams of server-sent events: the one loop for all that tell what happens, from a number on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from muniment.errors.remote import TooMuchAtOnce

STREAM = "text/event-stream"
_SIGN_OF_LIFE = 15.0
"""Seconds without news after which a comment is sent, so that nobody on the way takes the connection for dead."""


class Streams:
    """How many live streams there are, and whether they are to end."""

    def __init__(self, most: int, stopping: asyncio.Event | None = None) -> None:
        self.most = most
        self.open = 0
        self.stopping = stopping or asyncio.Event()


class News(NamedTuple):
    """What a look found: events ready to be sent, and the number it came to.

    With `more` the next look is at once, with `ended` there is none.
    """

    at: int
    data: bytes = b""
    more: bool = False
    ended: bool = False


def live(
    streams: Streams, look: Callable[[int], News], at: int, *, what: str, every: float = 0.25, begin: bytes = b""
) -> StreamingResponse:
    """A stream of what `look` finds after the number `at`; it looks `every` so many seconds, in a thread.

    Raises:
        TooMuchAtOnce: There are as many streams as there may be; `what` says of which kind.
    """
    if streams.open >= streams.most:
        raise TooMuchAtOnce(what=what)
    following = _follow(streams, look, at, every=every, begin=begin)
    return StreamingResponse(following, media_type=STREAM, headers={"Cache-Control": "no-store"})


async def _follow(
    streams: Streams, look: Callable[[int], News], at: int, *, every: float, begin: bytes
) -> AsyncIterator[bytes]:
    streams.open += 1
    try:
        yield begin + b": live\n\n"
        quiet_since = time.monotonic()
        while not streams.stopping.is_set():
            news = await run_in_threadpool(look, at)
            at = news.at
            if news.data or time.monotonic() - quiet_since > _SIGN_OF_LIFE:
                yield news.data or b": nothing new\n\n"
                quiet_since = time.monotonic()
            if news.ended:
                return
            if news.more:
                continue
            try:
                async with asyncio.timeout(every):
                    await streams.stopping.wait()
            except TimeoutError:
                continue
    finally:
        streams.open -= 1
