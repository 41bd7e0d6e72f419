"""Leases: how a worker takes steps, keeps them, gives them back, and what happens when it vanishes.

A claim is a lease until a time, renewed by a heartbeat, and a fence: a number that grows with each claim. A
worker that was suspended and comes back finds that its fence is old, and what it says is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection

from muniment.database import Database
from muniment.errors.jobs import LeaseLost
from muniment.jobs import statements as sql
from muniment.jobs.fair_share import in_turn
from muniment.jobs.model import Call, Claim, Outcome, Priority, Pulse, from_text, plain, to_text
from muniment.jobs.outcomes import holds, put_back, record
from muniment.jobs.rows import PRIORITIES
from muniment.jobs.tree import Tree
from muniment.jobs.waiting import News, Outages

_SWEEP_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a worker gets for its outcomes: new claims, and which outcomes came too late."""

    claims: list[Claim]
    refused: list[Outcome]
    awake: bool
    """Whether something became ready that other workers could take."""
    news: News = field(default_factory=News)
    """Outages that began or ended with these outcomes: who made the exchange tells of them."""


@dataclass(slots=True)
class SweepResult:
    """What looking after the ledger came to: how many steps were put back, and what is to be told."""

    returned: int = 0
    news: News = field(default_factory=News)


class Leases:
    """The workers' side of the ledger. Thread-safe; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def exchange(
        self,
        owner: str,
        outcomes: Sequence[Outcome] = (),
        wanted: tuple[int, int] = (0, 0),
        names: Sequence[str] = (),
        lease: float = 60.0,
    ) -> Exchange:
        """Record `outcomes` and take up to `wanted` (priority, bulk) new steps, in one transaction.

        Together they are at most as many as the larger of the two numbers: who takes a priority step takes
        no bulk step. `lease` is in seconds.

        Raises:
            DatabaseUnavailable: Nothing was recorded and nothing taken.
        """
        now = self._database.now()

        def work(connection: Connection) -> Exchange:
            recorded = record(connection, outcomes, now)
            claims: list[Claim] = []
            for rank, most in enumerate(wanted):
                count = min(most, max(wanted) - len(claims))
                if count > 0 and names:
                    ids = in_turn(connection, rank, now, names, count)
                    claims += _take(connection, ids, owner, now, lease)
            return Exchange(claims, recorded.refused, recorded.awake, recorded.news)

        return self._database.write(work)

    def pulse(
        self,
        owner: str,
        held: Mapping[str, Claim],
        progress: Mapping[str, tuple[str, int, int | None, int]],
        lease: float | None = None,
    ) -> Pulse:
        """The heartbeat: renew the owner's leases (if `lease` seconds are given), write progress, hear of cancels.

        Raises:
            DatabaseUnavailable: Nothing was renewed or written.
        """
        now = self._database.now()

        def work(connection: Connection) -> Pulse:
            if progress:
                rows = [
                    {
                        "step": step,
                        "held_fence": held[step].fence,
                        "set_what": plain(what, 200),
                        "set_done": done,
                        "set_total": total,
                        "set_size": size,
                    }
                    for step, (what, done, total, size) in sorted(progress.items())
                    if step in held
                ]
                if rows:
                    connection.execute(sql.write_progress, rows)
            if lease is not None:
                connection.execute(sql.renew, {"owner": owner, "until": now + lease})
            return _listen(connection, owner, held)

        listens_only = lease is None and not progress
        return self._database.read(work) if listens_only else self._database.write(work)

    def spawn(self, claim: Claim, calls: Sequence[Call]) -> int:
        """Make children of a step that is still running; the number of new ones.

        Raises:
            LeaseLost: The step is no longer this worker's.
        """
        now = self._database.now()

        def work(connection: Connection) -> int:
            tree = Tree.locked(connection, claim.job, now)
            row = connection.execute(sql.step_by_id, {"step": claim.id}).mappings().one()
            if not holds(claim, row):
                raise LeaseLost(step=claim.id)
            made = 0 if tree.cancelling else tree.spawn(claim.id, calls)
            tree.close()
            return made

        return self._database.write(work)

    def sweep(self, owner: str, unknown_after: float, seen_within: float, names: Iterable[str] = ()) -> SweepResult:
        """Put back what vanished workers held, and look after the outages.

        A step whose worker vanished too often ends as failed. What `owner` holds itself is left to it, however long it
        was silent. A step that was due `unknown_after` seconds ago while no worker seen within `seen_within` seconds
        knows its name waits for one that does.

        Raises:
            DatabaseUnavailable: The database cannot be reached; some jobs may have been swept already.
        """
        now = self._database.now()
        asked = {"now": now, "limit": _SWEEP_LIMIT, "by": owner}
        expired = self._database.read(lambda c: c.execute(sql.expired_steps, asked).all())
        swept = SweepResult()
        for job, ids in _by_job(expired).items():
            swept.returned += self._database.write(partial(put_back, job=job, ids=ids, now=now))

        def look(connection: Connection) -> tuple[Sequence[str], bool]:
            known = set(names)
            for worker in connection.execute(sql.live_workers, {"since": now - seen_within}):
                known.update(from_text(worker.names))  # type: ignore[arg-type]  # we wrote a list of names
            asked = {"before": now - unknown_after, "names": sorted(known), "limit": _SWEEP_LIMIT}
            unknown = connection.execute(sql.unknown_names, asked).scalars().all()
            return unknown, connection.execute(sql.all_outages).first() is not None

        unknown, lasting = self._database.read(look)
        if not unknown and not lasting:
            return swept

        def look_after(connection: Connection) -> News:
            news = News()
            outages = Outages(connection, now, news)
            for name in unknown:
                outage = f"no worker knows the step {name!r}"
                connection.execute(sql.set_waits, {"of_name": name, "for_what": outage})
                step = connection.execute(sql.some_waiting, {"for_what": outage}).scalar()
                if step is not None:
                    outages.open(outage, step, "It is done when a worker that knows it is started.")
            outages.tidy()
            return news

        swept.news = self._database.write(look_after)
        return swept

    def unsent(self, priority: Priority, limit: int, resend: float, *, lost_after: float | None = None) -> list[str]:
        """Ids of ready steps no message is under way for, marked as sent for `resend` seconds.

        Messages sent more than `lost_after` seconds ago (else `resend`) count as lost.

        Raises:
            DatabaseUnavailable: Nothing was marked.
        """
        now = self._database.now()
        lost = now if lost_after is None else now + resend - lost_after

        def work(connection: Connection) -> list[str]:
            asked = {"rank": priority.rank, "now": now, "lost": lost, "limit": limit}
            found = list(connection.execute(sql.unsent_steps, asked).scalars())
            for ids in sql.chunks(found):
                connection.execute(sql.mark_sent, {"ids": ids, "until": now + resend})
            return found

        return self._database.write(work)

    def unsend(self, steps: Sequence[str]) -> None:
        """Say that no message is under way for these steps after all, so that they are sent at once.

        Raises:
            DatabaseUnavailable: Nothing was recorded; they are sent when their time is over.
        """
        if steps:
            self._database.write(lambda c: c.execute(sql.mark_sent, {"ids": list(steps), "until": None}))

    def announce(self, owner: str, engine: str, names: Sequence[str], *, forget_after: float) -> None:
        """Say that this worker is alive and which steps it knows; forget those long silent (seconds).

        Raises:
            DatabaseUnavailable: Nothing was recorded.
        """
        now = self._database.now()

        def work(connection: Connection) -> None:
            if connection.execute(sql.see_worker, {"worker": owner, "now": now}).rowcount == 0:
                row = {
                    "id": owner,
                    "engine": engine,
                    "names": to_text(sorted(names)),
                    "started_at": now,
                    "seen_at": now,
                }
                connection.execute(sql.insert_worker, row)
            connection.execute(sql.forget_workers, {"before": now - forget_after})

        self._database.write(work)

    def leave(self, owner: str) -> None:
        """Say that this worker has stopped.

        Raises:
            DatabaseUnavailable: Nothing was recorded.
        """
        self._database.write(lambda c: c.execute(sql.forget_worker, {"worker": owner}))


def _by_job(rows: Iterable[Any]) -> dict[str, list[str]]:
    jobs: dict[str, list[str]] = {}
    for row in rows:
        jobs.setdefault(row.job, []).append(row.id)
    return dict(sorted(jobs.items()))


def _take(connection: Connection, ids: list[str], owner: str, now: float, lease: float) -> list[Claim]:
    if not ids:
        return []
    values = {"ids": ids, "owner": owner, "until": now + lease, "now": now}
    taken = connection.execute(sql.take, values).mappings().all()
    return [
        Claim(
            id=row["id"],
            job=row["job"],
            name=row["name"],
            given=from_text(row["given"]),
            fence=row["fence"],
            attempt=row["attempt"],
            failures=row["failures"],
            losses=row["losses"],
            max_failures=row["max_failures"],
            secrets=tuple(from_text(row["secrets"])),  # type: ignore[arg-type]  # we wrote a list of names
            joins=row["parent"] if row["joins"] else None,
            lease_until=row["lease_until"],
            first_at=row["first_at"],
            priority=PRIORITIES[row["priority"]],
        )
        for row in sorted(taken, key=lambda row: row["number"])
    ]


def _listen(connection: Connection, owner: str, held: Mapping[str, Claim]) -> Pulse:
    if not held:
        return Pulse()
    mine = {row.id: row.fence for row in connection.execute(sql.held, {"owner": owner})}
    lost = frozenset(step for step, claim in held.items() if mine.get(step) != claim.fence)
    cancelled: set[str] = set()
    paused: set[str] = set()
    for jobs in sql.chunks({claim.job for claim in held.values()}):
        for row in connection.execute(sql.stopped_among, {"jobs": jobs}):
            (cancelled if row.given_up else paused).add(row.id)
    return Pulse(lost, frozenset(cancelled), frozenset(paused))
