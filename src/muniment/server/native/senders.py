"""Who sends to an upload: one connection at a time, and a newer one takes an older one's place.

A client whose connection broke comes again at once, while the server may not have noticed yet that the old one
is dead. Of connections to other processes the lock of the upload's file speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect


class _Turn:
    __slots__ = ("ended", "told")

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.ended = asyncio.Event()


class Senders:
    """Whose turn it is, by upload. Nothing is remembered of an upload nobody is at."""

    def __init__(self) -> None:
        """Begin with none."""
        self._now: dict[str, _Turn] = {}

    @contextlib.asynccontextmanager
    async def turn(self, upload: str) -> AsyncIterator[asyncio.Event]:
        """Be alone at an upload for the length of a block; what is given is set when somebody else comes."""
        while (before := self._now.get(upload)) is not None:
            before.told.set()
            await before.ended.wait()
        mine = self._now[upload] = _Turn()
        try:
            yield mine.told
        finally:
            del self._now[upload]
            mine.ended.set()


async def until_told(pieces: AsyncIterator[bytes], told: asyncio.Event) -> AsyncIterator[bytes]:
    """The pieces of a body until somebody else comes.

    Raises:
        ClientDisconnect: The client went away, or somebody else came.
    """
    somebody = asyncio.ensure_future(told.wait())
    try:
        while True:
            coming = asyncio.ensure_future(_next(pieces))
            await asyncio.wait({coming, somebody}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await coming
                raise ClientDisconnect
            piece = coming.result()
            if not piece:
                return
            yield piece
    finally:
        somebody.cancel()


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces, b"")
