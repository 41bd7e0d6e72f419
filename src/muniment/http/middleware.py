"""The outermost layer of the server: limits, encoded paths, security headers, request ids, counting and logging."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from muniment.archive import new_uuid
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.remote import BadRequest, BodyTooLarge, HeadersTooLarge, TooSlow
from muniment.http.metrics import Metrics
from muniment.http.problems import ProblemResponse

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
"""What every answer carries that does not say otherwise itself."""

BATCH = 32 << 20
"""Bytes of a batch of small files."""

_HARMLESS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST_ID = 100
_NEXUS, _FILES = "/v1/", "/v1/files/"
_DEPOSIT = "/deposit/"
_DOCUMENT = 32 << 20
"""Bytes of a document of Nexus: a selection of 100,000 entries has ten million."""


class Limits:
    """What a request may have. `uploads` says of a scope whether its body is a file or a package."""

    def __init__(
        self,
        *,
        headers: int,
        header_bytes: int,
        body: int,
        upload: int,
        patience: float,
        prefix: str,
        trusted: str = "",
    ) -> None:
        """Say what; `trusted` are the addresses and networks of reverse proxies, with commas between.

        Raises:
            BadInput: One of them is no address.
        """
        self.headers = headers
        self.header_bytes = header_bytes
        self.body = body
        self.upload = upload
        self.patience = patience
        self.prefix = prefix
        try:
            self._trusted = [ip_network(word.strip(), strict=False) for word in trusted.split(",") if word.strip()]
        except ValueError as error:
            raise BadInput(reason=f"a trusted proxy is no address: {error}") from error

    def trusts(self, address: str) -> bool:
        """Whether an address is that of a reverse proxy whose headers are believed."""
        if not self._trusted:
            return False
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._trusted)

    def body_of(self, scope: Scope) -> int:
        """The bytes the body of a request may have."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.startswith(_FILES):
            return self.upload
        if path.startswith(_DEPOSIT) and path.endswith("/files"):
            return BATCH
        if path.startswith(_NEXUS):
            return max(self.body, _DOCUMENT)
        if scope["method"] not in {"PUT", "PATCH", "POST"} or not scope["path"].startswith(self.prefix):
            return self.body
        parts = scope["path"][len(self.prefix) :].strip("/").split("/")
        whole = parts == ["imports"] and scope["method"] == "POST"
        piece = len(parts) >= 4 and parts[0] == "transactions" and parts[2] in {"files", "uploads"}  # noqa: PLR2004 - transactions/ID/files/PATH
        if len(parts) == 3 and parts[0] == "transactions" and parts[2] == "files":  # noqa: PLR2004 - transactions/ID/files
            return max(self.body, BATCH)
        if len(parts) >= 3 and parts[0] == "transactions" and parts[2] == "resumable":  # noqa: PLR2004 - transactions/ID/resumable
            return self.upload
        return self.upload if whole or (piece and scope["method"] != "POST") else self.body


class Middleware:
    """Wraps the whole application."""

    def __init__(
        self,
        app: Application,
        limits: Limits,
        metrics: Metrics,
        page: Callable[[Scope, MunimentError], Response | None] | None = None,
        tell: Callable[..., object] | None = None,
    ) -> None:
        """Wrap it; `page` gives the page of a refusal, or None where a program asked.

        `tell` writes the log's line of each request, of what is given by name; by default structlog does.
        """
        self._page = page
        self._tell = tell or partial(structlog.get_logger().info, "request")
        self._app = app
        self._limits = limits
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP goes through untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        _keep_encoded(scope, self._limits.prefix)
        _believe_proxy(scope, self._limits)
        request_id = _request_id(scope)
        scope["state"]["request_id"] = request_id
        answer = _Answer(send, request_id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        body = _Body(receive, self._limits.body_of(scope), self._limits.patience)
        self._metrics.begin()
        try:
            refusal = self._refusal(scope, body)
            if refusal is not None:
                await (await self._refused(scope, refusal))(scope, receive, answer.send)
            else:
                await self._serve(scope, body, answer)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "operation_id", None) or "other"
            self._metrics.end(scope["method"], route, answer.status, seconds, body.size, answer.size)
            self._tell(
                method=scope["method"],
                path=scope["path"],
                status=answer.status,
                bytes_in=body.size,
                bytes_out=answer.size,
                seconds=round(seconds, 4),
                whole=answer.whole,
                client=(scope.get("client") or ("",))[0],
                caller=scope.get("state", {}).get("caller", ""),
            )

    async def _serve(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        try:
            await self._app(scope, body.receive, answer.send)
        except MunimentError as error:
            # Found while the body was read, where the framework has no handler.
            if answer.status:
                return
            await (await self._refused(scope, error))(scope, body.receive, answer.send)

    async def _refused(self, scope: Scope, error: MunimentError) -> Response:
        """The answer to a request that did not reach the application, or not whole: a browser is shown a page."""
        found = await run_in_threadpool(self._page, scope, error) if self._page is not None else None
        if found is None:
            return ProblemResponse(error, headers={"Connection": "close"})
        found.headers["Connection"] = "close"
        return found

    def _refusal(self, scope: Scope, body: _Body) -> MunimentError | None:
        headers = scope["headers"]
        # RFC 9112 §3.2: one Host, and none missing. Only HTTP/1.0 may go without.
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and scope.get("http_version") == "1.1"):
            return BadRequest(reason="it has no Host header" if not hosts else "it has more than one Host header")
        if len(headers) > self._limits.headers:
            return HeadersTooLarge(found=len(headers), limit=self._limits.headers)
        size = sum(len(name) + len(value) for name, value in headers) + len(scope.get("query_string", b""))
        if size > self._limits.header_bytes:
            return HeadersTooLarge(found=size, limit=self._limits.header_bytes)
        announced = next((value for name, value in headers if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced[:20]) > body.limit:
            return BodyTooLarge(limit=body.limit)
        return None


class _Body:
    """Counts what comes in, and waits for it only so long."""

    def __init__(self, receive: Receive, limit: int, patience: float) -> None:
        self._receive = receive
        self._patience = patience
        self._done = False
        self.limit = limit
        self.size = 0

    async def receive(self) -> Message:
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow(seconds=f"{self._patience:g}") from None
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self._done = not message.get("more_body", False)
            if self.size > self.limit:
                raise BodyTooLarge(limit=self.limit)
        return message


class _Answer:
    """Adds what every answer carries, and remembers how it went."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._id = request_id.encode("ascii")
        self.status = 0
        self.size = 0
        self.whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            given = {name.lower() for name, _ in headers}
            headers += [pair for pair in SECURITY if pair[0] not in given]
            headers.append((b"x-request-id", self._id))
            if b"cache-control" not in given:
                headers.append((b"cache-control", b"private, no-cache"))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
        await self._send(message)


_ENCODED_PAGES = ("/resources/", "/sign-in/", "/selections/", "/portals/")


def _keep_encoded(scope: Scope, prefix: str) -> None:
    """Route the native interface and pages by the path as it was sent, so that an id may hold a '/' as %2F."""
    raw = scope.get("raw_path")
    if not raw:
        return
    encoded = raw.partition(b"?")[0].decode("latin-1")
    root = scope.get("root_path", "")
    if encoded.startswith((root + prefix, *(root + page for page in _ENCODED_PAGES))):
        scope["path"] = encoded


def _believe_proxy(scope: Scope, limits: Limits) -> None:
    """Take the client's address and scheme from a trusted proxy's headers; the peer's own is kept beside."""
    peer = (scope.get("client") or ("",))[0]
    scope.setdefault("state", {})["peer"] = peer
    if not limits.trusts(peer):
        return
    for name, value in scope["headers"]:
        if name == b"x-forwarded-proto" and value in {b"http", b"https"}:
            scope["scheme"] = value.decode("ascii")
        elif name == b"x-forwarded-for":
            # The last hop that is not a proxy of ours: what stands before it anybody could have written.
            hops = [hop.strip() for hop in value.decode("latin-1").split(",")]
            scope["client"] = (next((hop for hop in reversed(hops) if not limits.trusts(hop)), hops[0]), 0)


def _request_id(scope: Scope) -> str:
    """The id a proxy gave the request, if it is harmless, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if text and len(text) <= _LONGEST_ID and set(text) <= _HARMLESS:
                return str(text)
    return new_uuid()
