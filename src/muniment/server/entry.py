"""Where a serving process begins: it finds its settings in the environment."""

from __future__ import annotations

from muniment.app import App
from muniment.http.middleware import Application
from muniment.server.application import create_app
from muniment.server.logs import configure
from muniment.server.memory import share_heaps


def application() -> Application:
    """The server of the archive the environment names.

    Raises:
        MunimentError: As `create_app`.
    """
    share_heaps()
    configure()
    return create_app(App())
