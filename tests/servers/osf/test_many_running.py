"""What a submission and a look at its status ask of the ledger does not grow with the jobs that run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, text

from muniment.database import Database
from muniment.jobs import Call, Ledger, Priority
from muniment.jobs.tree import Tree, job_row
from tests.servers.osf.house import House, container
from tests.timing import eventually

MANY = 1500


class Statements:
    """Counts what one ledger sends to its database."""

    def __init__(self, ledger: Ledger) -> None:
        self.count = 0
        event.listen(ledger.database.engine, "before_cursor_execute", self._one)

    def _one(self, *_: Any) -> None:
        self.count += 1

    def of(self, work: Callable[[], object]) -> int:
        before = self.count
        work()
        return self.count - before


def run_many(ledger: Ledger, count: int) -> None:
    """So many jobs, each with a subject of its own and a step that a worker holds; made at once, for that is quick."""
    now = ledger.database.now()

    def work(connection: Connection) -> None:
        for number in range(count):
            row = job_row(f"j{number}", "osf", f"k{number}", f"r{number % 7}", Priority.BULK, None, "", None, now)
            Tree.planted(connection, row, Call("fetch", number), now, [f"s{number}"]).close()

    ledger.database.write(work)
    held = 0
    while held < count:
        taken = ledger.leases.exchange("one", (), (0, 500), ["fetch"], lease=3600.0).claims
        assert taken
        held += len(taken)


class Numbered:
    """Submits one container more each time, and asks how the first one is."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.number = 0

    def submit(self) -> None:
        self.number += 1
        self.house.submit(container(f"c{self.number}", [], [container(f"kid{self.number}")]))

    def status(self) -> None:
        assert self.house.foreman.status("kid1")["status"] == "STARTED"


def test_the_same_few_statements_are_sent_with_1500_running(tmp_path: Path) -> None:
    with House(tmp_path, work=False) as house:
        asked = Numbered(house)
        asked.submit()
        statements = Statements(house.ledger)
        few = statements.of(asked.submit), statements.of(asked.status)
        run_many(house.ledger, MANY)
        assert (statements.of(asked.submit), statements.of(asked.status)) == few
        assert 0 < few[0] < 40
        assert 0 < few[1] < 20


def test_no_more_rows_of_a_shared_database_are_read_with_1500_running(tmp_path: Path, database: str) -> None:
    """As PostgreSQL itself counts them."""
    Database.open(database, migrate=True).close()
    with House(tmp_path, work=False, ledger=database) as house:
        asked = Numbered(house)
        asked.submit()
        rows = Rows(database, house.ledger)
        few = rows.of(asked.submit), rows.of(asked.status)
        run_many(house.ledger, MANY)
        rows.settle()
        many = rows.of(asked.submit), rows.of(asked.status)
        # A look at every job would read 1,500 at least.
        assert many[0] < few[0] + 50
        assert many[1] < few[1] + 50
        rows.close()


class Rows:
    """Counts the rows that a PostgreSQL database reads for one ledger."""

    def __init__(self, place: str, ledger: Ledger) -> None:
        self._engine = create_engine(place.replace("postgresql://", "postgresql+psycopg://"))
        self._ledger = ledger

    def settle(self) -> None:
        """Let the planner know the tables as they are, as it does by itself after a while."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))

    def of(self, work: Callable[[], object]) -> int:
        """How many `work` takes. What a connection has read is counted when it ends."""
        self._ledger.database.engine.dispose()
        eventually(lambda: not self._others())
        before = self._read()
        work()
        self._ledger.database.engine.dispose()
        eventually(lambda: not self._others())
        return self._read() - before

    def close(self) -> None:
        self._engine.dispose()

    def _read(self) -> int:
        with self._engine.connect() as connection:
            asked = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
            return int(connection.scalar(text(asked)) or 0)

    def _others(self) -> int:
        with self._engine.connect() as connection:
            asked = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return int(connection.scalar(text(asked)) or 0)
