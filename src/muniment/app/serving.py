"""Serving: one process or several, from settings that each of them finds in the environment."""

from __future__ import annotations

import uvicorn

from muniment.app.protocol import LimitedProtocol
from muniment.settings import Settings

ENTRY = "muniment.web.entry:application"
"""Named, not imported: the server is built on this layer, and each process of it loads it for itself."""


def serve(settings: Settings) -> None:
    """Serve the archive that the settings name until the process is told to stop.

    On SIGTERM or SIGINT it takes no more requests, ends live streams, and lets the others finish within
    `serve_grace` seconds; a transaction whose request is then broken off stays parked and can be resumed.
    """
    settings.hand_down()
    uvicorn.run(
        ENTRY,
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
