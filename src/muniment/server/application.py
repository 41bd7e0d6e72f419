"""The application: every interface of the server in front of one archive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from structlog import get_logger

from muniment import __version__
from muniment.access import Authority
from muniment.app import App
from muniment.archive import Archive
from muniment.doors.nexus import http as nexus
from muniment.doors.nexus.nexus import DOCUMENT, Options
from muniment.errors.base import MunimentError
from muniment.http import problems
from muniment.http.authorization import Authorizer
from muniment.http.idempotency import Idempotency
from muniment.http.live import Streams
from muniment.http.metrics import Metrics
from muniment.http.middleware import Application, Limits, Middleware
from muniment.layouts.selection import NameLayout
from muniment.server import interfaces, native, pages, tracing
from muniment.server.background_jobs import BackgroundJobs
from muniment.server.monitoring import Monitor
from muniment.server.native.fast_path import FastFilePath
from muniment.server.native.open_transactions import OpenTransactions
from muniment.server.native.recent import RecentInstances
from muniment.server.native.senders import Senders
from muniment.settings import Settings

_MONITOR_EVERY = 30.0
"""Seconds between two looks at what the archive holds."""


def create_app(
    app: App, authority: Authority | None = None, *, tell: Callable[..., object] | None = None
) -> Application:
    """The server of the archive that `app`'s settings name; `authority` decides who may do what.

    `tell` writes the log's line of each request, as for `Middleware`.

    Raises:
        BadInput: No archive is named, or it is behind a server itself.
        NotAnArchive, NewerFormat: It cannot be opened.
    """
    archive = app.local_archive()
    server = _server(app, archive, authority or app.authority())
    settings = app.settings
    limits = Limits(
        headers=settings.serve_headers,
        header_bytes=settings.serve_header_bytes,
        body=settings.serve_body,
        upload=settings.serve_upload,
        patience=settings.serve_patience,
        prefix=native.PREFIX,
        trusted=settings.serve_trusted_proxies,
    )

    def refused(scope: MutableMapping[str, Any], error: MunimentError) -> Response | None:
        return pages.failed(Request({**scope, "app": server}), error)

    # Traces are made inside the framework, so what is to be traced must pass through it.
    if settings.otel:
        server.state.tracer = tracing.trace(server)
        return Middleware(server, limits, server.state.authorizer.metrics, refused, tell)
    quick = nexus.FastPath(FastFilePath(server, str(archive.path)), server.state.nexus)
    return Middleware(quick, limits, server.state.authorizer.metrics, refused, tell)


def _server(app: App, archive: Archive, authority: Authority) -> FastAPI:
    settings = app.settings
    server = FastAPI(
        title="Muniment",
        version=__version__,
        openapi_url=interfaces.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    server.state.app = app
    server.state.archive = archive
    server.state.open_transactions = OpenTransactions(archive, settings.transaction_lease)
    server.state.authorizer = Authorizer(archive, authority, Metrics(), settings.serve_failures, settings.session_life)
    server.state.idempotency = Idempotency(app.database())
    server.state.recent = RecentInstances()
    server.state.senders = Senders()
    server.state.streams = Streams(settings.serve_streams)
    server.state.tracer = None
    server.state.sweep_every = settings.sweep_every
    problems.install(server, str(archive.path), pages.failed)
    interfaces.install(server)
    server.state.osf = BackgroundJobs(app)
    server.state.monitor = Monitor(archive, server.state.osf.operations, app.bucket_prices() if app.in_bucket else None)
    if settings.serve_pages:
        pages.install(server, app, archive)
    options = nexus_options(settings)
    mine = app.local_archive(parity=False)
    server.state.nexus = nexus.install(server, mine, server.state.authorizer, options, app.database())
    return server


def nexus_options(settings: Settings) -> Options:
    """What the settings say about Nexus: its public address is theirs with its `/v1`."""
    public = settings.public_url.rstrip("/")
    return Options(
        base=f"{public}{nexus.PREFIX}" if public else "",
        life=settings.selection_life,
        layout=NameLayout(settings.selection_names),
        entries=settings.selection_entries,
        document=max(settings.serve_body, DOCUMENT),
    )


@contextlib.asynccontextmanager
async def _lifespan(server: FastAPI) -> AsyncIterator[dict[str, object]]:
    sweeping = asyncio.gather(_sweep(server), _monitor(server))
    await run_in_threadpool(server.state.osf.start)
    following = getattr(server.state, "following", None)
    if following is not None:
        following.start()
    try:
        # The connections' protocol sets it when the server is told to stop, so that live streams end.
        yield {"stopping": server.state.streams.stopping}
    finally:
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping
        await run_in_threadpool(server.state.osf.close)
        await run_in_threadpool(server.state.nexus.close)
        if following is not None:
            await run_in_threadpool(following.close)
            await run_in_threadpool(server.state.previews.close)
            await run_in_threadpool(server.state.fetched.close)
        await run_in_threadpool(server.state.archive.close)
        await run_in_threadpool(server.state.app.close)
        if server.state.tracer is not None:
            await run_in_threadpool(server.state.tracer.shutdown)  # it sends what it still holds


async def _monitor(server: FastAPI) -> None:
    """Keep the numbers of what the archive holds fresh."""
    while True:
        await run_in_threadpool(server.state.monitor.refresh)
        await asyncio.sleep(_MONITOR_EVERY)


async def _sweep(server: FastAPI) -> None:
    """Roll back transactions nobody comes back to, and finish what other processes left when they died."""
    while True:
        await asyncio.sleep(server.state.sweep_every)
        try:
            done = await run_in_threadpool(server.state.archive.recover)
            await run_in_threadpool(server.state.idempotency.sweep)
        except (MunimentError, OSError) as error:
            get_logger().error("sweep failed", error=type(error).__name__, message=str(error))
            continue
        for event in done:
            get_logger().info("swept", event=event.event, note=str(event.detail.get("note", "")))
