"""The index: which resources there are, derived from the files so that listing need not walk them.

It is a projection of the log: each event moves it on by one. It may be deleted at any time, and
nothing that matters is decided by it alone: `reindex` rebuilds it from the objects on disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from muniment.content.archive import Summary
from muniment.content.events import UNREADABLE, Event

_VERSION = 2
_PAGE = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    project TEXT NOT NULL, id TEXT NOT NULL, head INTEGER NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    audited TEXT NOT NULL DEFAULT '', damaged INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, project)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS resources_by_project ON resources (project, id);
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

_UPSERT = """
INSERT INTO resources (project, id, head, created, modified, files, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id, project) DO UPDATE SET
    head = excluded.head, modified = excluded.modified, files = excluded.files, bytes = excluded.bytes
WHERE excluded.head >= head
"""

_ROW = "SELECT project, id, head, created, modified, files, bytes, audited, damaged FROM resources"
_PAGE_OF_ALL = f"{_ROW} WHERE (id, project) > (?, ?) ORDER BY id, project LIMIT ? OFFSET ?"
_PAGE_OF_PROJECT = f"{_ROW} WHERE project = ? AND id > ? ORDER BY id LIMIT ? OFFSET ?"
FIXITY_CHECK = "fixity check"
"""The event that says what was audited: a PREMIS event type."""


class Index:
    """The index database of one archive, made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    @property
    def fresh(self) -> bool:
        """Whether nothing was ever indexed here, so that only the disk can tell what there is."""
        return self._value("complete") == 0

    @property
    def seen(self) -> int:
        """The number of the newest event that is indexed."""
        return self._value("seq")

    def apply(self, events: Iterable[Event]) -> bool:
        """Move on by the given events; events already seen change nothing.

        False, and nothing changed, where one is missing between them: then only the disk can tell.
        """
        connection = self._open()
        with self._lock, connection:
            connection.execute("BEGIN IMMEDIATE")
            seen = self._value("seq")
            newest = seen
            for event in events:
                if event.seq <= seen:
                    continue
                if event.seq != newest + 1 or event.event == UNREADABLE:
                    connection.rollback()
                    return False
                newest = event.seq
                _apply(connection, event)
            if newest > seen:
                self._set(connection, "seq", newest)
        return True

    def rebuild(self, resources: Iterable[Summary], seen: int, audits: Iterable[Event] = ()) -> int:
        """Replace everything by what the disk holds, and note the log's `audits` again.

        `seen` is the log's head when the walk began.
        """
        connection = self._open()
        count = 0
        with self._lock, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM resources")
            for item in resources:
                connection.execute(
                    _UPSERT,
                    (item.project, item.id, item.head, item.created, item.modified, item.files, item.bytes),
                )
                count += 1
            for event in audits:
                _apply_audit(connection, event)
            self._set(connection, "seq", seen)
            self._set(connection, "complete", 1)
        return count

    def page(self, project: str | None, after: tuple[str, str], limit: int, skip: int = 0) -> list[Summary]:
        """Up to `limit` resources after (id, project), sorted by id, `skip` of them left out."""
        connection = self._open()
        if project is None:
            rows = connection.execute(_PAGE_OF_ALL, (*after, limit, skip))
        else:
            rows = connection.execute(_PAGE_OF_PROJECT, (project, after[0], limit, skip))
        return [_summary(row) for row in rows]

    def find(self, project: str, resource: str) -> Summary | None:
        """One resource, as a list shows it."""
        row = self._open().execute(f"{_ROW} WHERE id = ? AND project = ?", (resource, project)).fetchone()
        return _summary(row) if row else None

    def all(self, project: str | None = None, after: tuple[str, str] = ("", "")) -> Iterator[Summary]:
        """Every resource, a page at a time, so that nothing is held while the caller works."""
        while rows := self.page(project, after, _PAGE):
            yield from rows
            after = (rows[-1].id, rows[-1].project)

    def projects(self) -> list[str]:
        """Every project that has a resource."""
        return [row[0] for row in self._open().execute("SELECT DISTINCT project FROM resources ORDER BY project")]

    def projects_of(self, resource: str) -> list[str]:
        """The projects in which an id is used."""
        query = "SELECT project FROM resources WHERE id = ? ORDER BY project"
        return [row[0] for row in self._open().execute(query, (resource,))]

    def count(self, project: str | None = None) -> int:
        """How many resources there are, in one project or in all."""
        query = "SELECT count(*) FROM resources"
        counting = self._open()
        found = counting.execute(f"{query} WHERE project = ?", (project,)) if project else counting.execute(query)
        return int(found.fetchone()[0])

    def total(self) -> int:
        """Bytes of all resources' newest instances together."""
        return int(self._open().execute("SELECT coalesce(sum(bytes), 0) FROM resources").fetchone()[0])

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self._path)
            return self._connection

    def _value(self, name: str) -> int:
        row = self._open().execute("SELECT value FROM progress WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    @staticmethod
    def _set(connection: sqlite3.Connection, name: str, value: int) -> None:
        connection.execute("INSERT OR REPLACE INTO progress (name, value) VALUES (?, ?)", (name, value))


def _apply(connection: sqlite3.Connection, event: Event) -> None:
    if event.event == "ingestion" and event.outcome == "success":
        detail = event.detail
        row = (event.project, event.resource, event.instance, event.timestamp, event.timestamp)
        connection.execute(_UPSERT, (*row, detail.get("files", 0), detail.get("bytes", 0)))
    elif event.event == "deletion" and event.outcome == "success":
        connection.execute("DELETE FROM resources WHERE id = ? AND project = ?", (event.resource, event.project))
    elif event.event == FIXITY_CHECK:
        _apply_audit(connection, event)


def _apply_audit(connection: sqlite3.Connection, event: Event) -> None:
    """Note when content was last read and compared: of one resource, or of all that were there when it began."""
    if event.detail.get("fast"):
        return
    damaged = int(event.outcome != "success")
    if event.resource:
        place = (event.timestamp, damaged, event.resource, event.project)
        connection.execute("UPDATE resources SET audited = ?, damaged = ? WHERE id = ? AND project = ?", place)
    elif begun := str(event.detail.get("begun", "")):
        # Those in which something is wrong have an event of their own behind this one.
        connection.execute("UPDATE resources SET audited = ?, damaged = 0 WHERE modified < ?", (event.timestamp, begun))


def _summary(row: Sequence[Any]) -> Summary:
    found = Summary(*row)
    return replace(found, damaged=bool(found.damaged))


def _connect(path: Path) -> sqlite3.Connection:
    """Open the database; a damaged or foreign one is set aside and begun anew, as it is only derived."""
    try:
        return _prepare(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            # A read-only archive still has to be listed: index it in memory for this once.
            return _prepare(None)
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                path.with_name(path.name + suffix).unlink()
        return _prepare(path)


def _prepare(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False)
    try:
        # In WAL mode this keeps the file whole; a lost tail is caught up from the log.
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _VERSION}:
            connection.executescript("DROP TABLE IF EXISTS resources; DROP TABLE IF EXISTS progress;")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
