"""Mounts the API in the server, before the web framework, which would only add time to each request."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog import get_logger

from muniment.archive import Archive
from muniment.database import Database
from muniment.doors.nexus.http.application import NexusApi
from muniment.doors.nexus.nexus import Nexus, Options
from muniment.errors.base import MunimentError
from muniment.http.authorization import Authorizer

PREFIX = "/v1"


def install(
    server: FastAPI, archive: Archive, authorizer: Authorizer, options: Options, database: Database
) -> NexusApi:
    """Serve the API below `/v1`; `archive` becomes its own, and makes no parity as it commits: that takes long.

    The base address is the one of `options`, or without that what the server listens on.
    """

    def make(base: str) -> Nexus:
        return Nexus(archive, options.at(base), database=database, failed=_no_parity)

    api = NexusApi(make, authorizer, archive, limit=options.document, base=options.base)
    server.mount(PREFIX, api)
    return api


class FastPath:
    """Hands what is below `/v1` to the API as a mount does, and everything else to the framework.

    The framework tries its routes one after the other before it comes to a mount: that takes as long as
    answering a small request.
    """

    def __init__(self, server: ASGIApp, api: NexusApi) -> None:
        """`server` answers everything else."""
        self._server = server
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        root = scope.get("root_path", "")
        if scope["type"] != "http" or not scope["path"].removeprefix(root).startswith(f"{PREFIX}/"):
            await self._server(scope, receive, send)
            return
        # A copy, as a mount makes it: what is outside must still see the server's own root.
        await self._api({**scope, "root_path": root + PREFIX, "app_root_path": root}, receive, send)


def _no_parity(project: str, resource: str, error: MunimentError) -> None:
    get_logger().error("no parity was made", project=project, resource=resource, message=str(error))
