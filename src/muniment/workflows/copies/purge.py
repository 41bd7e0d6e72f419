"""Purging copies of what was purged: tombstones everywhere, and the copies removed where a store lets them go."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive import Archive
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.stores import ChangeRefused
from muniment.stores import Store
from muniment.workflows.copies.keys import bag_key, record_key, within
from muniment.workflows.copies.object_root import DECLARATION, root_keys
from muniment.workflows.copies.record import CopyRecord, read_record
from muniment.workflows.copies.root_files import put_tombstones
from muniment.workflows.copies.table import CopyRow, CopyTable

EVENT = "deaccession"
"""The PREMIS type of the event that records the removal of copies."""
_LATER = 86400.0


def purge_copies(archive: Archive, table: CopyTable, store: Store, name: str, at: float) -> int:
    """Remove from a store what was purged from the archive; how many copies went. What cannot go stays noted.

    The tombstone comes first, so that a restore from this store never brings back what was purged. On a tape it stands
    until the tape is rewritten, and under a lock until that ends.

    Raises:
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    put_tombstones(archive, store)  # also of what no copy was made of: a verification asks for all of them
    rows = [row for row in table.each(store=name, state="purging") if row.due_at <= at]
    gone = 0
    for row in rows:
        try:
            _remove(store, row)
        except RemoteError:
            raise
        except MunimentError as error:
            table.change(row, reason=error.message, due_at=table.now() + _LATER)
            continue
        table.drop(row.key)
        gone += 1
    if gone:
        resources = sorted({f"{row.project} {row.resource}" for row in rows})
        archive.record_event(EVENT, detail={"copies": {"store": name, "removed": gone, "resources": resources[:100]}})
    return gone


def _remove(store: Store, row: CopyRow) -> None:
    if not store.capabilities.removes:
        reason = "it lets nothing go; the copy stays until what it lies on is rewritten"
        raise ChangeRefused(store=str(store), key=f"instance {row.number} of {row.resource}", reason=reason)
    record = read_record(store, row)
    keys = [file.key for file in record.files]
    if record.layout == "ocfl":
        folder = within(record.generation, record.object)
        keys += [*root_keys(folder, record.algorithm), f"{folder}/{DECLARATION}"]
    for key in (*keys, *_of_earlier(store, record), record.key):
        store.remove(key)


def _of_earlier(store: Store, record: CopyRecord) -> Iterator[str]:
    """The keys of copies that this one was made beside, because they could not be repaired; their records last."""
    for generation in range(1, record.generation):
        tar = bag_key(record.project, record.resource, record.number)
        place = f"{record.object}/" if record.layout == "ocfl" else tar
        yield from [each.key for each in store.list(within(generation, place))]
    for generation in range(1, record.generation):
        yield record_key(record.layout, record.project, record.resource, record.number, generation)
