"""Finishing by hand what a process left unfinished: a transaction that was never closed."""

from __future__ import annotations

import os
import re
from typing import Any

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import writing
from muniment.archive.ingest.commit import publish, seal, withdraw
from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.journal import Rebuilt
from muniment.archive.ingest.recovery import file_digest
from muniment.archive.ingest.staging import StagingArea
from muniment.archive.ingest.two_phase import unreserve
from muniment.archive.package.instance import Instance
from muniment.archive.package.objects import newest_inventory
from muniment.errors.archive import LeftoverIncomplete, LeftoverNotFound, TransactionBusy


def rollback(context: ArchiveContext, transaction: str) -> None:
    """Remove a transaction nobody holds.

    Raises:
        LeftoverNotFound: There is none such.
        WriteFailed: The storage refused.
    """
    space = claim(context, transaction)
    unreserve(context, space.transaction_record)
    space.discard()


def replay(context: ArchiveContext, transaction: str) -> Instance:
    """Commit a transaction nobody holds, with every file it had stored whole.

    Raises:
        LeftoverNotFound: There is none such.
        LeftoverIncomplete: A file it had stored is not as it was, or it has none to commit.
        StaleTransaction, ResourceExists: The resource changed since.
    """
    space = claim(context, transaction)
    try:
        task = space.transaction_record
        root = context.layout.object(task.project, task.id)
        algorithm = context.config.digests[0]
        if space.sealed() is not None:
            publish(context, space)
            unreserve(context, task)
            inventory, _ = newest_inventory(root, algorithm)
            return Instance(root, task.project, task.id, inventory, task.base + 1)
        draft, staged, provenance = _rebuild(context, space)
        if not draft.touched:
            raise LeftoverIncomplete(transaction=transaction, reason="it had not stored anything yet")
        for digest, path in staged.items():
            if file_digest(space.content / path, algorithm) != digest:
                raise LeftoverIncomplete(transaction=transaction, reason=f"{path} is not as it was stored")
        space.unseal()
        _remove_strays(space, set(staged.values()))
        try:
            seal(context, space, draft, staged, provenance)
            publish(context, space)
        except BaseException:
            withdraw(space)
            raise
        inventory, _ = newest_inventory(root, algorithm)
        return Instance(root, task.project, task.id, inventory, task.base + 1)
    finally:
        space.release()


def claim(context: ArchiveContext, transaction: str) -> StagingArea:
    """The folder of a transaction, held by this process from now on.

    Raises:
        LeftoverNotFound: There is none such.
        TransactionBusy: A living process holds it.
    """
    folder = context.layout.transactions / transaction
    if not re.fullmatch(r"[0-9a-f-]{36}", transaction) or not folder.is_dir():
        raise LeftoverNotFound(transaction=transaction)
    space = StagingArea.take_over(folder)
    if space is None:
        raise TransactionBusy(transaction=transaction)
    return space


def _rebuild(context: ArchiveContext, space: StagingArea) -> tuple[Draft, dict[str, str], list[Any]]:
    task = space.transaction_record
    algorithm = context.config.digests[0]
    draft = Draft()
    if task.base:
        root = context.layout.object(task.project, task.id)
        inventory, _ = newest_inventory(root, algorithm)
        base = Instance(root, task.project, task.id, inventory, min(task.base, inventory.head))
        draft = Draft(base.files(), base.record)
    rebuilt = Rebuilt(draft, algorithm)
    for note in space.notes():
        rebuilt.apply(note)
    # What was stored and left out again may be gone already: sealing had begun to clear it away.
    used = {entry.digests[algorithm] for entry in draft}
    staged = {digest: path for digest, path in rebuilt.staged.items() if digest in used}
    return draft, staged, rebuilt.provenance


def _remove_strays(space: StagingArea, kept: set[str]) -> None:
    """Remove files that were on their way when the process ended: the journal does not vouch for them."""
    with writing(space.content):
        for folder, _, names in os.walk(space.content):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, space.content) not in kept:
                    os.unlink(path)
