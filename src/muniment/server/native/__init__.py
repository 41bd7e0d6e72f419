"""The native interface: everything an archive can do, over HTTP, below /archive/v1."""

from __future__ import annotations

from fastapi import FastAPI

from muniment.http.names import PREFIX
from muniment.server.native import (
    events,
    fetches,
    fixity,
    groups,
    many_files,
    operations,
    packages,
    reports,
    resources,
    resumable,
    transactions,
    uploads,
)

_PARTS = (
    resources,
    many_files,
    packages,
    fetches,
    transactions,
    uploads,
    resumable,
    events,
    fixity,
    groups,
    operations,
    reports,
)


def install(server: FastAPI) -> None:
    """Serve it."""
    for part in _PARTS:
        # The routes themselves: including routers has the framework look for every route several times over,
        # which took longer than answering a small request.
        server.router.routes.extend(part.router.routes)


__all__ = ["PREFIX", "install"]
