"""The health checks and the metrics page."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from muniment.errors.base import MunimentError
from muniment.http.authorization import authorized
from muniment.http.description import failures
from muniment.http.throttling import ADMIN


class Health(BaseModel):
    """Whether the server is well, and what is not."""

    status: str
    failed: str | None = None
    warning: str | None = None


_COMMON = failures(400, 405, 408, 431, 500)
_OPEN: dict[str, Any] = {"security": []}

router = APIRouter(tags=["server"])


@router.get(
    "/health/live", operation_id="get_live", response_model_exclude_unset=True, responses=_COMMON, openapi_extra=_OPEN
)
def live() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get(
    "/health/ready",
    operation_id="get_ready",
    response_model_exclude_unset=True,
    responses={**_COMMON, 503: {"model": Health, "description": "It cannot serve now."}},
    openapi_extra=_OPEN,
)
def ready(request: Request, response: Response) -> Health:
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
        return Health(status="failed", failed=", ".join(failed))
    if not workers:
        return Health(status="ok", warning="no worker is alive")
    return Health(status="ok")


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    responses={
        **failures(400, 401, 403, 405, 408, 429, 431, 500),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The numbers."},
    },
)
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
