"""Failed sign-ins, counted for all processes that share a database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, insert, select

from muniment.database.access_tables import access_failures
from muniment.errors.database import DatabaseBroken, DatabaseUnavailable

if TYPE_CHECKING:
    from muniment.access.store import AccessStore

WINDOW = 60.0
"""Seconds for which a failure counts."""
_SHORT_PATIENCE = 0.1
"""Seconds a request may wait just to leave a note."""


class SignInFailures:
    """What failed in the last minute, by address and by what was shown. Nothing of it counts for longer.

    Whoever cannot reach the database counts for itself alone: that is no reason to refuse anybody.
    """

    def __init__(self, store: AccessStore) -> None:
        """Keep them in the database of `store`."""
        self._store = store

    def wait(self, whose: Sequence[str], most: int) -> float:
        """Seconds until one of these has failed fewer than `most` times within the last minute; 0 for at once."""
        now = time.time()
        kept = access_failures.c
        recent = select(kept.who, func.max(kept.at)).where(kept.who.in_(whose), kept.at > now - WINDOW)
        full = recent.group_by(kept.who).having(func.count() >= most)
        with contextlib.suppress(DatabaseUnavailable, DatabaseBroken):
            newest = self._store.database.read(lambda connection: [row[1] for row in connection.execute(full)])
            return max((moment + WINDOW - now for moment in newest), default=0.0)
        return 0.0

    def count(self, whose: Sequence[str]) -> None:
        """One more failure of each; those that count no more are dropped."""
        now = time.time()

        def work(connection: Connection) -> None:
            connection.execute(delete(access_failures).where(access_failures.c.at <= now - WINDOW))
            connection.execute(insert(access_failures), [{"who": who, "at": now} for who in whose])

        if whose:
            with contextlib.suppress(DatabaseUnavailable, DatabaseBroken):
                self._store.database.write(work, patience=_SHORT_PATIENCE)
