"""Selections: what was asked to be downloaded together, kept in the control database until it expires.

They are not archival: a selection names what the archive holds and is erased after its life. The same
database remembers the CRC-32 of files that were once sent in a zip, which only spares reading them again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from muniment.content.extras import need
from muniment.errors.nexus import IdTaken, SelectionNotFound, SelectionsUnavailable
from muniment.layouts.selection import Format, SelectionEntry

Result = TypeVar("Result")

_BUSY_SECONDS = 30.0
_TRIES = 5
_AT_ONCE = 500

metadata = MetaData()
# `id` is an IRI of up to 1,024 bytes; times are seconds since 1970 UTC.
_selections = Table(
    "nexus_selections",
    metadata,
    Column("project", String(130), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("entries", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)
_crcs = Table(
    "nexus_crcs",
    metadata,
    Column("digest", String(140), primary_key=True),
    Column("crc", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Definition:
    """One selection: its entries as they were asked for, and until when it may be downloaded."""

    project: str
    id: str
    entries: Sequence[SelectionEntry]
    created_at: float
    created_by: str
    expires_at: float

    def left(self, now: float | None = None) -> int:
        """Whole seconds it has left, never below zero."""
        return max(round(self.expires_at - (time.time() if now is None else now)), 0)


class Selections:
    """Keeps definitions. Any number of processes may share the database."""

    def __init__(self, place: str | Path, *, life: float, clock: Callable[[], float] = time.time) -> None:
        """Open the database at `place`, a file or a `postgresql://` address; `life` is in seconds.

        Raises:
            SelectionsUnavailable: It cannot be opened.
            ExtraMissing: It is in PostgreSQL, and the library for that is not installed.
        """
        self.life = life
        self.clock = clock
        self._place = str(place)
        self._engine = _engine(self._place)
        self._run(lambda connection: metadata.create_all(connection, checkfirst=True))

    def add(self, project: str, id: str, entries: Sequence[SelectionEntry], by: str) -> Definition:
        """Keep a new selection; those that expired are erased by the way.

        Raises:
            IdTaken: There is one with this id already.
        """
        now = self.clock()
        found = Definition(project, id, entries, now, by, now + self.life)

        def work(connection: Connection) -> None:
            connection.execute(delete(_selections).where(_selections.c.expires_at <= now))
            connection.execute(
                insert(_selections).values(
                    project=project,
                    id=id,
                    entries=json.dumps([entry.echo() for entry in entries], ensure_ascii=False),
                    created_at=now,
                    created_by=by,
                    expires_at=found.expires_at,
                )
            )

        try:
            self._run(work)
        except IntegrityError:
            raise IdTaken(id=id, project=project) from None
        return found

    def get(self, project: str, id: str) -> Definition:
        """A selection that has not expired.

        Raises:
            SelectionNotFound: There is none.
        """
        here = (_selections.c.project == project) & (_selections.c.id == id)
        query = select(_selections).where(here & (_selections.c.expires_at > self.clock()))
        row = self._run(lambda connection: connection.execute(query).mappings().first())
        if row is None:
            raise SelectionNotFound(id=id, project=project)
        # Each becomes an entry when it is read: the same in dictionaries takes three times the memory.
        entries = tuple(json.loads(row["entries"], object_hook=_entry))
        return Definition(project, id, entries, row["created_at"], row["created_by"], row["expires_at"])

    def has(self, project: str, id: str) -> bool:
        """Whether an id is in use by a selection."""
        here = (_selections.c.project == project) & (_selections.c.id == id)
        query = select(_selections.c.id).where(here & (_selections.c.expires_at > self.clock()))
        return self._run(lambda connection: connection.execute(query).first()) is not None

    def erase_expired(self) -> int:
        """Erase what has expired; returns how many there were."""
        stale = delete(_selections).where(_selections.c.expires_at <= self.clock())
        return self._run(lambda connection: connection.execute(stale).rowcount)

    def crcs(self) -> Crcs:
        """The remembered CRC-32 of files, for zip archives."""
        return Crcs(self._run)

    def close(self) -> None:
        """Give up all connections."""
        self._engine.dispose()

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        for attempt in range(_TRIES):
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except IntegrityError:
                raise
            except OperationalError as error:
                # Two processes that make the tables at once: the second finds them made.
                if attempt + 1 == _TRIES:
                    raise SelectionsUnavailable(place=self._shown(), reason=str(error.orig)) from error
                time.sleep(0.02 * 2**attempt)
            except SQLAlchemyError as error:
                raise SelectionsUnavailable(place=self._shown(), reason=str(error)) from error
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _shown(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)


class Crcs(MutableMapping[str, int]):
    """CRC-32 by digest ('sha256:…'): looked up in memory, loaded and kept in the database in batches."""

    def __init__(self, run: Callable[[Callable[[Connection], Any]], Any]) -> None:
        self._run = run
        self._known: dict[str, int] = {}
        self._new: dict[str, int] = {}
        self._lock = threading.Lock()

    def load(self, digests: Iterable[str]) -> None:
        """Bring into memory what is known about these."""
        wanted = [digest for digest in digests if digest not in self._known]
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            rows = self._run(lambda connection, part=part: _crcs_of(connection, part))  # type: ignore[misc] # bound early
            with self._lock:
                self._known.update(rows)

    def keep(self) -> None:
        """Write down what was learnt since the last time."""
        with self._lock:
            new, self._new = self._new, {}
        rows = [{"digest": digest, "crc": crc} for digest, crc in new.items()]
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            names = [row["digest"] for row in part]

            def work(connection: Connection, part: list[dict[str, Any]] = part, names: list[Any] = names) -> None:
                connection.execute(delete(_crcs).where(_crcs.c.digest.in_(names)))
                connection.execute(insert(_crcs), part)

            self._run(work)

    def __getitem__(self, digest: str) -> int:
        return self._known[digest]

    def __setitem__(self, digest: str, crc: int) -> None:
        with self._lock:
            if self._known.get(digest) != crc:
                self._known[digest] = self._new[digest] = crc

    def __delitem__(self, digest: str) -> None:
        with self._lock:
            del self._known[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._known))

    def __len__(self) -> int:
        return len(self._known)


def _crcs_of(connection: Connection, digests: list[str]) -> dict[str, int]:
    found = connection.execute(select(_crcs).where(_crcs.c.digest.in_(digests)))
    return {row.digest: row.crc for row in found}


def _entry(said: dict[str, Any]) -> SelectionEntry:
    form = said.get("format")
    return SelectionEntry(
        said["@type"],
        said["resourceId"],
        said.get("project"),
        said.get("path"),
        said.get("rev"),
        said.get("tag"),
        Format(form) if form else None,
    )


def _engine(place: str) -> Engine:
    if "://" in place:
        url = make_url(place)
        if url.drivername in {"postgresql", "postgres"}:
            need("postgres", "A database of selections in PostgreSQL")
            url = url.set(drivername="postgresql+psycopg")
        return create_engine(url, pool_pre_ping=True, pool_size=8)
    url = URL.create("sqlite", database=str(Path(place).absolute()))
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=8)

    @event.listens_for(engine, "connect")
    def _open(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an answered definition survives a power cut

    return engine
