"""The fast path for the bytes of a file, past the web framework: the route requested thousands of times in a row.

It is the same route as in `reading`, which describes it and does the work; only the framework's way of
finding and checking it, which takes ten times as long as the work, is left out. What is not asked in
the one form that programs use goes the long way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, unquote_plus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from muniment.errors.base import MunimentError
from muniment.http import problems
from muniment.http.names import PREFIX
from muniment.http.streaming import READERS
from muniment.server.native.resources import file

_PATH = re.compile(
    re.escape(PREFIX) + r"/resources/([^/?]{1,2000})/instances/([0-9]{1,9}|newest)/files/([^?]{1,8000})\Z"
)
_QUERY = re.compile(rb"project=([^&=;]{1,400})\Z")
_SMALL = 64 << 10
"""Bytes that a disk gives in about the time that everything else takes."""
_ROUTES = {"GET": SimpleNamespace(operation_id="file"), "HEAD": SimpleNamespace(operation_id="file_head")}


class FastFilePath:
    """Wraps the framework's application."""

    def __init__(self, app: Any, root: str) -> None:
        """`app` answers everything else; `root` is the archive's folder, which no answer tells."""
        self._app: ASGIApp = app
        self._server = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a file, or hand it on."""
        asked = _asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"] = self._server, _ROUTES[scope["method"]]
        request = Request(scope, receive)
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
