"""Where a serving process begins: it finds its settings in the environment."""

from __future__ import annotations

from muniment.app import App
from muniment.web.application import create_app
from muniment.web.edge import Application
from muniment.web.logs import configure


def application() -> Application:
    """The server of the archive the environment names.

    Raises:
        MunimentError: As `create_app`.
    """
    configure()
    return create_app(App())
