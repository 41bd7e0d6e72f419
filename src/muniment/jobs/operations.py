"""What an operator sees at a glance: what is owed, what holds it up, who works on what, and what failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select, text

from muniment.database import Database
from muniment.database.tables import jobs, steps
from muniment.jobs import limits, rows
from muniment.jobs import statements as sql
from muniment.jobs.limits import ClosedLimit
from muniment.jobs.model import DISPATCHER, Job, OutageRow, Priority, State, StepRow, WorkerRow
from muniment.jobs.rows import PRIORITIES

ALIVE = 180.0
"""Seconds after which a worker that was not heard of counts as gone. Each says three times in them that it lives."""
LISTED = 50
"""Jobs in each list at most: where there are so many, there may be more."""
_FAILED_WITHIN = 30 * 86400.0
_LOOKED_AT = 200
"""Steps of a job that are looked at for what it waits for."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many steps of a kind of job stand in one queue and one state."""

    queue: Priority
    kind: str
    state: State
    steps: int


@dataclass(frozen=True, slots=True)
class HeldStep:
    """A step in a worker's hands. `since` is in seconds since 1970 UTC."""

    step: StepRow
    kind: str
    key: str | None
    since: float


@dataclass(frozen=True, slots=True)
class WorkerAtWork:
    """A worker with what it holds. One that announced nothing and holds something has no `row`."""

    id: str
    row: WorkerRow | None
    holds: tuple[HeldStep, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job that has not ended, and what it waits for; None while something of it is being done.

    `until` is when it is tried again, in seconds since 1970 UTC, as far as that is known.
    """

    job: Job
    running: int
    waits_for: str | None
    until: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaitingSteps:
    """How many steps wait for one thing: an outage, or a closed limit."""

    waits_for: str
    steps: int


@dataclass(frozen=True, slots=True)
class Operations:
    """One consistent moment of a ledger. Times are seconds since 1970 UTC."""

    at: float
    depths: tuple[QueueDepth, ...]
    oldest_due: Mapping[Priority, float]
    """Since when the step that waits longest for a free worker is due, by queue; empty queues are left out."""
    workers: tuple[WorkerAtWork, ...]
    limits: tuple[ClosedLimit, ...]
    outages: tuple[OutageRow, ...]
    held_up: tuple[WaitingSteps, ...]
    jobs: tuple[WaitingJob, ...]
    """Jobs that have not ended, the oldest first; not more than fifty."""
    failed: tuple[Job, ...]
    """Jobs of the last thirty days that failed, the newest first; not more than fifty."""
    jobs_by_state: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many jobs of the last thirty days, by kind and state."""

    @property
    def alive(self) -> int:
        """How many workers said lately that they live."""
        return sum(worker.row is not None and worker.row.engine != DISPATCHER for worker in self.workers)


_is_running = text("jobs.state = 'running'")

# Through the index of jobs under way to the counts of their steps: steps that have ended are not looked at.
_depths = (
    select(jobs.c.priority, jobs.c.kind, steps.c.state, func.count())
    .join(steps, steps.c.job == jobs.c.id)
    .where(_is_running, steps.c.state.in_(("ready", "running", "paused", "waiting")))
    .group_by(jobs.c.priority, jobs.c.kind, steps.c.state)
    .order_by(jobs.c.priority, jobs.c.kind, steps.c.state)
)
_oldest_due = select(func.min(steps.c.next_at)).where(
    text("steps.state = 'ready'"), steps.c.priority == bindparam("rank"), steps.c.next_at <= bindparam("now")
)
_held = (
    select(steps, jobs.c.kind, jobs.c.key)
    .join(jobs, steps.c.job == jobs.c.id)
    .where(text("steps.state = 'running'"))
    .order_by(steps.c.claimed_at, steps.c.id)
)
_held_up = (
    select(steps.c.waits_for, func.count())
    .where(text("steps.waits_for IS NOT NULL"))
    .group_by(steps.c.waits_for)
    .order_by(steps.c.waits_for)
)
_under_way = select(jobs).where(_is_running).order_by(jobs.c.created_at, jobs.c.id).limit(bindparam("limit"))
_theirs = jobs.c.requester == bindparam("requester")
_running_of = select(func.count()).where(steps.c.job == bindparam("of"), steps.c.state == "running")
_some_ready = (
    select(steps.c.next_at, steps.c.waits_for, steps.c.reason)
    .where(steps.c.job == bindparam("of"), steps.c.state == "ready")
    .limit(_LOOKED_AT)
    .subquery()
)
_next_ready = select(_some_ready).order_by(_some_ready.c.next_at).limit(1)
_failed = (
    select(jobs)
    .where(jobs.c.created_at >= bindparam("since"), jobs.c.state == "failed")
    .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    .limit(bindparam("limit"))
)
_jobs_by_state = (
    select(jobs.c.kind, jobs.c.state, func.count())
    .where(jobs.c.created_at >= bindparam("since"))
    .group_by(jobs.c.kind, jobs.c.state)
)


def look(database: Database, *, within: float = ALIVE, limit: int = LISTED, requester: str | None = None) -> Operations:
    """What there is to see. Workers count as alive that were heard of `within` seconds; lists have up to `limit` jobs.

    With a `requester` the lists have that one's jobs alone. It costs the same however many steps have ended.

    Raises:
        DatabaseUnavailable: It cannot be known.
    """
    now = database.now()

    def work(connection: Connection) -> Operations:
        depths = (
            QueueDepth(PRIORITIES[rank], kind, State(state), count)
            for rank, kind, state, count in connection.execute(_depths)
        )
        oldest = {
            queue: connection.scalar(_oldest_due, {"rank": queue.rank, "now": now}) for queue in PRIORITIES.values()
        }
        since = {"since": now - _FAILED_WITHIN}
        by_state = {(kind, str(state)): count for kind, state, count in connection.execute(_jobs_by_state, since)}
        closed = connection.execute(limits.closed_now, {"now": now}).all()
        outages = connection.execute(sql.all_outages).all()
        listed, failures = _under_way, _failed
        asked: dict[str, object] = {"limit": limit}
        if requester is not None:
            listed, failures = listed.where(_theirs), failures.where(_theirs)
            asked |= {"requester": requester}
        under_way = connection.execute(listed, asked).mappings().all()
        failed = connection.execute(failures, {**since, **asked}).mappings().all()
        return Operations(
            at=now,
            depths=tuple(depths),
            oldest_due={queue: at for queue, at in oldest.items() if at is not None},
            workers=_workers(connection, now - within),
            limits=tuple(ClosedLimit(row.name, row.closed_until, row.closed_by) for row in closed),
            outages=tuple(OutageRow(row.name, row.since, row.reason) for row in outages),
            held_up=tuple(WaitingSteps(name, count) for name, count in connection.execute(_held_up)),
            jobs=tuple(_waiting(connection, rows.job(row), now) for row in under_way),
            failed=tuple(rows.job(row) for row in failed),
            jobs_by_state=by_state,
        )

    return database.read(work)


def _workers(connection: Connection, since: float) -> tuple[WorkerAtWork, ...]:
    """Those that were heard of, and those that hold something though nothing was heard of them."""
    known = {row["id"]: rows.worker(row) for row in connection.execute(sql.live_workers, {"since": since}).mappings()}
    holds: dict[str, list[HeldStep]] = {}
    for row in connection.execute(_held).mappings():
        # The processes of one worker go by its name with a number behind it.
        whose = str(row["lease_owner"]).partition("/")[0]
        held = HeldStep(rows.step(row), row["kind"], row["key"], row["claimed_at"] or 0.0)
        holds.setdefault(whose, []).append(held)
    names = [*known, *sorted(set(holds) - set(known))]
    return tuple(WorkerAtWork(name, known.get(name), tuple(holds.get(name, ()))) for name in names)


def _waiting(connection: Connection, job: Job, now: float) -> WaitingJob:
    running = int(connection.scalar(_running_of, {"of": job.id}) or 0)
    if job.cancelling:
        return WaitingJob(job, running, "the end of what is being cancelled" if running else "a free worker")
    if job.paused:
        return WaitingJob(job, running, "somebody who resumes it")
    if running:
        return WaitingJob(job, running, None)
    found = connection.execute(_next_ready, {"of": job.id}).first()
    if found is None:
        return WaitingJob(job, running, None)
    if found.waits_for is not None:
        return WaitingJob(job, running, found.waits_for, found.next_at, found.reason)
    if found.next_at <= now:
        return WaitingJob(job, running, "a free worker")
    return WaitingJob(job, running, "its time to be tried again", found.next_at, found.reason)
