"""Settings: files and environment, read in one place and handed down as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.settings.basics import Basics

if TYPE_CHECKING:
    from muniment.settings.everything import Settings as Settings

__all__ = ["Basics", "Settings"]


def __getattr__(name: str) -> object:
    """Load `Settings` on first use: what reads it takes longer to load than most commands take to run."""
    if name == "Settings":
        from muniment.settings.everything import Settings

        return Settings
    message = f"module 'muniment.settings' has no attribute {name!r}"
    raise AttributeError(message)
