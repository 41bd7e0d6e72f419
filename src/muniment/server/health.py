"""The health checks and the metrics page."""

from __future__ import annotations

import os

from fastapi import APIRouter, Request, Response

from muniment.errors.base import MunimentError
from muniment.http.authorization import authorized
from muniment.http.throttling import ADMIN

router = APIRouter()


@router.get("/health/live", operation_id="live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready", operation_id="ready", responses={503: {"description": "It cannot serve now."}})
def ready(request: Request, response: Response) -> dict[str, str]:
    """The archive can be read and written and its database reached; says no while the server stops.

    Without a living worker it serves as well as ever, but nothing that was asked for is done: that is a warning.
    """
    archive = request.app.state.archive
    workers = request.app.state.monitor.workers()
    checks = {
        "archive": archive.context.is_readable(),
        "staging": os.access(archive.context.layout.staging, os.W_OK),
        "index": _index(archive),
        "database": workers is not None,
        "stopping": not request.app.state.streams.stopping.is_set(),
    }
    failed = [name for name, good in checks.items() if not good]
    if failed:
        response.status_code = 503
        return {"status": "failed", "failed": ", ".join(failed)}
    if not workers:
        return {"status": "ok", "warning": "no worker is alive"}
    return {"status": "ok"}


@router.get("/metrics", operation_id="metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Numbers for Prometheus, for who may administer the archive."""
    access = authorized(request)
    access.require(ADMIN, None)
    text = access.authorizer.metrics.text() + request.app.state.monitor.text()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _index(archive: object) -> bool:
    try:
        archive.count()  # type: ignore[attr-defined] # the archive of `app.state`, which is untyped
    except (MunimentError, OSError):
        return False
    return True
