"""The connection of the server: HTTP/1.1 by uvicorn, with limits on what a client may send before it is served."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from muniment.app.connections import BufferedTransport
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.remote import HeadersTooLarge
from muniment.http.problems import document_of

MOST_HEADERS = 1000
"""Headers kept of one request; the application refuses far fewer, in words. More are not worth an answer."""

MOST_BYTES = 256 << 10
"""Bytes of address and headers of one request, of its trailers, and of the frame of a chunk."""

HEADER_SECONDS = 20.0
"""Seconds a client has to send the address and headers of a request, from its first byte on."""

_SLICE, _LARGE_SLICE = 4 << 10, 32 << 10
"""Bytes the parser is given at once, of headers and of a body. It keeps what it has begun to read of a header, and it
reads every request there is in them: both are looked at in between."""


class LimitedProtocol(HttpToolsProtocol):
    """Ends connections that send endless headers or none, and tells live streams when the server stops."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._unread = 0
        """Bytes the parser was given and has made nothing of yet that anybody counts."""
        self._in_body = False
        self._held = b""
        """What came while earlier requests of the connection wait to be answered."""
        self._feeding = False
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the class above
        """Begin to wait for headers."""
        super().connection_made(BufferedTransport(transport, self.loop))
        # asyncio does this for sockets it makes itself. One that several processes share comes ready-made, and there
        # a small answer, sent as head and body, would wait 40 ms for the client to acknowledge the head.
        stream = transport.get_extra_info("socket")
        if stream is not None and stream.family in {socket.AF_INET, socket.AF_INET6}:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        self._held = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, a slice at a time, until a limit is reached or a request has to wait for its turn."""
        if self._held or self._feeding:
            self._held += data
            self.flow.pause_reading()
            return
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        self._feeding = True
        view = memoryview(data)
        try:
            while view:
                size = _LARGE_SLICE if self._in_body else _SLICE
                self._unread += min(size, len(view))
                super().data_received(view[:size])  # type: ignore[arg-type] # the parser takes any buffer
                view = view[size:]
                if self.transport.is_closing():
                    return
                if self._unread > MOST_BYTES:
                    self._refuse()
                    return
                if self.pipeline and view:
                    self._held = bytes(view) + self._held
                    self.flow.pause_reading()
                    return
        finally:
            self._feeding = False

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_body = False
        if self._waiting is None:
            self._wait_for_headers()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Trailers, which nobody asks for, are passed over."""
        if self._in_body:
            return
        if len(self.headers) < MOST_HEADERS:
            super().on_header(name, value)
        elif len(self.headers) == MOST_HEADERS:
            # One more than are kept, so that the application sees that there were too many.
            self.headers.append((b"x-too-many", b""))

    def on_headers_complete(self) -> None:
        """The application takes over."""
        self._wait_no_longer()
        self._unread = 0
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come whole."""
        self._unread = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what waited for this answer."""
        super().on_response_complete()
        if not self._held or self.transport.is_closing():
            return
        if self.pipeline:
            self.flow.pause_reading()
            return
        held, self._held = self._held, b""
        self._feed(held)

    def shutdown(self) -> None:
        """The server stops: live streams end, others may finish."""
        stopping = self.app_state.get("stopping")
        if stopping is not None:
            stopping.set()
        super().shutdown()

    def _refuse(self) -> None:
        """Say why, where no answer has begun, and end the connection."""
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request, whatever its type says
        if cycle is None or cycle.response_complete:
            self._say(HeadersTooLarge(found=self._unread, limit=MOST_BYTES), "Request Header Fields Too Large")
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Say of what the parser does not take that it is no request, as all else is said that is refused."""
        reason = f"it is no HTTP/1.1 request, or its address has more than 65,535 bytes ({msg.rstrip('.')})"
        self._say(BadInput(reason=reason), "Bad Request")
        self.transport.close()

    def _say(self, error: MunimentError, phrase: str) -> None:
        body = document_of(error)
        head = (
            f"HTTP/1.1 {error.http_status} {phrase}\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)

    def _wait_for_headers(self) -> None:
        self._waiting = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _wait_no_longer(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
