"""The connection of the server: HTTP/1.1 by uvicorn, with limits on what a client may send before it is served."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADERS = 1000
"""Headers kept of one request; the application refuses far fewer, in words. More are not worth an answer."""

MOST_BYTES = 512 << 10
"""Bytes of headers and address kept of one request."""

HEADER_SECONDS = 20.0
"""Seconds a client has to send the headers of its first request."""


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that send endless headers or none, and tells live streams when the server stops."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._bytes = 0
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the class above
        """Begin to wait for headers."""
        super().connection_made(transport)
        # asyncio does this for sockets it makes itself. One that several processes share comes ready-made, and there
        # a small answer, sent as head and body, would wait 40 ms for the client to acknowledge the head.
        stream = transport.get_extra_info("socket")
        if stream is not None and stream.family in {socket.AF_INET, socket.AF_INET6}:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting = self.loop.call_later(HEADER_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Some of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value))
        if len(self.headers) < MOST_HEADERS and self._bytes < MOST_BYTES:
            super().on_header(name, value)
        elif len(self.headers) == MOST_HEADERS:
            # One more than are kept, so that the application sees that there were too many.
            self.headers.append((b"x-too-many", b""))

    def on_headers_complete(self) -> None:
        """The application takes over."""
        self._wait_no_longer()
        super().on_headers_complete()

    def shutdown(self) -> None:
        """The server stops: live streams end, others may finish."""
        stopping = self.app_state.get("stopping")
        if stopping is not None:
            stopping.set()
        super().shutdown()

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > 4 * MOST_BYTES and not self.transport.is_closing():
            self.transport.close()

    def _wait_no_longer(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
