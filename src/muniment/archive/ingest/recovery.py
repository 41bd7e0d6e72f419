"""Recovery: finishing or setting aside what a process left that ended in the middle.

A transaction that was sealed is finished: its event and root inventory are written if it was
published, and it is published if it was not and nothing came in between. One that was still open is
reported and kept until somebody replays it or rolls it back. Nothing is deleted: what cannot be
finished goes to quarantine.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, rename
from muniment.archive.disk.locks import exclusive
from muniment.archive.ingest.commit import append_event, finish_root, publish
from muniment.archive.ingest.purge import finish_purge, purge_noted_again
from muniment.archive.ingest.staging import (
    DELETION,
    IMPORT,
    INGESTION,
    REPAIR,
    StagingArea,
    TransactionRecord,
    left_behind,
)
from muniment.archive.ingest.two_phase import is_decided, unreserve
from muniment.archive.package.inventory import NAME, read_inventory
from muniment.archive.package.objects import head_of
from muniment.content import Hashers
from muniment.content.archive import Leftover
from muniment.content.events import Event
from muniment.content.regular import open_regular
from muniment.content.times import now
from muniment.content.trees import files_below, walk_tree
from muniment.errors.archive import DamagedRecord, ReadFailed
from muniment.errors.base import BadInput, Conflict, StorageError

_OLD_SCRATCH = 86_400.0
"""Seconds without any change after which what lies in the scratch folder belongs to nobody."""


def recover(context: ArchiveContext) -> list[Event]:
    """Finish everything that was sealed, recover the log, and say in an event what was done.

    Only what no living process holds is touched, so any number of openings may do this at once.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
    """
    done: list[Event] = []
    context.log.recover()
    for folder in left_behind(context.layout):
        try:
            area = StagingArea.take_over(folder)
        except DamagedRecord as error:
            area = purge_noted_again(context, folder)
            if area is None:
                done += _set_aside(context, folder, TransactionRecord(folder.name, "", "", 0, "", "", ""), str(error))
                continue
        if area is None:
            continue
        try:
            done += _finish(context, area)
        except DamagedRecord as error:
            # Of a purge the tombstone may be meant: then the next opening after its repair goes on.
            if area.record.kind == INGESTION:
                done += _set_aside(context, folder, area.record, str(error), area)
        finally:
            area.release()
    _clear_scratch(context)
    return done


def leftovers(context: ArchiveContext) -> Iterator[Leftover]:
    """The transactions that were begun, never closed, and that no living process holds."""
    for folder in left_behind(context.layout):
        try:
            area = StagingArea.take_over(folder)
        except DamagedRecord:
            continue
        if area is None:
            continue
        try:
            record = area.record
            if record.kind == REPAIR or area.lease() > now():
                continue
            files = sum("add" in note for note in area.notes())
            sealed = area.sealed() or {}
        except DamagedRecord:
            continue  # which recovery sets aside
        finally:
            area.release()
        waits = (str(sealed.get("group", "")), str(sealed.get("decided at", "")))
        yield Leftover(
            record.transaction, record.project, record.id, record.base, record.started, files, record.agent_name, *waits
        )


def _finish(context: ArchiveContext, area: StagingArea) -> list[Event]:
    record = area.record
    if record.kind in {DELETION, IMPORT, REPAIR}:
        return _finish_other(context, area)
    sealed = area.sealed()
    lease = area.lease()
    if sealed is None and lease:
        if lease > now():
            return []
        # A client that went away: it was told how long its transaction lives.
        area.discard()
        return _tell(context, record, "a transaction whose lease had run out was rolled back")
    if sealed is None:
        if not any(True for _ in area.notes()) and _is_empty(area):
            area.discard()
        return []
    group = str(sealed.get("group", ""))
    if context.home is not None and context.home.is_committed(
        record.project, record.id, record.base + 1, record.transaction
    ):
        area.discard()  # by another machine; there is nothing here that is not there
        return []
    placed = (
        _digest(context.layout.object(record.project, record.id) / f"v{record.base + 1}", context)
        == sealed["inventory"]
    )
    if (
        group
        and not placed
        and not (sealed.get("decided at") == context.config.id and _decided(context, group, record.transaction))
    ):
        # Prepared, and the decision lies elsewhere or was never made: for a replay to resolve.
        return []
    done = _finish_sealed(context, area, sealed)
    unreserve(context, record)
    return done


def _decided(context: ArchiveContext, group: str, transaction: str) -> bool:
    """Whether a transaction is to be committed; a decision that cannot be read waits for somebody to look at it."""
    with contextlib.suppress(DamagedRecord, BadInput):
        return is_decided(context, group, transaction)
    return False


def _finish_other(context: ArchiveContext, area: StagingArea) -> list[Event]:
    """Finish what is no ingestion of one instance."""
    record = area.record
    if record.kind == DELETION:
        return finish_purge(context, area)
    if record.kind == IMPORT:
        from muniment.archive.ingest.import_publication import finish_import

        try:
            done = finish_import(context, area)
        except Conflict as error:
            return _set_aside(context, area.folder, record, str(error), area)
        return done and _tell(context, record, "an imported resource was published or recorded")
    from muniment.archive.ingest.repair_transaction import finish_repair

    # What cannot be put in its place now is tried again at the next opening, which it must not prevent.
    with contextlib.suppress(StorageError):
        return finish_repair(context, area)
    return []


def _finish_sealed(context: ArchiveContext, area: StagingArea, sealed: Mapping[str, object]) -> list[Event]:
    record = area.record
    root = context.layout.object(record.project, record.id)
    version = root / f"v{record.base + 1}"
    if _digest(version, context) == sealed["inventory"]:
        with exclusive(context.object_lock(root)):
            events = []
            if not context.log.mentions(record.transaction, record.log):
                append_event(context, area)
                events = _tell(context, record, "a published instance was recorded")
            finish_root(context, root, head_of(root))
        area.discard()
        return events
    if _digest(area.version, context) != sealed["inventory"]:
        return _set_aside(context, area.folder, record, "it was sealed, but its inventory is not the sealed one", area)
    damaged = first_damage(area, context)
    if damaged:
        return _set_aside(context, area.folder, record, f"it was sealed, but {damaged} is not as sealed", area)
    try:
        publish(context, area)
    except Conflict as error:
        return _set_aside(context, area.folder, record, str(error), area)
    return _tell(context, record, "a complete instance was published")


def first_damage(area: StagingArea, context: ArchiveContext) -> str:
    """The first staged file that is not what the version's inventory says, or nothing.

    A seal reaches the disk with the files it vouches for, in no particular order: after a power cut
    it may be there and they not.
    """
    algorithm = context.config.digests[0]
    inventory, _ = read_inventory(area.version, algorithm)
    prefix = f"{area.version.name}/"
    for digest, paths in inventory.manifest.items():
        for path in paths:
            if path.startswith(prefix) and file_digest(area.object / path, algorithm) != digest:
                return path
    return ""


def file_digest(path: Path, algorithm: str) -> str:
    """The digest of a file, empty when it cannot be read."""
    hashers = Hashers([algorithm])
    try:
        with open_regular(path) as file:
            while chunk := file.read(1 << 20):
                hashers.update(chunk)
    except OSError:
        return ""
    return hashers.values()[algorithm]


def _digest(version: Path, context: ArchiveContext) -> str:
    try:
        return read_inventory(version, context.config.digests[0])[1]
    except (OSError, DamagedRecord, ReadFailed):
        return file_digest(version / NAME, context.config.digests[0])


def _is_empty(area: StagingArea) -> bool:
    return next(files_below(area.build), None) is None


def _tell(context: ArchiveContext, record: TransactionRecord, note: str) -> list[Event]:
    draft = Event(
        "recovery",
        "muniment",
        record.project,
        record.id,
        record.base + 1,
        detail={"note": note, "of": record.transaction},
    )
    return context.log.append([draft])


def _set_aside(
    context: ArchiveContext, folder: Path, record: TransactionRecord, reason: str, area: StagingArea | None = None
) -> list[Event]:
    make_folder(context.layout.quarantine)
    rename(folder, context.layout.quarantine / folder.name)
    if area:
        area.release()
    detail = {"note": reason, "quarantine": folder.name}
    instance = record.base + 1 if record.id else 0
    return context.log.append([Event("quarantine", "muniment", record.project, record.id, instance, detail=detail)])


def _clear_scratch(context: ArchiveContext) -> None:
    try:
        names = os.listdir(context.layout.scratch)
    except FileNotFoundError:
        return
    for name in names:
        place = context.layout.scratch / name
        if time.time() - _last_change(place) > _OLD_SCRATCH:
            remove_tree(place)


def _last_change(place: Path) -> float:
    """When anything at or below `place` last changed: who is at work there writes files all the time."""
    newest = 0.0
    for folder, folders, files in walk_tree(place):
        for name in ("", *folders, *files):
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime)
    if not newest:
        with contextlib.suppress(FileNotFoundError):
            newest = place.lstat().st_mtime
    return newest
