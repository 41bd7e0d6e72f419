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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, rename
from muniment.archive.disk.locks import exclusive
from muniment.archive.ingest.commit import finish_root, publish, record
from muniment.archive.ingest.staging import ADOPTION, DELETION, StagingArea, TransactionRecord, left_behind
from muniment.archive.ingest.two_phase import decision, unreserve
from muniment.archive.package.inventory import NAME, read_inventory
from muniment.archive.package.objects import head_of
from muniment.content import Hashers
from muniment.content.events import Event
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord, ReadFailed
from muniment.errors.base import Conflict

_OLD_SCRATCH = 86_400.0
"""Seconds without any change after which what lies in the scratch folder belongs to nobody."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A transaction somebody began and never closed; `files` is how many it had stored.

    One that was prepared as part of a `group` says which archive (`decided_at`) knows the decision.
    """

    transaction: str
    project: str
    id: str
    base: int
    started: str
    files: int
    agent: str
    group: str = ""
    decided_at: str = ""


def recover(context: ArchiveContext) -> list[Event]:
    """Finish everything that was sealed, mend the log, and say in an event what was done.

    Only what no living process holds is touched, so any number of openings may do this at once.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
    """
    done: list[Event] = []
    for folder in left_behind(context.layout):
        try:
            space = StagingArea.take_over(folder)
        except DamagedRecord as error:
            done += _set_aside(context, folder, TransactionRecord(folder.name, "", "", 0, "", "", ""), str(error))
            continue
        if space is None:
            continue
        try:
            done += _finish(context, space)
        finally:
            space.release()
    context.log.mend()
    _clear_scratch(context)
    return done


def leftovers(context: ArchiveContext) -> Iterator[Leftover]:
    """The transactions that were begun, never closed, and that no living process holds."""
    for folder in left_behind(context.layout):
        try:
            space = StagingArea.take_over(folder)
        except DamagedRecord:
            continue
        if space is None:
            continue
        try:
            task = space.transaction_record
            if space.lease() > now():
                continue
            files = sum("add" in note for note in space.notes())
            sealed = space.sealed() or {}
        finally:
            space.release()
        waits = (str(sealed.get("group", "")), str(sealed.get("decided at", "")))
        yield Leftover(task.transaction, task.project, task.id, task.base, task.started, files, task.agent_name, *waits)


def _finish(context: ArchiveContext, space: StagingArea) -> list[Event]:
    task = space.transaction_record
    if task.kind == DELETION:
        from muniment.archive.ingest.purge import finish_purge

        return finish_purge(context, space)
    if task.kind == ADOPTION:
        from muniment.archive.ingest.import_history import finish_adoption

        try:
            done = finish_adoption(context, space)
        except Conflict as error:
            return _set_aside(context, space.folder, task, str(error), space)
        return done and _tell(context, task, "an adopted resource was published or recorded")
    sealed = space.sealed()
    lease = space.lease()
    if sealed is None and lease:
        if lease > now():
            return []
        # A client that went away: it was told how long its transaction lives.
        space.discard()
        return _tell(context, task, "a transaction whose lease had run out was rolled back")
    if sealed is None:
        if not any(True for _ in space.notes()) and _is_empty(space):
            space.discard()
        return []
    group = str(sealed.get("group", ""))
    placed = _digest(context.layout.object(task.project, task.id) / f"v{task.base + 1}", context) == sealed["inventory"]
    if group and not placed and not (sealed["decided at"] == context.config.id and decision(context, group)):
        # Prepared, and the decision lies elsewhere or was never made: for a replay to settle.
        return []
    done = _finish_sealed(context, space, sealed)
    unreserve(context, task)
    return done


def _finish_sealed(context: ArchiveContext, space: StagingArea, sealed: Mapping[str, Any]) -> list[Event]:
    task = space.transaction_record
    root = context.layout.object(task.project, task.id)
    version = root / f"v{task.base + 1}"
    if _digest(version, context) == sealed["inventory"]:
        with exclusive(context.object_lock(root)):
            events = []
            if not context.log.mentions(task.transaction, task.log):
                record(context, space)
                events = _tell(context, task, "a published instance was recorded")
            finish_root(context, root, head_of(root))
        space.discard()
        return events
    if _digest(space.version, context) != sealed["inventory"]:
        return _set_aside(context, space.folder, task, "it was sealed, but its inventory is not the sealed one", space)
    damaged = first_damage(space, context)
    if damaged:
        return _set_aside(context, space.folder, task, f"it was sealed, but {damaged} is not as sealed", space)
    try:
        publish(context, space)
    except Conflict as error:
        return _set_aside(context, space.folder, task, str(error), space)
    return _tell(context, task, "a complete instance was published")


def first_damage(space: StagingArea, context: ArchiveContext) -> str:
    """The first staged file that is not what the version's inventory says, or nothing.

    A seal reaches the disk with the files it vouches for, in no particular order: after a power cut
    it may be there and they not.
    """
    algorithm = context.config.digests[0]
    inventory, _ = read_inventory(space.version, algorithm)
    prefix = f"{space.version.name}/"
    for digest, paths in inventory.manifest.items():
        for path in paths:
            if path.startswith(prefix) and file_digest(space.object / path, algorithm) != digest:
                return path
    return ""


def file_digest(path: Path, algorithm: str) -> str:
    """The digest of a file, empty when it cannot be read."""
    hashers = Hashers([algorithm])
    try:
        with path.open("rb", buffering=0) as file:
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


def _is_empty(space: StagingArea) -> bool:
    return not any(files for _, _, files in os.walk(space.build))


def _tell(context: ArchiveContext, task: TransactionRecord, note: str) -> list[Event]:
    draft = Event(
        "recovery", "muniment", task.project, task.id, task.base + 1, detail={"note": note, "of": task.transaction}
    )
    return context.log.append([draft])


def _set_aside(
    context: ArchiveContext, folder: Path, task: TransactionRecord, reason: str, space: StagingArea | None = None
) -> list[Event]:
    make_folder(context.layout.quarantine)
    rename(folder, context.layout.quarantine / folder.name)
    if space:
        space.release()
    detail = {"note": reason, "quarantine": folder.name}
    instance = task.base + 1 if task.id else 0
    return context.log.append([Event("quarantine", "muniment", task.project, task.id, instance, detail=detail)])


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
    for folder, folders, files in os.walk(place):
        for name in ("", *folders, *files):
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime)
    if not newest:
        with contextlib.suppress(FileNotFoundError):
            newest = place.lstat().st_mtime
    return newest
