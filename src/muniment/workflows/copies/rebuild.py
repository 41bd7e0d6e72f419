"""Reading from a store which copies it holds: the table is a repetition, and can be made again at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from muniment.content.times import seconds
from muniment.errors.copies import CopyDamaged
from muniment.stores import Store, read_bytes
from muniment.workflows.copies.keys import RECORDS, parse_record_key
from muniment.workflows.copies.record import LARGEST, parse_record
from muniment.workflows.copies.service import REPLICATION, CopyService
from muniment.workflows.copies.table import CopyKey, CopyRow

Proved = Mapping[tuple[CopyKey, str], float]
"""When a copy was read back, by which copy and the sha256 of its record."""


def rebuild(service: CopyService, name: str) -> tuple[int, list[str]]:
    """Make the rows of a store's copies again from its records; how many, and the records that cannot be read.

    A copy counts as verified when the log says that this very record was read back; else never.

    Raises:
        StoreUnknown, StoreUnreachable, StoreRefused: The store cannot be used; the former rows stay.
    """
    store = service.registry.open(name)
    proved = _proved(service)
    rows: dict[CopyKey, CopyRow] = {}
    damaged: list[str] = []
    for found in store.list(f"{RECORDS}/"):
        if parse_record_key(found.key) is None:
            continue
        try:
            row = _row(store, name, found.key, proved)
        except CopyDamaged:
            damaged.append(found.key)
            continue
        if row.key not in rows or rows[row.key].generation < row.generation:
            rows[row.key] = row
    service.table.clear(name)
    for row in rows.values():
        service.table.put(row)
    service.plan_all()
    return len(rows), damaged


def _row(store: Store, name: str, key: str, proved: Proved) -> CopyRow:
    data = read_bytes(store, key, LARGEST)
    try:
        record = parse_record(data)
    except ValueError as error:
        raise CopyDamaged(store=name, id=key, number=0, reason=str(error)) from error
    digest = hashlib.sha256(data).hexdigest()
    row = CopyRow(
        name,
        record.layout,
        record.project,
        record.resource,
        record.number,
        "made",
        generation=record.generation,
        keys=len(record.files),
        size=record.size,
        record=digest,
    )
    at = proved.get((row.key, digest), 0.0)
    return CopyRow(**{**{each: getattr(row, each) for each in row.__slots__}, "made_at": at, "verified_at": at})


def _proved(service: CopyService) -> dict[tuple[CopyKey, str], float]:
    found: dict[tuple[CopyKey, str], float] = {}
    for event in service.archive.events():
        about = event.detail.get("copy") if event.event == REPLICATION and event.outcome == "success" else None
        if isinstance(about, Mapping) and {"store", "layout", "sha256"} <= about.keys():
            key = CopyKey(str(about["store"]), str(about["layout"]), event.project, event.resource, event.instance)
            found[key, str(about["sha256"])] = float(seconds(event.timestamp))
    return found
