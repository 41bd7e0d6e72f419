"""Moving a ledger to another database: from the file of one machine to the PostgreSQL of many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, insert, select, text

from muniment.errors.jobs import LedgerNotEmpty
from muniment.jobs.ledger import Ledger
from muniment.jobs.tables import history, jobs, metadata, workers

_BATCH = 1000


def copy_ledger(source: Ledger, target: Ledger) -> dict[str, int]:
    """Copy all that `source` holds into the empty `target`, in one transaction; rows copied, by table.

    Stop what submits and works on `source` first: what happens there afterwards is not copied. Steps that were
    running are taken up at the target when their lease is over. Credentials stay sealed under the same key file.

    Raises:
        LedgerNotEmpty: There are jobs in `target`.
        LedgerUnavailable: One of them cannot be reached; nothing was copied.
    """

    def work(writing: Connection) -> dict[str, int]:
        if writing.execute(select(jobs.c.id).limit(1)).first() is not None:
            raise LedgerNotEmpty(place=target.database.place)
        counts: dict[str, int] = {}

        def read(reading: Connection) -> None:
            for table in metadata.sorted_tables:
                if table is workers:
                    continue  # they belong to the place they work at
                counts[table.name] = 0
                for rows in _batches(reading.execute(select(table)).mappings()):
                    writing.execute(insert(table), rows)
                    counts[table.name] += len(rows)

        source.database.read(read)
        if not target.database.embedded:
            # Rows that brought their numbers along did not move the sequence they will come from.
            writing.execute(text(f"SELECT setval(pg_get_serial_sequence('{history.name}', 'seq'), max(seq)) FROM {history.name}"))  # noqa: E501, S608 - names of ours  # fmt: skip
        return counts

    return target.database.write(work)


def _batches(rows: Any) -> Iterator[list[dict[str, Any]]]:
    for part in rows.partitions(_BATCH):
        yield [dict(row) for row in part]
