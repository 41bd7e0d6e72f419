"""How a job's tree grows and ends: children, continuations, joins, and the end of the job.

A step *ends* (done, failed, cancelled) and, when all that came of it has ended too, has an *outcome*. A parent
counts its children without an outcome; when the last one has got one, the continuation becomes ready. With a
continuation, the continuation's outcome is the step's: it has seen which children failed and judged. Without
one, a failed child makes the step's outcome failed. Everything here runs inside a transaction that holds the
job's row (`lock_job`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from muniment.errors.jobs import JobNotFound, SubjectTaken
from muniment.jobs import statements as sql
from muniment.jobs.model import ENDED, Call, JobState, Json, Priority, State, derived, from_text, plain, to_text

Row = Mapping[Any, Any]


@dataclass(slots=True)
class Tally:
    """What one transaction changes in a job's counters, written once at its end."""

    made: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    size: int = 0
    awake: bool = False
    """Whether a step became ready that somebody might be waiting for."""

    def count(self, state: State) -> None:
        """Add one step that ended as `state`."""
        if state is State.DONE:
            self.done += 1
        elif state is State.FAILED:
            self.failed += 1
        else:
            self.cancelled += 1


@dataclass(slots=True)
class Tree:
    """One job's tree within one transaction."""

    connection: Connection
    job: Row
    now: float
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def locked(cls, connection: Connection, job: str, now: float) -> Tree:
        """Take the job's row; whoever else changes this tree waits until the transaction ends.

        Raises:
            JobNotFound: There is no such job.
        """
        row = connection.execute(sql.lock_job, {"job": job}).mappings().first()
        if row is None:
            raise JobNotFound(job=job)
        return cls(connection, row, now)

    @classmethod
    def planted(
        cls, connection: Connection, row: dict[str, object], call: Call, now: float, subjects: Sequence[str] = ()
    ) -> Tree:
        """A new job with its first step, about `subjects`.

        Raises:
            SubjectTaken: Another job is about one of them already.
        """
        for part in sql.chunks(subjects):
            taken = connection.execute(sql.open_subjects, {"kind": row["kind"], "subjects": part}).first()
            if taken is not None:
                raise SubjectTaken(subject=taken.subject, kind=row["kind"], job=taken.job)
        row["root"] = step_row(row, None, call, joins=False, now=now)["id"]
        connection.execute(sql.insert_job, row)
        about = [
            {"kind": row["kind"], "subject": each, "job": row["id"], "open": True} for each in dict.fromkeys(subjects)
        ]
        if about:
            connection.execute(sql.insert_subject, about)
        tree = cls(connection, row, now)
        tree._insert([tree._row(None, call, joins=False)])
        return tree

    @property
    def cancelling(self) -> bool:
        """Whether nothing new may begin in this job."""
        return bool(self.job["cancelling"])

    @property
    def paused(self) -> bool:
        """Whether nothing of this job may begin until it is told to go on."""
        return bool(self.job["paused"])

    def say(self, what: str, detail: str = "", step: str | None = None) -> None:
        """Write a line of the job's history."""
        line = {"job": self.job["id"], "step": step, "at": self.now, "what": what, "detail": plain(detail)}
        self.connection.execute(sql.insert_history, line)

    def spawn(self, parent: str, calls: Sequence[Call]) -> int:
        """Make the children that are not there yet; the number of new ones.

        Their ids follow from parent and content, so a step that runs twice spawns them once.
        """
        rows = {row["id"]: row for row in (self._row(parent, call, joins=False) for call in calls)}
        for ids in sql.chunks(rows):
            for known in self.connection.execute(sql.known_steps, {"ids": ids}).scalars():
                del rows[known]
        if rows:
            self._insert(list(rows.values()))
            self.connection.execute(sql.more_children, {"step": parent, "made": len(rows)})
        return len(rows)

    def follow(self, parent: str, call: Call) -> None:
        """Make the continuation of `parent`; it waits until no child is without an outcome."""
        row = self._row(parent, call, joins=True)
        row["state"] = State.WAITING
        self._insert([row])
        self.connection.execute(sql.set_follows, {"step": parent, "continuation": row["id"]})

    def _row(self, parent: str | None, call: Call, *, joins: bool) -> dict[str, Any]:
        return step_row(self.job, parent, call, joins=joins, now=self.now)

    def _insert(self, rows: list[dict[str, object]]) -> None:
        start = self.job["steps"] + self.tally.made
        for number, row in enumerate(rows, start + 1):
            row["number"] = number
        self.connection.execute(sql.insert_step, rows)
        self.tally.made += len(rows)
        self.tally.awake = True

    def settle(self, ids: Iterable[str]) -> None:
        """Follow the consequences of these steps having changed, up to the root."""
        work = set(ids)
        while work:
            rows = self._load(work)
            follows = self._load({row["follows"] for row in rows.values() if row["follows"]})
            ended: list[dict[str, str]] = []
            children: list[tuple[Row, State]] = []
            work = set()
            for row in rows.values():
                outcome = self._outcome(row, follows.get(row["follows"]))
                if outcome is None:
                    continue
                ended.append({"step": row["id"], "to_outcome": outcome})
                if row["joins"]:
                    work.add(row["parent"])
                else:
                    children.append((row, outcome))
            if ended:
                self.connection.execute(sql.set_outcome, ended)
            work |= self.count_children(children)

    def count_children(self, children: Iterable[tuple[Row, State]]) -> set[str]:
        """Tell the parents that these children have an outcome; the parents to look at next.

        A root without a parent ends the job.
        """
        sums: dict[str, list[int]] = {}
        for row, outcome in children:
            if row["parent"] is None:
                self._end(row, outcome)
                continue
            counts = sums.setdefault(row["parent"], [0, 0])
            counts[0] += 1
            counts[1] += outcome is not State.DONE
        if sums:
            self.connection.execute(
                sql.fewer_children,
                [{"step": step, "ended": sums[step][0], "failed": sums[step][1]} for step in sorted(sums)],
            )
        return set(sums)

    def _outcome(self, row: Row, follow: Row | None) -> State | None:
        """The outcome `row` has just got, or None; wakes its continuation when that is due."""
        if row["outcome"] is not None or row["state"] not in ENDED or row["open_children"]:
            return None
        if follow is None:
            state = State(row["state"])
            return State.FAILED if state is State.DONE and row["failed_children"] else state
        if follow["state"] == State.WAITING:
            to = State.PAUSED if self.paused else State.READY
            self.connection.execute(sql.wake_step, {"step": follow["id"], "now": self.now, "to": to})
            self.tally.awake = True
        return None if follow["outcome"] is None else State(follow["outcome"])

    def _load(self, ids: set[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for part in sql.chunks(ids):
            found.update(
                {row["id"]: row for row in self.connection.execute(sql.steps_by_ids, {"ids": part}).mappings()}
            )
        return found

    def _end(self, root: Row, outcome: State) -> None:
        """The job has ended: record how, erase its credentials, and give free what it was about."""
        state = JobState.CANCELLED if self.cancelling else JobState(outcome)
        reason = self._why(state)
        last = self._load({root["id"]})[root["id"]]  # anew: what was read before may lack the result
        while last["follows"]:
            last = self._load({last["follows"]})[last["follows"]]
        self.connection.execute(
            sql.end_job,
            {
                "of": self.job["id"],
                "to": state,
                "now": self.now,
                "with_result": last["result"] if state is JobState.DONE else None,
                "because": reason,
            },
        )
        self.connection.execute(sql.erase_secrets, {"of": self.job["id"]})
        self.connection.execute(sql.close_subjects, {"of": self.job["id"]})
        self.say(state, reason)

    def _why(self, state: JobState) -> str:
        if state is JobState.DONE:
            return ""
        failure = self.connection.execute(sql.first_failure, {"job": self.job["id"]}).first()
        return "" if failure is None else plain(f"{failure.name}: {failure.reason}")

    def close(self) -> None:
        """Write the counters; the last thing a transaction does with a tree."""
        tally = self.tally
        self.connection.execute(
            sql.count_job,
            {
                "of": self.job["id"],
                "made": tally.made,
                "ended_well": tally.done,
                "ended_badly": tally.failed,
                "ended_cancelled": tally.cancelled,
                "bytes": tally.size,
            },
        )


def job_row(
    job: str,
    kind: str,
    key: str | None,
    requester: str,
    priority: Priority,
    given: Json,
    digest: str,
    period: str | None,
    now: float,
) -> dict[str, object]:
    """A new row of `jobs`; its root is known when its first step is."""
    return {
        "id": job,
        "kind": kind,
        "key": key,
        "former_key": None,
        "requester": requester,
        "priority": priority.rank,
        "given": to_text(given),
        "digest": digest,
        "period": period,
        "root": "",
        "state": JobState.RUNNING,
        "cancelling": False,
        "created_at": now,
        "ended_at": None,
        "result": None,
        "reason": "",
        "steps": 0,
        "steps_done": 0,
        "steps_failed": 0,
        "steps_cancelled": 0,
        "size": 0,
        "paused": False,
    }


def step_row(job: Row, parent: str | None, call: Call, *, joins: bool, now: float) -> dict[str, object]:
    """The row of a step that is to be made."""
    given = to_text(call.given)
    mark = ["key", call.key] if call.key is not None else ["given", given]
    return {
        "id": derived(job["id"], parent, joins, call.name, mark),
        "job": job["id"],
        "parent": parent,
        "joins": joins,
        "follows": None,
        "name": call.name,
        "given": given,
        "secrets": to_text(list(call.secrets)),
        "priority": job["priority"],
        "state": State.PAUSED if job["paused"] else State.READY,
        "outcome": None,
        "open_children": 0,
        "failed_children": 0,
        "attempt": 0,
        "failures": 0,
        "losses": 0,
        "max_failures": call.failures,
        "max_losses": call.losses,
        "next_at": max(now, call.at or 0.0),
        "first_at": None,
        "sent_until": None,
        "lease_owner": None,
        "lease_until": None,
        "fence": 0,
        "what": "",
        "done": 0,
        "total": None,
        "size": 0,
        "result": None,
        "reason": "",
        "ended_at": None,
        "requester": job["requester"],
        "claimed_at": None,
        "outages": 0,
        "waits_for": None,
    }


def call_to_text(call: Call) -> str:
    """A call as canonical JSON, for the table of periods."""
    return to_text(
        {
            "name": call.name,
            "given": call.given,
            "key": call.key,
            "failures": call.failures,
            "losses": call.losses,
        }
    )


def call_from_text(text: str) -> Call:
    """The call that `call_to_text` wrote."""
    parts: Any = from_text(text)
    return Call(**parts)
