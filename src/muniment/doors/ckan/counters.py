"""Counts of links by organisation, host and status: rows that each check changes, with their value of every day.

No report counts anything itself: a report over a hundred thousand broken links is as quick as one over a hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from muniment.database.tables import ckan_counters as counters
from muniment.doors.ckan.causes import OTHER

DAY = 86_400.0
_COUNTED = ("links", "broken", "unknown", "kept", "broken_kept", "datasets", "broken_datasets", "bytes")
_LONGEST = 300
ONCE, AGAIN = "once", "again"
"""Broken links by whether they failed once only, or several times in a row."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """What is counted of a link."""

    organization: str
    host: str
    status: int | None
    is_broken: bool | None
    kept: bool
    size: int
    cause: str = ""
    """Why it is broken."""
    once: bool = False
    """It failed at its last check and not before: it may be well again at the next."""

    @classmethod
    def of(cls, row: Mapping[Any, Any] | None) -> LinkState | None:
        """Of a row of the table of links; None for one that is gone, which counts no more."""
        if row is None or row["gone"]:
            return None
        kept = row["kept_as"] is not None
        size = int(row["size"] or 0) if kept else 0
        once = row["is_broken"] is True and row["failure_count"] <= 1
        return cls(row["organization"], row["host"], row["status"], row["is_broken"], kept, size, row["cause"], once)

    def counts(self) -> dict[str, int]:
        """What it adds."""
        broken = self.is_broken is True
        return {
            "links": 1,
            "broken": int(broken),
            "unknown": int(self.is_broken is None and self.status is not None),
            "kept": int(self.kept),
            "broken_kept": int(broken and self.kept),
            "bytes": self.size,
        }


def size_bin(size: int) -> str:
    """The power of ten up to which a copy's bytes are counted, from a thousand to a million million and beyond."""
    return str(10 ** min(max(len(str(max(size, 1) - 1)), 3), 12))


@dataclass(frozen=True, slots=True)
class DatasetState:
    """What is counted of a dataset."""

    organization: str
    broken: bool


class Tally:
    """Changes that belong together, applied at the end of one transaction."""

    def __init__(self, portal: str, now: float) -> None:
        self._portal = portal
        self._day = int(now // DAY)
        self._changes: dict[tuple[str, str], Counter[str]] = {}

    def link(self, before: LinkState | None, after: LinkState | None) -> None:
        """A link came, changed or went."""
        for state, sign in ((before, -1), (after, 1)):
            if state is None:
                continue
            status = "not yet checked" if state.status is None else str(state.status)
            places = [("all", ""), ("organization", state.organization), ("host", state.host), ("status", status)]
            if state.kept:
                places.append(("size", size_bin(state.size)))
            if state.is_broken:
                places += [("failed", ONCE if state.once else AGAIN), ("cause", state.cause or OTHER)]
            for place in places:
                for name, value in state.counts().items():
                    self._at(place)[name] += sign * value

    def dataset(self, before: DatasetState | None, after: DatasetState | None) -> None:
        """A dataset came, changed or went."""
        for state, sign in ((before, -1), (after, 1)):
            if state is not None:
                for place in (("all", ""), ("organization", state.organization)):
                    self._at(place)["datasets"] += sign
                    self._at(place)["broken_datasets"] += sign * int(state.broken)

    def apply(self, connection: Connection) -> None:
        """Write it. Rows are taken in the order of their names, so that two writers never wait for each other."""
        for (dimension, name), change in sorted(self._changes.items()):
            if any(change.values()):
                self._add(connection, dimension, name[:_LONGEST], change)

    def _at(self, place: tuple[str, str]) -> Counter[str]:
        return self._changes.setdefault(place, Counter())

    def _add(self, connection: Connection, dimension: str, name: str, change: Mapping[str, int]) -> None:
        c = counters.c
        mine = (c.portal == self._portal) & (c.dimension == dimension) & (c.name == name)
        newest = (
            connection.execute(select(counters).where(mine).order_by(c.day.desc()).limit(1).with_for_update())
            .mappings()
            .first()
        )
        values = {key: int(newest[key] if newest else 0) + change.get(key, 0) for key in _COUNTED}
        if newest is not None and newest["day"] >= self._day:
            connection.execute(update(counters).where(mine & (c.day == newest["day"])).values(values))
            return
        key = {"portal": self._portal, "dimension": dimension, "name": name, "day": self._day}
        connection.execute(insert(counters), {**key, **values})
