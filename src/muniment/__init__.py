"""Muniment: a digital preservation archive whose files can be read and checked without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muniment.app.archive import Archive as Archive

__version__ = "0.1.0"
__all__ = ["Archive", "__version__"]


def __getattr__(name: str) -> object:
    """Load `Archive` on first use, so that `muniment --help` starts without the whole archive."""
    if name == "Archive":
        from muniment.app.archive import Archive

        return Archive
    message = f"module 'muniment' has no attribute {name!r}"
    raise AttributeError(message)
