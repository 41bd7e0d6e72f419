"""Recording: what the end of a step, its failure, or the loss of its worker changes in the ledger's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from muniment.jobs import statements as sql
from muniment.jobs.model import ENDED, Claim, Outcome, State, plain, to_text
from muniment.jobs.tree import Row, Tree

FAILURES = 5
"""How often a step may raise before it ends as failed, where nothing else is said."""
LOSSES = 10
"""How often a step's worker may vanish before the step ends as failed, where nothing else is said."""
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 3600.0


def wait_after(key: str, count: int) -> float:
    """Seconds to wait after the `count`-th failure: doubling, at most an hour, spread by the step's id.

    The spread follows from the id, so that a thousand steps that failed together do not return together.
    """
    spread = 0.75 + int(key[:4], 16) / 0xFFFF / 2
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(count - 1, 20)) * spread


def holds(claim: Claim, row: Row) -> bool:
    """Whether the claim is still the newest one."""
    return bool(row["state"] == State.RUNNING and row["fence"] == claim.fence)


def record(connection: Connection, outcomes: Sequence[Outcome], now: float) -> tuple[list[Outcome], bool]:
    """Record outcomes; those that came too late, and whether something became ready."""
    jobs: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        jobs.setdefault(outcome.claim.job, []).append(outcome)
    refused: list[Outcome] = []
    awake = False
    for job in sorted(jobs):  # always in this order: two workers with the same two jobs must not wait for each other
        tree = Tree.locked(connection, job, now)
        rows: dict[str, Row] = {}
        for ids in sql.chunks({outcome.claim.id for outcome in jobs[job]}):
            rows.update({row["id"]: row for row in connection.execute(sql.steps_by_ids, {"ids": ids}).mappings()})
        kept: list[Outcome] = []
        for outcome in jobs[job]:
            (kept if holds(outcome.claim, rows[outcome.claim.id]) else refused).append(outcome)
        _apply(tree, kept, rows)
        tree.close()
        awake = awake or tree.tally.awake
    return refused, awake


def _apply(tree: Tree, outcomes: Sequence[Outcome], rows: Mapping[str, Row]) -> None:
    """Write what became of these steps, all of them held, and follow the consequences."""
    leaving: list[dict[str, Any]] = []
    leaves: list[tuple[Row, State]] = []
    others: list[str] = []
    for outcome in outcomes:
        row = rows[outcome.claim.id]
        state = State.CANCELLED if tree.cancelling and outcome.state is State.READY else outcome.state
        grows = state is State.DONE and not tree.cancelling and bool(outcome.spawn or outcome.then)
        if grows:
            if outcome.spawn:
                tree.spawn(row["id"], outcome.spawn)
            if outcome.then is not None:
                tree.follow(row["id"], outcome.then)
        leaf = state in ENDED and not grows and not row["open_children"] and not row["joins"]
        settled = _leaf_outcome(row, state) if leaf else None
        leaving.append(_leaving(row, outcome, state, settled, tree.now))
        if state in ENDED:
            tree.tally.count(state)
            tree.tally.size += leaving[-1]["set_size"]
            if settled is not None:
                leaves.append((row, settled))
            else:
                others.append(row["id"])
        elif not outcome.next_at or outcome.next_at <= tree.now:
            tree.tally.awake = True
        if outcome.history or state in {State.FAILED, State.CANCELLED}:
            tree.say(outcome.history or state, outcome.reason, row["id"])
    if leaving:
        tree.connection.execute(sql.leave, leaving)
    tree.settle(tree.count_children(leaves) | set(others))


def _leaf_outcome(row: Row, state: State) -> State:
    return State.FAILED if state is State.DONE and row["failed_children"] else state


def _leaving(row: Row, outcome: Outcome, state: State, settled: State | None, now: float) -> dict[str, Any]:
    what, done, total, size = outcome.progress or (row["what"], row["done"], row["total"], row["size"])
    ended = state in ENDED
    return {
        "step": row["id"],
        "to": state,
        "to_outcome": settled,
        "untried": int(outcome.counts == "untried"),
        "failed": int(outcome.counts == "failures"),
        "lost": int(outcome.counts == "losses"),
        "at": outcome.next_at if not ended and outcome.next_at is not None else now,
        "set_what": plain(what, 200),
        "set_done": done,
        "set_total": total,
        "set_size": size,
        "with_result": to_text(outcome.result) if state is State.DONE else None,
        "because": plain(outcome.reason),
        "ended": now if ended else None,
    }


def put_back(connection: Connection, job: str, ids: list[str], now: float) -> int:
    """Steps whose lease ended become ready again, or fail when that happened too often."""
    tree = Tree.locked(connection, job, now)
    rows = {row["id"]: row for row in connection.execute(sql.steps_by_ids, {"ids": ids}).mappings()}
    outcomes: list[Outcome] = []
    for row in rows.values():
        if row["state"] != State.RUNNING or row["lease_until"] >= now:
            continue
        losses = row["losses"] + 1
        worker = f"its worker {row['lease_owner']} was not heard of any more"
        if losses >= (row["max_losses"] or LOSSES):
            state, reason = State.FAILED, f"{worker}; that happened {losses} times, so it is not tried again"
        else:
            state, reason = State.READY, worker
        # The first return is at once, later ones wait: a step that kills its workers must not keep them all busy.
        wait = wait_after(row["id"], losses - 1) if losses > 1 else 0.0
        outcomes.append(
            Outcome(_shadow(row), state, reason=reason, next_at=now + wait, counts="losses", history="lost")
        )
    _apply(tree, outcomes, rows)
    tree.close()
    return len(outcomes)


def give_up(connection: Connection, job: str, ids: list[str], now: float) -> int:
    """Steps nobody knows how to do end as failed."""
    tree = Tree.locked(connection, job, now)
    rows = {row["id"]: row for row in connection.execute(sql.lock_steps, {"ids": ids}).mappings()}
    outcomes = [
        Outcome(_shadow(row), State.FAILED, reason=f"no worker knows a step called {row['name']!r}")
        for row in rows.values()
        if row["state"] == State.READY
    ]
    _apply(tree, outcomes, rows)
    tree.close()
    return len(outcomes)


def _shadow(row: Row) -> Claim:
    """The claim a step's row tells of, for outcomes the ledger itself decides."""
    return Claim(
        id=row["id"],
        job=row["job"],
        name=row["name"],
        given=None,
        fence=row["fence"],
        attempt=row["attempt"],
        failures=row["failures"],
        losses=row["losses"],
        max_failures=None,
        secrets=(),
        joins=None,
        lease_until=0.0,
        first_at=0.0,
    )
