"""Purging a resource, in dynamic mode only: with a reason, a tombstone and an event.

A note of what is meant is made to last, and then comes the tombstone: from then on the resource counts as
gone, and recovery completes what a crash left undone; before it, nothing has happened. Where the note is lost
all the same, the tombstone alone tells enough to go on. The parity of the resource's small files goes with
it; that of its large files, which equal files of other resources may share, an audit names once it
protects nothing, and `repair` removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, rename, replace_file, sync_folder
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.locks import exclusive
from muniment.archive.ingest.commit import drop_empty_folders
from muniment.archive.ingest.staging import DELETION, StagingArea, TransactionRecord
from muniment.archive.package.objects import head_of
from muniment.content.acceptable import check_text
from muniment.content.config import Mode
from muniment.content.events import Event
from muniment.content.identity import check_id, check_project, new_uuid
from muniment.content.regular import is_regular, read_regular
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord, ReasonNeeded, ResourceNotFound, Unfinished
from muniment.errors.base import StorageError


def purge(context: ArchiveContext, project: str, resource: str, reason: str) -> Event:
    """Remove a resource with all its instances.

    Raises:
        NotAllowedInMode: The archive is not in dynamic mode.
        ReasonNeeded: No reason was given.
        BadValue: It cannot be kept.
        ResourceNotFound: There is no such resource.
        DiskFull, WriteFailed: The storage refused; nothing has happened.
        Unfinished: The storage refused when it was decided already: recovery completes the purge.
    """
    context.config.refuse_unless(Mode.DYNAMIC, "purging")
    if not check_text(reason, "the reason").strip():
        raise ReasonNeeded
    head = head_of(context.layout.object(project, resource))
    if not head:
        raise ResourceNotFound(id=resource)
    begun = now(), context.agent.name, context.agent.address
    record = TransactionRecord(
        new_uuid(), project, resource, head, *begun, reason.strip(), DELETION, context.log.head().seq
    )
    area = StagingArea.begin(context.layout, record, lasting=True)
    try:
        with exclusive(context.object_lock(context.layout.object(project, resource))):
            _entomb(context, record)
    except BaseException as error:
        if context.layout.tombstone(project, resource).exists():
            # Ours or another's: recovery looks at it, and completes this purge or drops it.
            area.release()
            if isinstance(error, StorageError):
                raise _unfinished(resource, error) from error
            raise
        # Nothing happened; if the folder cannot be removed now, recovery does it.
        with contextlib.suppress(StorageError):
            area.discard()
        raise
    try:
        return finish_purge(context, area)[0]
    except StorageError as error:
        raise _unfinished(resource, error) from error
    finally:
        area.release()


def _unfinished(resource: str, error: StorageError) -> Unfinished:
    return Unfinished(what=f"The purge of {resource!r}", reason=error.message)


def finish_purge(context: ArchiveContext, area: StagingArea) -> list[Event]:
    """Do what of a purge is not done yet; one without its tombstone had not begun, and is dropped.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
        DamagedRecord: The tombstone cannot be read.
    """
    record = area.record
    root = context.layout.object(record.project, record.id)
    with exclusive(context.object_lock(root)):
        tombstone = read_tombstone(context, record.project, record.id) or {}
        if tombstone.get("transaction") != record.transaction:
            area.discard()
            return []
        if root.exists():
            rename(root, area.folder / "purged")
            sync_folder(root.parent)
        drop_empty_folders(root.parent, context.layout.objects)
        drop_packs(context.layout, root)
        events: list[Event] = []
        if not context.log.mentions(record.transaction, record.log):
            events = context.log.append([deletion_event(tombstone)])
    with contextlib.suppress(StorageError):
        area.discard()
    return events


def purge_noted_again(context: ArchiveContext, folder: Path) -> StagingArea | None:
    """Hold the folder of a purge whose note cannot be read, with the note written again from its tombstone.

    None where no tombstone names this transaction.

    Raises:
        DiskFull, WriteFailed: The storage refused.
        DamagedRecord: What stands in the folder is no folder of a transaction.
    """
    record = next((found for found in _decided(context) if found.transaction == folder.name), None)
    if record is None:
        return None
    if os.path.lexists(folder / "lock") and not is_regular(folder / "lock"):
        remove_tree(folder / "lock")
    make_folder(context.layout.scratch)
    note = folder / "transaction.json"
    if note.is_dir() and not note.is_symlink():
        remove_tree(note)
    replace_file(note, record.as_bytes(), scratch=context.layout.scratch)
    sync_folder(folder)
    return StagingArea.take_over(folder)


def finish_from_tombstones(context: ArchiveContext) -> list[Event]:
    """Finish the purges of which nothing is left but a tombstone: no note, and no event.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
    """
    waiting = list(_decided(context))
    if not waiting:
        return []
    told = {(event.project, event.resource) for event in context.log.read() if event.event == "deletion"}
    done: list[Event] = []
    for record in waiting:
        noted = (context.layout.transactions / record.transaction).exists()
        if noted or (record.project, record.id) in told:
            continue  # it is being finished, or was
        try:
            area = StagingArea.begin(context.layout, record, lasting=True)
        except FileExistsError:
            continue  # by somebody else, at this moment
        try:
            done += finish_purge(context, area)
        finally:
            area.release()
    return done


def _decided(context: ArchiveContext) -> Iterator[TransactionRecord]:
    """What each tombstone tells of its purge that can be read and lies in its place."""
    if context.config.mode is not Mode.DYNAMIC:
        return
    for folder, _, names in os.walk(context.layout.tombstones):
        for name in names:
            try:
                found = json.loads(read_regular(os.path.join(folder, name)))
                record = TransactionRecord(
                    str(UUID(found["transaction"])),
                    check_project(found["project"]),
                    check_id(found["id"]),
                    int(found["instances"]),
                    str(found["purged"]),
                    str(found["agent"]),
                    str(found.get("address", "")),
                    str(found["reason"]),
                    DELETION,
                )
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            if context.layout.tombstone(record.project, record.id) == Path(folder, name):
                yield record


def _entomb(context: ArchiveContext, record: TransactionRecord) -> None:
    """Write the tombstone, which decides that the resource goes; the caller holds the object's lock.

    Raises:
        ResourceNotFound: Somebody else purged it meanwhile.
        DiskFull, WriteFailed: The storage refused; nothing is decided.
    """
    head = head_of(context.layout.object(record.project, record.id))
    tombstone = context.layout.tombstone(record.project, record.id)
    if not head or tombstone.exists():
        raise ResourceNotFound(id=record.id)
    told = {
        "id": record.id,
        "project": record.project,
        "purged": record.started,
        "reason": record.message,
        "agent": record.agent_name,
        "address": record.agent_address,
        "instances": head,
        "transaction": record.transaction,
    }
    make_folder(tombstone.parent)
    make_folder(context.layout.scratch)
    sync_folder(context.layout.tombstones)
    replace_file(tombstone, written_tombstone(told), scratch=context.layout.scratch)
    try:
        sync_folder(tombstone.parent)
    except BaseException:
        # For good: nobody would complete a purge of which a power cut brought only the tombstone back.
        with contextlib.suppress(OSError, StorageError):
            os.unlink(tombstone)
            sync_folder(tombstone.parent)
        raise


def deletion_event(told: Mapping[str, Any]) -> Event:
    """What the log says of a purge, from its tombstone."""
    detail = {
        "reason": told["reason"],
        "instances": told["instances"],
        "purged": told["purged"],
        "tombstone": f"sha256:{hashlib.sha256(written_tombstone(told)).hexdigest()}",
    }
    agent = f"{told['agent']} <{told['address']}>"
    return Event("deletion", agent, told["project"], told["id"], detail=detail, transaction=told["transaction"])


def written_tombstone(told: Mapping[str, object]) -> bytes:
    """The content of a tombstone."""
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def rebuilt_tombstone(event: Event) -> bytes:
    """The tombstone that the event of a purge tells of, to the byte; b'' where the event does not tell enough."""
    name, _, address = event.agent.removesuffix(">").rpartition(" <")
    told = {
        "id": event.resource,
        "project": event.project,
        "purged": event.detail.get("purged"),
        "reason": event.detail.get("reason"),
        "agent": name,
        "address": address,
        "instances": event.detail.get("instances"),
        "transaction": event.transaction,
    }
    data = written_tombstone(told)
    return data if f"sha256:{hashlib.sha256(data).hexdigest()}" == event.detail.get("tombstone") else b""


def drop_packs(layout: ArchiveLayout, root: Path) -> None:
    """Remove the parity that was of this resource alone; sets of large files may protect others too."""
    packs = layout.parity / "packs"
    place = packs / root.relative_to(layout.objects)
    remove_tree(place)
    drop_empty_folders(place.parent, packs)


def read_tombstone(context: ArchiveContext, project: str, resource: str) -> dict[str, object] | None:
    """The record of a purge, or None where nothing was purged.

    Raises:
        DamagedRecord: There is one that cannot be read.
    """
    path = context.layout.tombstone(project, resource)
    try:
        return dict(json.loads(read_regular(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DamagedRecord(path=path, reason=str(error)) from error
