"""Bytes between threads that block and a loop that must not: sending what is read, and taking what is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from structlog import get_logger

from muniment.errors.base import MunimentError
from muniment.http.read_ahead import ReadAhead

PIECE = 1 << 20
"""Bytes that are handed over at once; smaller ones cost more in handing over than in reading."""

_PATIENCE = 120.0
"""Seconds a client may take no bytes at all before it is cut."""

READERS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="reader")
"""Threads that read and write files, apart from those that answer: a slow disk must not stop short answers."""

DIGESTERS = ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="digester")
"""Threads that digest what readers have read, so that these can read on."""


class PumpResponse(Response):
    """Sends what an iterator gives, which runs in a thread, ahead of the sending.

    When the iterator fails, the connection is broken: what was announced is then not complete, and no
    client can take it for the whole. When the client goes away, the iterator is closed.
    What is `short` is sent at once instead.
    """

    def __init__(
        self,
        pieces: Callable[[], Iterator[bytes]],
        *,
        short: bytes | None = None,
        status: int = 200,
        headers: Mapping[str, str],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__(status_code=status)
        self.headers.update(headers)
        if "content-length" not in {name.lower() for name in headers}:
            del self.headers["content-length"]
        self._pieces = pieces
        self._short = short
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            MunimentError: Already the first piece cannot be had: nothing was sent, so this can still be said.
        """
        start: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if self._short is not None or scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": self._short or b""})
            return
        ahead = ReadAhead(self._pieces(), READERS)
        try:
            piece = await ahead.next()
            await send(start)
            await self._send(ahead, piece, receive, send)
        finally:
            await ahead.close()

    async def _send(self, ahead: ReadAhead, piece: bytes | None, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            while piece is not None and not gone.done():
                async with asyncio.timeout(_PATIENCE):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await ahead.next()
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (MunimentError, OSError) as error:
            # Ending without the last message makes the server break the connection.
            get_logger().error("transfer broken", error=type(error).__name__, message=str(error))
            if self._failed:
                self._failed(error)
        finally:
            gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def pieces_of(request: Request, size: int = PIECE) -> AsyncIterator[bytes]:
    """The body in pieces of at least `size` bytes, but the last.

    Raises:
        ClientDisconnect: The client went away before its end.
    """
    gathered: list[bytes] = []
    held = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            if gathered:
                yield b"".join(gathered)
            raise ClientDisconnect
        body = message.get("body", b"")
        if body:
            gathered.append(body)
            held += len(body)
        more = message.get("more_body", False)
        if held >= size or (held and not more):
            yield b"".join(gathered)
            gathered, held = [], 0
        if not more:
            return


async def pour(pieces: AsyncIterator[bytes], write: Callable[[bytes], None]) -> None:
    """Write each piece in a thread while the next one comes.

    Raises:
        ClientDisconnect: The client went away; what had come is written.
        MunimentError: `write` refused.
    """
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    try:
        async for piece in pieces:
            if writing is not None:
                await writing
            writing = loop.run_in_executor(READERS, write, piece)
    finally:
        if writing is not None:
            await writing
