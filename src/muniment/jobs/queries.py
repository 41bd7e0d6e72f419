"""Looking into the ledger: jobs, steps, progress, history, workers. Nothing here changes anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select

from muniment.errors.jobs import JobNotFound, StepNotFound
from muniment.jobs import rows
from muniment.jobs import statements as sql
from muniment.jobs.database import Database
from muniment.jobs.model import HistoryLine, Job, JobState, Priority, Progress, State, StepRow, WorkerRow
from muniment.jobs.tree import Row

_PAGE = 500


class Looking:
    """The reading half of `Ledger`. Every method sees one consistent moment, and raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self.database = database

    def job(self, job: str) -> Job:
        """One job.

        Raises:
            JobNotFound: There is no such job.
        """
        row = self.database.read(lambda c: c.execute(sql.job_by_id, {"job": job}).mappings().first())
        if row is None:
            raise JobNotFound(job=job)
        return rows.job(row)

    def find(self, kind: str, key: str) -> Job | None:
        """The job of this kind that has this key now."""
        asked = {"kind": kind, "key": key}
        row = self.database.read(lambda c: c.execute(sql.job_by_key, asked).mappings().first())
        return None if row is None else rows.job(row)

    def jobs(
        self,
        *,
        kind: str | None = None,
        state: JobState | None = None,
        requester: str | None = None,
        after: Job | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Jobs, newest first; the next page begins `after` the last one of this."""
        filters = {"kind": kind, "state": state, "requester": requester}
        query = sql.jobs_page(filters, None if after is None else (after.created_at, after.id), limit)
        return [rows.job(row) for row in self.database.read(lambda c: c.execute(query).mappings().all())]

    def step(self, step: str) -> StepRow:
        """One step.

        Raises:
            StepNotFound: There is no such step.
        """
        row = self.database.read(lambda c: c.execute(sql.step_by_id, {"step": step}).mappings().first())
        if row is None:
            raise StepNotFound(step=step)
        return rows.step(row)

    def steps(self, job: str, *, state: State | None = None, name: str | None = None) -> Iterator[StepRow]:
        """The steps of a job in the order of their making, read page by page."""
        filters = {"state": state, "name": name}
        yield from self._paged(lambda after: sql.steps_page(job, filters, after, _PAGE))

    def children(self, step: str) -> Iterator[StepRow]:
        """The children of a step, without its continuation, in the order of their making, page by page."""
        yield from self._paged(lambda after: sql.children_page(step, after, _PAGE))

    def _paged(self, query: Callable[[int], Select[Any]]) -> Iterator[StepRow]:
        after = 0
        while True:
            asked = query(after)
            page = self.database.read(partial(_all, asked))
            yield from (rows.step(row) for row in page)
            if len(page) < _PAGE:
                return
            after = page[-1]["number"]

    def progress(self, job: str, *, running: int = 50) -> Progress:
        """How far a job is, with up to `running` of the steps under way. Costs the same for any size of job.

        Raises:
            JobNotFound: There is no such job.
        """

        def work(connection: Connection) -> Progress:
            row = connection.execute(sql.job_by_id, {"job": job}).mappings().first()
            if row is None:
                raise JobNotFound(job=job)
            found = connection.execute(sql.running_steps, {"job": job, "limit": running}).mappings().all()
            steps = tuple(rows.step(step) for step in found)
            return Progress(rows.job(row), steps, row["size"] + sum(step.size for step in steps))

        return self.database.read(work)

    def watch(self, job: str, *, every: float = 0.5, timeout: float | None = None) -> Iterator[Progress]:
        """The progress now, and again whenever it has changed, until the job has ended or `timeout` seconds are over.

        Raises:
            JobNotFound: There is no such job.
        """
        until = None if timeout is None else time.monotonic() + timeout
        last: Progress | None = None
        while True:
            now = self.progress(job)
            if now != last:
                yield now
            last = now
            if now.job.ended or (until is not None and time.monotonic() >= until):
                return
            time.sleep(every)

    def history(self, job: str, *, after: int = 0, limit: int = 1000) -> list[HistoryLine]:
        """What happened to a job besides steps ending well, from after line `after`."""
        asked = {"job": job, "after": after, "limit": limit}
        found = self.database.read(lambda c: c.execute(sql.history_page, asked).mappings().all())
        return [HistoryLine(**row) for row in found]

    def owed(self) -> dict[tuple[Priority, State], int]:
        """How many steps are ready and running, by queue."""
        found = self.database.read(lambda c: c.execute(sql.owed).all())
        return {(rows.PRIORITIES[rank], State(state)): count for rank, state, count in found}

    def periods(self) -> list[tuple[str, str, float]]:
        """Name, rule and next time (seconds since 1970 UTC) of the periodic jobs."""
        return self.database.read(lambda c: [(row.name, row.rule, row.next_at) for row in c.execute(sql.all_periods)])

    def workers(self, *, within: float = 120.0) -> list[WorkerRow]:
        """Workers that were heard of in the last `within` seconds."""
        since = self.database.now() - within
        found = self.database.read(lambda c: c.execute(sql.live_workers, {"since": since}).mappings().all())
        return [rows.worker(row) for row in found]


def _all(query: Select[Any], connection: Connection) -> Sequence[Row]:
    return connection.execute(query).mappings().all()
