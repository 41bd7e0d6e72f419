"""The database of keys and rules: how it is opened, its tables and their history, and what a transaction is."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from muniment.access.migrations import MIGRATIONS
from muniment.content.extras import need
from muniment.errors.access import AccessNewer, AccessUnavailable

Result = TypeVar("Result")

_TRIES = 6
_BUSY_SECONDS = 30.0
_PASSING_STATES = ("40001", "40P01")
"""Serialisation failure and deadlock: the loser begins again."""
_LOCK = 0x6163636573  # any number that is ours: one writer of keys and rules at a time on PostgreSQL


class AccessDatabase:
    """Keys and rules in a database that others (the ledger) use as well: short transactions, own tables."""

    def __init__(self, place: str | Path) -> None:
        """Open the database at `place`, a file (SQLite) or a `postgresql://` address; its tables are made if missing.

        Raises:
            AccessUnavailable: It cannot be reached or written.
            AccessNewer: Its tables were made by a later Muniment.
            ExtraMissing: It is in PostgreSQL, and the library for that is not installed.
        """
        url = _url(place)
        self.embedded = url.get_backend_name() == "sqlite"
        self.place = str(url.database) if self.embedded else url.render_as_string(hide_password=True)
        self.engine = _sqlite(url) if self.embedded else create_engine(url, pool_pre_ping=True, pool_size=4)
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def write(self, work: Callable[[Connection], Result], *, patience: float = _BUSY_SECONDS) -> Result:
        """Run `work` in one transaction, one writer at a time; again from its start when the database asks for that.

        `patience` is how long to wait for another writer, in seconds.

        Raises:
            AccessUnavailable: The database cannot be reached, or stays locked.
        """

        def alone(connection: Connection) -> Result:
            if not self.embedded:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(patience * 1000)}")
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            return work(connection)

        return self._transaction(alone, until=time.monotonic() + patience, writing=True, patience=patience)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on one consistent view.

        Raises:
            AccessUnavailable: The database cannot be reached.
        """
        return self._transaction(work, until=time.monotonic() + _BUSY_SECONDS, writing=False)

    def close(self) -> None:
        """Give up all connections."""
        self.engine.dispose()

    def _transaction(
        self, work: Callable[[Connection], Result], *, until: float, writing: bool, patience: float = _BUSY_SECONDS
    ) -> Result:
        options: dict[str, Any] = {"muniment_writes": writing, "muniment_patience": patience}
        if not self.embedded and not writing:
            options["isolation_level"] = "REPEATABLE READ"  # several SELECTs, one view, as SQLite has it
        for attempt in range(_TRIES):
            try:
                with self.engine.connect().execution_options(**options) as connection, connection.begin():
                    return work(connection)
            except DBAPIError as error:
                if attempt + 1 == _TRIES or time.monotonic() >= until or not _passing(error):
                    raise self._unavailable(error.orig or error) from error
                time.sleep(random.uniform(0.5, 1.0) * 0.02 * 2**attempt)  # noqa: S311 - spreads writers, hides nothing
            except (SQLAlchemyError, OSError) as error:
                raise self._unavailable(error) from error
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _unavailable(self, error: BaseException) -> AccessUnavailable:
        return AccessUnavailable(place=self.place, reason=" ".join(str(error).split()))

    def _migrate(self) -> None:
        if self.embedded:
            try:
                Path(self.place).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unavailable(error) from error
        known = len(MIGRATIONS)
        found = self.read(_version)
        if found > known:
            raise AccessNewer(place=self.place, found=found, known=known)
        if found < known:
            self.write(_upgrade)


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table("access_state"):
        return 0
    return int(connection.scalar(text("SELECT schema_version FROM access_state")) or 0)


def _upgrade(connection: Connection) -> None:
    # Another process may have done it while this one waited for its turn.
    for statements in MIGRATIONS[_version(connection) :]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    connection.execute(text("UPDATE access_state SET schema_version = :version"), {"version": len(MIGRATIONS)})


def _url(place: str | Path) -> URL:
    given = str(place)
    if "://" not in given:
        return URL.create("sqlite", database=str(Path(given).absolute()))
    url = make_url(given)
    if url.drivername in {"postgresql", "postgres"}:
        need("postgres", "A control database in PostgreSQL")
        return url.set(drivername="postgresql+psycopg")
    return url


def _passing(error: DBAPIError) -> bool:
    """Whether the same transaction may go through when it is simply begun again."""
    if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _PASSING_STATES:
        return True
    return isinstance(error, OperationalError) and isinstance(error.orig, sqlite3.Error) and "locked" in str(error.orig)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=4)

    @event.listens_for(engine, "connect")
    def _open(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN is deferred; two readers that both turn writer would then fail at once.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a revocation survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        writing = options.get("muniment_writes", True)
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(options.get('muniment_patience', _BUSY_SECONDS) * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
