"""The ledger's tables come to the newest revision from every one that was ever released."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from muniment.errors.jobs import BadLedgerAddress, LedgerBehind, LedgerNewer, LedgerNotThere
from muniment.jobs import JobState, Ledger, State, schema
from muniment.jobs.database import Database
from muniment.jobs.tables import metadata

RELEASED = Path(__file__).parent / "released"


@pytest.fixture(params=schema.revisions())
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A ledger as that revision left it, with a job of each state in it."""
    dump = RELEASED / f"{request.param}.sql"
    assert dump.exists(), f"revision {request.param} has no dump: write tests/unit/jobs/released/{request.param}.sql"
    place = tmp_path / "control.db"
    connection = sqlite3.connect(place)
    connection.executescript(dump.read_text())
    connection.close()
    return place


def test_a_ledger_of_any_release_opens_and_has_all_it_had(old: Path) -> None:
    with Ledger.open(old) as ledger:
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


def test_after_migrating_the_tables_are_as_the_code_has_them(old: Path) -> None:
    with Ledger.open(old) as ledger, ledger.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_a_new_ledger_has_the_newest_tables(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "deep" / "control.db") as ledger, ledger.database.engine.connect() as connection:
        assert schema.current(connection) == schema.revisions()[-1]
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_tables_are_not_made_when_that_was_not_asked(tmp_path: Path) -> None:
    with pytest.raises(LedgerNotThere):
        Ledger.open(tmp_path / "control.db", migrate=False)


def test_an_older_ledger_is_not_changed_when_that_was_not_asked(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = (*schema.revisions(), "9999")
    monkeypatch.setattr(schema, "revisions", lambda: known)
    with pytest.raises(LedgerBehind, match="muniment ledger migrate"):
        Ledger.open(old, migrate=False)


def test_a_ledger_of_a_newer_muniment_is_left_alone(old: Path) -> None:
    connection = sqlite3.connect(old)
    connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerNewer):
        Ledger.open(old)
    connection = sqlite3.connect(old)
    assert list(connection.execute(f"SELECT version_num FROM {schema.VERSION_TABLE}")) == [("9999",)]
    connection.close()


@pytest.mark.parametrize(
    "place", ["mysql://ada:pass1234@host/db", "sqlite://", "://pass1234@", "redis://:pass1234@h/0"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(place: str) -> None:
    with pytest.raises(BadLedgerAddress) as caught:
        Ledger.open(place)
    assert "pass1234" not in str(caught.value)


def test_two_processes_may_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def open_it(_: int) -> str | None:
        database = Database(tmp_path / "control.db")
        schema.ensure(database, migrate=True)
        found = database.read(schema.current)
        database.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(open_it, range(4))) == {schema.revisions()[-1]}
