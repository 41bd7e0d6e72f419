"""What was last seen of a store and its tapes: rows that whoever uses the store keeps current, so pages ask none.

A store that is silent keeps its last figures, with the time of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from muniment.database import Database
from muniment.database.tables import stores, tapes
from muniment.errors.base import MunimentError
from muniment.stores import Store, Tape


@dataclass(frozen=True, slots=True)
class TapeFigures:
    """A tape as it was last seen. Sizes are bytes; `seen_at` is when it was last in the drive, seconds since 1970 UTC.

    `total` and `free` are unknown for a tape that was never in the drive since Muniment keeps them.
    """

    store: str
    tape: str
    files: int
    bytes: int
    total: int | None
    free: int | None
    read_only: bool
    in_drive: bool
    written_at: str
    seen_at: float | None

    @property
    def filled(self) -> int | None:
        """How full it is, in hundredths; None where nobody knows."""
        if not self.total or self.free is None:
            return None
        return round(100 * (self.total - self.free) / self.total)


def note_figures(database: Database, name: str, store: Store) -> None:
    """Keep how much room a store has, and its tapes, where it can tell them; where it cannot, the last figures stay."""
    now = database.now()
    with contextlib.suppress(MunimentError):
        room = store.capacity()
        if room is not None:
            values = {"total": room.total, "free": room.free}
            change = update(stores).where(stores.c.name == name).values(values)
            database.write(lambda connection: connection.execute(change))
    with contextlib.suppress(MunimentError):
        found = list(store.tapes())
        if found:
            database.write(lambda connection: _put(connection, name, found, now))


def tapes_of(database: Database, store: str | None = None) -> list[TapeFigures]:
    """The tapes that are known, those in a drive first, then by store and name."""
    query = select(tapes).order_by(tapes.c.in_drive.desc(), tapes.c.store, tapes.c.tape)
    if store is not None:
        query = query.where(tapes.c.store == store)
    return [TapeFigures(**row) for row in database.read(lambda connection: connection.execute(query).mappings().all())]


def _put(connection: Connection, name: str, found: Iterable[Tape], now: float) -> None:
    known = {row.tape: row for row in connection.execute(select(tapes).where(tapes.c.store == name))}
    connection.execute(delete(tapes).where(tapes.c.store == name))
    rows = []
    for each in found:
        before = known.get(each.name)
        room: tuple[int | None, int | None, bool, float | None] = (each.total, each.free, each.read_only, now)
        if not each.in_drive:  # as it was when it was in the drive last
            room = (
                (before.total, before.free, before.read_only, before.seen_at) if before else (None, None, False, None)
            )
        total, free, read_only, seen_at = room
        rows.append(
            {
                "store": name,
                "tape": each.name,
                "files": each.files,
                "bytes": each.size,
                "total": total,
                "free": free,
                "read_only": read_only,
                "in_drive": each.in_drive,
                "written_at": each.written_at,
                "seen_at": seen_at,
            }
        )
    connection.execute(insert(tapes), rows)
