"""Every statement the ledger sends to its database, by name, each with what it relies on.

Two rules hold the tree together. A step leaves `running` only in a transaction that first locks its job's row
(`lock_job`), so what one reads of a job's steps after that lock stays true until the commit. A claim takes only
`ready` steps, and never waits for a lock: it skips what another worker is just taking. In SQLite one writer has
the whole file, so the same statements hold without locks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, Update, and_, bindparam, case, delete, func, insert, literal_column, or_, select, update

from muniment.database.tables import history, jobs, outages, periods, secrets, steps, subjects, workers
from muniment.jobs.model import DISPATCHER

# Written out, not bound: a partial index is used only where the planner can see that its condition holds.
_ready = steps.c.state == literal_column("'ready'")
_running = steps.c.state == literal_column("'running'")
_job_running = jobs.c.state == literal_column("'running'")

# --- jobs

insert_job = insert(jobs)

job_by_id = select(jobs).where(jobs.c.id == bindparam("job"))

job_by_key = select(jobs).where(jobs.c.kind == bindparam("kind"), jobs.c.key == bindparam("key"))

# How many jobs this key had before: the number becomes part of the next one's id.
former_jobs = (
    select(func.count())
    .select_from(jobs)
    .where(jobs.c.kind == bindparam("kind"), jobs.c.former_key == bindparam("key"))
)

# The key of a job that ended badly goes to the one that follows it.
release_key = update(jobs).where(jobs.c.id == bindparam("job")).values(key=None, former_key=bindparam("freed"))

# All changes of a job's tree queue here. SQLite ignores FOR UPDATE; its writer already has the file.
lock_job = job_by_id.with_for_update()

request_cancel = update(jobs).where(jobs.c.id == bindparam("of"), _job_running).values(cancelling=True)

# Counters are added to, never set, and only under lock_job.
count_job = (
    update(jobs)
    .where(jobs.c.id == bindparam("of"))
    .values(
        steps=jobs.c.steps + bindparam("made"),
        steps_done=jobs.c.steps_done + bindparam("ended_well"),
        steps_failed=jobs.c.steps_failed + bindparam("ended_badly"),
        steps_cancelled=jobs.c.steps_cancelled + bindparam("ended_cancelled"),
        size=jobs.c.size + bindparam("bytes"),
    )
)

end_job = (
    update(jobs)
    .where(jobs.c.id == bindparam("of"))
    .values(
        state=bindparam("to"), ended_at=bindparam("now"), result=bindparam("with_result"), reason=bindparam("because")
    )
)

# What a worker asks about the jobs it has steps of; few, so one IN list.
_given_up = or_(jobs.c.cancelling, jobs.c.state != "running")
stopped_among = select(jobs.c.id, _given_up.label("given_up")).where(
    jobs.c.id.in_(bindparam("jobs", expanding=True)), or_(_given_up, jobs.c.paused)
)

# At most one run of a period is outstanding.
running_of_period = select(jobs.c.id).where(jobs.c.period == bindparam("period"), _job_running).limit(1)


def jobs_page(filters: dict[str, Any], after: tuple[float, str] | None, limit: int) -> Select[object]:
    """Jobs, newest first, from below `after` (time and id of the last one seen)."""
    query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
    for name, value in filters.items():
        if value is not None:
            query = query.where(jobs.c[name] == value)
    if after is not None:
        at, last = after
        query = query.where(or_(jobs.c.created_at < at, and_(jobs.c.created_at == at, jobs.c.id < last)))
    return query


# --- steps

insert_step = insert(steps)

step_by_id = select(steps).where(steps.c.id == bindparam("step"))

steps_by_ids = select(steps).where(steps.c.id.in_(bindparam("ids", expanding=True)))

# For a step that leaves `ready` otherwise than by a claim: a claim meanwhile finds it taken and skips it.
lock_steps = steps_by_ids.with_for_update()

# Which of these were made before: a step that runs twice spawns its children once.
known_steps = select(steps.c.id).where(steps.c.id.in_(bindparam("ids", expanding=True)))

# Ids alone, then `take` by id: as one statement PostgreSQL may run the inner SELECT once per row of the
# outer and take more than the limit. Rows another claim holds are skipped, so claims never wait.
ready_steps = (
    select(steps.c.id)
    .where(
        _ready,
        steps.c.priority == bindparam("rank"),
        steps.c.next_at <= bindparam("now"),
        steps.c.name.in_(bindparam("names", expanding=True)),
    )
    .order_by(steps.c.priority, steps.c.next_at, steps.c.number)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)

ready_of_requester = ready_steps.where(steps.c.requester == bindparam("requester"))


def _requesters() -> Select[Any]:
    """Who has steps due in a queue, found by two looks into the index for each and not by reading all steps."""
    queue = select(func.min(steps.c.requester)).where(_ready, steps.c.priority == bindparam("rank"))
    found = queue.with_only_columns(func.min(steps.c.requester).label("requester")).cte("found", recursive=True)
    after = queue.where(steps.c.requester > found.c.requester).scalar_subquery()
    found = found.union_all(select(after).where(found.c.requester.is_not(None)))
    first = select(func.min(steps.c.next_at)).where(
        _ready, steps.c.priority == bindparam("rank"), steps.c.requester == found.c.requester
    )
    return select(found.c.requester).where(first.scalar_subquery() <= bindparam("now"))


requesters = _requesters()

running_by_requester = select(steps.c.requester, func.count()).where(_running).group_by(steps.c.requester)

# The fence grows with every claim, so whoever held the step before can no longer end it.
take = (
    update(steps)
    .where(steps.c.id.in_(bindparam("ids", expanding=True)), _ready)
    .values(
        state="running",
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
        fence=steps.c.fence + 1,
        attempt=steps.c.attempt + 1,
        sent_until=None,
        claimed_at=bindparam("now"),
        first_at=func.coalesce(steps.c.first_at, bindparam("now")),
    )
    .returning(
        steps.c.id,
        steps.c.job,
        steps.c.parent,
        steps.c.joins,
        steps.c.name,
        steps.c.given,
        steps.c.secrets,
        steps.c.priority,
        steps.c.fence,
        steps.c.attempt,
        steps.c.failures,
        steps.c.losses,
        steps.c.max_failures,
        steps.c.lease_until,
        steps.c.first_at,
        steps.c.number,
    )
)

# The heartbeat. Only rows that still carry the owner's name are renewed.
renew = update(steps).where(steps.c.lease_owner == bindparam("owner"), _running).values(lease_until=bindparam("until"))

held = select(steps.c.id, steps.c.fence).where(steps.c.lease_owner == bindparam("owner"), _running)

write_progress = (
    update(steps)
    .where(steps.c.id == bindparam("step"), steps.c.fence == bindparam("held_fence"), _running)
    .values(
        what=bindparam("set_what"), done=bindparam("set_done"), total=bindparam("set_total"), size=bindparam("set_size")
    )
)

# Leaving `running`: only after lock_job and a look at state and fence, hence no condition here.
leave = (
    update(steps)
    .where(steps.c.id == bindparam("step"))
    .values(
        state=bindparam("to"),
        outcome=bindparam("to_outcome"),
        attempt=steps.c.attempt - bindparam("untried"),
        failures=steps.c.failures + bindparam("failed"),
        losses=steps.c.losses + bindparam("lost"),
        next_at=bindparam("at"),
        lease_owner=None,
        lease_until=None,
        sent_until=None,
        what=bindparam("set_what"),
        done=bindparam("set_done"),
        total=bindparam("set_total"),
        size=bindparam("set_size"),
        result=bindparam("with_result"),
        reason=bindparam("because"),
        ended_at=bindparam("ended"),
        outages=bindparam("met"),
        waits_for=bindparam("for_what"),
        first_at=case((bindparam("met") > 0, None), else_=steps.c.first_at),  # patience is not used up by outages
    )
)

# Under lock_job. A step with children under way must not look as if it had none.
more_children = (
    update(steps).where(steps.c.id == bindparam("step")).values(open_children=steps.c.open_children + bindparam("made"))
)

fewer_children = (
    update(steps)
    .where(steps.c.id == bindparam("step"))
    .values(
        open_children=steps.c.open_children - bindparam("ended"),
        failed_children=steps.c.failed_children + bindparam("failed"),
    )
)

set_follows = update(steps).where(steps.c.id == bindparam("step")).values(follows=bindparam("continuation"))

set_outcome = update(steps).where(steps.c.id == bindparam("step")).values(outcome=bindparam("to_outcome"))

# The join: the last child has ended, so the continuation may run. Only ever from `waiting`.
wake_step = (
    update(steps)
    .where(steps.c.id == bindparam("step"), steps.c.state == "waiting")
    .values(state=bindparam("to"), next_at=bindparam("now"))
)

# A job that is paused: what is ready is put aside, with the time it was due.
pause_steps = update(steps).where(steps.c.job == bindparam("of"), _ready).values(state="paused", sent_until=None)
go_on_with_steps = update(steps).where(steps.c.job == bindparam("of"), steps.c.state == "paused").values(state="ready")
set_priority = update(jobs).where(jobs.c.id == bindparam("of")).values(priority=bindparam("to"))
set_priority_of_steps = (
    update(steps).where(steps.c.job == bindparam("of"), steps.c.ended_at.is_(None)).values(priority=bindparam("to"))
)
set_paused = update(jobs).where(jobs.c.id == bindparam("of"), _job_running).values(paused=bindparam("to"))

# What waits is due now: of a job, or of all that wait for the same.
wake_job = (
    update(steps)
    .where(steps.c.job == bindparam("of"), _ready, steps.c.next_at > bindparam("now"))
    .values(next_at=bindparam("now"), sent_until=None)
)
wake_waiting = (
    update(steps)
    .where(_ready, steps.c.waits_for == bindparam("for_what"), steps.c.next_at > bindparam("now"))
    .values(next_at=bindparam("now"), sent_until=None)
)

# Steps nobody has begun (again) end at once when the job is cancelled; running ones hear of it by heartbeat.
cancel_steps = (
    update(steps)
    .where(steps.c.job == bindparam("of"), steps.c.state.in_(("waiting", "ready", "paused")))
    .values(state="cancelled", ended_at=bindparam("now"), sent_until=None, waits_for=None)
    .returning(steps.c.id)
)

# --- outages

outage_by_name = select(outages).where(outages.c.name == bindparam("outage")).with_for_update()
insert_outage = insert(outages)
set_probe = update(outages).where(outages.c.name == bindparam("outage")).values(probe=bindparam("to_probe"))
end_outage = delete(outages).where(outages.c.name == bindparam("outage"))
all_outages = select(outages).order_by(outages.c.since, outages.c.name)
some_waiting = (
    select(steps.c.id)
    .where(_ready, steps.c.waits_for == bindparam("for_what"))
    .order_by(steps.c.next_at, steps.c.number)
    .limit(1)
)
# A step keeps the name of what it waits for while it tries again, and gives it up when it ends.
any_waits = select(steps.c.id).where(steps.c.waits_for == bindparam("for_what")).limit(1)
waits_still = any_waits.where(steps.c.id == bindparam("step"))
hasten = (
    update(steps)
    .where(steps.c.id == bindparam("step"), _ready, steps.c.next_at > bindparam("at"))
    .values(next_at=bindparam("at"), sent_until=None)
)

# What is long due and unknown to every worker that was seen lately, by name.
unknown_names = (
    select(steps.c.name)
    .distinct()
    .where(
        _ready,
        steps.c.next_at < bindparam("before"),
        steps.c.name.not_in(bindparam("names", expanding=True)),
        steps.c.waits_for.is_(None),
    )
    .limit(bindparam("limit"))
)
set_waits = (
    update(steps)
    .where(_ready, steps.c.name == bindparam("of_name"), steps.c.waits_for.is_(None))
    .values(waits_for=bindparam("for_what"))
)

# Whose worker was not heard of in time. Read without a lock; `leave` follows under lock_job and looks again.
expired_steps = (
    select(steps.c.id, steps.c.job)
    .where(_running, steps.c.lease_until < bindparam("now"), steps.c.lease_owner != bindparam("by"))
    .order_by(steps.c.lease_until)
    .limit(bindparam("limit"))
)

# What a broker is to be told of, and when it may be told again should the message be lost.
unsent_steps = (
    select(steps.c.id)
    .where(
        _ready,
        steps.c.priority == bindparam("rank"),
        steps.c.next_at <= bindparam("now"),
        or_(steps.c.sent_until.is_(None), steps.c.sent_until <= bindparam("lost")),
    )
    .order_by(steps.c.priority, steps.c.next_at, steps.c.number)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)

mark_sent: Update = (
    update(steps).where(steps.c.id.in_(bindparam("ids", expanding=True)), _ready).values(sent_until=bindparam("until"))
)

# The reason of a failed job is that of its first failed step.
first_failure = (
    select(steps.c.name, steps.c.reason)
    .where(steps.c.job == bindparam("job"), steps.c.state == "failed")
    .order_by(steps.c.ended_at, steps.c.number)
    .limit(1)
)

running_steps = (
    select(steps).where(steps.c.job == bindparam("job"), _running).order_by(steps.c.number).limit(bindparam("limit"))
)

# What is owed, by queue and state; ended steps are left out, they are too many to count on each look.
owed = (
    select(steps.c.priority, steps.c.state, func.count())
    .where(steps.c.state.in_(("ready", "running")))
    .group_by(steps.c.priority, steps.c.state)
)


def steps_page(job: str, filters: dict[str, Any], after: int, limit: int) -> Select[object]:
    """Steps of a job in the order of their making, after number `after`."""
    query = select(steps).where(steps.c.job == job, steps.c.number > after).order_by(steps.c.number).limit(limit)
    for name, value in filters.items():
        if value is not None:
            query = query.where(steps.c[name] == value)
    return query


def children_page(parent: str, after: int, limit: int) -> Select[object]:
    """Children of a step without its continuation, for the continuation that looks at what it joins."""
    return (
        select(steps)
        .where(steps.c.parent == parent, steps.c.joins.is_(False), steps.c.number > after)
        .order_by(steps.c.number)
        .limit(limit)
    )


# --- subjects

insert_subject = insert(subjects)
# Of one kind, one thing has one job at a time; a partial index keeps it so when two ask at once.
open_subjects = select(subjects.c.subject, subjects.c.job).where(
    subjects.c.kind == bindparam("kind"),
    subjects.c.subject.in_(bindparam("subjects", expanding=True)),
    subjects.c.open,
)
subjects_of = select(subjects.c.subject).where(subjects.c.job == bindparam("of"))
close_subjects = update(subjects).where(subjects.c.job == bindparam("of"), subjects.c.open).values(open=False)
newest_about = (
    select(jobs)
    .join(subjects, subjects.c.job == jobs.c.id)
    .where(subjects.c.kind == bindparam("kind"), subjects.c.subject == bindparam("subject"))
    .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    .limit(1)
)

# --- credentials

insert_secret = insert(secrets)
secrets_of = select(secrets).where(
    secrets.c.job == bindparam("job"), secrets.c.name.in_(bindparam("names", expanding=True))
)
erase_secrets = delete(secrets).where(secrets.c.job == bindparam("of"))
secrets_under_other_keys = select(secrets).where(secrets.c.key_id != bindparam("key_id")).limit(bindparam("limit"))
# Only if it is still there: a job that ends while keys are rotated must not get its credentials back.
reseal = (
    update(secrets)
    .where(secrets.c.job == bindparam("of"), secrets.c.name == bindparam("named"))
    .values(key_id=bindparam("to_key"), sealed=bindparam("to_sealed"))
)

any_with_secrets = select(steps.c.id).where(steps.c.job == bindparam("of"), steps.c.secrets != "[]").limit(1)

# --- history, periods, workers

insert_history = insert(history)
history_page = (
    select(history)
    .where(history.c.job == bindparam("job"), history.c.seq > bindparam("after"))
    .order_by(history.c.seq)
    .limit(bindparam("limit"))
)

insert_period = insert(periods)
period_by_name = select(periods).where(periods.c.name == bindparam("period")).with_for_update()
change_period = (
    update(periods)
    .where(periods.c.name == bindparam("period"))
    .values(
        rule=bindparam("to_rule"),
        kind=bindparam("to_kind"),
        call=bindparam("to_call"),
        requester=bindparam("to_requester"),
        priority=bindparam("to_priority"),
        next_at=bindparam("at"),
    )
)
delete_period = delete(periods).where(periods.c.name == bindparam("period"))
due_periods = select(periods).where(periods.c.next_at <= bindparam("now")).with_for_update(skip_locked=True)
all_periods = select(periods).order_by(periods.c.name)
move_period = (
    update(periods)
    .where(periods.c.name == bindparam("period"))
    .values(next_at=bindparam("at"), last_job=func.coalesce(bindparam("made"), periods.c.last_job))
)

insert_worker = insert(workers)
see_worker = update(workers).where(workers.c.id == bindparam("worker")).values(seen_at=bindparam("now"))
forget_worker = delete(workers).where(workers.c.id == bindparam("worker"))
forget_workers = delete(workers).where(workers.c.seen_at < bindparam("before"))
count_workers = select(func.count()).where(workers.c.seen_at >= bindparam("since"), workers.c.engine != DISPATCHER)
live_workers = select(workers).where(workers.c.seen_at >= bindparam("since")).order_by(workers.c.started_at)


def chunks(ids: Collection[str], size: int = 500) -> Sequence[list[str]]:
    """`ids` in lists short enough for one IN list."""
    ordered = list(ids)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
