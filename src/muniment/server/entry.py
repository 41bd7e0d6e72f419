"""Where a serving process begins, with the settings it was handed."""

from __future__ import annotations

from muniment.app import App
from muniment.http.middleware import Application
from muniment.server.application import create_app
from muniment.server.logs import configure, tell_request
from muniment.server.memory import share_heaps
from muniment.settings import Settings


def application(settings: Settings) -> Application:
    """The server of the archive the settings name.

    Raises:
        MunimentError: As `create_app`.
    """
    share_heaps()
    configure()
    return create_app(App(settings), tell=tell_request)
