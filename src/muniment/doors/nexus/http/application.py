"""The API as an ASGI application: routes by the address as it was sent, runs each call in a thread, sends answers.

It is no FastAPI router because an id in an address may hold '/' as '%2F', and because its clients expect
errors in a shape of their own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send
from structlog import get_logger

from muniment.archive import Archive
from muniment.doors.nexus.http import access, archives, files, orgs, projects, resolvers, resources
from muniment.doors.nexus.http.answers import Answer, StreamedAnswer, failure
from muniment.doors.nexus.http.call import FORM, Call, query_of
from muniment.doors.nexus.http.query import refuse_unknown
from muniment.doors.nexus.nexus import Nexus
from muniment.errors.base import MunimentError
from muniment.errors.nexus import AddressUnknown, MethodNotSupported
from muniment.errors.remote import BodyTooLarge
from muniment.http.authorization import AuthorizedRequest, Authorizer
from muniment.http.streaming import PumpResponse, pieces_of

Handler = Callable[[Call], Answer | StreamedAnswer]
Routes = Mapping[str, Handler]

_ROUTES: Mapping[str, Callable[[Sequence[str]], Routes]] = {
    "acls": access.routes,
    "archives": archives.routes,
    "files": files.routes,
    "identities": access.routes,
    "orgs": orgs.routes,
    "permissions": access.routes,
    "projects": projects.routes,
    "realms": access.routes,
    "resolvers": resolvers.routes,
    "resources": resources.routes,
    "version": access.routes,
}
_THREADS = 24
_NOT_MODIFIED, _BAD_REQUEST, _INTERNAL = 304, 400, 500


class OpenNexus(Protocol):
    """Opens Nexus for a public base address; called once, at the first request."""

    def __call__(self, base: str) -> Nexus:
        """Open it."""


class NexusApi:
    """Serves `/v1`. One for a process."""

    def __init__(
        self, make: OpenNexus, authorizer: Authorizer, archive: Archive, *, limit: int, base: str = ""
    ) -> None:
        """Serve what `make` opens on `archive`, which is closed with this.

        `limit` is the most bytes of a JSON body. Without a public `base` it is what this server listens on.
        """
        self._make = make
        self._archive = archive
        self._limit = limit
        self._authorizer = authorizer
        self._base = base
        self._nexus: Nexus | None = None
        self._lock = threading.Lock()
        # Apart from the readers' threads: a call must not wait behind fifty downloads, nor they behind it.
        self._callers = ThreadPoolExecutor(_THREADS, thread_name_prefix="nexus")
        # A client that sends its file a byte at a time holds one of these, and nobody else's answer.
        self._uploads = ThreadPoolExecutor(_THREADS, thread_name_prefix="upload")

    def close(self) -> None:
        """Let go of everything."""
        self._uploads.shutdown(cancel_futures=True)
        self._callers.shutdown(cancel_futures=True)
        if self._nexus is not None:
            self._nexus.close()
        self._archive.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        loop = asyncio.get_running_loop()
        form = _is_form(request)
        try:
            body = b"" if form else await self._body(request)
        except ClientDisconnect:
            return
        except MunimentError as error:
            await _send(request, failure(error), receive, send)
            return
        answer = await loop.run_in_executor(self._uploads if form else self._callers, self._answer, request, body, loop)
        await _send(request, answer, receive, send)

    async def _body(self, request: Request) -> bytes:
        if request.method in {"GET", "HEAD", "DELETE", "OPTIONS"}:
            return b""
        found = bytearray()
        async for piece in pieces_of(request):
            found += piece
            if len(found) > self._limit:
                raise BodyTooLarge(limit=self._limit)
        return bytes(found)

    def _answer(self, request: Request, body: bytes, loop: asyncio.AbstractEventLoop) -> Answer | StreamedAnswer:
        try:
            access = self._authorizer.access(request)
            return _routed(self._call(request, access, body, loop))
        except MunimentError as error:
            if error.http_status >= _INTERNAL:
                get_logger().error("failed", error=error.code(), message=str(error), path=request.scope["path"])
            return failure(error)
        except ClientDisconnect:
            # Nobody is there to be answered; what was begun is rolled back.
            return Answer(_BAD_REQUEST)
        except Exception as error:  # noqa: BLE001 - the client must get an answer, the log the reason
            get_logger().error("failed", error=type(error).__name__, path=request.scope["path"], exc_info=error)
            return failure(MunimentError(reason="something failed inside the server; its log says what"))

    def _call(self, request: Request, access: AuthorizedRequest, body: bytes, loop: asyncio.AbstractEventLoop) -> Call:
        def pieces() -> Iterator[bytes]:
            coming = pieces_of(request)

            async def following() -> bytes:
                return await anext(coming, b"")

            while piece := asyncio.run_coroutine_threadsafe(following(), loop).result():
                yield piece

        return Call(
            nexus=self.opened(request),
            access=access,
            method=request.method,
            parts=_parts(request.scope),
            headers={name.lower(): value for name, value in request.headers.items()},
            parameters=query_of(request.scope.get("query_string", b"")),
            body=body,
            pieces=pieces,
        )

    def opened(self, request: Request) -> Nexus:
        """The domain behind the API, made when it is first asked for."""
        if self._nexus is None:
            with self._lock:
                if self._nexus is None:
                    self._nexus = self._make(self._base or _own_address(request.scope))
        return self._nexus


def routes_at(parts: Sequence[str]) -> Routes:
    """What can be done at an address: method to what does it; nothing where there is no such address."""
    return _ROUTES.get(parts[0], _nothing)(parts) if parts else {}


def _routed(call: Call) -> Answer | StreamedAnswer:
    routes = routes_at(call.parts)
    if not routes:
        raise AddressUnknown
    handler = routes.get("GET" if call.method == "HEAD" else call.method)
    if handler is not None:
        refuse_unknown(call)
        return handler(call)
    allowed = ", ".join(sorted(routes))
    answer = failure(MethodNotSupported(allowed=allowed))
    answer.headers["Allow"] = allowed
    return answer


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(FORM)


def _own_address(scope: Scope) -> str:
    """Where this server is, by what it listens on; never by what a request claims in `Host`."""
    host, port = scope.get("server") or ("127.0.0.1", None)
    shown = f"[{host}]" if ":" in host else host
    root = quote(scope.get("root_path", ""))
    return f"{scope.get('scheme', 'http')}://{shown}{f':{port}' if port else ''}{root}"


def _parts(scope: Scope) -> list[str]:
    """The segments of the address after the mount, percent-encoded as they came."""
    raw = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0].decode("latin-1")
    root = scope.get("root_path", "")
    rest = next((raw[len(each) :] for each in (root, quote(root)) if raw.startswith(each)), None)
    if rest is None:
        return []
    parts = rest.strip("/").split("/") if rest.startswith("/") else []
    return parts if all(parts) else []


def _nothing(_: Sequence[str]) -> Routes:
    return {}


async def _send(request: Request, answer: Answer | StreamedAnswer, receive: Receive, send: Send) -> None:
    if isinstance(answer, StreamedAnswer):
        found = answer.to(request.headers, request.method)
        if not isinstance(found, Answer):
            status, headers, start, stop = found
            response = PumpResponse(partial(answer.read, start, stop), status=status, headers=headers)
            try:
                await response(request.scope, receive, send)
            except MunimentError as error:
                # Nothing was sent yet, so the trouble can still be said.
                get_logger().error("failed", error=error.code(), message=str(error), path=request.scope["path"])
                await _send(request, failure(error), receive, send)
            return
        answer = found
    # Of an answer without content a length would be false: it would be that of what was not sent (RFC 9110 §8.6).
    length = {} if answer.status == _NOT_MODIFIED else {"Content-Length": str(len(answer.body))}
    headers = {**answer.headers, **length}
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    body = b"" if request.method == "HEAD" else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
