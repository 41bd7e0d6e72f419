"""The ground of every look-alike: an HTTP server on 127.0.0.1 that records what is asked and fails when told to."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

_PIECE = 65_536

Paging = Literal["honest", "endless", "repeated"]


class Wrong(Exception):
    """The request was not what the service's description allows; answered with this status and reason."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def only(self, *known: str) -> Mapping[str, str]:
        """The query, of which nothing but `known` may be given.

        Raises:
            Wrong: Something else was given.
        """
        if unknown := sorted(set(self.query) - set(known)):
            raise Wrong(400, f"unknown query fields: {', '.join(unknown)}")
        return self.query

    def json(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, Any]:
        """The body as a JSON object with exactly these fields.

        Raises:
            Wrong: It is none, a field is missing, or one is unknown.
        """
        if not self.headers.get("content-type", "").startswith("application/json"):
            raise Wrong(400, "the body is not announced as JSON")
        try:
            value = json.loads(self.body)
        except ValueError:
            raise Wrong(400, "the body is not JSON") from None
        required = set(required)
        if not isinstance(value, dict) or required - set(value) or set(value) - required - set(optional):
            raise Wrong(400, f"the fields are {sorted(value)}, needed are {sorted(required)}")
        return value


@dataclass(slots=True)
class Reply:
    """What is answered. With an `etag` the answer can be asked for in ranges."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    ranges: bool = True

    @classmethod
    def json(cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """A JSON document."""
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


@dataclass(slots=True)
class Fault:
    """What goes wrong, on the next `times` requests whose path matches `where` (a regular expression).

    `status` answers instead; `cut_after` breaks the connection after so many bytes of the body; `damage` changes one
    byte of it; `delay` waits first, in seconds; `body` replaces it; `change` makes another of it; `trickle` waits so
    long after each of its bytes.
    """

    where: str
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    change: Callable[[bytes], bytes] | None = None
    cut_after: int | None = None
    damage: bool = False
    delay: float = 0.0
    trickle: float = 0.0


class Loopback:
    """A server for the length of a `with` block; a look-alike overrides `answer`.

    `requests` holds what was asked, in order. With `tls` it speaks https. `paging` is how a look-alike turns the pages
    of its listings: "honest", "endless" (every page names another one, and all are the first) or "repeated" (every
    page names itself). Without `ranges` it gives files whole, whatever part is asked for.
    """

    name: ClassVar[str] = "loopback"
    paging: Paging = "honest"
    ranges = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, request: Request) -> Reply:
        """The answer to a request.

        Raises:
            Wrong: The request is not allowed.
        """
        raise Wrong(404, f"nothing is at {request.path}")

    def fail(self, where: str, **how: Any) -> Fault:
        """Let the next requests for `where` go wrong; see `Fault`."""
        fault = Fault(where, **how)
        with self._lock:
            self.faults.append(fault)
        return fault

    def asked(self, where: str) -> list[Request]:
        """The requests whose path matches `where`."""
        return [request for request in self.requests if re.search(where, request.path)]

    def refusal(self, wrong: Wrong) -> Reply:
        """How this service words a refusal."""
        return Reply.json({"message": wrong.reason}, wrong.status, wrong.headers)

    def take(self, request: Request) -> tuple[Reply, Fault | None]:
        """Record a request and find its answer and its fault."""
        with self._lock:
            self.requests.append(request)
            fault = next((each for each in self.faults if each.times > 0 and re.search(each.where, request.path)), None)
            if fault is not None:
                fault.times -= 1
        if fault is not None and fault.status is not None:
            return Reply(fault.status, fault.body or b"", dict(fault.headers)), fault
        try:
            reply = self.answer(request)
        except Wrong as wrong:
            reply = self.refusal(wrong)
        if fault is not None:
            reply.headers |= fault.headers
            reply.body = reply.body if fault.body is None else fault.body
            if fault.change is not None:
                reply.body = fault.change(reply.body)
        return reply, fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away, or refuses our certificate, is no news."""


def _handler(owner: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            self.close_connection = True
            if not self.raw_requestline or not self.parse_request():
                return
            reply, fault = owner.take(_request(self))
            if fault is not None and fault.delay:
                time.sleep(fault.delay)
            with suppress(ConnectionError):
                reply.ranges &= owner.ranges
                _send(self, reply, fault)
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Tests read `requests` instead."""

    return Handler


def _request(handler: BaseHTTPRequestHandler) -> Request:
    parts = urlsplit(handler.path)
    headers = {name.lower(): value for name, value in handler.headers.items()}
    body = handler.rfile.read(int(headers.get("content-length", "0")))
    return Request(
        handler.command, unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body
    )


def _send(handler: BaseHTTPRequestHandler, reply: Reply, fault: Fault | None) -> None:
    body = _ranged(handler, reply)
    handler.send_response(reply.status)
    for name, value in {"Date": formatdate(usegmt=True), **reply.headers}.items():
        if name != "Date":
            handler.send_header(name, value)
    handler.send_header("Content-Length", reply.headers.get("Content-Length", str(len(body))))
    handler.end_headers()
    if handler.command == "HEAD":
        return
    if fault is not None and fault.damage and body:
        body = bytes([body[0] ^ 0xFF]) + body[1:]
    if fault is not None and fault.cut_after is not None:
        body = body[: fault.cut_after]
        handler.close_connection = True
    pause = fault.trickle if fault is not None else 0.0
    for piece in _pieces(body, 1 if pause else _PIECE):
        handler.wfile.write(piece)
        if pause:
            handler.wfile.flush()
            time.sleep(pause)


def _ranged(handler: BaseHTTPRequestHandler, reply: Reply) -> bytes:
    """The part of the body that was asked for; sets status and headers accordingly."""
    if reply.etag is not None:
        reply.headers["ETag"] = reply.etag
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    condition = handler.headers.get("If-Range")
    if reply.status != 200 or asked is None or not reply.ranges:
        return reply.body
    if condition is not None and condition != reply.etag:
        return reply.body
    start, size = int(asked[1]), len(reply.body)
    if start >= size:
        reply.status = 416
        reply.headers["Content-Range"] = f"bytes */{size}"
        return b""
    reply.status = 206
    reply.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return reply.body[start:]


def _pieces(body: bytes, size: int) -> Iterator[memoryview]:
    view = memoryview(body)
    for start in range(0, len(view), size):
        yield view[start : start + size]
