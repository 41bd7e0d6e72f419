"""The index of contents: titles, file names, digests and checks, so that finding a thing walks no folder.

Like the index of resources it is derived from the log and the files, and may be deleted at any time. It lies in a
database of its own, because it is larger by orders of magnitude and nothing but finding waits for it.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from muniment.archive.index.facets import EVERYTHING, FacetQuery, Facets, count_facets, source_of, types_of, within
from muniment.archive.index.words import folded, neighbours, search_for, words_of
from muniment.content.archive import Summary
from muniment.content.entries import Entry
from muniment.content.events import Event, Head
from muniment.content.findings import FINDINGS, Severity
from muniment.errors.base import MunimentError

_VERSION = 4
_PAGE = 500
_KEPT = 16
"""Bytes of a digest that are kept to find by: no two files share them by chance."""
_MOST_TEXT = 20_000
_TITLES = ("title", "name", "label")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    key INTEGER PRIMARY KEY, project TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, head INTEGER NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    source TEXT NOT NULL DEFAULT '', UNIQUE (project, id));
CREATE INDEX IF NOT EXISTS resources_newest ON resources (modified, key);
CREATE INDEX IF NOT EXISTS resources_by_project ON resources (project, modified, key);
CREATE INDEX IF NOT EXISTS resources_by_id ON resources (id);
CREATE INDEX IF NOT EXISTS resources_by_source ON resources (source, modified, key);
CREATE TABLE IF NOT EXISTS types (
    type TEXT NOT NULL, resource INTEGER NOT NULL, PRIMARY KEY (type, resource)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS types_of ON types (resource);
CREATE INDEX IF NOT EXISTS resources_figures ON resources (project, head, files, bytes);
CREATE TABLE IF NOT EXISTS files (
    resource INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, size INTEGER,
    sha512 BLOB, sha256 BLOB, md5 BLOB, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_of ON files (resource, last);
CREATE INDEX IF NOT EXISTS files_named ON files (name);
CREATE INDEX IF NOT EXISTS files_sha512 ON files (sha512) WHERE sha512 IS NOT NULL;
CREATE INDEX IF NOT EXISTS files_sha256 ON files (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX IF NOT EXISTS files_md5 ON files (md5) WHERE md5 IS NOT NULL;
CREATE TABLE IF NOT EXISTS checks (
    project TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL,
    errors INTEGER NOT NULL, unknown INTEGER NOT NULL, fast INTEGER NOT NULL, PRIMARY KEY (project, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS checks_failed ON checks (outcome, seq);
CREATE TABLE IF NOT EXISTS every_check (
    day TEXT NOT NULL, seq INTEGER NOT NULL, failed INTEGER NOT NULL, PRIMARY KEY (day, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mentions (
    project TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (project, id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS months (
    month TEXT PRIMARY KEY, resources INTEGER NOT NULL, instances INTEGER NOT NULL, bytes INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    title, id, about, tokenize="unicode61 remove_diacritics 2");
"""
_TERMS = "CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, row)"
"""The words of the index, as its own full text search has them; a view of it that each connection makes."""
_KNOWN_WORD = "SELECT 1 FROM terms WHERE term >= ? AND term < ? LIMIT 1"
_COMMONEST = (
    "SELECT t.term FROM json_each(?) near JOIN terms t ON t.term = near.value ORDER BY t.doc DESC, t.term LIMIT 1"
)
_TABLES = ("resources", "types", "files", "checks", "every_check", "mentions", "months", "progress", "words")
_CHECKED = ("project", "id", "seq", "at", "outcome", "errors", "unknown", "fast")
_ALGORITHMS = ("sha512", "sha256", "md5")


class Described(Protocol):
    """An instance, as far as it is indexed."""

    @property
    def metadata(self) -> object:
        """What its makers said about it."""

    def files(self) -> Iterator[Entry]:
        """Its files."""


class Followed(Protocol):
    """An archive, as far as its contents are indexed."""

    @property
    def state(self) -> Path:
        """Where what is derived lies."""

    def instance(self, id: str, instance: str | int | None = None, *, project: str | None = None) -> Described:
        """An instance."""

    def events(self, start: int) -> Iterator[Event]:
        """The log after an event."""

    def head(self) -> Head:
        """How far the log reaches."""


@dataclass(frozen=True, slots=True)
class Found:
    """A resource that was found, with its title, and for a file hit that file's path."""

    summary: Summary
    title: str
    path: str = ""
    first: int = 0
    last: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The newest fixity check of a resource, or of everything where project and id are empty; `at` is its beginning."""

    project: str
    id: str
    seq: int
    at: str
    outcome: str
    errors: int
    unknown: int
    fast: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """What is held: resources, instances, files and bytes of the newest instances."""

    resources: int
    instances: int
    files: int
    bytes: int


class ContentIndex:
    """The database of contents of one archive, made when it is first needed. Any number of threads may use it."""

    def __init__(self, archive: Followed) -> None:
        """Keep it beside the archive's other derived files."""
        self._archive = archive
        self._path = archive.state / "contents.db"
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._reading = threading.RLock()

    @property
    def seen(self) -> int:
        """The number of the newest event that is indexed."""
        return self._value("seq")

    def close(self) -> None:
        """Let go of the database."""
        with self._lock, self._reading:
            for connection in {self._connection, self._reader} - {None}:
                assert connection is not None
                connection.close()
            self._connection = self._reader = None

    # --- following the log

    def behind(self) -> int:
        """How many events there are that are not indexed yet."""
        return max(self._archive.head().seq - self.seen, 0)

    def follow(self, most: int = 200) -> int:
        """Take in up to `most` events of the log, each whole or not at all; returns how many came."""
        seen = self.seen
        if seen > self._archive.head().seq:
            self._restart()
            seen = 0
        connection = self._open()
        count = 0
        for event in self._archive.events(seen):
            with self._lock, connection:
                connection.execute("BEGIN IMMEDIATE")
                # Another process may have been quicker.
                if event.seq > _value(connection, "seq"):
                    self._take(connection, event)
                    _set(connection, "seq", event.seq)
            count += 1
            if count >= most:
                break
        return count

    def _restart(self) -> None:
        """Forget everything, to follow the log from its beginning: it was lost and begun anew."""
        connection = self._open()
        with self._lock, connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                connection.execute(f"DROP TABLE {table}")
        with self._lock:
            connection.executescript(_SCHEMA)

    def _take(self, connection: sqlite3.Connection, event: Event) -> None:
        if event.resource:
            mention = (event.project, event.resource, event.seq)
            connection.execute("INSERT OR IGNORE INTO mentions VALUES (?, ?, ?)", mention)
        if event.event == "fixity check":
            self._forget_checks(connection, event)
            # What came while it ran was not looked at.
            at = str(event.detail.get("begun") or event.timestamp)
            check = (event.project, event.resource, event.seq, at, event.outcome)
            counts = (*_severities(event.detail.get("findings")), bool(event.detail.get("fast")))
            connection.execute("INSERT OR REPLACE INTO checks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*check, *counts))
            row = (event.timestamp[:10], event.seq, event.outcome != "success")
            connection.execute("INSERT OR IGNORE INTO every_check VALUES (?, ?, ?)", row)
        elif event.outcome != "success" or not event.resource:
            return
        elif event.event == "ingestion":
            self._add(connection, event)
        elif event.event == "deletion":
            self._remove(connection, event.project, event.resource)
        elif event.event == "repair":
            connection.execute("DELETE FROM checks WHERE project = ? AND id = ?", (event.project, event.resource))

    @staticmethod
    def _forget_checks(connection: sqlite3.Connection, event: Event) -> None:
        """Let a check of everything that read the contents stand for those of single resources before it.

        Resources in which it found something have events of their own, which follow.
        """
        begun = event.detail.get("begun")
        if not event.resource and not event.detail.get("fast") and isinstance(begun, str):
            connection.execute("DELETE FROM checks WHERE id != '' AND at < ?", (begun,))

    def _add(self, connection: sqlite3.Connection, event: Event) -> None:
        try:
            instance = self._archive.instance(event.resource, event.instance, project=event.project)
            title, about = _described(instance)
            source = source_of(instance.metadata)
            entries = {str(entry.path): entry for entry in instance.files()}
        except (MunimentError, OSError):
            return  # it was purged meanwhile, or an audit says what is wrong with it
        known = connection.execute(
            "SELECT key, head, bytes FROM resources WHERE project = ? AND id = ?", (event.project, event.resource)
        ).fetchone()
        size = sum(entry.size or 0 for entry in entries.values())
        now = (title, event.instance, event.timestamp, len(entries), size, source)
        if known is None:
            row = (event.project, event.resource, event.timestamp, *now)
            key = connection.execute(
                "INSERT INTO resources (project, id, created, title, head, modified, files, bytes, source) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
        else:
            key = known[0]
            connection.execute(
                "UPDATE resources SET title = ?, head = ?, modified = ?, files = ?, bytes = ?, source = ? "
                "WHERE key = ?",
                (*now, key),
            )
            connection.execute("DELETE FROM words WHERE rowid = ?", (key,))
            connection.execute("DELETE FROM types WHERE resource = ?", (key,))
        connection.execute(
            "INSERT INTO words (rowid, title, id, about) VALUES (?, ?, ?, ?)", (key, title, event.resource, about)
        )
        kinds = [(each, key) for each in types_of(entries.values())]
        connection.executemany("INSERT INTO types VALUES (?, ?)", kinds)
        self._add_files(connection, int(key or 0), event.instance, entries)
        connection.execute(
            "INSERT INTO months VALUES (?, ?, 1, ?) ON CONFLICT (month) DO UPDATE SET resources = resources + "
            "excluded.resources, instances = instances + 1, bytes = bytes + excluded.bytes",
            (event.timestamp[:7], int(known is None), size - (known[2] if known else 0)),
        )

    @staticmethod
    def _add_files(connection: sqlite3.Connection, key: int, number: int, entries: dict[str, Entry]) -> None:
        """A file that is as it was before goes on; what is new or changed gets a row of its own."""
        before = connection.execute(
            "SELECT rowid, path, sha512, sha256 FROM files WHERE resource = ? AND last = ?", (key, number - 1)
        ).fetchall()
        on: list[tuple[int, int]] = []
        rest = dict(entries)
        for row, path, sha512, sha256 in before:
            entry = rest.get(path)
            if entry is not None and (_kept(entry, "sha512"), _kept(entry, "sha256")) == (sha512, sha256):
                on.append((number, row))
                del rest[path]
        connection.executemany("UPDATE files SET last = ? WHERE rowid = ?", on)
        connection.executemany(
            "INSERT INTO files (resource, path, name, size, sha512, sha256, md5, first, last) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    key,
                    path,
                    path.rpartition("/")[2],
                    entry.size,
                    *(_kept(entry, each) for each in _ALGORITHMS),
                    number,
                    number,
                )
                for path, entry in rest.items()
            ),
        )

    @staticmethod
    def _remove(connection: sqlite3.Connection, project: str, id: str) -> None:
        row = connection.execute(
            "SELECT key, bytes FROM resources WHERE project = ? AND id = ?", (project, id)
        ).fetchone()
        if row is None:
            return
        for statement in ("resources WHERE key", "types WHERE resource", "files WHERE resource", "words WHERE rowid"):
            connection.execute(f"DELETE FROM {statement} = ?", (row[0],))  # noqa: S608 - from the line above
        connection.execute("DELETE FROM checks WHERE project = ? AND id = ?", (project, id))

    # --- finding

    def newest(
        self, projects: list[str] | None, before: tuple[str, int] | None, limit: int, only: FacetQuery = EVERYTHING
    ) -> list[Found]:
        """Resources by their newest instance, the newest first; `before` is the last one's time and key."""
        where, given = within(projects, "r.project", only)
        if before is not None:
            where += " AND (r.modified, r.key) < (?, ?)"
            given += before
        query = f"SELECT r.* FROM resources r WHERE {where} ORDER BY r.modified DESC, r.key DESC LIMIT ?"  # noqa: S608 - built here
        return [_found(row) for row in self._rows(query, (*given, limit))]

    def put_in(self, day: str, projects: list[str] | None, limit: int, skip: int = 0) -> list[Found]:
        """Resources whose newest instance is of a day or a month, written as RFC 3339 begins, the newest first."""
        where, given = within(projects, "r.project")
        query = (
            f"SELECT r.* FROM resources r WHERE r.modified >= ? AND r.modified < ? AND {where} "  # noqa: S608 - as above
            "ORDER BY r.modified DESC, r.key DESC LIMIT ? OFFSET ?"
        )
        return [_found(row) for row in self._rows(query, (day, f"{day}\uffff", *given, limit, skip))]

    def about(
        self, text: str, projects: list[str] | None, limit: int, skip: int = 0, only: FacetQuery = EVERYTHING
    ) -> list[Found]:
        """Resources in whose title, id or description all these words are, or begin; the best first."""
        asked = search_for(text)
        if not asked:
            return []
        where, given = within(projects, "r.project", only)
        query = (
            "SELECT r.* FROM words JOIN resources r ON r.key = words.rowid "  # noqa: S608 - as above
            f"WHERE words MATCH ? AND {where} ORDER BY bm25(words, 8, 4, 1), r.key LIMIT ? OFFSET ?"
        )
        return [_found(row) for row in self._rows(query, (asked, *given, limit, skip))]

    def facets(self, text: str, projects: list[str] | None, only: FacetQuery = EVERYTHING) -> Facets:
        """What a search by words has of each project, year, type, source and state; all where `text` is empty."""
        return count_facets(self._rows, text, projects, only)

    def nearest(self, text: str, projects: list[str] | None) -> str:
        """The words of `text`, those that no resource has replaced by the commonest that is spelled nearly so.

        Empty where that would find nothing in these projects, so that nobody learns a word of what is not theirs.
        """
        found = []
        for word in words_of(text):
            near = folded(word)
            if not self._rows(_KNOWN_WORD, (near, f"{near}\uffff")):
                candidates = self._rows(_COMMONEST, (json.dumps(neighbours(near)),))
                if not candidates:
                    return ""
                near = candidates[0][0]
            found.append(near)
        meant = " ".join(found)
        return meant if meant != folded(" ".join(words_of(text))) and self.about(meant, projects, 1) else ""

    def named(
        self, text: str, projects: list[str] | None, limit: int, after: tuple[str, int] = ("", 0)
    ) -> list[tuple[int, Found]]:
        """Files whose name begins so, capital or small letters alike, by name and row, each with its row's number."""
        where, given = within(projects, "r.project")
        query = (
            "SELECT f.rowid, f.path, f.first, f.last, f.size, r.* FROM files f INDEXED BY files_named "  # noqa: S608 - as above
            "CROSS JOIN resources r ON r.key = f.resource WHERE f.name >= ? AND f.name < ? "
            f"AND (f.name, f.rowid) > (?, ?) AND {where} ORDER BY f.name, f.rowid LIMIT ?"
        )
        rows = self._rows(query, (text, f"{text}\U0010ffff", *after, *given, limit))
        return [(row[0], _found(row[5:], *row[1:5])) for row in rows]

    def holding(self, digest: str, projects: list[str] | None, limit: int) -> list[Found]:
        """Every place of a content, by its digest in hexadecimal: sha512, sha256 or md5."""
        column = {128: "sha512", 64: "sha256", 32: "md5"}.get(len(digest))
        if column is None:
            return []
        where, given = within(projects, "r.project")
        query = (
            f"SELECT f.path, f.first, f.last, f.size, r.* FROM files f JOIN resources r ON r.key = f.resource "  # noqa: S608 - as above
            f"WHERE f.{column} = ? AND {where} ORDER BY f.rowid LIMIT ?"
        )
        rows = self._rows(query, (bytes.fromhex(digest)[:_KEPT], *given, limit))
        return [_found(row[4:], *row[:4]) for row in rows]

    def with_id(self, id: str, projects: list[str] | None, only: FacetQuery = EVERYTHING) -> list[Found]:
        """The resources that have an id, one a project."""
        where, given = within(projects, "r.project", only)
        query = f"SELECT r.* FROM resources r WHERE r.id = ? AND {where} LIMIT 100"  # noqa: S608 - as above
        return [_found(row) for row in self._rows(query, (id, *given))]

    def key_of(self, found: Found) -> int:
        """The number of a resource's row, for paging."""
        row = self._rows(
            "SELECT key FROM resources WHERE project = ? AND id = ?", (found.summary.project, found.summary.id)
        )
        return int(row[0][0]) if row else 0

    def mentions(self, project: str, id: str, limit: int, before: int = 1 << 62) -> list[int]:
        """The numbers of the events about a resource, the newest first."""
        query = "SELECT seq FROM mentions WHERE project = ? AND id = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
        return [int(row[0]) for row in self._rows(query, (project, id, before, limit))]

    # --- figures

    def totals(self, projects: list[str] | None = None) -> Totals:
        """What is held."""
        where, given = within(projects, "project")
        query = f"SELECT count(*), coalesce(sum(head), 0), coalesce(sum(files), 0), coalesce(sum(bytes), 0) FROM resources WHERE {where}"  # noqa: S608, E501 - as above
        return Totals(*self._rows(query, given)[0])

    def came_since(self, stamp: str) -> int:
        """How many resources have an instance from after a time, in RFC 3339 as the log writes it."""
        return int(self._rows("SELECT count(*) FROM resources WHERE modified > ?", (stamp,))[0][0])

    def by_project(self) -> list[tuple[str, Totals]]:
        """What is held, project by project."""
        query = (
            "SELECT project, count(*), sum(head), sum(files), sum(bytes) FROM resources "
            "GROUP BY project ORDER BY project"
        )
        return [(row[0], Totals(*row[1:])) for row in self._rows(query, ())]

    def months(self) -> list[tuple[str, int, int, int]]:
        """Month by month what was taken in: resources, instances, bytes."""
        return [tuple(row) for row in self._rows("SELECT * FROM months ORDER BY month", ())]

    def last_checks(self, *, failed: bool, limit: int = 100) -> list[LastCheck]:
        """The newest check of each resource that was checked by itself, failed ones or the others; newest first."""
        # With one outcome the index is read from its newest end; of an archive's hundred thousand checks few failed.
        outcome = "=" if failed else "!="
        query = f"SELECT * FROM checks WHERE id != '' AND outcome {outcome} 'failure' ORDER BY seq DESC LIMIT ?"  # noqa: S608 - one of two
        return [_check(row) for row in self._rows(query, (limit,))]

    def last_check(self, project: str = "", id: str = "") -> LastCheck | None:
        """The newest check of a resource, or of everything."""
        rows = self._rows("SELECT * FROM checks WHERE project = ? AND id = ?", (project, id))
        return _check(rows[0]) if rows else None

    def failed_of(self, project: str) -> list[tuple[str, int]]:
        """How many resources of a project were found damaged or could not be read, by state."""
        query = (
            "SELECT CASE WHEN errors > 0 THEN 'damaged' ELSE 'unknown' END, count(*) FROM checks "
            "WHERE outcome = 'failure' AND id != '' AND project = ? GROUP BY 1 ORDER BY 1"
        )
        return [(str(state), int(count)) for state, count in self._rows(query, (project,))]

    def days_of_checks(self, since: str) -> list[tuple[str, int, int]]:
        """Day by day from one on: how many checks ended, and how many of them found something."""
        query = "SELECT day, count(*), sum(failed) FROM every_check WHERE day >= ? GROUP BY day ORDER BY day"
        return [(str(day), int(count), int(failed)) for day, count, failed in self._rows(query, (since,))]

    def checks_on(self, day: str, most: int) -> list[int]:
        """The numbers of the events of the checks that ended on a day."""
        query = "SELECT seq FROM every_check WHERE day = ? ORDER BY seq LIMIT ?"
        return [int(row[0]) for row in self._rows(query, (day, most))]

    # --- the database

    def _rows(self, query: str, given: Iterable[object]) -> list[Any]:
        with self._reading:
            return self._open_reader().execute(query, tuple(given)).fetchall()

    def _open_reader(self) -> sqlite3.Connection:
        """A connection of its own, so that nobody who looks waits while a large event is taken in."""
        if self._reader is None:
            writer = self._open()
            kept = any(row[2] for row in writer.execute("PRAGMA database_list"))
            self._reader = _only_reading(self._path) if kept else writer
        return self._reader

    def _open(self) -> sqlite3.Connection:
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self._path)
            return self._connection

    def _value(self, name: str) -> int:
        rows = self._rows("SELECT value FROM progress WHERE name = ?", (name,))
        return int(rows[0][0]) if rows else 0


def _value(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT value FROM progress WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def _set(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("INSERT OR REPLACE INTO progress (name, value) VALUES (?, ?)", (name, value))


def _described(instance: Described) -> tuple[str, str]:
    """The title of an instance, and the texts of what is said about it."""
    said = instance.metadata
    given = said if isinstance(said, dict) else {}
    title = next((text for name in _TITLES if (text := _text(given.get(name)))), "")
    return title, " ".join(_texts(given))[:_MOST_TEXT]


def _text(value: Any) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return value.strip()[:_MOST_TEXT] if isinstance(value, str) else ""


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 6 and isinstance(value, dict | list):  # noqa: PLR2004 - as deep as anybody describes anything
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)


def _kept(entry: Entry, algorithm: str) -> bytes | None:
    value = entry.digests.get(algorithm)
    return bytes.fromhex(value)[:_KEPT] if value else None


def _found(row: Any, path: str = "", first: int = 0, last: int = 0, size: int | None = None) -> Found:
    _, project, id, title, head, created, modified, files, total, _ = row  # noqa: A001 - the domain's word
    return Found(Summary(project, id, head, created, modified, files, total), title, path, first, last, size or 0)


def _check(row: Any) -> LastCheck:
    return LastCheck(**{**dict(zip(_CHECKED, row, strict=True)), "fast": bool(row[7])})


def _severities(findings: object) -> tuple[int, int]:
    """How much was found wrong and how much could not be told, of findings counted by severity or by code.

    A check of everything counts by severity; what it says of each resource beside that, by code.
    """
    counts = {Severity.ERROR: 0, Severity.UNKNOWN: 0}
    for name, count in findings.items() if isinstance(findings, dict) else ():
        kind = FINDINGS.get(name)
        severity = kind.severity if kind else name
        if severity in counts:
            counts[Severity(severity)] += _whole(count)
    return counts[Severity.ERROR], counts[Severity.UNKNOWN]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _connect(path: Path) -> sqlite3.Connection:
    """Open the database; a damaged one is removed and begun anew, and a folder one may not write has one in memory."""
    try:
        return _prepare(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            return _prepare(None)
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                path.with_name(path.name + suffix).unlink()
        return _prepare(path)


def _only_reading(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute(_TERMS)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _prepare(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")  # in WAL mode it stays whole; a lost tail is caught up
        connection.execute("PRAGMA journal_mode = WAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] not in {0, _VERSION}:
            for table in _TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute(_TERMS)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
