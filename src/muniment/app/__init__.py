"""The composition root: from settings to working parts, and the only place that puts them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.app.archive import Archive
from muniment.app.opener import ArchiveOpener

if TYPE_CHECKING:
    from muniment.app.app import App as App

__all__ = ["App", "Archive", "ArchiveOpener"]


def __getattr__(name: str) -> object:
    """Load `App` on first use: most commands only open an archive."""
    if name == "App":
        from muniment.app.app import App

        return App
    message = f"module 'muniment.app' has no attribute {name!r}"
    raise AttributeError(message)
