"""Gives all resources that an import has built their places, or none of them, and finishes that after a crash.

One seal declares all of them complete: before it nothing was imported, and after it recovery goes on until all of
them are there. Whatever fails in this process takes out again those that were placed, under the locks of all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from muniment.archive.context import ArchiveContext, SealedResource, SealedTransaction
from muniment.archive.disk.durable import sync_folder, sync_tree
from muniment.archive.disk.layout import object_parts
from muniment.archive.disk.locks import exclusive

# The commit point is one for commits and imports; its steps are used here, not written a second time.
from muniment.archive.ingest.commit import place_version, take_out
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.archive.ingest.two_phase import refuse_reserved
from muniment.archive.package.inventory import read_inventory
from muniment.archive.package.objects import head_of
from muniment.content.events import Event
from muniment.content.identity import to_uri
from muniment.errors.archive import DamagedRecord, ReadFailed, ResourceExists
from muniment.errors.base import Conflict, StorageError


@dataclass(frozen=True, slots=True)
class CompleteResource:
    """A resource as it lies complete in an import's folder: the number of its newest version and that one's digest."""

    project: str
    id: str
    head: int
    inventory: str


class ObjectArea(StagingArea):
    """The part of an import's folder that one of its resources is built in; it has no lock of its own."""

    @classmethod
    def of(cls, area: StagingArea, record: TransactionRecord) -> ObjectArea:
        """The part of `area` for the resource of `record`."""
        return cls(area.folder, record, None)

    def _object_in(self, build: Path) -> Path:
        # Also when it has a version already.
        return build.joinpath(*object_parts(to_uri(self.record.project, self.record.id)))


def seal_import(area: StagingArea, resources: Sequence[CompleteResource], events: Sequence[Event]) -> None:
    """Bring what was built to stable storage, and declare it complete.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    sync_tree(area.folder, since=area.held)
    transaction = area.record.transaction
    first = resources[0]
    seal = {
        "inventory": first.inventory,
        "head": first.head,
        "events": [replace(event, transaction=transaction).as_json() for event in events],
        "resources": [
            {"project": each.project, "id": each.id, "head": each.head, "inventory": each.inventory}
            for each in resources
        ],
    }
    area.write_seal(seal)
    sync_tree(area.folder, since=area.held)


def publish_import(context: ArchiveContext, area: StagingArea) -> list[Event]:
    """Give all that is sealed its place and write the events, or undo both.

    Raises:
        ResourceExists, ResourceReserved: Somebody else was first; nothing was placed.
        DiskFull, WriteFailed: The storage refused.
    """
    sealed = area.sealed() or {}
    resources = _resources(area, sealed)
    if context.home is not None:
        context.home.publish(_sealed_transaction(area, resources, _drafts(sealed)))
        return _drafts(sealed)
    with _locked(context, resources):
        for each in resources:
            _refuse_taken(context, area, each)
        try:
            _place(context, area, resources)
            return context.log.append(_drafts(sealed))
        except BaseException:
            for each in reversed(resources):
                take_out(context, _part(area, each), _root(context, each))
            raise


def abandon_import(area: StagingArea) -> None:
    """Remove what is left of an import that failed; what could not be taken out again is left for recovery."""
    sealed = area.sealed()
    parts = [_part(area, each) for each in _resources(area, sealed)] if sealed else []
    if not all(part.object.is_dir() for part in parts):
        area.release()
        return
    # Recovery publishes what is sealed: whoever was told that it failed must not find it there later.
    with contextlib.suppress(StorageError):
        area.unseal()
    with contextlib.suppress(StorageError):
        area.discard()


def finish_import(context: ArchiveContext, area: StagingArea) -> list[Event]:
    """Do what of an import is not done yet; one that was not sealed is removed.

    Raises:
        ResourceExists, ResourceReserved: Somebody else took an id meanwhile; what is not in its place stays out.
        DiskFull, WriteFailed: The storage refused; running it again goes on.
    """
    record, sealed = area.record, area.sealed()
    events: list[Event] = []
    if sealed is not None and context.home is not None:
        events = publish_import(context, area)
    elif sealed is not None:
        resources = _resources(area, sealed)
        with _locked(context, resources):
            waiting = [each for each in resources if not _is_placed(context, each)]
            recorded = context.log.mentions(record.transaction, record.log)
            try:
                for each in waiting:
                    _refuse_taken(context, area, each)
                _place(context, area, waiting)
            except Conflict:
                if not recorded:
                    there = {(each.project, each.id) for each in resources if _is_placed(context, each)}
                    context.log.append([each for each in _drafts(sealed) if (each.project, each.resource) in there])
                raise
            if not recorded:
                events = context.log.append(_drafts(sealed))
    area.discard()
    return events


def _resources(area: StagingArea, sealed: Mapping[str, object]) -> list[CompleteResource]:
    """The resources of a seal; one of an earlier Muniment has one, and its transaction tells which."""
    rows = sealed.get("resources")
    if isinstance(rows, list):
        return [CompleteResource(**row) for row in rows]
    record = area.record
    return [CompleteResource(record.project, record.id, int(str(sealed["head"])), str(sealed["inventory"]))]


def _sealed_transaction(
    area: StagingArea, resources: Sequence[CompleteResource], events: Sequence[Event]
) -> SealedTransaction:
    record = area.record
    parts = tuple(
        SealedResource(each.project, each.id, 0, each.head, _part(area, each).object, each.inventory)
        for each in resources
    )
    return SealedTransaction(record.transaction, parts, record.log, tuple(events))


def _drafts(sealed: Mapping[str, object]) -> list[Event]:
    events = sealed.get("events")
    return [Event(**event) for event in events] if isinstance(events, list) else []


def _part(area: StagingArea, resource: CompleteResource) -> ObjectArea:
    return ObjectArea.of(area, replace(area.record, project=resource.project, id=resource.id, base=0))


def _root(context: ArchiveContext, resource: CompleteResource) -> Path:
    return context.layout.object(resource.project, resource.id)


@contextlib.contextmanager
def _locked(context: ArchiveContext, resources: Sequence[CompleteResource]) -> Iterator[None]:
    """Hold the locks of all objects, which are few; in one order, so that no two imports wait for each other."""
    with contextlib.ExitStack() as stack:
        for lock in sorted({context.object_lock(_root(context, each)) for each in resources}):
            stack.enter_context(exclusive(lock))
        yield


def _refuse_taken(context: ArchiveContext, area: StagingArea, resource: CompleteResource) -> None:
    if head_of(_root(context, resource)):
        raise ResourceExists(id=resource.id, project=resource.project)
    refuse_reserved(context, _part(area, resource).record)


def _place(context: ArchiveContext, area: StagingArea, resources: Sequence[CompleteResource]) -> None:
    for each in resources:
        part = _part(area, each)
        # Objects in one folder that the archive did not have go there together.
        if part.object.is_dir():
            sync_folder(place_version(context, part, _root(context, each)))


def _is_placed(context: ArchiveContext, resource: CompleteResource) -> bool:
    return inventory_digest(context, _root(context, resource) / f"v{resource.head}") == resource.inventory


def inventory_digest(context: ArchiveContext, version: Path) -> str:
    """The digest of a version's inventory, '' where there is none that can be read."""
    try:
        return read_inventory(version, context.config.digests[0])[1]
    except (OSError, DamagedRecord, ReadFailed):
        return ""
