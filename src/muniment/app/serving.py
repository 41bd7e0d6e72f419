"""Serving: one process or several, each of which is handed the settings."""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
from dataclasses import dataclass

import uvicorn
from uvicorn.supervisors import Multiprocess

from muniment.app.app import App
from muniment.app.background import BackgroundServices
from muniment.app.connections import SharedListener
from muniment.app.protocol import LimitedProtocol
from muniment.content.extras import need
from muniment.errors.remote import CannotListen
from muniment.settings import Settings

_ENTRY = "muniment.server.entry"
"""Named, not imported: the server is built on this layer, and each process of it loads it for itself."""


_STARTUP_FAILED = 3
"""The exit status that uvicorn has for it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a serving process begins. A new process is sent this through a pipe, so no secret is seen on the way."""

    settings: Settings

    def __call__(self) -> object:
        """The application of the archive that the settings name.

        Raises:
            MunimentError: As `create_app` of the server.
        """
        return importlib.import_module(_ENTRY).application(self.settings)


def serve(settings: Settings) -> None:
    """Serve the archive that the settings name until the process is told to stop.

    On SIGTERM or SIGINT it takes no more requests, ends live streams, and lets the others finish within
    `serve_grace` seconds; a transaction whose request is then broken off stays parked and can be resumed.

    Raises:
        MunimentError: The archive, a database or a key file cannot be opened, or a setting cannot be used.
        CannotListen: The address cannot be had.
    """
    app = App(settings)
    try:
        _rehearse(app)
    finally:
        app.close()
    config = uvicorn.Config(
        Entry(settings),
        factory=True,
        host=settings.serve_host,
        port=settings.serve_port,
        workers=settings.serve_processes,
        root_path=settings.serve_root_path.rstrip("/"),
        http=LimitedProtocol,
        ws="none",
        loop="asyncio",  # uvloop holds the interpreter's lock while it writes: large downloads took half as long again
        lifespan="on",
        proxy_headers=False,  # the application reads them, from trusted proxies only
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(settings.serve_grace)),
        backlog=512,
    )
    with contextlib.suppress(KeyboardInterrupt):
        if settings.serve_processes > 1:
            Multiprocess(config, sockets=[SharedListener.of(config.bind_socket(), config.workers)]).run()
        else:
            server = uvicorn.Server(config)
            server.run()
            if not server.started:
                sys.exit(_STARTUP_FAILED)


def _rehearse(app: App) -> None:
    """Open everything once, so that what is wrong is said here and not in the log of every process."""
    if app.settings.otel:
        need("otel", "Sending traces")
    app.local_archive().close()
    app.authority()
    if app.settings.serve_work:
        BackgroundServices(app).rehearse()
    _try_address(app.settings.serve_host, app.settings.serve_port)


def _try_address(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the server's own socket, else one that has just been closed would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotListen(host=host, port=port, reason=error.strerror) from error
