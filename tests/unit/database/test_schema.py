"""The control database comes to the newest revision from every one that was ever released, in one history."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.database import Database, schema
from muniment.errors.database import (
    BadDatabaseAddress,
    DatabaseBehind,
    DatabaseBroken,
    DatabaseNewer,
    DatabaseNotThere,
    DatabaseUnavailable,
)
from muniment.errors.jobs import SubjectTaken
from muniment.jobs import Call, Ledger
from tests.unit.database.kept import check, check_tables, dumps, restore


@pytest.fixture(params=dumps("sqlite"))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The name of a dump, and a database as it was then."""
    place = tmp_path / "control.db"
    restore(request.param, place)
    return request.param, place


def test_every_revision_has_a_dump_for_both_databases() -> None:
    kept = {tuple(name.split("-")[:2]) for kind in ("sqlite", "postgresql") for name in dumps(kind)}
    wanted = {("sqlite", revision) for revision in schema.revisions()}
    wanted |= {("postgresql", revision) for revision in schema.revisions() if revision >= "0002"}
    assert not wanted - kept, "run: python scripts/dump_databases.py"


def test_a_database_of_any_release_opens_and_has_all_it_had(old: tuple[str, Path]) -> None:
    name, place = old
    with Database.open(place) as database:
        check(name, database)


def test_after_migrating_the_tables_are_as_the_code_has_them(old: tuple[str, Path]) -> None:
    with Database.open(old[1]) as database:
        check_tables(database)


def test_a_new_database_has_the_tables_that_all_migrations_together_make(tmp_path: Path) -> None:
    made, migrated = tmp_path / "deep" / "made.db", tmp_path / "migrated.db"
    with Database.open(made) as database:
        check_tables(database)
    with Database(migrated) as database:
        # Something in it, so that it is not taken for new.
        database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE other (x)"))
        assert schema.ensure(database, migrate=True) is None
        database.write(lambda connection: connection.exec_driver_sql("DROP TABLE other"))
        check_tables(database)
    assert _described(made) == _described(migrated)


def _described(place: Path) -> dict[str, list[object]]:
    """All tables with columns and constraints, all indexes with their conditions, and what is in them."""
    connection = sqlite3.connect(place)
    found: dict[str, list[object]] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if kind == "table":
            found[name] = [connection.execute(f"PRAGMA table_info({name})").fetchall()]
            found[name] += connection.execute(f"PRAGMA foreign_key_list({name})").fetchall()
            found[name] += connection.execute(f"SELECT * FROM {name}").fetchall()
        elif sql:
            found[name] = [sql.replace('"', "").replace("\n", " ")]
        else:
            found[name] = connection.execute(f"PRAGMA index_info({name})").fetchall()
    connection.close()
    return found


def test_jobs_that_were_about_one_container_at_once_are_told_apart(tmp_path: Path) -> None:
    place = tmp_path / "control.db"
    restore("sqlite-0003-ledger", place)
    connection = sqlite3.connect(place)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
    for id, state, ids in (("j1", "running", "ac"), ("j2", "running", "bc"), ("j0", "done", "ab")):
        row = dict(connection.execute("SELECT 'id', id FROM jobs LIMIT 1"))
        values = {"given": f'{{"ids":["{ids[0]}","{ids[1]}"]}}', "kind": "osf", "key": id, "state": state, "id": id}
        listed = ", ".join(f":{name}" if name in values else f'"{name}"' for name in columns)
        connection.execute(f"INSERT INTO jobs SELECT {listed} FROM jobs WHERE id = :of", {**values, "of": row["id"]})
    connection.commit()
    connection.close()
    with Database.open(place) as database:
        ledger = Ledger(database)
        for taken in "abc":
            with pytest.raises(SubjectTaken):
                ledger.submit("osf", Call("fetch"), requester="ada", subjects=[taken])
        ledger.submit("osf", Call("fetch"), requester="ada", subjects=["d"])


def test_tables_are_not_made_when_that_was_not_asked(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotThere):
        Database.open(tmp_path / "control.db", migrate=False)


def test_an_older_database_is_not_changed_when_that_was_not_asked(
    old: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    Database.open(old[1]).close()
    known = (*schema.revisions(), "9999")
    monkeypatch.setattr(schema, "revisions", lambda: known)
    with pytest.raises(DatabaseBehind, match="muniment ledger migrate"):
        Database.open(old[1], migrate=False)


def test_a_database_of_a_newer_muniment_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "control.db"
    Database.open(place).close()
    connection = sqlite3.connect(place)
    connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    before = list(connection.iterdump())
    with pytest.raises(DatabaseNewer):
        Database.open(place)
    assert list(connection.iterdump()) == before
    connection.close()


def test_a_migration_that_is_killed_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "control.db"
    restore("sqlite-0002-all", place)
    code = (
        "import os, sys\nfrom muniment.database import Database, schema\n"
        "database = Database(sys.argv[1])\n"
        "def work(connection):\n    schema.upgrade(connection, schema.revisions()[-1])\n    os._exit(9)\n"
        "database.write(work)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(place)], check=False).returncode == 9
    connection = sqlite3.connect(place)
    assert list(connection.execute(f"SELECT version_num FROM {schema.VERSION_TABLE}")) == [("0002",)]
    connection.close()
    with Database.open(place) as database:
        check("sqlite-0002-all", database)


@pytest.mark.parametrize("old", ["sqlite-0002-all"], indirect=True)
def test_many_processes_that_open_an_old_database_at_once_migrate_it_once(old: tuple[str, Path]) -> None:
    # Each prints what it found before, and the one that migrated found the old revision when its turn came.
    code = (
        "import sys\nfrom muniment.database import Database, schema\n"
        "real, done = schema.upgrade, []\n"
        "def upgrade(connection, to):\n    done.append(schema.current(connection) != to)\n    real(connection, to)\n"
        "schema.upgrade = upgrade\nsys.stdin.readline()\n"
        "Database.open(sys.argv[1]).close()\nprint(sum(done))\n"
    )
    name, place = old
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(process.communicate(timeout=60)[0] for process in processes) == ["0\n", "0\n", "0\n", "1\n"]
    with Database.open(place) as database:
        check(name, database)


def test_many_processes_may_make_a_new_database_at_once(tmp_path: Path) -> None:
    code = "import sys\nfrom muniment.database import Database\nDatabase.open(sys.argv[1]).close()\nprint('made')"
    place = tmp_path / "control.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["made\n"] * 4
    with Database.open(place, migrate=False) as database:
        check_tables(database)


@pytest.mark.parametrize(
    "place", ["mysql://ada:pass1234@host/db", "sqlite://", "://pass1234@", "redis://:pass1234@h/0"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(place: str) -> None:
    with pytest.raises(BadDatabaseAddress) as caught:
        Database.open(place)
    assert "pass1234" not in str(caught.value)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_text("not a database, but long enough to look at\n" * 100)
    with pytest.raises(DatabaseBroken, match="not a database"):
        Database.open(tmp_path / "control.db")
    with pytest.raises(DatabaseUnavailable):
        Database.open(tmp_path)
