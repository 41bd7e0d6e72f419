"""What all workers together know of services' limits: until when one is closed, and what is left of its hour.

Calls are given out in blocks, so that a worker asks the ledger for some calls at a time and not for each. A block
is used within `BLOCK_LIFE` or not at all; it counts until no call of it can lie within the last hour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from muniment.database import Database
from muniment.database.tables import limits
from muniment.jobs import statements as sql
from muniment.jobs.model import from_text, plain, to_text

BLOCK_LIFE = 60.0
"""Seconds in which a block has to be used."""
_HOUR = 3600.0
_GRAIN = 10.0
"""Seconds that blocks are counted together in, at the end of them: so a row stays short."""

_by_name = select(limits).where(limits.c.name == bindparam("service"))
_lock = _by_name.with_for_update()
_change = update(limits).where(limits.c.name == bindparam("service"))


closed_now = select(limits).where(limits.c.closed_until > bindparam("now")).order_by(limits.c.closed_until.desc())


@dataclass(frozen=True, slots=True)
class ClosedLimit:
    """A service that may not be called `until` that time (seconds since 1970 UTC), `by` whose answer."""

    name: str
    until: float
    by: str


class ServiceLimits:
    """The limits in one ledger. All times given and returned are seconds from now: machines' clocks differ."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def closed(self, service: str) -> float:
        """How long `service` may not be called.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """

        def work(connection: Connection) -> float:
            row = connection.execute(_by_name, {"service": service}).first()
            return 0.0 if row is None else float(row.closed_until)

        return max(0.0, self._database.read(work) - self._database.now())

    def close(self, service: str, seconds: float, answer: str = "") -> None:
        """Tell everybody that `service` may not be called for so long, by whose answer; an earlier, longer time stays.

        Raises:
            DatabaseUnavailable: Nobody was told.
        """
        until = self._database.now() + seconds

        def work(connection: Connection) -> None:
            closed_until, _ = _locked(connection, service)
            if until > closed_until:
                changed = {"service": service, "closed_until": until, "closed_by": plain(answer, 500)}
                connection.execute(_change, changed)

        self._database.write(work)

    def all_closed(self) -> list[ClosedLimit]:
        """The limits that are closed at this moment, the longest first.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """
        asked = {"now": self._database.now()}
        found = self._database.read(lambda c: c.execute(closed_now, asked).all())
        return [ClosedLimit(row.name, row.closed_until, row.closed_by) for row in found]

    def lift(self, service: str) -> bool:
        """Let `service` be called again, now; whether it was closed. Workers hear of it within a second.

        Steps that wait for it are made due as well. What is left of its calls an hour stays as it is.

        Raises:
            DatabaseUnavailable: Nothing was changed.
        """
        now = self._database.now()

        def work(connection: Connection) -> bool:
            row = connection.execute(_lock, {"service": service}).first()
            lifted = row is not None and row.closed_until > now
            if lifted:
                connection.execute(_change, {"service": service, "closed_until": now, "closed_by": ""})
            connection.execute(sql.wake_waiting, {"for_what": service, "now": now})
            return lifted

        return self._database.write(work)

    def take(self, service: str, wanted: int, hourly: int) -> tuple[int, float]:
        """Up to `wanted` calls of the `hourly` ones, to be made within `BLOCK_LIFE`; or none, and how long to wait.

        Raises:
            DatabaseUnavailable: None were given.
        """
        now = self._database.now()

        def work(connection: Connection) -> tuple[int, float]:
            closed_until, known = _locked(connection, service)
            if closed_until > now:
                return 0, closed_until - now
            blocks = [(at, count) for at, count in known if at + BLOCK_LIFE + _HOUR > now]
            count = min(wanted, hourly - sum(count for _, count in blocks))
            if count <= 0:
                return 0, blocks[0][0] + BLOCK_LIFE + _HOUR - now
            at = math.ceil(now / _GRAIN) * _GRAIN
            if blocks and blocks[-1][0] >= at:
                at, before = blocks.pop()
                blocks.append((at, before + count))
            else:
                blocks.append((at, count))
            connection.execute(_change, {"service": service, "blocks": to_text([[at, n] for at, n in blocks])})
            return count, 0.0

        return self._database.write(work)


def _locked(connection: Connection, service: str) -> tuple[float, list[tuple[float, int]]]:
    """Until when a service is closed, and its blocks, oldest first; nobody changes them until the transaction ends."""
    row = connection.execute(_lock, {"service": service}).first()
    if row is None:
        connection.execute(insert(limits), {"name": service, "closed_until": 0.0, "blocks": "[]"})
        return 0.0, []
    written: Any = from_text(row.blocks)
    return float(row.closed_until), [(float(at), int(count)) for at, count in written]
