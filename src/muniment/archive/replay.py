"""Finishing by hand what a process left unfinished: a transaction that was never closed."""

from __future__ import annotations

import os
from typing import Any

from muniment.archive.commit import publish, seal
from muniment.archive.draft import Draft
from muniment.archive.instance import Instance
from muniment.archive.objects import newest_inventory
from muniment.archive.recovery import file_digest
from muniment.archive.site import Site
from muniment.archive.staging import Workspace
from muniment.content import Entry, LogicalPath
from muniment.errors.archive import LeftoverIncomplete, LeftoverNotFound


def rollback(site: Site, transaction: str) -> None:
    """Remove a transaction nobody holds.

    Raises:
        LeftoverNotFound: There is none such.
        WriteFailed: The storage refused.
    """
    _take(site, transaction).discard()


def replay(site: Site, transaction: str) -> Instance:
    """Commit a transaction nobody holds, with every file it had stored whole.

    Raises:
        LeftoverNotFound: There is none such.
        LeftoverIncomplete: A file it had stored is not as it was, or it has none to commit.
        StaleTransaction, ResourceExists: The resource changed since.
    """
    space = _take(site, transaction)
    try:
        task = space.undertaking
        root = site.places.object(task.project, task.id)
        algorithm = site.config.digests[0]
        draft, staged, provenance = _rebuild(site, space)
        if not draft.touched:
            raise LeftoverIncomplete(transaction=transaction, reason="it had not stored anything yet")
        for digest, path in staged.items():
            if file_digest(space.content / path, algorithm) != digest:
                raise LeftoverIncomplete(transaction=transaction, reason=f"{path} is not as it was stored")
        _remove_strays(space, set(staged.values()))
        seal(site, space, draft, staged, provenance)
        publish(site, space)
        inventory, _ = newest_inventory(root, algorithm)
        return Instance(root, task.project, task.id, inventory, task.base + 1)
    finally:
        space.release()


def _take(site: Site, transaction: str) -> Workspace:
    name = os.path.basename(transaction)
    space = Workspace.take_over(site.places.transactions / name) if name else None
    if space is None:
        raise LeftoverNotFound(transaction=transaction)
    return space


def _rebuild(site: Site, space: Workspace) -> tuple[Draft, dict[str, str], list[Any]]:
    task = space.undertaking
    algorithm = site.config.digests[0]
    draft = Draft()
    if task.base:
        root = site.places.object(task.project, task.id)
        inventory, _ = newest_inventory(root, algorithm)
        base = Instance(root, task.project, task.id, inventory, min(task.base, inventory.head))
        draft = Draft(base.files(), base.record)
    staged: dict[str, str] = {}
    provenance: list[Any] = []
    for note in space.notes():
        if "add" in note:
            entry = Entry(LogicalPath(note["add"]), note["size"], note["digests"], note["modified"])
            draft.put(entry)
            if note["staged"]:
                staged[entry.digests[algorithm]] = note["staged"]
        elif "delete" in note:
            draft.remove(note["delete"])
        elif "metadata" in note:
            draft.metadata.update(note["metadata"])
            provenance = note["provenance"]
        elif "links" in note:
            draft.links.update(note["links"])
            draft.folders.extend(note["folders"])
            draft.touched = True
    return draft, staged, provenance


def _remove_strays(space: Workspace, kept: set[str]) -> None:
    """Remove files that were on their way when the process ended: the journal does not vouch for them."""
    for folder, _, names in os.walk(space.content):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, space.content) not in kept:
                os.unlink(path)
