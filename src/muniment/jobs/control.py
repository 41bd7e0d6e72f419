"""Taking a job in hand: trying it again, putting it aside, and letting it go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from muniment.database import Database
from muniment.errors.jobs import CredentialsErased, JobNotFound, NothingToRetry
from muniment.jobs import rows
from muniment.jobs import statements as sql
from muniment.jobs.model import Call, Job, JobState, OutageRow, Priority, derived, from_text
from muniment.jobs.operations import ALIVE, Operations, look
from muniment.jobs.rows import PRIORITIES
from muniment.jobs.tree import Tree, job_row


class JobControl:
    """What an operator may do with jobs. Thread-safe; every method is one transaction."""

    def __init__(self, database: Database, awake: Callable[[], None]) -> None:
        """Work on `database`; `awake` tells engines in this process that there is something to do."""
        self._database = database
        self._awake = awake

    def retry(self, job: str, *, by: str = "") -> Job:
        """Try now what waits, whatever it waits for. A job that ended badly is begun anew, as a new job.

        Raises:
            JobNotFound: There is no such job.
            NothingToRetry: It ended well.
            SubjectTaken: Another job is about the same by now.
            CredentialsErased: It ended and had credentials, which only its requester has: it has to be submitted again.
            DatabaseUnavailable: Nothing was changed.
        """
        now = self._database.now()

        def work(connection: Connection) -> str:
            tree = Tree.locked(connection, job, now)
            if tree.job["state"] == JobState.RUNNING:
                connection.execute(sql.wake_job, {"of": job, "now": now})
                tree.say("retry asked", _by(by))
                return job
            if tree.job["state"] == JobState.DONE:
                raise NothingToRetry(job=job)
            if connection.execute(sql.any_with_secrets, {"of": job}).first() is not None:
                raise CredentialsErased(job=job)
            tree.say("begun anew", _by(by))
            return _begin_anew(connection, dict(tree.job), now, by)

        found = self._database.write(work)
        self._awake()
        return self._job(found)

    def pause(self, job: str, *, by: str = "") -> Job:
        """Begin nothing more of a job until it is told to go on; what runs of it stops where it can go on later.

        Raises:
            JobNotFound: There is no such job.
            DatabaseUnavailable: Nothing was changed.
        """
        return self._set_paused(job, by, paused=True)

    def resume(self, job: str, *, by: str = "") -> Job:
        """Let a job that was paused go on.

        Raises:
            JobNotFound: There is no such job.
            DatabaseUnavailable: Nothing was changed.
        """
        found = self._set_paused(job, by, paused=False)
        self._awake()
        return found

    def set_priority(self, job: str, priority: Priority, *, by: str = "") -> Job:
        """Have a job stand in another queue, with all that is still to be done of it.

        Raises:
            JobNotFound: There is no such job.
            DatabaseUnavailable: Nothing was changed.
        """
        now = self._database.now()

        def work(connection: Connection) -> None:
            tree = Tree.locked(connection, job, now)
            if tree.job["state"] != JobState.RUNNING or tree.job["priority"] == priority.rank:
                return
            asked = {"of": job, "to": priority.rank}
            connection.execute(sql.set_priority, asked)
            connection.execute(sql.set_priority_of_steps, asked)
            tree.say(f"in the queue {priority}", _by(by))

        self._database.write(work)
        self._awake()
        return self._job(job)

    def outages(self) -> list[OutageRow]:
        """What of our own does not work at this moment, as steps found it.

        Raises:
            DatabaseUnavailable: It cannot be known.
        """
        found = self._database.read(lambda c: c.execute(sql.all_outages).all())
        return [OutageRow(row.name, row.since, row.reason) for row in found]

    def operations(self, requester: str | None = None) -> Operations:
        """What is owed, held up, being done and failed, at this moment; with a `requester`, of that one's jobs.

        Raises:
            DatabaseUnavailable: It cannot be known.
        """
        return look(self._database, requester=requester)

    def workers_alive(self) -> int:
        """How many workers said lately that they live.

        Raises:
            DatabaseUnavailable: It cannot be known.
        """
        asked = {"since": self._database.now() - ALIVE}
        return int(self._database.read(lambda c: c.scalar(sql.count_workers, asked)) or 0)

    def wake(self, waits_for: str) -> int:
        """Make due what waits for an outage or a limit; how many steps.

        Raises:
            DatabaseUnavailable: Nothing was changed.
        """
        asked = {"for_what": waits_for, "now": self._database.now()}
        woken = self._database.write(lambda c: c.execute(sql.wake_waiting, asked).rowcount)
        self._awake()
        return woken

    def _set_paused(self, job: str, by: str, *, paused: bool) -> Job:
        now = self._database.now()

        def work(connection: Connection) -> None:
            tree = Tree.locked(connection, job, now)
            if tree.job["state"] != JobState.RUNNING or tree.paused is paused:
                return
            connection.execute(sql.set_paused, {"of": job, "to": paused})
            connection.execute(sql.pause_steps if paused else sql.go_on_with_steps, {"of": job})
            tree.say("paused" if paused else "resumed", _by(by))

        self._database.write(work)
        return self._job(job)

    def _job(self, job: str) -> Job:
        row = self._database.read(lambda c: c.execute(sql.job_by_id, {"job": job}).mappings().first())
        if row is None:
            raise JobNotFound(job=job)
        return rows.job(row)


def _by(who: str) -> str:
    return f"by {who}" if who else ""


def _begin_anew(connection: Connection, old: dict[str, Any], now: float, by: str) -> str:
    root = connection.execute(sql.step_by_id, {"step": old["root"]}).mappings().one()
    call = Call(root["name"], from_text(root["given"]), failures=root["max_failures"], losses=root["max_losses"])
    kind, key = old["kind"], old["key"]
    if key is not None:
        connection.execute(sql.release_key, {"job": old["id"], "freed": key})
        fresh = derived(kind, key, connection.scalar(sql.former_jobs, {"kind": kind, "key": key}))
    else:
        fresh = derived("anew", old["id"], now)
    priority = PRIORITIES[old["priority"]]
    given = from_text(old["given"])
    row = job_row(fresh, kind, key, old["requester"], priority, given, old["digest"], old["period"], now)
    about = list(connection.execute(sql.subjects_of, {"of": old["id"]}).scalars())
    tree = Tree.planted(connection, row, call, now, about)
    tree.say("submitted", f"by {by}, as {old['id']} was" if by else f"as {old['id']} was")
    tree.close()
    return fresh
