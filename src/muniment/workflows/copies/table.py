"""The table of copies: what is owed, what was made and when it was last verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, func, insert, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from muniment.database import Database
from muniment.database.tables import copies, copy_marks, stores

State = Literal["owed", "made", "damaged", "purging"]
_PAGE = 500
_BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class CopyKey:
    """Which copy: instance `number` of a resource, in a layout, on a store."""

    store: str
    layout: str
    project: str
    resource: str
    number: int


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A copy as it is known. Times are seconds since 1970 UTC, `size` is bytes, `record` the sha256 of its record.

    `lock_mode` (governance, compliance, or hold, which has no end) and `locked_until` are what its store said of its
    record when it was made or last read back; empty and None where it said nothing.
    """

    store: str
    layout: str
    project: str
    resource: str
    number: int
    state: State = "owed"
    reason: str = ""
    generation: int = 1
    keys: int = 0
    size: int = 0
    record: str = ""
    made_at: float | None = None
    verified_at: float | None = None
    due_at: float = 0.0
    lock_mode: str = ""
    locked_until: float | None = None

    @property
    def key(self) -> CopyKey:
        """Which copy it is."""
        return CopyKey(self.store, self.layout, self.project, self.resource, self.number)


class CopyTable:
    """The copies in one control database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def now(self) -> float:
        """Seconds since 1970 UTC, as the database has it."""
        return self.database.now()

    # --- asking

    def get(self, key: CopyKey) -> CopyRow | None:
        """One copy."""
        query = select(copies).where(_is(key))
        row = self.database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else CopyRow(**row)

    def of(self, project: str, resource: str) -> list[CopyRow]:
        """Every copy of a resource, by store, layout and number."""
        query = select(copies).where(copies.c.project == project, copies.c.resource == resource)
        ordered = query.order_by(copies.c.store, copies.c.layout, copies.c.number)
        return self._all(ordered)

    def owed(self, store: str, at: float, limit: int = _PAGE) -> list[CopyRow]:
        """Copies owed to a store that are due, in the order in which they became so; of one resource the oldest first.

        A store that takes them in that order has each object's versions in the order they were made.
        """
        query = select(copies).where(copies.c.store == store, copies.c.state == "owed", copies.c.due_at <= at)
        ordered = query.order_by(copies.c.due_at, copies.c.project, copies.c.resource, copies.c.number)
        return self._all(ordered.limit(limit))

    def stores_owed(self, at: float) -> dict[str, int]:
        """How many copies are owed and due, by store."""
        query = (
            select(copies.c.store, func.count())
            .where(copies.c.state.in_(("owed", "purging")), copies.c.due_at <= at)
            .group_by(copies.c.store)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {str(store): int(count) for store, count in rows}

    def ages(self, store: str, days: Sequence[int]) -> list[int]:
        """How many copies of a store were last verified within each of these numbers of days, and how many before.

        `days` grow; a copy counts in the first that it fits.
        """
        now = self.now()
        bins = [(copies.c.verified_at >= now - day * 86_400.0, number) for number, day in enumerate(days)]
        column = case(*bins, else_=len(days))
        query = select(column, func.count()).where(copies.c.store == store).group_by(column)
        counted = [0] * (len(days) + 1)
        for number, count in self.database.read(lambda connection: connection.execute(query).all()):
            counted[int(number)] = int(count)
        return counted

    def longest_ago(self, store: str) -> CopyRow | None:
        """The copy of a store that was verified longest ago; None where it has none."""
        query = select(copies).where(
            copies.c.store == store, copies.c.state == "made", copies.c.verified_at.is_not(None)
        )
        found = self._all(query.order_by(copies.c.verified_at).limit(1))
        return found[0] if found else None

    def each(
        self, *, store: str | None = None, state: State | None = None, project: str | None = None
    ) -> Iterator[CopyRow]:
        """Copies in the order of project, resource, store, layout and number, a page at a time."""
        names = (copies.c.project, copies.c.resource, copies.c.store, copies.c.layout, copies.c.number)
        wanted = [
            column == value
            for column, value in ((copies.c.store, store), (copies.c.state, state), (copies.c.project, project))
            if value is not None
        ]
        yield from self._pages(names, wanted)

    def oldest(
        self, stores: Iterable[str] | None, before: float | None = None, project: str | None = None
    ) -> Iterator[CopyRow]:
        """Copies that were made, those verified longest ago first; with `before`, only those not verified since then.

        What is verified meanwhile moves to the end, so pages begin anew after the last one seen.
        """
        wanted: list[ColumnElement[bool]] = [copies.c.state == "made"]
        if stores is not None:
            wanted.append(copies.c.store.in_(list(stores)))
        if before is not None:
            wanted.append(copies.c.verified_at < before)
        if project is not None:
            wanted.append(copies.c.project == project)
        names = (
            copies.c.verified_at,
            copies.c.store,
            copies.c.layout,
            copies.c.project,
            copies.c.resource,
            copies.c.number,
        )
        limit = self.now()
        wanted.append(copies.c.verified_at <= limit)
        yield from self._pages(names, wanted)

    def times(self, store: str) -> tuple[float | None, float | None]:
        """When the copy of a store that was verified longest ago was, and when the next that is owed is tried again."""
        c = copies.c
        verified = (
            select(c.verified_at)
            .where(c.state == "made", c.store == store, c.verified_at.is_not(None))
            .order_by(c.verified_at)
            .limit(1)
        )
        again = select(func.min(c.due_at)).where(c.store == store, c.state == "owed")
        return self.database.read(lambda connection: (connection.scalar(verified), connection.scalar(again)))

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """How many copies there are and how many bytes, by store and state.

        What lies in a store beside copies counts as one that is damaged while it is.
        """
        query = select(copies.c.store, copies.c.state, func.count(), func.sum(copies.c.size)).group_by(
            copies.c.store, copies.c.state
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        found = {(str(store), str(state)): (int(count), int(size or 0)) for store, state, count, size in rows}
        for name in self._damaged_beside():
            count, size = found.get((name, "damaged"), (0, 0))
            found[name, "damaged"] = count + 1, size
        return found

    # --- writing

    def owe(self, keys: Iterable[CopyKey]) -> int:
        """Note copies that are owed from now on, as far as they are not known; how many are new."""
        at = self.now()
        rows = [asdict(CopyRow(**asdict(key), due_at=at)) for key in keys]

        def work(connection: Connection) -> int:
            return sum(connection.execute(_insert_new(connection, row)).rowcount for row in rows)

        return self.database.write(work) if rows else 0

    def add(self, row: CopyRow) -> None:
        """Note a copy, unless it is known."""
        self.database.write(lambda connection: connection.execute(_insert_new(connection, asdict(row))))

    def note_archive(self, key: CopyKey, size: int, verified_at: float) -> None:
        """Note how large the archive's own of a resource is, and when it was last found whole, if later than known."""
        known = self.get(key)
        if known is None:
            self.add(CopyRow(**asdict(key), state="made", size=size, verified_at=verified_at))
        elif known.size != size or (known.verified_at or 0.0) < verified_at:
            later = max(known.verified_at or 0.0, verified_at)
            self.change(known, size=size, verified_at=later)

    def put(self, row: CopyRow) -> None:
        """Note a copy as it is now."""

        def work(connection: Connection) -> None:
            connection.execute(delete(copies).where(_is(row.key)))
            connection.execute(insert(copies), asdict(row))

        self.database.write(work)

    def change(self, row: CopyRow, **values: Any) -> CopyRow:
        """Note what is different about a copy, and what it is then."""
        query = update(copies).where(_is(row.key)).values(**values)
        self.database.write(lambda connection: connection.execute(query))
        return replace(row, **values)

    def drop(self, key: CopyKey) -> None:
        """Know a copy no more."""
        self.database.write(lambda connection: connection.execute(delete(copies).where(_is(key))))

    def clear(self, store: str) -> None:
        """Know no copies of a store any more: before they are read from it again."""
        self.database.write(lambda connection: connection.execute(delete(copies).where(copies.c.store == store)))

    # --- marks

    def mark(self, name: str) -> int:
        """A number that was kept under a name, 0 where none was."""
        query = select(copy_marks.c.value).where(copy_marks.c.name == name)
        return int(self.database.read(lambda connection: connection.scalar(query)) or 0)

    def set_mark(self, name: str, value: int) -> None:
        """Keep a number under a name."""

        def work(connection: Connection) -> None:
            connection.execute(delete(copy_marks).where(copy_marks.c.name == name))
            connection.execute(insert(copy_marks), {"name": name, "value": value})

        self.database.write(work)

    # --- what lies in stores and in the archive and is no copy

    def note_beside(self, place: str, *, damaged: bool) -> None:
        """Keep that it was read now, in the store of that id or in the archive (''), and whether it is damaged."""
        at = int(self.now())
        self.set_mark(_beside(place), -at if damaged else at)

    def beside_read_at(self, place: str) -> float:
        """When it was last read, in seconds since 1970 UTC; 0 for never."""
        return float(abs(self.mark(_beside(place))))

    def _damaged_beside(self) -> list[str]:
        """The stores in which it is damaged, and the archive."""
        marks = select(copy_marks.c.name).where(copy_marks.c.name.like(f"{_BESIDE} %"), copy_marks.c.value < 0)
        names = set(self.database.read(lambda connection: connection.scalars(marks).all()))
        if not names:
            return []
        query = select(stores.c.id, stores.c.name)
        known = {_beside(row.id): str(row.name) for row in self.database.read(lambda each: each.execute(query).all())}
        known[_beside("")] = "archive"
        return [known[name] for name in names if name in known]

    def _pages(
        self, order: tuple[ColumnElement[object], ...], wanted: Iterable[ColumnElement[bool]]
    ) -> Iterator[CopyRow]:
        """The rows that are wanted, in this order, a page at a time."""
        after: CopyRow | None = None
        while True:
            query = select(copies).where(*wanted).order_by(*order).limit(_PAGE)
            if after is not None:
                query = query.where(_after(order, after))
            page = self._all(query)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]

    def _all(self, query: Select[object]) -> list[CopyRow]:
        rows = self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [CopyRow(**row) for row in rows]


def _beside(place: str) -> str:
    return f"{_BESIDE} {place.replace('-', '') or 'archive'}"


def _is(key: CopyKey) -> ColumnElement[bool]:
    return and_(*(copies.c[name] == value for name, value in asdict(key).items()))


def _after(columns: Iterable[ColumnElement[object]], row: CopyRow) -> ColumnElement[bool]:
    """Behind a row in the order of these columns."""
    before: ColumnElement[bool] = true()
    steps: list[ColumnElement[bool]] = []
    for column in columns:
        value = getattr(row, str(column.key))
        steps.append(and_(before, column > value))
        before = and_(before, column == value)
    return or_(*steps)


def _insert_new(connection: Connection, row: Mapping[str, object]) -> Any:
    """An insert that leaves a row alone that is there; both databases have it, each in its own module."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(copies).values(**row).on_conflict_do_nothing()
