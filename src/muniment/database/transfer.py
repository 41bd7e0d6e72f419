"""Copying the control database: from the file of one machine to the PostgreSQL of many, or back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text

from muniment.database.database import Database
from muniment.database.tables import belongings, first_rows, history, metadata, workers
from muniment.errors.database import DatabaseNotEmpty

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


def _batches(rows: Any) -> Iterator[list[dict[str, Any]]]:
    for part in rows.partitions(_BATCH):
        yield [dict(row) for row in part]
