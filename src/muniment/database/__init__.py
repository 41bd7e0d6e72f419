"""The control database: what an archive's server and workers remember beside it, in one file or in PostgreSQL.

It holds the ledger, keys, rules and realms, selections, and answers given before. Everything is opened through
`Database`, has its tables in `tables`, and its history in `migrations`. `Database` is loaded on first use, so that
the command line starts without a database library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muniment.database.database import Clock, Database

_LATE = {"Clock": "muniment.database.database", "Database": "muniment.database.database"}

__all__ = ["Clock", "Database"]


def __getattr__(name: str) -> object:
    """Load what needs a database library on first use."""
    if name in _LATE:
        import importlib  # noqa: PLC0415 - only for what is late

        return getattr(importlib.import_module(_LATE[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
