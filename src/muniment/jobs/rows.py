"""Turns database rows into the ledger's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muniment.jobs.model import Job, JobState, Priority, State, StepRow, WorkerRow, from_text

PRIORITIES = {priority.rank: priority for priority in Priority}


def job(row: Mapping[Any, Any], *, new: bool = False) -> Job:
    """A row of `jobs`."""
    return Job(
        id=row["id"],
        kind=row["kind"],
        key=row["key"],
        requester=row["requester"],
        priority=PRIORITIES[row["priority"]],
        given=from_text(row["given"]),
        state=JobState(row["state"]),
        cancelling=bool(row["cancelling"]),
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        result=from_text(row["result"]),
        reason=row["reason"],
        steps=row["steps"],
        steps_done=row["steps_done"],
        steps_failed=row["steps_failed"],
        steps_cancelled=row["steps_cancelled"],
        size=row["size"],
        paused=bool(row["paused"]),
        new=new,
    )


def step(row: Mapping[Any, Any]) -> StepRow:
    """A row of `steps`."""
    return StepRow(
        id=row["id"],
        job=row["job"],
        parent=row["parent"],
        name=row["name"],
        given=from_text(row["given"]),
        state=State(row["state"]),
        outcome=None if row["outcome"] is None else State(row["outcome"]),
        attempt=row["attempt"],
        failures=row["failures"],
        losses=row["losses"],
        next_at=row["next_at"],
        fence=row["fence"],
        lease_owner=row["lease_owner"],
        lease_until=row["lease_until"],
        what=row["what"],
        done=row["done"],
        total=row["total"],
        size=row["size"],
        result=from_text(row["result"]),
        reason=row["reason"],
        ended_at=row["ended_at"],
        requester=row["requester"],
        claimed_at=row["claimed_at"],
        waits_for=row["waits_for"],
    )


def worker(row: Mapping[Any, Any]) -> WorkerRow:
    """A row of `workers`."""
    names: Any = from_text(row["names"])
    return WorkerRow(row["id"], row["engine"], tuple(names), row["started_at"], row["seen_at"])
