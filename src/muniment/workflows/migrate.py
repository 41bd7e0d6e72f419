"""Migration: resources copied to another archive, whole or merged into one instance."""

from __future__ import annotations

import functools
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from muniment.archive import Agent, Event, ImportedFile, ImportedInstance
from muniment.archive import Archive as LocalArchive
from muniment.content import Entry, Progress, quiet
from muniment.content.archive import Archive
from muniment.content.exclusions import LeftOut
from muniment.content.instance import Instance
from muniment.errors.archive import DamagedFile
from muniment.errors.base import BadInput
from muniment.errors.content import DigestMismatch
from muniment.errors.exchange import ResourceDiffers
from muniment.workflows.export import plan_package
from muniment.workflows.imports import import_package
from muniment.workflows.output import write_packed

WHOLE = "migration"
MERGED = "information package merging"
"""PREMIS event types, in the logs of both archives."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one resource: `copied`, or not because it was there already and is the same."""

    id: str
    project: str
    instances: int
    copied: bool


def migrate(
    source: Archive,
    target: Archive,
    ids: Iterable[str] | None = None,
    *,
    project: str | None = None,
    merge: bool = False,
    progress: Progress = quiet,
) -> list[Migrated]:
    """Copy resources from one archive to another; all of them, or those of a project, or those named.

    Copied whole, a resource keeps its project, id, instances, identifiers, times, agents and messages;
    the other archive may have other digests and another mode. With `merge` one instance is made that
    holds what the newest one holds, and its provenance names the instances it was made from.

    Every file is compared with its recorded digests before its resource becomes visible. What is there
    already and the same is left alone, so that a migration that was broken off can be run again.

    From or to a server they travel as packages with their whole history, judged before they become visible.
    Merged into an archive behind a server they travel file by file, in one transaction for each resource.

    Raises:
        BadInput: Source and target are one archive.
        ResourceNotFound, AmbiguousId: As `Archive.get`.
        ResourceDiffers: The target has the id for something else; that resource was not copied.
        DamagedFile, DamagedRecord, ReadFailed: The source is damaged; that resource was not copied. Where all
            are to be copied and one cannot even be listed, none is.
        DiskFull, WriteFailed: The target's storage refused; that resource was not copied.
    """
    if source.config.id == target.config.id:
        raise BadInput(reason=f"{source.path} and {target.path} are one archive")
    named = list(_named(source, ids, project))
    done = []
    for count, (where, id) in enumerate(named, 1):  # noqa: A001 - the domain's word
        if isinstance(target, LocalArchive) and (merge or isinstance(source, LocalArchive)):
            done.append(_take_over(source, target, where, id, merge=merge, progress=progress))
        else:
            done.append((_merge if merge else _carry)(source, target, where, id, progress))
        progress("resources", count, len(named))
    return done


def _named(source: Archive, ids: Iterable[str] | None, project: str | None) -> Iterator[tuple[str, str]]:
    if ids is None:
        yield from ((item.project, item.id) for item in source.resources(project, whole=True))
        return
    for id in ids:  # noqa: A001 - the domain's word
        yield source.get(id, project=project).project, id


def _take_over(
    source: Archive, target: LocalArchive, project: str, id: str, *, merge: bool, progress: Progress
) -> Migrated:
    history = source.history(id, project)
    merged = _merged(source, history) if merge else None
    if target.exists(id, project):
        reason = _difference(history, target.history(id, project), merged)
        if reason:
            raise ResourceDiffers(target=target.path, id=id, reason=reason)
        return Migrated(id, project, 1 if merge else len(history), copied=False)
    # Each instance is read anew: one that was read keeps all its entries.
    instances = [merged] if merged else (_imported_instance(history[-1].earlier(each.number)) for each in history)
    event = MERGED if merge else WHOLE
    detail = {"instances": len(history), "from": source.config.id}
    try:
        target.import_history(id, instances, project, events=[Event(event, "", detail=detail)], progress=progress)
    except DigestMismatch as error:
        place = _place(history, error.details["path"])
        raise DamagedFile(**{**error.details, "path": place}) from error
    _record(source, target, event, history)
    return Migrated(id, project, 1 if merge else len(history), copied=True)


def _carry(source: Archive, target: Archive, project: str, id: str, progress: Progress) -> Migrated:
    """Copy a resource as a package."""
    history = source.history(id, project)
    if target.exists(id, project):
        if [item.instance for item in target.history(id, project)] != [item.instance for item in history]:
            raise ResourceDiffers(target=target.path, id=id, reason="its instances are others")
        return Migrated(id, project, len(history), copied=False)
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        package = Path(folder) / "package.tar"
        if isinstance(source, LocalArchive):
            write_packed(plan_package(source, id, "instances", project=project), package, progress)
        else:
            with package.open("xb") as file:
                source.export(id, "instances", file.write, project=project, progress=progress)
        import_package(target, package, id=id, project=project, progress=progress)
    _record(source, target, WHOLE, history)
    return Migrated(id, project, len(history), copied=True)


def _merge(source: Archive, target: Archive, project: str, id: str, progress: Progress) -> Migrated:
    """Make one instance of a resource, file by file."""
    history = source.history(id, project)
    newest = history[-1]
    provenance = [origin(source, instance) for instance in history]
    if target.exists(id, project):
        there = target.history(id, project)
        if len(there) != 1 or there[0].provenance != provenance:
            raise ResourceDiffers(target=target.path, id=id, reason="it is not what these instances were merged into")
        return Migrated(id, project, 1, copied=False)
    message = f"Merged from {len(history)} instances of archive {source.config.id}"
    with target.new(id, project, message=message) as transaction:
        transaction.metadata.update(newest.metadata)
        transaction.provenance[:] = provenance
        for count, entry in enumerate(newest.files(), 1):
            with newest.open(entry.path) as file:
                transaction.add(file, entry.path, digests=entry.digests, modified=entry.modified)
            progress("files", count, len(newest))
        transaction.note_links(newest.record.get("links", {}), newest.record.get("folders", []))
        transaction.note_left_out(LeftOut.parse(each) for each in newest.record.get("left_out", []))
    _record(source, target, MERGED, history)
    return Migrated(id, project, 1, copied=True)


def _record(source: Archive, target: Archive, event: str, history: Sequence[Instance]) -> None:
    """Say in the log of an archive in a folder, where it can be written to, that a resource was copied from it."""
    if isinstance(source, LocalArchive) and os.access(source.path / "events", os.W_OK):
        newest = history[-1]
        detail = {"instances": len(history), "to": target.config.id}
        source.record_event(event, resource=newest.id, project=newest.project, instance=newest.number, detail=detail)


def _place(history: Sequence[Instance], path: str) -> str:
    """Where the file lies that was found damaged, as far as its name tells."""
    newest = next(instance for instance in reversed(history) if path in instance)
    return str(newest.location(path)) if _is_here(newest) else f"{newest.root}/files/{path}"


def _is_here(instance: Instance) -> bool:
    """Whether its files lie on this machine; of one behind a server they are streams."""
    return isinstance(instance.root, Path)


def _files(instance: Instance) -> Iterator[ImportedFile]:
    if _is_here(instance):
        return (ImportedFile(entry, str(instance.location(entry.path))) for entry in instance.files())
    return (ImportedFile(entry, functools.partial(instance.open, entry.path)) for entry in instance.files())


def _imported_instance(instance: Instance) -> ImportedInstance:
    record = instance.record
    return ImportedInstance(
        _files(instance),
        instance=instance.instance,
        created=instance.created,
        agent=Agent(instance.agent["name"], instance.agent["address"]),
        message=str(record.get("message", instance.message)),
        metadata=instance.metadata,
        provenance=instance.provenance,
        links=record.get("links", {}),
        folders=record.get("folders", []),
        left_out=record.get("left_out", []),
    )


def _merged(source: Archive, history: Sequence[Instance]) -> ImportedInstance:
    """One instance with the newest view. Its identifier follows from what it was made from: a rerun finds it."""
    newest = history[-1]
    provenance = [origin(source, instance) for instance in history]
    made_from = " ".join(f"{item['instance']} {item['inventory']}" for item in provenance)
    return ImportedInstance(
        _files(newest),
        instance=str(uuid.uuid5(uuid.NAMESPACE_URL, f"muniment:{source.config.id}/{newest.project}/{made_from}")),
        message=f"Merged from {len(history)} instances of archive {source.config.id}",
        metadata=newest.metadata,
        provenance=provenance,
        links=newest.record.get("links", {}),
        folders=newest.record.get("folders", []),
        left_out=newest.record.get("left_out", []),
        detail={"merged": len(history)},
    )


def origin(source: Archive, instance: Instance) -> dict[str, object]:
    """What a merged instance's provenance says of one that went into it.

    Raises:
        DamagedRecord, ReadFailed: It cannot be had.
    """
    found: dict[str, object] = {
        "archive": source.config.id,
        "project": instance.project,
        "id": instance.id,
        "instance": instance.instance,
        "number": instance.number,
        "created": instance.created,
        "agent": dict(instance.agent),
        "message": instance.message,
        "inventory": instance.inventory_digest(),
    }
    if instance.provenance:
        found["provenance"] = instance.provenance
    return found


def _difference(source: Sequence[Instance], target: Sequence[Instance], merged: ImportedInstance | None) -> str:
    """Why the target's resource is not a copy of the source's; '' when it is one."""
    wanted = [merged.instance] if merged else [instance.instance for instance in source]
    found = [instance.instance for instance in target]
    if found != wanted:
        return f"its instances are {', '.join(found)}, expected {', '.join(wanted)}"
    for one, other in zip(source[-1:] if merged else source, target, strict=True):
        if [_told(entry) for entry in one.files()] != [_told(entry) for entry in other.files()]:
            return f"instance {other.number} has other files"
        for entry in one.files():
            digests = other.digests(entry.path)
            common = set(digests) & set(entry.digests)
            if not common or any(digests[name] != entry.digests[name] for name in common):
                return f"{entry.path!r} in instance {other.number} is not known to have the same content"
    return ""


def _told(entry: Entry) -> tuple[str, int | None]:
    return entry.path, entry.size
