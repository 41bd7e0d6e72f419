"""Mounting: puts the API into the server."""

from __future__ import annotations

from fastapi import FastAPI
from structlog import get_logger

from muniment.archive import Archive
from muniment.errors.base import MunimentError
from muniment.layouts.selection import NameLayout
from muniment.settings import Settings
from muniment.web.api.native.gate import Gate
from muniment.web.api.nexus.application import NexusApi
from muniment.workflows.nexus.nexus import DOCUMENT, Nexus, Options

PREFIX = "/v1"


def install(server: FastAPI, archive: Archive, gate: Gate, settings: Settings) -> NexusApi:
    """Serve the API below `/v1`; `archive` becomes its own, and makes no parity as it commits: that takes long.

    The base address is the settings' public one, or without that what the server listens on.
    """
    public = settings.public_url.rstrip("/")
    options = Options(
        base=f"{public}{PREFIX}" if public else "",
        life=settings.selection_life,
        layout=NameLayout(settings.selection_names),
        entries=settings.selection_entries,
        document=max(settings.serve_body, DOCUMENT),
    )

    def make(base: str) -> Nexus:
        return Nexus(archive, options.at(base), control=archive.state / "control.db", failed=_no_parity)

    api = NexusApi(make, gate, archive, limit=options.document, base=options.base)
    server.mount(PREFIX, api)
    return api


def _no_parity(project: str, resource: str, error: MunimentError) -> None:
    get_logger().error("no parity was made", project=project, resource=resource, message=str(error))
