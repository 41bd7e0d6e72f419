"""Politeness: how many requests a host gets at a time and how far apart, over all workers of a ledger.

The same rows let only one worker at a time write to a dataset of a portal, for CKAN has no lock of its own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from muniment.database.tables import ckan_slots as slots
from muniment.jobs.ledger import Ledger

_LONGEST_CLOSED = 3600.0
_FIRST_CLOSED = 30.0
_SHORTEST_GAP = 0.05
_SLOW = 5.0
"""Seconds that a turn takes at a slow host; it gets one at a time, so that it keeps no more workers than one."""
_LONGEST_BOOKED = 900.0
_LOOKED_AT = 500
_GIVEN_UP = 3
"""Connection failures in a row after which a host counts as down, and its links are not asked one by one."""


@dataclass(frozen=True, slots=True)
class SlotAnswer:
    """Whether a request may go now: `wait` seconds are left until then. A host that is down says why."""

    wait: float = 0.0
    down: str = ""


@dataclass(frozen=True, slots=True)
class HostOutage:
    """A host that gave no answer so many times in a row, until when it is left alone, and why."""

    name: str
    failures: int
    until: float
    reason: str


class Slots:
    """The rows of one ledger's hosts and datasets."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def take(self, name: str, holder: str, *, most: int, delay: float, lease: float) -> SlotAnswer:
        """Take one of `most` slots of `name` for at most `lease` seconds, unless it is not its turn.

        Who has to wait gets a turn of its own after those that wait already, so that a thousand links of one host do
        not all ask again every second. A host that gave no answer is closed for a while, longer each time; from the
        third time on it is down, and who asks meanwhile is told so instead of waiting.
        """
        now = self._database.now()

        def work(connection: Connection) -> SlotAnswer:
            row = _locked(connection, name)
            held = {key: until for key, until in json.loads(row["held"]).items() if until > now and key != holder}
            if row["next_at"] > now and row["failures"] >= _GIVEN_UP:
                return SlotAnswer(row["next_at"] - now, row["reason"])
            at_once = 1 if row["pace"] > _SLOW else most
            if row["next_at"] > now or len(held) >= at_once:
                gap = max(delay, row["pace"] / at_once, _SHORTEST_GAP)
                booked = max(row["booked_to"], row["next_at"], now) + gap
                booked = min(booked, max(row["next_at"], now) + _LONGEST_BOOKED)
                connection.execute(update(slots).where(slots.c.name == name).values(booked_to=booked))
                return SlotAnswer(booked - now)
            held[holder] = now + lease
            values = {"next_at": now + delay, "held": json.dumps(held)}
            connection.execute(update(slots).where(slots.c.name == name).values(values))
            return SlotAnswer()

        return self._database.write(work)

    def give_back(self, name: str, holder: str, *, unreachable: str = "", took: float = 0.0) -> None:
        """Give a slot back after `took` seconds; `unreachable`: why the host gave no answer, which closes it."""
        now = self._database.now()

        def work(connection: Connection) -> None:
            row = _locked(connection, name)
            held = {key: until for key, until in json.loads(row["held"]).items() if until > now and key != holder}
            values: dict[str, object] = {"held": json.dumps(held), "failures": 0, "reason": ""}
            values["pace"] = took if not row["pace"] else 0.8 * row["pace"] + 0.2 * took
            if unreachable:
                failures = row["failures"] + 1
                pause = min(_LONGEST_CLOSED, _FIRST_CLOSED * 2 ** (failures - 1))
                values |= {"failures": failures, "reason": unreachable, "next_at": now + pause}
            connection.execute(update(slots).where(slots.c.name == name).values(values))

        self._database.write(work)

    def silent(self, hosts: Collection[str], limit: int) -> list[HostOutage]:
        """Of these hosts those that gave no answer when they were last asked, the longest silent first."""
        query = (
            select(slots.c.name, slots.c.failures, slots.c.next_at, slots.c.reason)
            .where(slots.c.failures > 0)
            .order_by(slots.c.failures.desc(), slots.c.name)
            .limit(_LOOKED_AT)
        )
        rows = self._database.read(lambda c: c.execute(query).all())
        found = [HostOutage(row.name, row.failures, row.next_at, row.reason) for row in rows]
        return [each for each in found if each.name.partition(":")[0] in hosts][:limit]

    @contextlib.contextmanager
    def alone(self, name: str, holder: str, lease: float = 300.0) -> Iterator[float]:
        """Hold `name` alone for a `with` block; yields 0, or how long to wait because somebody else has it."""
        turn = self.take(name, holder, most=1, delay=0.0, lease=lease)
        try:
            yield turn.wait
        finally:
            if not turn.wait:
                self.give_back(name, holder)


def _locked(connection: Connection, name: str) -> dict[str, Any]:
    row = connection.execute(select(slots).where(slots.c.name == name).with_for_update()).mappings().first()
    if row is None:
        fresh: dict[str, object] = {"name": name, "next_at": 0.0, "held": "{}", "failures": 0, "reason": ""}
        fresh |= {"booked_to": 0.0, "pace": 0.0}
        connection.execute(insert(slots), fresh)
        return fresh
    return dict(row)
