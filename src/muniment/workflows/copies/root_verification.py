"""What is no copy and is verified with them: the archive's own files and log, here and in each store.

Without them no store makes an archive again. They stand among the copies of a verification as one row for each store
and one for the archive; when they were last read is kept as a mark, as they are in nobody's table.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from itertools import islice

from muniment.archive import log_size, own_files, tombstone_files, wrong_own_files
from muniment.stores import Store
from muniment.workflows.copies.log_segments import FILLED
from muniment.workflows.copies.registry import ARCHIVE
from muniment.workflows.copies.root_files import wrong_root_files
from muniment.workflows.copies.seals import broken_seals
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow

BESIDE = "beside"
"""Stands where other rows have their layout."""
_SHOWN = 100


def beside_rows(service: CopyService, stores: Container[str] | None) -> Iterator[CopyRow]:
    """A row for each store that has a log, and for the archive; `stores` are those that are asked for, None all.

    Tapes are left out: what lies there beside copies is on whichever tape it was put.
    """
    small = [len(data) for data in own_files(service.archive).values()]
    small += [path.stat().st_size for _, path in tombstone_files(service.archive)]
    size = log_size(service.archive)
    row = CopyRow("", BESIDE, "", "", 0, "made", keys=len(small) + 1 + size // FILLED, size=sum(small) + size)
    wanted = [
        known.name for known in service.registry.all() if known.logged and not known.address.startswith("ltfs://")
    ]
    for name in (ARCHIVE, *wanted):
        if stores is None or name in stores:
            at = service.table.beside_read_at(_place(service, name))
            yield replace(row, store=name, keys=0 if name == ARCHIVE else row.keys, verified_at=at)


def beside_trouble(service: CopyService, store: Store | None, row: CopyRow) -> str:
    """Read it back: what is wrong with it, or ''; without a store it is the archive's own.

    Raises:
        DamagedRecord: The archive's own log is damaged, so that of a store cannot be judged.
        StoreUnreachable, StoreRefused, StoreNotReady: The store cannot be used.
    """
    if store is None:
        found = [f"{each.code} {each.message}" for each in wrong_own_files(service.archive)]
    else:
        wrong = wrong_root_files(service.archive, store, service.registry.get(row.store).logged)
        found = [f"{key} is not what the archive has" for key, _ in islice(wrong, _SHOWN)]
        found += [f"{key}: {why}" for key, why in broken_seals(service.archive, store).items()]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else ""


def note_read(service: CopyService, name: str, *, damaged: bool) -> None:
    """Keep that what lies in a store beside copies was read now: the next time, others come first.

    While it is damaged, status, metrics and pages say so.
    """
    service.table.note_beside(_place(service, name), damaged=damaged)


def _place(service: CopyService, name: str) -> str:
    return "" if name == ARCHIVE else service.registry.get(name).id
