"""What the dumped databases hold, and how one sees that all of it is still there and of use."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from muniment.access import AccessStore, Authority, Identity
from muniment.database import Database, schema
from muniment.database.metadata import metadata
from muniment.doors.nexus.selections import Selections
from muniment.errors.access import InvalidAccessToken
from muniment.http.idempotency import Idempotency
from muniment.jobs import Call, JobState, Ledger, State

RELEASED = Path(__file__).parent / "released"
PARTS = ("ledger", "access", "all")
REQUEST = {"a": 1}


def dumps(database: str) -> list[str]:
    """The names of the dumps of `sqlite` or `postgresql`, as DATABASE-REVISION-PART."""
    return sorted(path.stem for path in RELEASED.glob(f"{database}-*.sql"))


def restore(name: str, place: Path) -> None:
    """Make a file as it was dumped, but that answers given before were given now: after a day they count no more."""
    connection = sqlite3.connect(place)
    connection.executescript((RELEASED / f"{name}.sql").read_text())
    there = {table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in there & {"web_answers", "idempotency_answers"}:
        connection.execute(f"UPDATE {table} SET made = ?", (time.time(),))
    connection.commit()
    connection.close()


def check(name: str, database: Database) -> None:
    """See that an opened database has all that its dump had, and takes new things."""
    part = name.split("-")[2]
    if part in {"ledger", "all"}:
        _ledger(Ledger(database))
    if part in {"access", "all"}:
        _access(AccessStore(database), name)
    if part == "all":
        _selections(Selections(database, life=60.0))
    answers = Idempotency(database)
    if part == "all" and name.startswith("sqlite"):  # in PostgreSQL there were none
        assert _once(answers, "k1", _never) == {"id": "x"}
    assert _once(answers, "k2", lambda: {"id": "y"}) == {"id": "y"}
    assert _once(answers, "k2", _never) == {"id": "y"}


def check_tables(database: Database) -> None:
    """See that the tables are those of the code."""
    with database.engine.connect() as connection:
        assert schema.current(connection) == schema.revisions()[-1]
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def _ledger(ledger: Ledger) -> None:
    jobs = {job.key: job for job in ledger.jobs()}
    assert {key: job.state for key, job in jobs.items()} == {"ended": JobState.DONE, "running": JobState.RUNNING}
    assert jobs["ended"].result == {"files": 2}
    steps = list(ledger.steps(jobs["running"].id))
    assert [(step.name, step.state) for step in steps] == [
        ("fetch", State.DONE),
        ("file", State.READY),
        ("file", State.FAILED),
        ("join", State.WAITING),
    ]
    assert [line.what for line in ledger.history(jobs["ended"].id)] == ["submitted", "done"]
    for job in jobs.values():  # whatever ids it was submitted with are its subjects
        for each in (job.given or {}).get("ids", []) if isinstance(job.given, dict) else ():
            found = ledger.about(job.kind, each)
            assert found is not None
            assert found.id == job.id
    fresh = ledger.submit("kind", Call("fetch"), requester="ada", key="fresh")
    assert [line.what for line in ledger.history(fresh.id)] == ["submitted"]


def _access(store: AccessStore, name: str) -> None:
    [key] = re.findall(r"-- key of the administrator: (\S+)", (RELEASED / f"{name}.sql").read_text())
    authority = Authority(store)
    caller = authority.identify({"authorization": f"Bearer {key}"}, "")
    assert "admin" in authority.permissions(caller, "/")
    assert {each.name: bool(each.revoked_at) for each in store.keys.all()} == {"administrator": False, "alice": True}
    alice = Identity.user("keys", "alice")
    assert store.rules.fetch("/museum").acl == {alice: frozenset({"resources/read"})}
    assert store.rules.fetch("/museum/photos").changed_by == "é"
    assert {each.realm.label: each.deprecated for each in store.realms.all()} == {"museum": False, "old": True}
    version = store.version()
    made = store.keys.create("fresh")
    assert store.version() == version + 1
    store.keys.revoke("fresh")
    with pytest.raises(InvalidAccessToken):
        authority.identify({"authorization": f"Bearer {made.text}"}, "")


def _selections(selections: Selections) -> None:
    found = selections.get("museum/photos", "urn:x:1")
    assert [entry.resource_id for entry in found.entries] == ["https://example.org/r1"]
    crcs = selections.crcs()
    crcs.load([f"sha256:{'0' * 64}"])
    assert set(crcs.values()) <= {2**32 - 1}


def _once(answers: Idempotency, key: str, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    return answers.once(key, "ada", REQUEST, make)


def _never() -> dict[str, str]:
    raise AssertionError("the request was done again")
