"""Recording: what the end of a step, its failure, or the loss of its worker changes in the ledger's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from muniment.jobs import statements as sql
from muniment.jobs.model import ENDED, Claim, Outcome, State, plain, to_text
from muniment.jobs.tree import Row, Tree
from muniment.jobs.waiting import News, Outages, Wait, wait_after

FAILURES = 5
"""How often a step may raise before it ends as failed, where nothing else is said."""
LOSSES = 10
"""How often a step's worker may vanish before the step ends as failed, where nothing else is said."""


def holds(claim: Claim, row: Row) -> bool:
    """Whether the claim is still the newest one."""
    return bool(row["state"] == State.RUNNING and row["fence"] == claim.fence)


@dataclass(slots=True)
class RecordResult:
    """What recording changed beside the steps themselves."""

    refused: list[Outcome] = field(default_factory=list)
    """Outcomes that came too late."""
    awake: bool = False
    """Whether something became ready that others could take."""
    news: News = field(default_factory=News)


def record(connection: Connection, outcomes: Sequence[Outcome], now: float) -> RecordResult:
    """Record outcomes."""
    jobs: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        jobs.setdefault(outcome.claim.job, []).append(outcome)
    recorded = RecordResult()
    outages = Outages(connection, now, recorded.news)
    for job in sorted(jobs):  # always in this order: two workers with the same two jobs must not wait for each other
        tree = Tree.locked(connection, job, now)
        rows: dict[str, Row] = {}
        for ids in sql.chunks({outcome.claim.id for outcome in jobs[job]}):
            rows.update({row["id"]: row for row in connection.execute(sql.steps_by_ids, {"ids": ids}).mappings()})
        kept: list[Outcome] = []
        for outcome in jobs[job]:
            (kept if holds(outcome.claim, rows[outcome.claim.id]) else recorded.refused).append(outcome)
        _apply(tree, kept, rows, outages)
        tree.close()
        recorded.awake = recorded.awake or tree.tally.awake
    recorded.awake = outages.settle() or recorded.awake
    return recorded


def _apply(tree: Tree, outcomes: Sequence[Outcome], rows: Mapping[str, Row], outages: Outages) -> None:
    """Write what became of these steps, all of them held, and follow the consequences."""
    leaving: list[dict[str, Any]] = []
    leaves: list[tuple[Row, State]] = []
    others: list[str] = []
    for outcome in outcomes:
        row = rows[outcome.claim.id]
        state = _state(tree, outcome)
        wait = outages.wait(row, outcome)
        grows = state is State.DONE and not tree.cancelling and bool(outcome.spawn or outcome.then)
        if grows:
            if outcome.spawn:
                tree.spawn(row["id"], outcome.spawn)
            if outcome.then is not None:
                tree.follow(row["id"], outcome.then)
        leaf = state in ENDED and not grows and not row["open_children"] and not row["joins"]
        settled = _leaf_outcome(row, state) if leaf else None
        leaving.append(_leaving(row, outcome, state, settled, wait, tree.now))
        if state in ENDED:
            tree.tally.count(state)
            tree.tally.size += leaving[-1]["set_size"]
            if settled is not None:
                leaves.append((row, settled))
            else:
                others.append(row["id"])
        elif state is State.READY and leaving[-1]["at"] <= tree.now:
            tree.tally.awake = True
        if wait.news:
            tree.say("waits", wait.news, row["id"])
        if outcome.history or state in {State.FAILED, State.CANCELLED}:
            tree.say(outcome.history or state, outcome.reason, row["id"])
    if leaving:
        tree.connection.execute(sql.leave, leaving)
    tree.settle(tree.count_children(leaves) | set(others))


def _leaf_outcome(row: Row, state: State) -> State:
    return State.FAILED if state is State.DONE and row["failed_children"] else state


def _state(tree: Tree, outcome: Outcome) -> State:
    """What a step becomes: one that is to run again does not while its job is cancelled or paused."""
    if outcome.state is State.READY and tree.cancelling:
        return State.CANCELLED
    if outcome.state is State.READY and tree.paused:
        return State.PAUSED
    return outcome.state


def _leaving(
    row: Row, outcome: Outcome, state: State, settled: State | None, wait: Wait, now: float
) -> dict[str, object]:
    what, done, total, size = outcome.progress or (row["what"], row["done"], row["total"], row["size"])
    ended = state in ENDED
    at = outcome.next_at if wait.until is None else wait.until
    return {
        "step": row["id"],
        "to": state,
        "to_outcome": settled,
        "untried": int(outcome.counts == "untried"),
        "failed": int(outcome.counts == "failures"),
        "lost": int(outcome.counts == "losses"),
        "at": at if not ended and at is not None else now,
        "set_what": plain(what, 200),
        "set_done": done,
        "set_total": total,
        "set_size": size,
        "with_result": to_text(outcome.result) if state is State.DONE else None,
        "because": plain(outcome.reason),
        "ended": now if ended else None,
        "met": 0 if ended else wait.met,
        "for_what": None if ended else wait.name,
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
    _apply(tree, outcomes, rows, Outages(connection, now, News()))
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
