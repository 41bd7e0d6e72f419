"""What is remembered of batches: their numbered log, and each file that was proved to be in a store.

A log's lines are rows, numbered within their batch, so that a restart leaves no gap and a reader goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from muniment.database import Database
from muniment.database.tables import distillery_copies as copies
from muniment.database.tables import distillery_holds as holds
from muniment.database.tables import distillery_lines as lines
from muniment.database.tables import distillery_remembered as remembered
from muniment.jobs.model import plain

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch's log.

    `kind` is `info`, `waiting`, `problem`, `finished` or `failed`; after the last two nothing follows.
    """

    batch: str
    number: int
    at: float
    kind: str
    folder: str
    text: str

    @property
    def last(self) -> bool:
        """Whether no line follows."""
        return self.kind in {"finished", "failed"}


@dataclass(frozen=True, slots=True)
class VerifiedCopy:
    """A file that was read back from a store, or whose digest the store gave: what, where, and when (1970 UTC)."""

    destination: str
    key: str
    component_id: str
    path: str
    instance: int
    size: int
    md5: str
    sha256: str
    place: str
    uri: str
    verified_at: float


@dataclass(frozen=True, slots=True)
class AccessCopy:
    """Where a resource's access copy is seen, and its IIIF manifest; empty where there is none."""

    url: str
    manifest: str = ""


class Batches:
    """The rows of one control database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- the log

    def say(self, batch: str, text: str, *, folder: str = "", kind: str = "info", once: bool = False) -> Line:
        """Write a line; the line with its number. With `once`, not when it is the folder's newest already."""
        now, said = self._database.now(), plain(text, 2000)

        def work(connection: Connection) -> Line:
            mine = select(lines).where(lines.c.batch == batch).order_by(lines.c.number.desc()).limit(1)
            newest = connection.execute(mine).mappings().first()
            if once:
                same = connection.execute(mine.where(lines.c.folder == folder)).mappings().first()
                if same is not None and (same["kind"], same["text"]) == (kind, said):
                    return Line(**same)
            line = Line(batch, newest["number"] + 1 if newest is not None else 1, now, kind, folder, said)
            values = {name: getattr(line, name) for name in Line.__slots__}
            connection.execute(insert(lines), values)
            return line

        return self._database.write(work, alone=f"log of {batch}")

    def log(self, batch: str, after: int = 0) -> Iterator[Line]:
        """The lines of a batch that follow a number, in order."""
        while True:
            query = select(lines).where((lines.c.batch == batch) & (lines.c.number > after))
            found = self._rows(query.order_by(lines.c.number).limit(_PAGE))
            for row in found:
                after = int(row["number"])
                yield Line(**row)
            if len(found) < _PAGE:
                return

    def newest(self, batch: str) -> int:
        """The number of a batch's last line; 0 without any."""
        query = select(lines.c.number).where(lines.c.batch == batch).order_by(lines.c.number.desc()).limit(1)
        return next((int(row["number"]) for row in self._rows(query)), 0)

    def warnings(self, batch: str, after: int, limit: int) -> list[Line]:
        """The lines after a number that tell of a problem or of waiting, in order, as many as may be."""
        query = select(lines).where(
            (lines.c.batch == batch) & (lines.c.number > after) & lines.c.kind.in_(["problem", "waiting", "failed"])
        )
        return [Line(**row) for row in self._rows(query.order_by(lines.c.number).limit(limit))]

    # --- copies

    def record(self, verified: Sequence[VerifiedCopy]) -> None:
        """Remember what was verified; what was known of the same keys is replaced."""

        def work(connection: Connection) -> None:
            for each in verified:
                same = (copies.c.destination == each.destination) & (copies.c.key == each.key)
                connection.execute(delete(copies).where(same))
                connection.execute(insert(copies), {name: getattr(each, name) for name in VerifiedCopy.__slots__})

        self._database.write(work, alone="copies of the Distillery")

    def copies(self, component_id: str) -> list[VerifiedCopy]:
        """What was verified of an archival object, or of a collection's record."""
        query = select(copies).where(copies.c.component_id == component_id)
        return [VerifiedCopy(**row) for row in self._rows(query.order_by(copies.c.destination, copies.c.key))]

    def copy(self, destination: str, key: str) -> VerifiedCopy | None:
        """What was verified under a key."""
        found = self._rows(select(copies).where((copies.c.destination == destination) & (copies.c.key == key)))
        return VerifiedCopy(**found[0]) if found else None

    # --- what publishers remember

    def get(self, name: str) -> str:
        """What is remembered under a name, or ''."""
        found = self._rows(select(remembered).where(remembered.c.name == name))
        return str(found[0]["value"]) if found else ""

    def put(self, name: str, value: str) -> None:
        """Remember it; what was remembered under the name is replaced."""

        def work(connection: Connection) -> None:
            connection.execute(delete(remembered).where(remembered.c.name == name))
            connection.execute(insert(remembered), {"name": name, "value": value})

        self._database.write(work, alone="what publishers of the Distillery remember")

    # --- where things are seen

    def show(self, project: str, resource: str, shown: AccessCopy) -> None:
        """Keep where the access copy of a resource is seen now."""
        self.put(_shown(project, resource), json.dumps({"url": shown.url, "manifest": shown.manifest}))

    def shown(self, project: str, resource: str) -> AccessCopy | None:
        """Where the access copy of a resource is seen; None where none was published, or before that was kept."""
        text = self.get(_shown(project, resource))
        return AccessCopy(**json.loads(text)) if text else None

    # --- one at a time

    @contextlib.contextmanager
    def alone(self, name: str, holder: str, lease: float = 600.0) -> Iterator[float]:
        """Hold a name alone for a `with` block; yields 0, or how many seconds another may hold it still."""
        now = self._database.now()

        def take(connection: Connection) -> float:
            row = connection.execute(select(holds).where(holds.c.name == name)).mappings().first()
            if row is not None and row["holder"] != holder and row["until"] > now:
                return float(row["until"]) - now
            connection.execute(delete(holds).where(holds.c.name == name))
            connection.execute(insert(holds), {"name": name, "holder": holder, "until": now + lease})
            return 0.0

        wait = self._database.write(take, alone=f"distillery {name}")
        try:
            yield wait
        finally:
            if not wait:
                mine = (holds.c.name == name) & (holds.c.holder == holder)
                self._database.write(lambda c: c.execute(delete(holds).where(mine)))

    def _rows(self, query: Any) -> list[Mapping[str, Any]]:
        return self._database.read(lambda c: [dict(row) for row in c.execute(query).mappings()])


def _shown(project: str, resource: str) -> str:
    """The name under which it is remembered where a resource is seen; an id may be longer than a name."""
    return f"shown {hashlib.sha256(f'{project} {resource}'.encode()).hexdigest()}"
