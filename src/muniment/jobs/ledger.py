"""The ledger: what was asked, by whom, what is done and what is owed.

`Ledger` is the requesters' side: submit, look, cancel. The workers' side is `muniment.jobs.leases`, reached as
`ledger.leases`. Both are thread-safe, and any number of processes may use one ledger.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Select

from muniment.database import Clock, Database
from muniment.errors.jobs import (
    BadSubmission,
    JobNotFound,
    KeyUsed,
    NoKeyFile,
    SecretNotGiven,
    StepNotFound,
    SubjectTaken,
)
from muniment.jobs import rows
from muniment.jobs import statements as sql
from muniment.jobs.control import JobControl
from muniment.jobs.keyring import Keyring, Redaction
from muniment.jobs.leases import Leases
from muniment.jobs.limits import ServiceLimits
from muniment.jobs.model import (
    Call,
    Claim,
    HistoryLine,
    Job,
    JobState,
    Json,
    Priority,
    Progress,
    State,
    StepRow,
    WorkerRow,
    derived,
    to_text,
)
from muniment.jobs.schedules import Period, due_after
from muniment.jobs.tree import Row, Tree, call_from_text, call_to_text, job_row

_LONGEST_NAME = 200
_PAGE = 500


class Ledger:
    """Open with `Ledger.open`. `clock` gives seconds since 1970 UTC; leave it out but in tests.

    Every method that looks sees one consistent moment; every method may raise DatabaseUnavailable.
    """

    def __init__(self, database: Database, keyring: Keyring | None = None) -> None:
        """Use `database`, which whoever opened it closes, and `keyring` for the credentials of jobs."""
        self.database = database
        self._opened_here = False
        self.leases = Leases(database)
        self.limits = ServiceLimits(database)
        self.control = JobControl(database, self.awake)
        self._keyring = keyring
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    def open(
        cls,
        place: str | Path,
        *,
        keyring: Keyring | None = None,
        clock: Clock | None = None,
        migrate: bool | None = None,
    ) -> Ledger:
        """Open the database at `place`, a file (SQLite) or a `postgresql://` address, for the ledger alone.

        Raises:
            MunimentError: As `Database.open`.
        """
        opened = cls(Database.open(place, clock, migrate=migrate), keyring)
        opened._opened_here = True
        return opened

    def close(self) -> None:
        """Give up the database, if it was opened here."""
        if self._opened_here:
            self.database.close()

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

    def about(self, kind: str, subject: str) -> Job | None:
        """The newest job of this kind that is, or was, about a subject."""
        asked = {"kind": kind, "subject": subject}
        row = self.database.read(lambda c: c.execute(sql.newest_about, asked).mappings().first())
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- asking

    def submit(
        self,
        kind: str,
        call: Call,
        *,
        requester: str,
        given: Json = None,
        priority: Priority = Priority.BULK,
        key: str | None = None,
        secrets: Mapping[str, Json] | None = None,
        after_failure: bool = False,
        subjects: Sequence[str] = (),
    ) -> Job:
        """Put a job into the ledger; when this returns it survives a power cut.

        `call` is its first step; `given` what the requester said, for the record. A second submission with the
        same `kind` and `key` and equal content returns the first one's job (`new` is False); with
        `after_failure` it makes a new job if the first one failed or was cancelled. Credentials go into
        `secrets` and nowhere else: name to value, shown to the steps whose calls name them. `subjects` are what
        the job is about: while it runs no other of its `kind` may be about any of them.

        Raises:
            SubjectTaken: Another job is about one of `subjects` already.
            KeyUsed: The key belongs to a job with other content.
            BadSubmission: Something in it cannot be kept.
            NoKeyFile: It brings credentials and the ledger has no keys.
            DatabaseUnavailable: Nothing was recorded.
        """
        _check_words(kind=kind, requester=requester, key=key)
        self._check_secrets(call, given, secrets or {})
        digest = hashlib.sha256(
            to_text([call.name, call.given, call.key, given, int(priority.rank)]).encode()
        ).hexdigest()
        now = self.database.now()
        fresh = uuid.uuid4().hex

        def work(connection: Connection) -> tuple[dict[str, object], bool]:
            job_id = fresh
            # A connection that broke during the commit leaves open whether it happened; then this runs again.
            made = connection.execute(sql.job_by_id, {"job": fresh}).mappings().first()
            if made is not None:
                return dict(made), True
            if key is not None:
                known = connection.execute(sql.job_by_key, {"kind": kind, "key": key}).mappings().first()
                if known is not None:
                    bad = known["state"] in {JobState.FAILED, JobState.CANCELLED}
                    if not (after_failure and bad):
                        if known["digest"] != digest:
                            raise KeyUsed(key=key, kind=kind, job=known["id"])
                        return dict(known), False
                    connection.execute(sql.release_key, {"job": known["id"], "freed": key})
                former = connection.scalar(sql.former_jobs, {"kind": kind, "key": key})
                job_id = derived(kind, key, former)
            row = job_row(job_id, kind, key, requester, priority, given, digest, None, now)
            tree = Tree.planted(connection, row, call, now, subjects)
            for name, value in (secrets or {}).items():
                sealed = self._keys().seal(job_id, name, value)
                secret = {"job": job_id, "name": name, "key_id": self._keys().first, "sealed": sealed}
                connection.execute(sql.insert_secret, secret)
            tree.say("submitted", f"by {requester}")
            tree.close()
            return dict(row, steps=1), True

        row, new = self.database.write(work)
        if new:
            self.awake()
        return rows.job(row, new=new)

    def submit_once(self, kind: str, call: Call, subject: str, *, requester: str, given: Json = None) -> Job:
        """Put a job about one thing before all that is in bulk; while one of its `kind` is under way it is that one.

        Raises:
            DatabaseUnavailable: Nothing was recorded.
        """
        try:
            return self.submit(
                kind, call, requester=requester, given=given, priority=Priority.PRIORITY, subjects=[subject]
            )
        except SubjectTaken as error:
            return self.job(str(error.details["job"]))

    def cancel(self, job: str, *, by: str = "") -> Job:
        """Cancel a job: what has not begun never will, what runs hears of it. A job that has ended stays as it is.

        Raises:
            JobNotFound: There is no such job.
            DatabaseUnavailable: Nothing was recorded.
        """
        now = self.database.now()

        def work(connection: Connection) -> None:
            tree = Tree.locked(connection, job, now)
            if tree.job["state"] != JobState.RUNNING or tree.cancelling:
                return
            connection.execute(sql.request_cancel, {"of": job})
            tree.job = {**tree.job, "cancelling": True}
            tree.say("cancel asked", f"by {by}" if by else "")
            ended = list(connection.execute(sql.cancel_steps, {"of": job, "now": now}).scalars())
            for _ in ended:
                tree.tally.count(State.CANCELLED)
            tree.settle(ended)
            tree.close()

        self.database.write(work)
        return self.job(job)

    def schedule(self, period: Period) -> None:
        """Keep submitting a job; a period of the same name is replaced.

        Raises:
            BadPeriod: Its rule is not one.
            BadSubmission: Its call cannot be kept.
            DatabaseUnavailable: Nothing was recorded.
        """
        now = self.database.now()
        at = due_after(period.rule, now)
        if period.call.secrets:
            raise BadSubmission(
                reason="a periodic job brings no credentials; let its steps read them from the settings"
            )
        values = {
            "rule": period.rule,
            "kind": period.kind,
            "call": call_to_text(period.call),
            "requester": period.requester,
            "priority": period.priority.rank,
        }

        def work(connection: Connection) -> None:
            known = connection.execute(sql.period_by_name, {"period": period.name}).mappings().first()
            if known is None:
                connection.execute(sql.insert_period, {"name": period.name, "next_at": at, "last_job": None, **values})
                return
            # A restart schedules the same again: what is due meanwhile must stay due.
            keep = known["next_at"] if known["rule"] == period.rule else at
            changed = {f"to_{name}": value for name, value in values.items()}
            connection.execute(sql.change_period, {"period": period.name, "at": keep, **changed})

        self.database.write(work)

    def unschedule(self, name: str) -> None:
        """Submit no more of this period; a run under way is not touched.

        Raises:
            DatabaseUnavailable: Nothing was recorded.
        """
        self.database.write(lambda c: c.execute(sql.delete_period, {"period": name}))

    def tick(self) -> list[Job]:
        """Submit what is due of the periods; any process may call this, as often as it likes.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        now = self.database.now()
        if not self.database.read(lambda c: [row.name for row in c.execute(sql.all_periods) if row.next_at <= now]):
            return []

        def work(connection: Connection) -> list[str]:
            made: list[str] = []
            for period in connection.execute(sql.due_periods, {"now": now}).mappings().all():
                outstanding = connection.scalar(sql.running_of_period, {"period": period["name"]})
                job = None if outstanding else _begin_period(connection, period, now)
                moved = {"period": period["name"], "at": due_after(period["rule"], now), "made": job}
                connection.execute(sql.move_period, moved)
                made += [job] if job else []
            return made

        jobs = [self.job(job) for job in self.database.write(work)]
        if jobs:
            self.awake()
        return jobs

    # --- credentials

    def secrets_for(self, claim: Claim) -> dict[str, Json]:
        """The credentials a claimed step may see: those its call names.

        Raises:
            SecretNotGiven: The job does not hold one of them (any more).
            SecretUnreadable: Its key is missing, or it was tampered with.
        """
        if not claim.secrets:
            return {}
        asked = {"job": claim.job, "names": list(claim.secrets)}
        found = self.database.read(lambda c: c.execute(sql.secrets_of, asked).all())
        opened = {row.name: self._keys().unseal(claim.job, row.name, row.key_id, row.sealed) for row in found}
        for name in claim.secrets:
            if name not in opened:
                raise SecretNotGiven(name=claim.name, secret=name)
        return opened

    def rotate_secrets(self) -> int:
        """Seal all credentials anew that are not under the first key; the number of them.

        Raises:
            SecretUnreadable: One cannot be opened; those before it are sealed anew.
            NoKeyFile: The ledger was opened without keys.
        """
        keys, count = self._keys(), 0

        def work(connection: Connection) -> int:
            asked = {"key_id": keys.first, "limit": _PAGE}
            found = connection.execute(sql.secrets_under_other_keys, asked).all()
            for row in found:
                value = keys.unseal(row.job, row.name, row.key_id, row.sealed)
                sealed = keys.seal(row.job, row.name, value)
                moved = {"of": row.job, "named": row.name, "to_key": keys.first, "to_sealed": sealed}
                connection.execute(sql.reseal, moved)
            return len(found)

        while moved := self.database.write(work):
            count += moved
        return count

    # --- waking

    def on_submission(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever this object has made a job, so that an engine beside it need not poll."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners = [known for known in self._listeners if known != listener]

    def awake(self) -> None:
        """Tell the listeners that there is something to do."""
        for listener in self._listeners:
            listener()

    def _keys(self) -> Keyring:
        if self._keyring is None:
            raise NoKeyFile
        return self._keyring

    def _check_secrets(self, call: Call, given: Json, secrets: Mapping[str, Json]) -> None:
        if secrets:
            self._keys()
        for name in call.secrets:
            if name not in secrets:
                raise SecretNotGiven(name=call.name, secret=name)
        redaction = Redaction(secrets)
        if redaction.in_json(given) or redaction.in_json(call.given):
            raise BadSubmission(reason="a credential stands in its content; credentials go into `secrets` alone")

    def _paged(self, query: Callable[[int], Select[object]]) -> Iterator[StepRow]:
        after = 0
        while True:
            asked = query(after)
            page = self.database.read(partial(_all, asked))
            yield from (rows.step(row) for row in page)
            if len(page) < _PAGE:
                return
            after = page[-1]["number"]


def _check_words(**words: str | None) -> None:
    for name, word in words.items():
        if word is None:
            continue
        if not word or len(word) > _LONGEST_NAME or not word.isprintable():
            raise BadSubmission(
                reason=f"its {name} must be 1 to {_LONGEST_NAME} printable characters, not {word[:40]!r}"
            )


def _begin_period(connection: Connection, period: Row, now: float) -> str:
    call = call_from_text(period["call"])
    job = derived("period", period["name"], period["next_at"], now)
    priority = rows.PRIORITIES[period["priority"]]
    row = job_row(job, period["kind"], None, period["requester"], priority, None, "", period["name"], now)
    tree = Tree.planted(connection, row, call, now)
    tree.say("submitted", f"by {period['requester']}, period {period['name']}")
    tree.close()
    return job


def _all(query: Select[object], connection: Connection) -> Sequence[Row]:
    return connection.execute(query).mappings().all()
