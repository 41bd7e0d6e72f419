"""The control database in PostgreSQL: all that were released are migrated, and what many do at once is done once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from muniment.database import Database, schema
from muniment.doors.nexus.selections import Selections
from muniment.errors.database import DatabaseBehind, DatabaseNotThere, DatabaseUnavailable
from muniment.errors.nexus import IdTaken
from muniment.errors.remote import RequestInWork
from muniment.http.idempotency import Idempotency
from tests.unit.database.kept import RELEASED, check, check_tables, dumps


def restore(name: str, place: str) -> None:
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute((RELEASED / f"{name}.sql").read_text())


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    with Database.open(place, migrate=True) as opened:
        yield opened


@pytest.mark.parametrize("name", dumps("postgresql"))
def test_a_database_of_any_release_comes_to_the_newest_with_all_it_had(name: str, place: str) -> None:
    restore(name, place)
    if f"-{schema.revisions()[-1]}-" not in name:
        with pytest.raises(DatabaseBehind, match="muniment ledger migrate"):
            Database.open(place)
    with Database.open(place, migrate=True) as database:
        check_tables(database)
        check(name, database)


def test_a_new_database_is_made_only_when_that_was_asked(place: str) -> None:
    with pytest.raises(DatabaseNotThere, match="muniment ledger migrate"):
        Database.open(place)
    with Database.open(place, migrate=True) as database:
        check_tables(database)


def test_many_processes_that_open_an_old_database_at_once_migrate_it_once(place: str) -> None:
    name = "postgresql-0002-all"
    restore(name, place)
    code = (
        "import sys\nfrom muniment.database import Database\nDatabase.open(sys.argv[1], migrate=True).close()\nprint(1)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["1\n"] * 3
    with Database.open(place) as database:
        check(name, database)


def test_of_many_that_add_one_selection_at_once_one_does(database: Database) -> None:
    selections = Selections(database, life=60.0)

    def add(_: int) -> bool:
        try:
            selections.add("o/p", "urn:x", (), "ada")
        except IdTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [False] * 7 + [True]


def test_of_one_request_that_comes_many_times_at_once_one_is_done(database: Database) -> None:
    answers = Idempotency(database)
    done: list[int] = []

    def do(number: int) -> dict[str, str]:
        done.append(number)
        return {"by": "it"}

    def ask(number: int) -> str:
        try:
            return str(answers.once("key", "ada", {}, lambda: do(number))["by"])
        except RequestInWork:
            return "in work"

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    assert len(done) == 1
    assert found <= {"it", "in work"}


def test_what_is_read_in_one_go_is_of_one_moment(database: Database) -> None:
    counted = "SELECT count(*) FROM idempotency_answers"

    def look(connection: object) -> tuple[int, int]:
        first = connection.exec_driver_sql(counted).scalar()  # type: ignore[attr-defined]
        Idempotency(database).once("key", "ada", {}, dict)
        return first, connection.exec_driver_sql(counted).scalar()  # type: ignore[attr-defined]

    assert database.read(look) == (0, 0)
    assert database.read(look) == (1, 1)


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        Database.open("postgresql://muniment:hunter2@127.0.0.1:1/none", migrate=False)
    assert "hunter2" not in f"{refused.value!r} {refused.value.details}"
