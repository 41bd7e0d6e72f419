"""Purging a resource, in dynamic mode only: with a reason, a tombstone and an event.

The tombstone comes first: from then on the resource counts as gone, and recovery completes what a
crash left undone; before it, nothing has happened. The parity of the resource's small files goes with
it; that of its large files, which equal files of other resources may share, an audit names once it
protects nothing, and `repair` removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from muniment.archive.config import Mode
from muniment.archive.context import Site
from muniment.archive.disk.durable import make_folder, remove_tree, rename, replace_file, sync_folder
from muniment.archive.disk.locks import exclusive
from muniment.archive.ingest.commit import drop_empty_folders
from muniment.archive.ingest.staging import DELETION, Undertaking, Workspace
from muniment.archive.package.objects import head_of
from muniment.content.events import Event
from muniment.content.identity import new_uuid
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord, ReasonNeeded, ResourceNotFound
from muniment.errors.base import StorageTrouble


def purge(site: Site, project: str, resource: str, reason: str) -> Event:
    """Remove a resource with all its instances.

    Raises:
        NotAllowedInMode: The archive is not in dynamic mode.
        ReasonNeeded: No reason was given.
        ResourceNotFound: There is no such resource.
        DiskFull, WriteFailed: The storage refused; recovery completes the purge if it had begun.
    """
    site.config.refuse_unless(Mode.DYNAMIC, "purging")
    if not reason.strip():
        raise ReasonNeeded
    head = head_of(site.places.object(project, resource))
    if not head:
        raise ResourceNotFound(id=resource)
    begun = now(), site.agent.name, site.agent.address
    task = Undertaking(new_uuid(), project, resource, head, *begun, reason.strip(), DELETION, site.log.head())
    space = Workspace.begin(site.places, task)
    try:
        with exclusive(site.object_lock(site.places.object(project, resource))):
            _entomb(site, task)
    except BaseException:
        if site.places.tombstone(project, resource).exists():
            # Ours or another's: recovery looks at it, and completes this purge or drops it.
            space.release()
            raise
        # Nothing happened; if the folder cannot be removed now, recovery does it.
        with contextlib.suppress(StorageTrouble):
            space.discard()
        raise
    try:
        return finish_purge(site, space)[0]
    finally:
        space.release()


def finish_purge(site: Site, space: Workspace) -> list[Event]:
    """Do what of a purge is not done yet; one without its tombstone had not begun, and is dropped.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
        DamagedRecord: The tombstone cannot be read.
    """
    task = space.undertaking
    root = site.places.object(task.project, task.id)
    with exclusive(site.object_lock(root)):
        record = read_tombstone(site, task.project, task.id) or {}
        if record.get("transaction") != task.transaction:
            space.discard()
            return []
        if root.exists():
            rename(root, space.folder / "purged")
            sync_folder(root.parent)
        drop_empty_folders(root.parent, site.places.objects)
        _drop_packs(site, root)
        events: list[Event] = []
        if not site.log.mentions(task.transaction, task.log):
            agent = f"{task.agent_name} <{task.agent_address}>"
            detail = {"reason": task.message, "instances": record["instances"]}
            draft = Event("deletion", agent, task.project, task.id, detail=detail, transaction=task.transaction)
            events = site.log.append([draft])
    with contextlib.suppress(StorageTrouble):
        space.discard()
    return events


def _entomb(site: Site, task: Undertaking) -> None:
    """Write the tombstone, which decides that the resource goes; the caller holds the object's lock.

    Raises:
        ResourceNotFound: Somebody else purged it meanwhile.
        DiskFull, WriteFailed: The storage refused; nothing is decided.
    """
    head = head_of(site.places.object(task.project, task.id))
    tombstone = site.places.tombstone(task.project, task.id)
    if not head or tombstone.exists():
        raise ResourceNotFound(id=task.id)
    record = {
        "id": task.id,
        "project": task.project,
        "purged": task.started,
        "reason": task.message,
        "agent": task.agent_name,
        "instances": head,
        "transaction": task.transaction,
    }
    make_folder(tombstone.parent)
    make_folder(site.places.scratch)
    sync_folder(site.places.tombstones)
    data = (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
    replace_file(tombstone, data, scratch=site.places.scratch)
    try:
        sync_folder(tombstone.parent)
    except BaseException:
        # For good: nobody would complete a purge of which a power cut brought only the tombstone back.
        with contextlib.suppress(OSError, StorageTrouble):
            os.unlink(tombstone)
            sync_folder(tombstone.parent)
        raise


def _drop_packs(site: Site, root: Path) -> None:
    """Remove the parity that was of this resource alone; sets of large files may protect others too."""
    packs = site.places.parity / "packs"
    place = packs / root.relative_to(site.places.objects)
    remove_tree(place)
    drop_empty_folders(place.parent, packs)


def read_tombstone(site: Site, project: str, resource: str) -> dict[str, Any] | None:
    """The record of a purge, or None where nothing was purged.

    Raises:
        DamagedRecord: There is one that cannot be read.
    """
    path = site.places.tombstone(project, resource)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedRecord(path=path, reason=str(error)) from error
    return dict(found)
