"""The fast path for the bytes of a file, past the web framework: the routes requested thousands of times in a row.

They are the same routes as in `resources` and `uploads`, which describe them and do the work; only the framework's
way of finding and checking them, which takes ten times as long as the work, is left out. What is not asked in
the one form that programs use goes the long way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, unquote_plus

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from muniment.archive import UploadRequest
from muniment.content import Entry
from muniment.errors.archive import TransactionBusy
from muniment.errors.base import MunimentError
from muniment.errors.remote import BadRequest
from muniment.http import problems
from muniment.http.names import PREFIX, digest_fields, path_of, read_digest_fields
from muniment.http.streaming import READERS
from muniment.server.native.resources import file, file_out
from muniment.server.native.uploads import add_small, announced

_PATH = re.compile(
    re.escape(PREFIX) + r"/resources/([^/?]{1,2000})/instances/([0-9]{1,9}|newest)/files/([^?]{1,8000})\Z"
)
_QUERY = re.compile(rb"project=([^&=;]{1,400})\Z")
_DIGITS = 10
_SMALL = 64 << 10
"""Bytes that a disk gives in about the time that everything else takes."""
_PUT = re.compile(re.escape(PREFIX) + r"/transactions/([0-9a-f-]{1,100})/files/([^?]{1,8000})\Z")
_ROUTES = {
    "PUT": SimpleNamespace(operation_id="put_file"),
    "GET": SimpleNamespace(operation_id="read_file"),
    "HEAD": SimpleNamespace(operation_id="head_file"),
}


class FastFilePath:
    """Wraps the framework's application."""

    def __init__(self, app: Any, root: str) -> None:
        """`app` answers everything else; `root` is the archive's folder, which no answer tells."""
        self._app: ASGIApp = app
        self._server = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a file, or hand it on."""
        asked, put = _asked(scope), _put(scope)
        if asked is None and put is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"] = self._server, _ROUTES[scope["method"]]
        request = Request(scope, receive)
        if asked is None:
            assert put is not None
            await (await self._stored(request, *put))(scope, receive, send)
            return
        path = scope["path"]
        try:
            if self._is_small(*asked):
                # Handing it to a thread and back takes longer than reading it, and the others wait no less for it.
                response = self._answer(lambda: file(request, *asked), path)
            else:
                work = asyncio.get_running_loop().run_in_executor
                response = await work(READERS, self._answer, lambda: file(request, *asked), path)
            await response(scope, receive, send)
        except MunimentError as error:
            # The first piece of a large file could not be had: nothing was sent yet.
            await problems.answer(error, path, self._root)(scope, receive, send)

    async def _stored(self, request: Request, transaction: str, name: str) -> Response:
        """The answer to a small file that is put into a transaction."""
        path = request.scope["path"]
        try:
            asked = UploadRequest(
                path=path_of(name),
                size=announced(request),
                digests=read_digest_fields(request.headers.get("repr-digest"), request.headers.get("content-digest")),
                modified=request.headers.get("muniment-modified") or None,
                replace=False,
            )
            entry = await self._add(request, transaction, asked, await _body(request))
        except Exception as error:  # noqa: BLE001 - as in the framework, whatever it is gets an answer and is logged
            return problems.answer(error, path, self._root)
        headers = {"Repr-Digest": digest_fields(dict(entry.digests))}
        document = file_out(entry).model_dump_json().encode("utf-8")
        return Response(document, status_code=201, headers=headers, media_type="application/json")

    async def _add(self, request: Request, transaction: str, asked: UploadRequest, data: bytes) -> Entry:
        if self._server.state.open_transactions.is_at_hand(transaction):
            # As when reading: the work is less than handing it to a thread. But nobody is waited for here.
            with contextlib.suppress(TransactionBusy):
                return add_small(request, transaction, asked, data, wait=0.0)
        return await run_in_threadpool(add_small, request, transaction, asked, data)

    def _is_small(self, id: str, number: str, name: str, project: str | None) -> bool:
        if project is None or number == "newest":
            return False  # what is meant has to be looked up on the disk
        known = self._server.state.recent.known(unquote(id), int(number), project)
        size = known.known_size(unquote(name)) if known else None
        return size is not None and size <= _SMALL

    def _answer(self, work: Callable[[], Response], path: str) -> Response:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - as in the framework, whatever it is gets an answer and is logged
            return problems.answer(error, path, self._root)


def _asked(scope: Scope) -> tuple[str, str, str, str | None] | None:
    """Id, number, path and project of a request for a file in a form that programs and people use."""
    if scope["type"] != "http" or scope["method"] not in _ROUTES:
        return None
    asked = scope["query_string"]
    query = _QUERY.match(asked)
    found = _PATH.match(scope["path"].removeprefix(scope.get("root_path", ""))) if query or not asked else None
    if not found:
        return None
    return found[1], found[2], found[3], unquote_plus(query[1].decode("latin-1")) if query else None


def _put(scope: Scope) -> tuple[str, str] | None:
    """Transaction and path of a small file that is put, in the form that programs use."""
    if scope["type"] != "http" or scope["method"] != "PUT" or scope["query_string"]:
        return None
    found = _PUT.match(scope["path"].removeprefix(scope.get("root_path", "")))
    if not found:
        return None
    sizes = [value for name, value in scope["headers"] if name == b"content-length"]
    small = len(sizes) == 1 and len(sizes[0]) < _DIGITS and sizes[0].isdigit() and int(sizes[0]) <= _SMALL
    return (found[1], found[2]) if small else None


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        raise BadRequest(reason="the client went away before the end of the body") from None
