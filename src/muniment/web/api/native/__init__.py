"""The native interface: everything an archive can do, over HTTP, below /archive/v1."""

from __future__ import annotations

from fastapi import FastAPI

from muniment.http.names import PREFIX
from muniment.web.api.native import checking, groups, log, many, packages, reading, transactions, uploads

_PARTS = (reading, many, packages, transactions, uploads, log, checking, groups)


def install(server: FastAPI) -> None:
    """Serve it."""
    for part in _PARTS:
        # The routes themselves: including routers has the framework look for every route several times over,
        # which took longer than answering a small request.
        server.router.routes.extend(part.router.routes)


__all__ = ["PREFIX", "install"]
