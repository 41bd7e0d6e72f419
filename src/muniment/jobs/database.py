"""The ledger's database: how it is opened, what a transaction is, and which failures are tried again."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from muniment.content.extras import need
from muniment.errors.jobs import BadLedgerAddress, LedgerBroken, LedgerUnavailable

Clock = Callable[[], float]
Result = TypeVar("Result")

_TRIES = 6
_BUSY_SECONDS = 30.0
_CLOCK_CHECK_SECONDS = 300.0
_PASSING_STATES = ("40001", "40P01", "23505")
"""Serialisation failure, deadlock, and an equal row that another writer made first: the loser begins again."""


class Database:
    """One ledger's database, with short transactions that begin again when another writer got in the way."""

    def __init__(self, place: str | Path, clock: Clock | None = None) -> None:
        """Remember where the ledger is: a file (SQLite) or a `postgresql://` address. Nothing is opened yet.

        Raises:
            BadLedgerAddress: It is neither.
            ExtraMissing: It is in PostgreSQL, and the library for that is not installed.
        """
        url = _url(place)
        self.embedded = url.get_backend_name() == "sqlite"
        self.place = url.render_as_string(hide_password=True) if not self.embedded else str(url.database)
        self.engine = _sqlite(url) if self.embedded else create_engine(url, pool_pre_ping=True, pool_size=10)
        self._clock = clock
        self._offset = 0.0
        self._offset_until = 0.0

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
        except LedgerUnavailable:
            # Clocks drift slowly: what was measured before serves until the database is back.
            if not self._offset_until:
                raise
        else:
            self._offset = theirs - (before + time.time()) / 2
        self._offset_until = time.monotonic() + _CLOCK_CHECK_SECONDS

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction, again from its start when the database asks for that.

        Raises:
            LedgerUnavailable: The database cannot be reached, or stays locked.
            LedgerBroken: The database refused for another reason.
        """
        return self._transaction(work, writing=True)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on one consistent view.

        Raises:
            LedgerUnavailable: The database cannot be reached.
            LedgerBroken: The database refused for another reason.
        """
        return self._transaction(work, writing=False)

    def close(self) -> None:
        """Give up all connections."""
        self.engine.dispose()

    def _transaction(self, work: Callable[[Connection], Result], *, writing: bool) -> Result:
        for attempt in range(_TRIES):
            try:
                with self.engine.connect().execution_options(muniment_writes=writing) as connection, connection.begin():
                    return work(connection)
            except DBAPIError as error:
                if attempt + 1 == _TRIES or not _passing(error):
                    raise self._mapped(error) from error
                time.sleep(random.uniform(0.5, 1.0) * 0.02 * 2**attempt)  # noqa: S311 - spreads writers, hides nothing
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _mapped(self, error: DBAPIError) -> LedgerUnavailable | LedgerBroken:
        reason = " ".join(str(error.orig).split())
        if error.connection_invalidated or isinstance(error, OperationalError):
            return LedgerUnavailable(place=self.place, reason=reason)
        return LedgerBroken(place=self.place, reason=reason)

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Turn the database library's errors into the ledger's own, where no transaction of ours does.

        Raises:
            LedgerUnavailable: The database cannot be reached.
            LedgerBroken: It failed otherwise.
        """
        try:
            yield
        except DBAPIError as error:
            raise self._mapped(error) from error
        except SQLAlchemyError as error:
            raise LedgerBroken(place=self.place, reason=str(error)) from error


_PG_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"


def _url(place: str | Path) -> URL:
    given = str(place)
    if "://" not in given:
        return URL.create("sqlite", database=str(Path(given).absolute()))
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise BadLedgerAddress(reason="it is no address") from error  # not repeated: it may hold a password
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise BadLedgerAddress(reason=f"{url.drivername!r} is no database Muniment knows")
    need("postgres", "A ledger in PostgreSQL")
    return url.set(drivername="postgresql+psycopg")


def _passing(error: DBAPIError) -> bool:
    """Whether the same transaction may go through when it is simply begun again."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state in _PASSING_STATES:
        return True
    return isinstance(error.orig, sqlite3.OperationalError) and "locked" in str(error.orig)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=10)

    @event.listens_for(engine, "connect")
    def _open(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN is deferred; two readers that both turn writer would then fail at once.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # an answered submission survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # erased credentials leave no bytes behind
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("muniment_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
