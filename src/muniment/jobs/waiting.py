"""Waiting: how long a step waits after a failure, and the outages that steps wait for together.

An outage has a name. The first step that meets it opens it, in the ledger, so that all workers know of it and it is
told once. That step tries again every few minutes; the others that meet it wait longer and longer, up to a day. The
first of them that gets past it ends it, and all that wait for it are due at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from muniment.jobs import statements as sql
from muniment.jobs.model import OutageRow, Outcome, State, plain
from muniment.jobs.tree import Row

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 3600.0
_PROBE_WAIT = 300.0
_LONGEST_OUTAGE_WAIT = 86400.0
_NO_EVIDENCE = frozenset({"untried", "losses"})


def wait_after(key: str, count: int, longest: float = _LONGEST_WAIT) -> float:
    """Seconds to wait after the `count`-th failure: doubling, at most `longest`, spread by the step's id.

    The spread follows from the id, so that a thousand steps that failed together do not return together.
    """
    spread = 0.75 + int(key[:4], 16) / 0xFFFF / 2
    return min(longest, _FIRST_WAIT * 2.0 ** min(count - 1, 20)) * spread


@dataclass(slots=True)
class News:
    """What is to be told, by the worker that found it: outages that began, and those that are over."""

    began: list[OutageRow] = field(default_factory=list)
    over: list[OutageRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step waits for: until when (None: as its outcome says), how often in a row, and by which name."""

    until: float | None = None
    met: int = 0
    name: str | None = None
    news: str = ""
    """A line for its job's history, when this is new to it."""


class Outages:
    """The outages of one ledger, within one transaction."""

    def __init__(self, connection: Connection, now: float, news: News) -> None:
        """`news` is added to."""
        self._connection = connection
        self._now = now
        self._news = news
        self._passed: set[str] = set()
        self._probes_now: dict[str, str] = {}

    def wait(self, row: Row, outcome: Outcome) -> Wait:
        """What a step waits for after this outcome. One that got past an outage is remembered for `settle`."""
        before = row["waits_for"]
        if outcome.counts in _NO_EVIDENCE:
            return Wait(None, row["outages"], before)
        if before is not None and before != outcome.waits_for and outcome.state is not State.CANCELLED:
            self._passed.add(before)
        if outcome.counts != "outages" or outcome.waits_for is None:
            return Wait(None, 0, outcome.waits_for)
        name = plain(outcome.waits_for, 500)
        met = row["outages"] + 1
        longest = _PROBE_WAIT if self._probes(row["id"], name, outcome.reason) else _LONGEST_OUTAGE_WAIT
        until = self._now + wait_after(row["id"], met, longest)
        return Wait(until, met, name, outcome.reason if before != name else "")

    def settle(self) -> bool:
        """End the outages that a step got past, and make all that wait for them due; whether any was."""
        woken = 0
        for name in sorted(self._passed):
            row = self._connection.execute(sql.outage_by_name, {"outage": name}).first()
            if row is None:
                continue
            self._connection.execute(sql.end_outage, {"outage": name})
            self._news.over.append(OutageRow(row.name, row.since, row.reason))
            woken += self._connection.execute(sql.wake_waiting, {"for_what": name, "now": self._now}).rowcount
        return woken > 0

    def tidy(self) -> None:
        """End the outages that nothing waits for any more, and see that of the others somebody tries often."""
        for row in self._connection.execute(sql.all_outages).all():
            asked = {"for_what": row.name, "step": row.probe}
            if self._connection.execute(sql.waits_still, asked).first() is not None:
                continue
            if self._connection.execute(sql.any_waits, asked).first() is None:
                self._connection.execute(sql.end_outage, {"outage": row.name})
                self._news.over.append(OutageRow(row.name, row.since, row.reason))
                continue
            other = self._connection.execute(sql.some_waiting, asked).scalar()
            if other is not None:
                self._connection.execute(sql.set_probe, {"outage": row.name, "to_probe": other})
                self._connection.execute(sql.hasten, {"step": other, "at": self._now})

    def open(self, name: str, step: str, reason: str) -> None:
        """Know of an outage that `step` met, if it is new."""
        known = self._connection.execute(sql.outage_by_name, {"outage": name}).first()
        if known is None:
            row: dict[str, Any] = {"name": name, "since": self._now, "reason": plain(reason), "probe": step}
            self._connection.execute(sql.insert_outage, row)
            self._news.began.append(OutageRow(name, self._now, row["reason"]))

    def _probes(self, step: str, name: str, reason: str) -> bool:
        """Whether this step is the one that tries often."""
        if name in self._probes_now:
            return self._probes_now[name] == step
        self.open(name, step, reason)
        row = self._connection.execute(sql.outage_by_name, {"outage": name}).one()
        if row.probe == step:
            self._probes_now[name] = step
            return True
        asked = {"for_what": name, "step": row.probe}
        if self._connection.execute(sql.waits_still, asked).first() is not None:
            return False
        self._probes_now[name] = step
        self._connection.execute(sql.set_probe, {"outage": name, "to_probe": step})
        return True
