"""The control database is backed up into the archive, lost, restored from there, and worked on with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from muniment.access import AccessStore, Identity
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.archive import Archive
from muniment.cli.main import run
from muniment.database import Database, schema
from muniment.database.tables import workers
from muniment.database.transfer import load
from muniment.errors.database import BadControlBackup, DatabaseNewer, DatabaseNotEmpty
from muniment.jobs import Call, JobState, Keyring, Ledger, LocalEngine
from muniment.settings import Settings
from muniment.workflows.control_backup import FILE, ID, PERIOD, PROJECT, back_up, restore
from tests.servers.jobs.workshop import PACE, registry
from tests.timing import eventually
from tests.unit.database import kept

TOKEN = "ghp_verysecret1"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", workers=0, parity=False) as made:
        yield made


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place of a control database that is not there yet."""
    if request.param == "SQLite":
        return str(tmp_path / "again.db")
    place: str = request.getfixturevalue("place")
    return place


def filled(place: Path, keyring: Keyring, folder: Path) -> tuple[Database, Any, Any]:
    """A database with a key, rules, a job that has ended and one that is owed, which has a secret."""
    database = Database.open(place)
    AccessStore(database).keys.create("reader", grants={"/": frozenset({"resources/read"})})
    ledger = Ledger(database, keyring)
    ended = ledger.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada", key="first")
    with LocalEngine(ledger, registry(folder), pace=PACE):
        list(ledger.watch(ended.id, every=0.05, timeout=20))
    call = Call("confiding", secrets=("token",), failures=1)
    owed = ledger.submit("test", call, requester="ada", secrets={"token": TOKEN})
    return database, ended, owed


def test_what_was_backed_up_is_restored_and_the_work_goes_on(
    archive: Archive, keyring: Keyring, target: str, tmp_path: Path
) -> None:
    database, ended, owed = filled(tmp_path / "control.db", keyring, tmp_path)
    made = back_up(archive, database, keyring, tmp_path)
    assert made.number == 1
    again = back_up(archive, database, keyring, tmp_path)
    assert (again.number, again.metadata["log"]["seq"]) == (2, 2)
    assert not list(tmp_path.glob("control-*"))
    database.close()
    with Database.open(target, migrate=True) as empty:
        found, rows = restore(archive, empty, keyring)
        assert (found.number, rows) == (2, again.metadata["rows"])
        ledger = Ledger(empty, keyring)
        assert ledger.job(ended.id).state is JobState.DONE
        assert AccessStore(empty).keys.all()[0].name == "reader"
        assert Identity.user("keys", "reader") in AccessStore(empty).rules.fetch("/").acl
        assert not ledger.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada", key="first").new
        with LocalEngine(ledger, registry(tmp_path), pace=PACE):
            list(ledger.watch(owed.id, every=0.05, timeout=20))
        assert "[secret]" in ledger.job(owed.id).reason  # the step was shown its secret
        more = ledger.submit("test", Call("fan", {"count": 3}), requester="ada")
        with LocalEngine(ledger, registry(tmp_path), pace=PACE):
            list(ledger.watch(more.id, every=0.05, timeout=20))
        assert ledger.job(more.id).result == 3
        assert [row.id for row in empty.read(lambda c: c.execute(select(workers)).all())] != ["gone"]
        with pytest.raises(DatabaseNotEmpty):
            restore(archive, empty, keyring)


def test_nothing_of_it_can_be_read_without_the_key_file(archive: Archive, keyring: Keyring, tmp_path: Path) -> None:
    database, _, _ = filled(tmp_path / "control.db", keyring, tmp_path)
    with database:
        made = back_up(archive, database, keyring, tmp_path)
    data = made.read(FILE)
    for word in (TOKEN, "reader", "resources", "ada", "jobs"):
        assert word.encode() not in data
    other = Keyring.create(tmp_path / "other")
    with Database.open(tmp_path / "again.db") as empty:
        with pytest.raises(BadControlBackup, match="not in the key file"):
            restore(archive, empty, other)
        restore(archive, empty, keyring)


@pytest.mark.parametrize("fault", ["cut", "swapped", "changed", "repeated", "not lines"])
def test_a_backup_that_is_not_as_it_was_written_is_refused_whole(
    archive: Archive, keyring: Keyring, tmp_path: Path, fault: str
) -> None:
    database, _, _ = filled(tmp_path / "control.db", keyring, tmp_path)
    with database:
        lines = back_up(archive, database, keyring, tmp_path).read(FILE).splitlines(keepends=True)
    wrong = {
        "cut": lines[:-1],
        "swapped": [lines[1], lines[0], *lines[2:]],
        "changed": [lines[0].replace(b'"sealed": "', b'"sealed": "AAAA'), *lines[1:]],
        "repeated": [lines[0], *lines],
        "not lines": [b"[]\n"],
    }[fault]
    with archive.get(ID, "a", project=PROJECT) as transaction:
        transaction.replace(b"".join(wrong), FILE)
    with Database.open(tmp_path / "again.db") as empty:
        with pytest.raises(BadControlBackup):
            restore(archive, empty, keyring)
        assert AccessStore(empty).keys.all() == []
        restore(archive, empty, keyring, 1)


def test_a_backup_of_another_archive_is_refused(archive: Archive, keyring: Keyring, tmp_path: Path) -> None:
    database, _, _ = filled(tmp_path / "control.db", keyring, tmp_path)
    with database:
        data = back_up(archive, database, keyring, tmp_path).read(FILE)
    with Archive.init(tmp_path / "other", workers=0, parity=False) as other:
        with other.new(ID, PROJECT) as transaction:
            transaction.add(data, FILE)
        with Database.open(tmp_path / "again.db") as empty, pytest.raises(BadControlBackup, match="of the archive"):
            restore(other, empty, keyring)


@pytest.mark.parametrize("revision", ["0003", "0005"])
def test_rows_of_an_older_schema_are_brought_up_to_date(revision: str, target: str, tmp_path: Path) -> None:
    name = f"sqlite-{revision}-all"
    kept.restore(name, tmp_path / "old.db")
    old = Database(tmp_path / "old.db")
    with old.engine.connect() as connection:
        tables = MetaData()
        tables.reflect(connection)
        batches = [
            (table.name, [dict(row) for row in connection.execute(select(table)).mappings()])
            for table in tables.sorted_tables
            if table.name not in {"workers", "ledger_version"}
        ]
    old.close()
    with Database.open(target, migrate=True) as database:
        assert load(database, revision, lambda: iter(batches)) > 5
        kept.check_tables(database)
        kept.check(name, database)


def test_rows_of_a_newer_schema_or_of_something_else_are_refused(tmp_path: Path) -> None:
    with Database.open(tmp_path / "again.db") as database:
        with pytest.raises(DatabaseNewer):
            load(database, "9999", lambda: iter([]))
        newest = database.read(schema.current)
        assert newest is not None
        for batch in (("nothing", [{"a": 1}]), ("jobs", [{"nothing": 1}])):
            with pytest.raises(BadControlBackup):
                load(database, newest, lambda batch=batch: iter([batch]))  # type: ignore[misc]  # bound now


def test_the_job_makes_backups_by_itself_and_a_lost_database_comes_back_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "archive"
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(place))
    monkeypatch.setenv("MUNIMENT_SCRATCH", str(tmp_path / "scratch"))
    assert run(["init"]) == 0
    assert run(["key", "create", "reader", "--permission", "resources/read"]) == 0
    working = BackgroundServices(App(Settings(control_backup="1", digest_processes=0)))
    try:
        with working.local_engine(threads=1), Archive(place, workers=0) as archive:
            eventually(lambda: archive.exists(ID, PROJECT))
    finally:
        working.close()
    for name in ("control.db", "control.db-wal", "control.db-shm"):
        (place / name).unlink(missing_ok=True)
    capsys.readouterr()
    assert run(["ledger", "restore", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] > 3
    assert run(["key", "list", "--json"]) == 0
    assert {each["name"] for each in json.loads(capsys.readouterr().out)} == {"administrator", "reader"}
    never = BackgroundServices(App(Settings(control_backup="never", digest_processes=0)))
    try:
        never.local_engine(threads=1)
        assert PERIOD not in names_of_periods(never)
    finally:
        never.close()
    assert run(["ledger", "backup"]) == 0
    assert run(["audit"]) == 0


def names_of_periods(working: BackgroundServices) -> set[str]:
    from muniment.database.tables import periods

    return set(working.ledger().database.read(lambda c: c.scalars(select(periods.c.name)).all()))


def test_without_its_key_file_a_restore_says_so_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(tmp_path / "archive"))
    assert run(["init"]) == 0
    assert run(["ledger", "backup"]) == 0
    (tmp_path / "archive/control.key").unlink()
    (tmp_path / "archive/control.db").unlink()
    assert run(["ledger", "restore"]) != 0
    assert "control.key" in capsys.readouterr().err
    assert not (tmp_path / "archive/control.key").exists()
