"""Muniment: a digital preservation archive whose files can be read and checked without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muniment.app.archive import Archive as Archive
    from muniment.content.exclusions import Exclusions as Exclusions
    from muniment.content.instance import Instance as Instance
    from muniment.content.transaction import Transaction as Transaction

__version__ = "0.1.0"
__all__ = ["Archive", "Exclusions", "Instance", "Transaction", "__version__"]

_MODULES = {
    "Archive": "app.archive",
    "Exclusions": "content.exclusions",
    "Instance": "content.instance",
    "Transaction": "content.transaction",
}


def __getattr__(name: str) -> object:
    """Load what is asked for on first use, so that `muniment --help` starts without the whole archive."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"muniment.{_MODULES[name]}"), name)
    message = f"module 'muniment' has no attribute {name!r}"
    raise AttributeError(message)
