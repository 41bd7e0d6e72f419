"""Connections to services: opened through the guard, kept for the next request, one HTTP/1.1 exchange at a time.

http.client reads an answer's head through the parser for e-mail, which costs more than a small file's transfer;
this reads heads itself and leaves bodies to one `readinto` on the socket.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping

from muniment.session.account import Origin
from muniment.session.guard import Guard
from muniment.session.proxy import Proxy

_LONGEST_LINE = 65_536
_MOST_HEADERS = 200
_MOST_INTERIM = 10
_NO_BODY = frozenset({204, 304})
_PIECE = 1 << 20

Sendable = bytes | memoryview
"""A body to send; a large file as a view of its mapping, so that it is never in memory as a whole."""


class ProtocolBroken(OSError):
    """What came is not HTTP/1.1. Of the family of connection errors: it is tried again like them."""


class _Incoming(io.RawIOBase):
    """What comes over a socket; within a deadline, where there is one for all of it and not for each piece."""

    def __init__(self, stream: socket.socket) -> None:
        super().__init__()
        self._stream = stream
        self._silence = stream.gettimeout()
        self._until: float | None = None
        self._shortened = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """The next bytes; 0 at the end.

        Raises:
            TimeoutError: Nothing came for too long, or the deadline is over.
        """
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._stream.settimeout(left if self._silence is None else min(left, self._silence))
            self._shortened = True
        return self._stream.recv_into(buffer)

    @contextlib.contextmanager
    def deadline(self) -> Iterator[None]:
        """All that is read in this block comes in the time in which else a single byte has to come."""
        if self._silence is None:
            yield
            return
        self._until = time.monotonic() + self._silence
        try:
            yield
        finally:
            self._until = None
            if self._shortened:  # what was there already was read without looking at the clock
                self._shortened = False
                with contextlib.suppress(OSError):  # it was closed
                    self._stream.settimeout(self._silence)


class Connection:
    """One connection and the answer being read from it."""

    def __init__(self, origin: Origin, stream: socket.socket, *, lenient: bool = False, in_full: bool = False) -> None:
        self.origin = origin
        self._in_full = in_full  # a proxy reads the request: it has to name scheme and host (RFC 9112 §3.2.2)
        self._lenient = lenient
        self.used = False
        self._socket = stream
        self._incoming = _Incoming(stream)
        self._file = io.BufferedReader(self._incoming, 65_536)
        self.status = 0
        self.reason = ""
        self.headers: dict[str, str] = {}
        self.length: int | None = None
        self._chunked = False
        self._left: int | None = 0
        self._closes = False

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Sendable | None) -> None:
        """Send a request and read the head of its answer, which has to come as soon as a single byte of a body.

        Raises:
            OSError: The connection failed, or no HTTP came, or not in time.
        """
        if self._in_full:
            target = f"http://{self.origin.authority}{target}"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.origin.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None or method not in {"GET", "HEAD"}:
            lines.append(f"Content-Length: {len(body or b'')}")
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header may not hold a line break")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if isinstance(body, memoryview):
            # A piece at a time: the time-out is for each call, and a large file takes longer.
            self._socket.sendall(head)
            for at in range(0, len(body), _PIECE):
                self._socket.sendall(body[at : at + _PIECE])
        else:
            self._socket.sendall(head + body if body else head)
        with self._incoming.deadline():
            self._read_head(method)

    def readinto(self, buffer: memoryview) -> int:
        """The next bytes of the body; 0 at its end.

        Raises:
            OSError: The connection failed, or ended before the body did.
        """
        if self._left == 0 and not (self._chunked and self._next_chunk()):
            return 0
        view = buffer if self._left is None else buffer[: self._left]
        count = self._file.readinto1(view)
        if self._left is None:
            return count
        if not count and len(view):
            raise ProtocolBroken("the connection ended before the body did")
        self._left -= count
        if self._chunked and not self._left:
            self._expect_line_end()
        return count

    @property
    def reusable(self) -> bool:
        """Whether the body was read to its end and another request may follow."""
        return self._left == 0 and not self._chunked and not self._closes

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._socket.close()

    def _read_head(self, method: str) -> None:
        for _ in range(_MOST_INTERIM):
            self._read_status()
            self.headers = self._read_headers()
            if self.status >= 200:  # noqa: PLR2004 - below it come interim answers (RFC 9110 §15.2)
                break
        else:
            raise ProtocolBroken("too many interim answers")
        self._closes = "close" in self.headers.get("connection", "").lower() or self._old
        coding = self.headers.get("transfer-encoding", "").lower()
        self._chunked = coding == "chunked"
        if coding and not self._chunked:
            raise ProtocolBroken(f"the transfer coding {coding[:40]!r} is not known")
        self.length = None if coding else self._announced()
        if method == "HEAD" or self.status in _NO_BODY:
            self._left, self._chunked = 0, False
        elif self._chunked:
            self._left = 0
        else:
            self._left = self.length
            self._closes |= self.length is None

    def _read_status(self) -> None:
        line = self._line()
        version, _, rest = line.partition(" ")
        code, _, self.reason = rest.partition(" ")
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not (code.isascii() and code.isdigit()):
            raise ProtocolBroken("what came is not HTTP" if line else "the connection was closed")
        self.status, self._old = int(code), version == "HTTP/1.0"

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = self._line()
            if not line:
                return headers
            name, colon, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if not colon or not name or name != name.strip():
                raise ProtocolBroken("a header cannot be read")
            if name == "content-length" and headers.get(name, value) != value and not self._lenient:
                raise ProtocolBroken("two lengths are given")
            headers[name] = f"{headers[name]}, {value}" if name in headers and name != "content-length" else value
        raise ProtocolBroken("too many headers")

    def _announced(self) -> int | None:
        """The body's length; none where it cannot be read and that is borne: the connection's end is the body's."""
        try:
            return _length(self.headers)
        except ProtocolBroken:
            if not self._lenient:
                raise
            return None

    def _line(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ProtocolBroken("the connection was closed" if len(line) < _LONGEST_LINE else "a line is too long")
        return line.rstrip(b"\r\n").decode("latin-1")

    def _next_chunk(self) -> bool:
        with self._incoming.deadline():
            return self._read_chunk_head()

    def _read_chunk_head(self) -> bool:
        size = self._line().partition(";")[0].strip()
        try:
            self._left = int(size, 16)
        except ValueError:
            raise ProtocolBroken("a chunk cannot be read") from None
        if self._left < 0:
            raise ProtocolBroken("a chunk cannot be read")
        if self._left:
            return True
        self._read_headers()
        self._chunked = False
        return False

    def _expect_line_end(self) -> None:
        with self._incoming.deadline():
            if self._line():
                raise ProtocolBroken("a chunk is longer than it said")


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ProtocolBroken("the length cannot be read")
    return int(text)


class Pool:
    """Idle connections, by origin. Safe to use from many threads; a connection belongs to one at a time."""

    def __init__(
        self,
        guard: Guard,
        tls: ssl.SSLContext | None,
        timeout: float,
        most_idle: int = 64,
        *,
        lenient: bool = False,
        proxy: Proxy | None = None,
    ) -> None:
        self._lenient = lenient
        self._proxy = proxy
        self._guard = guard
        self._tls = tls
        self._timeout = timeout
        self._most_idle = most_idle
        self._idle: dict[Origin, deque[Connection]] = {}
        self._count = 0
        self._lock = threading.Lock()

    def take(self, origin: Origin, *, fresh: bool = False) -> Connection:
        """A connection to `origin`, an idle one if there is one and `fresh` is not asked for.

        Raises:
            AddressRefused, HostUnknown: The guard does not allow it.
            OSError: It cannot be made.
        """
        with self._lock:
            idle = self._idle.get(origin)
            if idle and not fresh:
                self._count -= 1
                return idle.pop()
        if self._proxy is not None:
            stream = self._proxy.connect(origin, self._timeout)
        else:
            stream = self._guard.connect(origin.host, origin.port, self._timeout)
        if origin.scheme == "https":
            try:
                stream = self._context().wrap_socket(stream, server_hostname=origin.host)
            except BaseException:
                stream.close()
                raise
        in_full = self._proxy is not None and origin.scheme == "http"
        return Connection(origin, stream, lenient=self._lenient, in_full=in_full)

    def give_back(self, connection: Connection) -> None:
        """Keep the connection for the next request, if it can carry one."""
        with self._lock:
            if connection.reusable and self._count < self._most_idle:
                connection.used = True
                self._idle.setdefault(connection.origin, deque()).append(connection)
                self._count += 1
                return
        connection.close()

    def _context(self) -> ssl.SSLContext:
        """How certificates are judged; made on first use, since reading the authorities takes 50 ms."""
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls

    def close(self) -> None:
        """End every idle connection."""
        with self._lock:
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()
            self._count = 0
