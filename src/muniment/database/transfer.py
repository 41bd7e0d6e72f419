"""Copying the control database: from one place to another, and into a backup and back."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, MetaData, delete, func, insert, select, text

from muniment.database.database import Database
from muniment.database.metadata import metadata
from muniment.database.schema import current, revisions, upgrade
from muniment.database.tables import belongings, first_rows, history, workers
from muniment.errors.database import BadControlBackup, DatabaseNewer, DatabaseNotEmpty

_BATCH = 1000


def copy_all(source: Database, target: Database) -> dict[str, int]:
    """Copy all that `source` holds into the empty `target`, in one transaction; rows copied, by table.

    That is the ledger, keys and rules, selections, and answers given before. Stop what submits and works on `source`
    first: what happens there afterwards is not copied. Steps that were running are taken up at the target when
    their lease is over. Credentials stay sealed under the same key file.

    Raises:
        DatabaseNotEmpty: There is something in `target`.
        DatabaseUnavailable: One of them cannot be reached; nothing was copied.
    """

    def work(writing: Connection) -> dict[str, int]:
        _refuse_what_is_used(writing, target)
        counts: dict[str, int] = {}

        def read(reading: Connection) -> None:
            for table in metadata.sorted_tables:
                if table is workers:
                    continue  # they belong to the place they work at
                counts[table.name] = 0
                for rows in _batches(reading.execute(select(table)).mappings()):
                    writing.execute(insert(table), rows)
                    counts[table.name] += len(rows)

        for table in (*(table for table, _ in first_rows), belongings):
            writing.execute(delete(table))
        source.read(read)
        if not target.embedded:
            # Rows that brought their numbers along did not move the sequence they will come from.
            writing.execute(text(f"SELECT setval(pg_get_serial_sequence('{history.name}', 'seq'), max(seq)) FROM {history.name}"))  # noqa: E501, S608 - names of ours  # fmt: skip
        return counts

    return target.write(work)


def _refuse_what_is_used(connection: Connection, target: Database) -> None:
    begun = {table for table, _ in first_rows} | {workers, belongings}
    counted = {table.name: select(func.count()).select_from(table) for table in metadata.sorted_tables}
    used = [
        table.name for table in metadata.sorted_tables if table not in begun and connection.scalar(counted[table.name])
    ]
    if used:
        raise DatabaseNotEmpty(place=target.place, what=", ".join(used))


def _batches(rows: Any) -> Iterator[list[dict[str, object]]]:
    for part in rows.partitions(_BATCH):
        yield [dict(row) for row in part]


def dump(database: Database, take: Callable[[str, list[dict[str, object]]], None]) -> str:
    """Hand all rows to `take`, table by table and some at a time, as they are at one moment; the schema's revision.

    What it gives can be written as JSON.

    Raises:
        DatabaseUnavailable: It cannot be reached; what was taken is not all.
    """

    def read(connection: Connection) -> str:
        for table in metadata.sorted_tables:
            if table is workers:
                continue  # they belong to the place they work at
            for rows in _batches(connection.execute(select(table)).mappings()):
                take(table.name, [{name: _plain(value) for name, value in row.items()} for row in rows])
        return str(current(connection))

    return database.read(read)


def load(target: Database, revision: str, batches: Callable[[], Iterable[tuple[str, list[dict[str, object]]]]]) -> int:
    """Put the rows of a dump into the empty `target`, in one transaction, and bring them up to date; how many.

    `revision` is that of the schema they are of. `batches` may be called again, where the database asks for that.

    Raises:
        DatabaseNotEmpty: There is something in `target`.
        DatabaseNewer: The rows are of a newer Muniment.
        BadControlBackup: They are not those of a control database.
        DatabaseUnavailable, DatabaseBroken: It failed; nothing was put there.
    """
    newest = revisions()[-1]
    if revision not in revisions():
        raise DatabaseNewer(place=target.place, found=revision, needed=newest)

    def work(writing: Connection) -> int:
        _refuse_what_is_used(writing, target)
        tables = metadata
        if revision == newest:
            for table in (*(table for table, _ in first_rows), belongings):
                writing.execute(delete(table))
        else:
            tables = _made_anew(writing, revision)
        count = 0
        for name, rows in batches():
            if name not in tables.tables:
                raise BadControlBackup(reason=f"its schema {revision} has no table {name!r}")
            table = tables.tables[name]
            if rows and rows[0].keys() - table.columns.keys():
                raise BadControlBackup(reason=f"the table {name!r} has other columns")
            if rows:
                writing.execute(insert(table), [{key: _raw(value) for key, value in row.items()} for row in rows])
            count += len(rows)
        upgrade(writing, newest)
        if not target.embedded:
            writing.execute(text(f"SELECT setval(pg_get_serial_sequence('{history.name}', 'seq'), max(seq)) FROM {history.name}"))  # noqa: E501, S608 - names of ours  # fmt: skip
        return count

    return target.write(work)


def _made_anew(connection: Connection, revision: str) -> MetaData:
    """The tables of an older schema, in the place of the newest ones, which are empty."""
    there = MetaData()
    there.reflect(connection)
    there.drop_all(connection)
    upgrade(connection, revision)
    made = MetaData()
    made.reflect(connection)
    for table, _ in first_rows:
        if table.name in made.tables:
            connection.execute(delete(made.tables[table.name]))
    return made


def _plain(value: object) -> object:
    return {"base64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes | memoryview) else value


def _raw(value: object) -> object:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
