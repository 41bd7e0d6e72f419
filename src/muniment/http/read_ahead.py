"""Reading ahead: an iterator that blocks, run by a thread, and taken from by a loop that must not."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor

_MOST = 2 << 20
"""Bytes read and not yet taken, but for the last piece: this much memory for each transfer."""


class ReadAhead:
    """The pieces of an iterator, read by a thread of `readers` before they are asked for.

    The thread goes on by itself until `_MOST` bytes wait: with a turn of the loop for every piece it
    would stand idle between them. Then it serves others, and is called again when half of that is taken.
    """

    def __init__(self, pieces: Iterator[bytes], readers: Executor) -> None:
        self._pieces = pieces
        self._readers = readers
        self._loop = asyncio.get_running_loop()
        self._ready: deque[bytes] = deque()
        # Each is written by one side only: the first by the thread, the second by the loop.
        self._read = 0
        self._taken = 0
        self._over = False
        self._closed = False
        self._failure: BaseException | None = None
        self._reading: asyncio.Future[None] | None = None
        self._waiting: asyncio.Future[None] | None = None

    async def next(self) -> bytes | None:
        """The next piece, None after the last.

        Raises:
            Exception: What the iterator raised, after all that it gave before.
        """
        while True:
            # In this order: what comes between the two looks is then found by the second.
            over = self._over
            if self._ready:
                break
            if self._failure is not None:
                raise self._failure
            if over:
                return None
            await self._wait()
        piece = self._ready.popleft()
        self._taken += len(piece)
        if self._reading is None and not self._over and self._failure is None and self._room() > _MOST // 2:
            self._begin()
        return piece

    async def close(self) -> None:
        """End the iterator; not while a thread is in it."""
        self._closed = True
        if self._reading is not None:
            with contextlib.suppress(Exception):
                await self._reading
        close = getattr(self._pieces, "close", None)
        if close:
            await self._loop.run_in_executor(self._readers, close)

    async def _wait(self) -> None:
        if self._reading is None:
            self._begin()
        self._waiting = self._loop.create_future()
        # Looked at again after the thread can see that somebody waits.
        if not self._ready and not self._over:
            await self._waiting
        self._waiting = None

    def _room(self) -> int:
        return _MOST - (self._read - self._taken)

    def _begin(self) -> None:
        self._reading = self._loop.run_in_executor(self._readers, self._read_on)
        self._reading.add_done_callback(self._ended)

    def _read_on(self) -> None:
        while not self._closed and self._room() > 0:
            piece = next(self._pieces, None)
            if piece is None:
                self._over = True
                return
            self._ready.append(piece)
            self._read += len(piece)
            if self._waiting is not None:
                self._loop.call_soon_threadsafe(self._wake)

    def _ended(self, reading: asyncio.Future[None]) -> None:
        self._reading = None
        if not reading.cancelled():
            self._failure = reading.exception()
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
