"""Finishing by hand what a process left unfinished: a transaction that was never closed."""

from __future__ import annotations

import os
import re

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import writing
from muniment.archive.ingest.checking import examine
from muniment.archive.ingest.commit import flush, give_up, publish, seal, withdraw
from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.journal import Rebuilt
from muniment.archive.ingest.recovery import file_digest
from muniment.archive.ingest.staging import DELETION, IMPORT, REPAIR, StagingArea, TransactionRecord
from muniment.archive.ingest.two_phase import unreserve
from muniment.archive.package.instance import Instance
from muniment.archive.package.objects import newest_inventory
from muniment.content.trees import files_below
from muniment.errors.archive import LeftoverIncomplete, LeftoverNotFound, TransactionBusy, TransactionForbidden


def rollback(context: ArchiveContext, transaction: str) -> None:
    """Remove a transaction nobody holds.

    Raises:
        LeftoverNotFound: There is none such.
        WriteFailed: The storage refused.
    """
    area = claim(context, transaction)
    try:
        give_up(context, area)
    except BaseException:
        area.release()
        raise
    area.discard()


def replay(context: ArchiveContext, transaction: str) -> Instance:
    """Commit a transaction nobody holds, with every file it had stored whole.

    The instance is its who began it; the event names who commits it here, and of whom it is if that is another.

    Raises:
        LeftoverNotFound: There is none such.
        LeftoverIncomplete: A file it had stored is not as it was, or it has none to commit.
        StaleTransaction, ResourceExists: The resource changed since.
    """
    area = claim(context, transaction)
    try:
        if context.agent != area.record.agent:
            # Noted before anything is published: recovery may have to write the event.
            area.restate(committed_by=str(context.agent))
        record = area.record
        algorithm = context.config.digests[0]
        if area.sealed() is not None:
            publish(context, area)
            unreserve(context, record)
            return _instance(context, record, record.base + 1)
        draft, staged, provenance = _rebuild(context, area)
        if not draft.touched:
            raise LeftoverIncomplete(transaction=transaction, reason="it had not stored anything yet")
        for digest, path in staged.items():
            if file_digest(area.content / path, algorithm) != digest:
                raise LeftoverIncomplete(transaction=transaction, reason=f"{path} is not as it was stored")
        checked = examine(context, area, draft, staged)
        area.unseal()
        _remove_untracked(area, set(staged.values()))
        try:
            seal(context, area, draft, staged, provenance, checked=checked)
            flush([area])
            publish(context, area)
        except BaseException:
            withdraw(area)
            raise
        return _instance(context, record, record.base + 1)
    finally:
        area.release()


def claim_own(context: ArchiveContext, transaction: str) -> StagingArea:
    """As `claim`, for whoever goes on with a transaction: only who began it may.

    Raises:
        LeftoverNotFound, TransactionBusy: As `claim`.
        TransactionForbidden: Somebody else began it.
    """
    area = claim(context, transaction)
    if area.record.agent != context.agent:
        area.release()
        raise TransactionForbidden(transaction=transaction, agent=area.record.agent)
    return area


def claim(context: ArchiveContext, transaction: str) -> StagingArea:
    """The folder of a transaction, held by this process from now on.

    Raises:
        LeftoverNotFound: There is none such.
        TransactionBusy: A living process holds it.
    """
    folder = context.layout.transactions / transaction
    if not re.fullmatch(r"[0-9a-f-]{36}", transaction) or not folder.is_dir():
        raise LeftoverNotFound(transaction=transaction)
    area = StagingArea.take_over(folder)
    if area is None:
        raise TransactionBusy(transaction=transaction)
    if area.record.kind in {DELETION, IMPORT, REPAIR}:
        # These are finished by recovery, each in its own way, and by nobody's hand.
        area.release()
        raise LeftoverNotFound(transaction=transaction)
    return area


def _rebuild(context: ArchiveContext, area: StagingArea) -> tuple[Draft, dict[str, str], list[object]]:
    record = area.record
    algorithm = context.config.digests[0]
    draft = Draft()
    if record.base:
        base = _instance(context, record, record.base)
        draft = Draft(base.files(), base.record)
    rebuilt = Rebuilt(draft, algorithm)
    rebuilt.follow(area)
    # What was stored and left out again may be gone already: sealing had begun to clear it away.
    used = {entry.digests[algorithm] for entry in draft}
    staged = {digest: path for digest, path in rebuilt.staged.items() if digest in used}
    return draft, staged, rebuilt.provenance


def _instance(context: ArchiveContext, record: TransactionRecord, number: int) -> Instance:
    if context.home is not None:
        return context.home.published(record.project, record.id, number)
    root = context.layout.object(record.project, record.id)
    inventory, _ = newest_inventory(root, context.config.digests[0])
    return Instance(root, record.project, record.id, inventory, min(number, inventory.head))


def _remove_untracked(area: StagingArea, kept: set[str]) -> None:
    """Remove files that were on their way when the process ended: the journal does not vouch for them."""
    with writing(area.content):
        for path in files_below(area.content):
            if os.path.relpath(path, area.content) not in kept:
                os.unlink(path)
