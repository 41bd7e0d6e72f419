"""How the control database is opened, what a transaction is, which failures are tried again, and what they are."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from muniment.content.extras import need
from muniment.database import schema
from muniment.errors.database import BadDatabaseAddress, DatabaseBroken, DatabaseUnavailable

Clock = Callable[[], float]
Result = TypeVar("Result")

_TRIES = 6
_BUSY_SECONDS = 30.0
_CONNECT_SECONDS = 10
_CLOCK_CHECK_SECONDS = 300.0
_PASSING_STATES = ("40001", "40P01", "23505")
"""Serialisation failure, deadlock, and an equal row that another writer made first: the loser begins again."""


class Database:
    """One control database, with short transactions that begin again when another writer got in the way.

    A process has one for each archive and hands it to whatever keeps something there. It is thread-safe; a process
    that was forked opens its own.
    """

    def __init__(self, place: str | Path, clock: Clock | None = None) -> None:
        """Remember where it is: a file (SQLite) or a `postgresql://` address. Nothing is opened or looked at yet.

        Raises:
            BadDatabaseAddress: It is neither.
            ExtraMissing: It is in PostgreSQL, and the library for that is not installed.
        """
        url = _url(place)
        self.embedded = url.get_backend_name() == "sqlite"
        self.place = str(url.database) if self.embedded else url.set(drivername="postgresql").render_as_string()
        self.engine = _sqlite(url) if self.embedded else _postgresql(url)
        self._clock = clock
        self._offset = 0.0
        self._offset_until = 0.0
        self._writing = threading.Lock()

    @classmethod
    def open(cls, place: str | Path, clock: Clock | None = None, *, migrate: bool | None = None) -> Self:
        """Open the database in a file (SQLite) or at a `postgresql://` address, and see that its tables are the newest.

        `migrate`: make or update its tables. None does so for a file, and for PostgreSQL, which other machines use
        at the same time, only says that it is needed. `clock` gives seconds since 1970 UTC; leave it out but in tests.

        Raises:
            BadDatabaseAddress: It is neither a file nor such an address.
            DatabaseNotThere: There are no tables yet, and they were not to be made.
            DatabaseBehind: Its tables are those of an older Muniment, and they were not to be updated.
            DatabaseNewer: Its tables are those of a newer Muniment.
            DatabaseUnavailable, DatabaseBroken: It cannot be reached, or is no database.
        """
        database = cls(place, clock)
        try:
            schema.ensure(database, migrate=database.embedded if migrate is None else migrate)
        except BaseException:
            database.close()
            raise
        return database

    def now(self) -> float:
        """Seconds since 1970 UTC. Machines that share a PostgreSQL share its clock, so that leases agree."""
        if self._clock is not None:
            return self._clock()
        if self.embedded:
            return time.time()
        if time.monotonic() >= self._offset_until:
            self._compare_clocks()
        return time.time() + self._offset

    def _compare_clocks(self) -> None:
        before = time.time()
        try:
            theirs = self.read(lambda connection: float(connection.scalar(text(_PG_CLOCK)) or before))
        except DatabaseUnavailable:
            # Clocks drift slowly: what was measured before serves until the database is back.
            if not self._offset_until:
                raise
        else:
            self._offset = theirs - (before + time.time()) / 2
        self._offset_until = time.monotonic() + _CLOCK_CHECK_SECONDS

    def write(
        self, work: Callable[[Connection], Result], *, patience: float = _BUSY_SECONDS, alone: str | None = None
    ) -> Result:
        """Run `work` in one transaction, again from its start when the database asks for that.

        `patience` is how long to wait for another writer, in seconds. `alone` names what no two writers do at once:
        SQLite has one writer anyway, in PostgreSQL the others wait for a lock of that name.

        Raises:
            DatabaseUnavailable: The database cannot be reached, or stays locked.
            DatabaseBroken: The database refused for another reason.
        """
        if self.embedded or (alone is None and patience == _BUSY_SECONDS):
            return self._transaction(work, writing=True, patience=patience)

        def waiting(connection: Connection) -> Result:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(patience * 1000)}")
            if alone is not None:
                lock_alone(connection, alone)
            return work(connection)

        return self._transaction(waiting, writing=True, patience=patience)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on one consistent view.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
            DatabaseBroken: The database refused for another reason.
        """
        return self._transaction(work, writing=False, patience=_BUSY_SECONDS)

    def close(self) -> None:
        """Give up all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Use the database in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _transaction(self, work: Callable[[Connection], Result], *, writing: bool, patience: float) -> Result:
        options: dict[str, object] = {"muniment_writes": writing, "muniment_patience": patience}
        if not self.embedded and not writing:
            options["isolation_level"] = "REPEATABLE READ"  # several SELECTs, one view, as SQLite has it
        until = time.monotonic() + patience
        with self.mapped(), self._turn(writing=writing, patience=patience):
            for attempt in range(_TRIES):
                try:
                    with self.engine.connect().execution_options(**options) as connection, connection.begin():
                        return work(connection)
                except DBAPIError as error:
                    if attempt + 1 == _TRIES or time.monotonic() >= until or not _passing(error):
                        raise
                    time.sleep(random.uniform(0.5, 1.0) * 0.02 * 2**attempt)  # noqa: S311 - spreads writers, hides nothing
        raise AssertionError  # pragma: no cover - the loop returns or raises

    @contextmanager
    def _turn(self, *, writing: bool, patience: float) -> Iterator[None]:
        """Let this process's own writers of SQLite go one after another.

        Without it they meet at the file's lock, which nobody queues at: each looks again after a sleep of its own.
        """
        if not (writing and self.embedded):
            yield
            return
        mine = self._writing.acquire(timeout=patience)  # where it takes longer, SQLite itself says so
        try:
            yield
        finally:
            if mine:
                self._writing.release()

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Turn the database library's errors into Muniment's: the one place where that is done.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
            DatabaseBroken: It failed otherwise.
        """
        try:
            yield
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            if error.connection_invalidated or isinstance(error, OperationalError):
                raise DatabaseUnavailable(place=self.place, reason=reason) from error
            raise DatabaseBroken(place=self.place, reason=reason) from error
        except NoConnectionLeft as error:
            reason = "all its connections stayed in use"
            raise DatabaseUnavailable(place=self.place, reason=reason) from error
        except SQLAlchemyError as error:
            raise DatabaseBroken(place=self.place, reason=" ".join(str(error).split())) from error


_PG_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"


def lock_alone(connection: Connection, name: str) -> None:
    """Until the transaction ends nobody else has the lock of this name. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(f"muniment {name}".encode()).digest()[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": number})


def _url(place: str | Path) -> URL:
    given = str(place)
    if "://" not in given:
        return URL.create("sqlite", database=str(Path(given).absolute()))
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise BadDatabaseAddress(reason="it is no address") from error  # not repeated: it may hold a password
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise BadDatabaseAddress(reason=f"{url.drivername!r} is no database Muniment knows")
    need("postgres", "A control database in PostgreSQL")
    return url.set(drivername="postgresql+psycopg")


def _passing(error: DBAPIError) -> bool:
    """Whether the same transaction may go through when it is simply begun again."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state in _PASSING_STATES:
        return True
    return isinstance(error.orig, sqlite3.OperationalError) and "locked" in str(error.orig)


def _postgresql(url: URL) -> Engine:
    waiting = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    return create_engine(url, connect_args=waiting, pool_pre_ping=True, pool_size=10)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=10, max_overflow=30
    )

    @event.listens_for(engine, "connect")
    def _open(connection: Any, _record: object) -> None:
        # The driver's own BEGIN is deferred; two readers that both turn writer would then fail at once.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # an answered submission, and a revocation, survive a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # erased credentials leave no bytes behind
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        patience = options.get("muniment_patience", _BUSY_SECONDS)
        if connection.info.get("patience", _BUSY_SECONDS) != patience:  # as the one before left this connection
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(patience * 1000)}")
            connection.info["patience"] = patience
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("muniment_writes", True) else "BEGIN")

    return engine
