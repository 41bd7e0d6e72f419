"""The index: which resources there are, derived from the files so that listing need not walk them.

It is a projection of the log: each event moves it on by one. It may be deleted at any time, and
nothing that matters is decided by it alone: `reindex` rebuilds it from the objects on disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from muniment.content.archive import Summary
from muniment.content.events import UNREADABLE, Event, Head
from muniment.content.regular import regular_size
from muniment.errors.archive import IndexFailed

_VERSION = 3
_PAGE = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    project TEXT NOT NULL, id TEXT NOT NULL, head INTEGER NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    audited TEXT NOT NULL DEFAULT '', damaged INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, project)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS resources_by_project ON resources (project, id);
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""

_UPSERT = """
INSERT INTO resources (project, id, head, created, modified, files, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id, project) DO UPDATE SET
    head = excluded.head, modified = excluded.modified, files = excluded.files, bytes = excluded.bytes
WHERE excluded.head >= head
"""

_QUICKLY_CHECKED = 1 << 20
"""Bytes of an index that is checked whenever it is opened, which takes a few milliseconds."""
_NOTE = "INSERT OR REPLACE INTO progress (name, value) VALUES (?, ?)"
_ROW = "SELECT project, id, head, created, modified, files, bytes, audited, damaged FROM resources"
_TYPES = (str, str, int, str, str, int, int, str, int)
_PAGE_OF_ALL = f"{_ROW} WHERE (id, project) > (?, ?) ORDER BY id, project LIMIT ? OFFSET ?"
_PAGE_OF_PROJECT = f"{_ROW} WHERE project = ? AND id > ? ORDER BY id LIMIT ? OFFSET ?"
FIXITY_CHECK = "fixity check"
"""The event that says what was audited: a PREMIS event type."""


T = TypeVar("T")


class Index:
    """The index database of one archive, made when it is first needed.

    Where it fails or is damaged, it is begun anew, once; where that fails as well, one in memory serves.
    `refill` is then called to fill it.
    """

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._removed = False
        self.refill: Callable[[], object] = lambda: None

    @property
    def fresh(self) -> bool:
        """Whether nothing was ever indexed here, so that only the disk can tell what there is."""
        return not self._rows("SELECT 1 FROM progress WHERE name = 'complete'")

    @property
    def seen(self) -> Head:
        """The newest event that is indexed, and the hash of its line."""
        rows = dict(self._rows("SELECT name, value FROM progress WHERE name IN ('seq', 'hash')"))
        seq, digest = rows.get("seq", 0), rows.get("hash", "")
        return Head(seq, digest) if isinstance(seq, int) and isinstance(digest, str) else Head(0, "")

    def apply(self, events: Iterable[tuple[Event, str]]) -> bool:
        """Move on by the given events, each with the hash of its line; events already seen change nothing.

        False, and nothing changed, where one is missing between them, or the first does not follow the
        newest that was seen: a cut of power can take events from the log that were indexed already, and
        others then get their numbers. Only the disk can tell then.

        Raises:
            IndexFailed: No index can be kept, not even in memory.
        """

        def work(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            seen = newest = self.seen
            for event, line_hash in events:
                if event.seq <= seen.seq:
                    continue
                follows = event.seq == newest.seq + 1 and event.previous == newest.hash
                if not follows or event.event == UNREADABLE:
                    connection.rollback()
                    return False
                newest = Head(event.seq, line_hash)
                _apply(connection, event)
            if newest != seen:
                _note(connection, newest)
            return True

        # Events that were taken are gone from the iterator: what failed half way is filled anew, and that is all.
        done = self._change(work)
        return True if done is None else done

    def rebuild(self, resources: Iterable[Summary], seen: Head, audits: Iterable[Event] = ()) -> int:
        """Replace everything by what the disk holds, and note the log's `audits` again.

        `seen` is the log's head when the walk began.

        Raises:
            IndexFailed: No index can be kept, not even in memory.
        """

        def work(connection: sqlite3.Connection) -> int:
            count = 0
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
            _note(connection, seen)
            connection.execute(_NOTE, ("complete", 1))
            return count

        done = self._change(work)
        return self.count() if done is None else done

    def page(self, project: str | None, after: tuple[str, str], limit: int, skip: int = 0) -> list[Summary]:
        """Up to `limit` resources after (id, project), sorted by id, `skip` of them left out."""
        if project is None:
            rows = self._rows(_PAGE_OF_ALL, *after, limit, skip)
        else:
            rows = self._rows(_PAGE_OF_PROJECT, project, after[0], limit, skip)
        return [_summary(row) for row in rows]

    def find(self, project: str, resource: str) -> Summary | None:
        """One resource, as a list shows it."""
        rows = self._rows(f"{_ROW} WHERE id = ? AND project = ?", resource, project)
        return _summary(rows[0]) if rows else None

    def all(self, project: str | None = None, after: tuple[str, str] = ("", "")) -> Iterator[Summary]:
        """Every resource, a page at a time, so that nothing is held while the caller works."""
        while rows := self.page(project, after, _PAGE):
            yield from rows
            after = (rows[-1].id, rows[-1].project)

    def projects(self) -> list[str]:
        """Every project that has a resource."""
        return [row[0] for row in self._rows("SELECT DISTINCT project FROM resources ORDER BY project")]

    def projects_of(self, resource: str) -> list[str]:
        """The projects in which an id is used."""
        return [row[0] for row in self._rows("SELECT project FROM resources WHERE id = ? ORDER BY project", resource)]

    def count(self, project: str | None = None) -> int:
        """How many resources there are, in one project or in all."""
        query = "SELECT count(*) FROM resources"
        rows = self._rows(f"{query} WHERE project = ?", project) if project else self._rows(query)
        return int(rows[0][0])

    def total(self) -> int:
        """Bytes of all resources' newest instances together."""
        return int(self._rows("SELECT coalesce(sum(bytes), 0) FROM resources")[0][0])

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query finds; asked again of an index that was begun anew, where this one fails.

        Raises:
            IndexFailed: No index can be kept, not even in memory.
        """
        try:
            return self._asked(query, parameters)
        except _FAULTS as error:
            if not _is_of_storage(error):
                raise
            self._begin_anew(error)
        try:
            return self._asked(query, parameters)
        except _FAULTS as error:
            raise IndexFailed(path=self._path, reason=str(error)) from error

    def _asked(self, query: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        found = self._open().execute(query, parameters).fetchall()
        if query.startswith(_ROW) and not all(map(_is_summary, found)):
            raise _WrongTypes
        return found

    def _change(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do something in one change; None where the index failed and was begun anew instead.

        Raises:
            IndexFailed: No index can be kept, not even in memory.
        """
        with self._lock:
            try:
                connection = self._open()
                with connection:
                    return work(connection)
            except _FAULTS as error:
                if not _is_of_storage(error):
                    raise
                self._begin_anew(error)
        return None

    def _begin_anew(self, error: Exception) -> None:
        """Go on with an index of which nothing is known yet, and fill it: it is only derived."""
        with self._lock:
            self.close()
            if self._path is None:
                raise IndexFailed(path="in memory", reason=str(error)) from error
            if _is_damaged(error) and not self._removed:
                self._removed = True
                _remove(self._path)
            else:
                # The storage fails, or somebody holds it for long: what it holds may be right.
                self._path = None
            self.refill()

    def _open(self) -> sqlite3.Connection:
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self._path)
            return self._connection


def _note(connection: sqlite3.Connection, seen: Head) -> None:
    connection.executemany(_NOTE, [("seq", seen.seq), ("hash", seen.hash)])


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


def _is_summary(row: Sequence[Any]) -> bool:
    return tuple(map(type, row)) == _TYPES


def _summary(row: Sequence[Any]) -> Summary:
    found = Summary(*row)
    return replace(found, damaged=bool(found.damaged))


def _connect(path: Path | None) -> sqlite3.Connection:
    """Open the database; a damaged or foreign one is removed and begun anew, as it is only derived."""
    try:
        return _prepare(path)
    except _FAULTS as error:
        if path is None or not _is_damaged(error):
            # A read-only archive still has to be listed: index it in memory for this once.
            return _prepare(None)
        _remove(path)
    try:
        return _prepare(path)
    except _FAULTS:
        return _prepare(None)


class _WrongTypes(sqlite3.DatabaseError):
    """The index holds what was never written into it."""


_FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a damaged database ends in: also its own messages are then no text."""


def _is_of_storage(error: Exception) -> bool:
    """Whether it is the file that fails, and not a call of ours."""
    return isinstance(error, sqlite3.OperationalError) or _is_damaged(error)


def _is_damaged(error: Exception) -> bool:
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.NotSupportedError):
        return False
    # What sqlite has no number for, python found: text that is none.
    number = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return number & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def _prepare(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False)
    try:
        # In WAL mode this keeps the file whole; a lost tail is caught up from the log.
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _VERSION}:
            connection.executescript("DROP TABLE IF EXISTS resources; DROP TABLE IF EXISTS progress;")
        connection.execute("PRAGMA journal_mode = WAL")
        if path is not None and (regular_size(path) or 0) < _QUICKLY_CHECKED:
            # A page that became zeros looks empty; of a large index the audit compares the rows.
            wrong = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if wrong != "ok":
                raise _WrongTypes(wrong)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except _FAULTS:
        connection.close()
        raise
    return connection
