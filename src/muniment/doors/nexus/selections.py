"""Selections: what was asked to be downloaded together, kept in the control database until it expires.

They are not archival: a selection names what the archive holds and is erased after its life. The same
database remembers the CRC-32 of files that were once sent in a zip, which only spares reading them again.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from sys import intern
from typing import Any, overload

from sqlalchemy import Connection, bindparam, delete, insert, select

from muniment.database import Database
from muniment.database.tables import nexus_crcs, nexus_selections
from muniment.errors.base import MunimentError
from muniment.errors.nexus import IdTaken, SelectionNotFound
from muniment.layouts.selection import Format, SelectionEntry

_AT_ONCE = 500
_MOST_NEW = 2_000
"""CRCs that are learnt before they are written down: a hundred bytes each."""
# Put together once, as it is asked for each resource that is made.
_IN_USE = select(nexus_selections.c.id).where(
    nexus_selections.c.project == bindparam("in_project"),
    nexus_selections.c.id == bindparam("with_id"),
    nexus_selections.c.expires_at > bindparam("now"),
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

    @property
    def projects(self) -> frozenset[str]:
        """All projects that it names."""
        return frozenset(entry.project or self.project for entry in self.entries)

    def left(self, now: float | None = None) -> int:
        """Whole seconds it has left, never below zero."""
        return max(round(self.expires_at - (time.time() if now is None else now)), 0)


class _KeptEntries(Sequence[SelectionEntry]):
    """The entries of a selection as they are kept, read when the first of them is asked for.

    A download that is gone on with needs none of them.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _entries(self) -> list[SelectionEntry]:
        # Each becomes an entry when it is read: the same in dictionaries takes three times the memory.
        return list(json.loads(self._text, object_hook=_entry))

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> SelectionEntry: ...

    @overload
    def __getitem__(self, index: slice) -> list[SelectionEntry]: ...

    def __getitem__(self, index: int | slice) -> SelectionEntry | list[SelectionEntry]:
        return self._entries[index]

    def __iter__(self) -> Iterator[SelectionEntry]:
        return iter(self._entries)


class Selections:
    """Keeps definitions. Any number of processes may share the database."""

    def __init__(self, database: Database, *, life: float, clock: Callable[[], float] = time.time) -> None:
        """Keep them in `database`, which whoever opened it closes; `life` is in seconds."""
        self.life = life
        self.clock = clock
        self._database = database

    def add(self, project: str, id: str, entries: Sequence[SelectionEntry], by: str) -> Definition:
        """Keep a new selection; those that expired are erased by the way.

        Raises:
            IdTaken: There is one with this id already.
        """
        now = self.clock()
        found = Definition(project, id, entries, now, by, now + self.life)

        def work(connection: Connection) -> None:
            connection.execute(delete(nexus_selections).where(nexus_selections.c.expires_at <= now))
            # Of two that add the same at once, the database sends one back to here.
            here = (nexus_selections.c.project == project) & (nexus_selections.c.id == id)
            if connection.execute(select(nexus_selections.c.id).where(here)).first() is not None:
                raise IdTaken(id=id, project=project)
            connection.execute(
                insert(nexus_selections).values(
                    project=project,
                    id=id,
                    # One by one: as dictionaries all at once, twenty thousand take four megabytes more.
                    entries=f"[{', '.join(json.dumps(_kept(entry), ensure_ascii=False) for entry in entries)}]",
                    created_at=now,
                    created_by=by,
                    expires_at=found.expires_at,
                )
            )

        self._database.write(work)
        return found

    def get(self, project: str, id: str) -> Definition:
        """A selection that has not expired.

        Raises:
            SelectionNotFound: There is none.
        """
        here = (nexus_selections.c.project == project) & (nexus_selections.c.id == id)
        query = select(nexus_selections).where(here & (nexus_selections.c.expires_at > self.clock()))
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        if row is None:
            raise SelectionNotFound(id=id, project=project)
        return Definition(
            project, id, _KeptEntries(row["entries"]), row["created_at"], row["created_by"], row["expires_at"]
        )

    def has(self, project: str, id: str) -> bool:
        """Whether an id is in use by a selection."""
        asked = {"in_project": project, "with_id": id, "now": self.clock()}
        return self._database.read(lambda connection: connection.execute(_IN_USE, asked).first()) is not None

    def listed(self, projects: Sequence[str] | None, limit: int = 200) -> list[Definition]:
        """What has not expired of these projects (None: of all), the newest first, without the entries."""
        columns = [column for column in nexus_selections.c if column.name != "entries"]
        query = select(*columns).where(nexus_selections.c.expires_at > self.clock())
        if projects is not None:
            query = query.where(nexus_selections.c.project.in_(projects[:_AT_ONCE]))
        query = query.order_by(nexus_selections.c.created_at.desc(), nexus_selections.c.id).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [
            Definition(row["project"], row["id"], (), row["created_at"], row["created_by"], row["expires_at"])
            for row in rows
        ]

    def erase_expired(self) -> int:
        """Erase what has expired; returns how many there were."""
        stale = delete(nexus_selections).where(nexus_selections.c.expires_at <= self.clock())
        return self._database.write(lambda connection: connection.execute(stale).rowcount)

    def crcs(self) -> Crcs:
        """The remembered CRC-32 of files, for zip archives."""
        return Crcs(self._database)


class Crcs(MutableMapping[str, int]):
    """CRC-32 by digest ('sha256:…'): loaded when a plan is made, which keeps its own, and written down in batches.

    In memory are only those that were loaded and not forgotten yet, and those that were learnt and not kept yet.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, int] = {}
        self._new: dict[str, int] = {}
        self._lock = threading.Lock()

    def load(self, digests: Iterable[str]) -> None:
        """Bring into memory what is known about these."""
        wanted = (digest for digest in digests if digest not in self._known)
        while part := list(islice(wanted, _AT_ONCE)):
            rows = self._database.read(partial(_crcs_of, digests=part))
            with self._lock:
                self._known.update(rows)

    def forget(self) -> None:
        """Let go of what was loaded; another plan that is made at this moment reads a few files once more."""
        with self._lock:
            self._known = {}

    def keep(self) -> None:
        """Write down what was learnt since the last time, and let go of it."""
        with self._lock:
            new, self._new = self._new, {}
        pairs = iter(new.items())
        while part := [{"digest": digest, "crc": crc} for digest, crc in islice(pairs, _AT_ONCE)]:
            self._database.write(partial(_replace_crcs, part=part))

    def __getitem__(self, digest: str) -> int:
        found = self._new.get(digest)
        return self._known[digest] if found is None else found

    def __setitem__(self, digest: str, crc: int) -> None:
        with self._lock:
            if self._known.get(digest) != crc:
                self._new[digest] = crc
            many = len(self._new) >= _MOST_NEW
        if many:
            # A download does not fail because what would spare reading later cannot be written.
            with contextlib.suppress(MunimentError):
                self.keep()

    def __delitem__(self, digest: str) -> None:
        with self._lock:
            if self._new.pop(digest, None) is None:
                del self._known[digest]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._known, **self._new})

    def __len__(self) -> int:
        return len({**self._known, **self._new})


def _replace_crcs(connection: Connection, part: list[dict[str, object]]) -> None:
    names = [row["digest"] for row in part]
    connection.execute(delete(nexus_crcs).where(nexus_crcs.c.digest.in_(names)))
    connection.execute(insert(nexus_crcs), part)


def _crcs_of(connection: Connection, digests: list[str]) -> dict[str, int]:
    found = connection.execute(select(nexus_crcs).where(nexus_crcs.c.digest.in_(digests)))
    return {row.digest: row.crc for row in found}


def _kept(entry: SelectionEntry) -> dict[str, object]:
    """What is kept of an entry: what was said, and of one given by its address also what that means."""
    if entry.address is None:
        return entry.echo()
    return {**replace(entry, address=None).echo(), "address": entry.address}


def _entry(said: dict[str, Any]) -> SelectionEntry:
    form, project = said.get("format"), said.get("project")
    return SelectionEntry(
        intern(said["@type"]),
        said["resourceId"],
        None if project is None else intern(project),
        said.get("path"),
        said.get("rev"),
        said.get("tag"),
        Format(form) if form else None,
        said.get("address"),
    )
