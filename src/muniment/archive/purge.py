"""Purging a resource, in dynamic mode only: with a reason, a tombstone and an event.

The tombstone comes first: from then on the resource counts as gone, and recovery completes what a
crash left undone. Its parity goes with it.
"""

from __future__ import annotations

import json

from muniment.archive.commit import drop_empty_folders
from muniment.archive.config import Mode
from muniment.archive.durable import make_folder, rename, sync_folder, write_file
from muniment.archive.events import Event
from muniment.archive.identity import new_uuid
from muniment.archive.locks import exclusive
from muniment.archive.objects import head_of
from muniment.archive.site import Site
from muniment.archive.staging import Undertaking, Workspace
from muniment.archive.times import now
from muniment.errors.archive import DamagedRecord, ReasonNeeded, ResourceNotFound


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
    task = Undertaking(
        new_uuid(), project, resource, head, now(), site.agent.name, site.agent.address, reason.strip(), "deletion"
    )
    space = Workspace.begin(site.places, task)
    try:
        return finish_purge(site, space)[0]
    finally:
        space.release()


def finish_purge(site: Site, space: Workspace) -> list[Event]:
    """Do what of a purge is not done yet.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
    """
    task = space.undertaking
    root = site.places.object(task.project, task.id)
    tombstone = site.places.tombstone(task.project, task.id)
    with exclusive(site.object_lock(root)):
        if not tombstone.exists():
            make_folder(tombstone.parent)
            make_folder(site.places.scratch)
            fresh = site.places.scratch / f"tombstone-{task.transaction}"
            record = {
                "id": task.id,
                "project": task.project,
                "purged": task.started,
                "reason": task.message,
                "agent": task.agent_name,
                "instances": task.base,
            }
            write_file(fresh, (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode("utf-8"), sync=True)
            rename(fresh, tombstone)
            sync_folder(tombstone.parent)
            sync_folder(site.places.tombstones)
        if root.exists():
            rename(root, space.folder / "purged")
            sync_folder(root.parent)
            drop_empty_folders(root.parent, site.places.objects)
        events: list[Event] = []
        if not site.log.mentions(task.transaction, task.started):
            agent = f"{task.agent_name} <{task.agent_address}>"
            detail = {"reason": task.message, "instances": task.base}
            draft = Event("deletion", agent, task.project, task.id, detail=detail, transaction=task.transaction)
            events = site.log.append([draft])
    space.discard()
    return events


def read_tombstone(site: Site, project: str, resource: str) -> dict[str, str] | None:
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
