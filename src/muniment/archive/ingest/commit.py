"""Publishing a version: the one commit point and what is done on either side of it.

The order is the promise (docs/durability.md):

1. the version is completed in its staging folder: tag files, inventory, sidecar, seal; its parity is made there;
2. everything there is put on stable storage;
3. **one rename** gives the version its place; its folder is synced: from here on it is committed;
4. the event is appended and synced;
5. the copy of the inventory in the object's root follows (not in worm mode after the first version), and the
   parity takes its places;
6. the staging folder goes.

Killed before 3, the resource is wholly old until recovery, which publishes a version whose seal and
bytes are whole and removes no other; killed after it, wholly new, and recovery does 4 to 6. When the
storage refuses 1 to 4, everything is undone, the seal included, and the caller told: the resource is
and stays wholly old. Only where the undoing is refused too may recovery find the version sealed or
placed, and finish it. 5 and 6 cannot fail a commit.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from muniment.archive.context import ArchiveContext, SealedResource, SealedTransaction
from muniment.archive.disk.durable import (
    make_folder,
    rename,
    replace_file,
    sync_folder,
    sync_folders,
    sync_trees,
    syncing_ahead,
    write_file,
    writing,
)
from muniment.archive.disk.layout import object_parts
from muniment.archive.disk.locks import exclusive
from muniment.archive.ingest.checking import drafts_of, tag_files_of
from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.archive.ingest.two_phase import refuse_reserved, unreserve
from muniment.archive.package.bag import TagFile, payload_state, tag_files
from muniment.archive.package.digest_block import DigestBlock
from muniment.archive.package.inventory import (
    NAME,
    PARITY_FROM,
    Inventory,
    Version,
    default_message,
    hashed,
    sidecar_of,
)
from muniment.archive.package.names import PAYLOAD
from muniment.archive.package.objects import declare, head_of, newest_inventory
from muniment.content.checks import CheckReport
from muniment.content.config import Mode
from muniment.content.events import Event, Head
from muniment.content.identity import Agent, to_uri
from muniment.content.regular import open_regular
from muniment.content.times import now
from muniment.content.trees import walk_tree
from muniment.errors.archive import ResourceExists, StaleTransaction
from muniment.errors.base import Conflict, StorageError

if TYPE_CHECKING:
    from muniment.archive.parity.ahead import ParityAhead

_CHUNK = 1 << 20
_MANY, _MUCH = 300, 32 << 20
"""New files, or bytes of them, from which on it pays to let them go to the disk while records and parity are made."""


def seal(
    context: ArchiveContext,
    area: StagingArea,
    draft: Draft,
    staged: dict[str, str],
    provenance: list[object],
    waiting: Mapping[str, str] | None = None,
    checked: CheckReport | None = None,
    parity: ParityAhead | None = None,
) -> Inventory:
    """Complete the version in its staging folder (step 1); returns the inventory it will bring. `flush` comes next.

    `staged` is digest to content path of what the transaction stored, in names relative to the
    version's content folder. `waiting` names the group whose decision publication waits for. `checked` is
    what the checks found. `parity` is made before the flush, if the storage has room for it.

    Raises:
        DiskFull, WriteFailed: The storage refused; nothing is published.
    """
    record = area.record
    algorithm = context.config.digests[0]
    created = now()
    base = Inventory(to_uri(record.project, record.id), algorithm)
    if record.base:
        try:
            base, _ = newest_inventory(context.layout.object(record.project, record.id), algorithm)
        except FileNotFoundError:
            raise StaleTransaction(id=record.id, base=record.base, head=0) from None
        if base.head != record.base:
            raise StaleTransaction(id=record.id, base=record.base, head=base.head)
    entries = draft.entries
    new = {digest: size or 0 for _, size, digest in entries.by(algorithm) if digest in staged}
    _drop_unused(area, staged, new.keys())
    message = record.message or default_message(record.base + 1, len(entries))
    size = sum(size or 0 for size in entries.sizes())
    detail = {"files": len(entries), "bytes": size, "message": message}
    many = len(staged) >= _MANY or sum(new.values()) >= _MUCH
    nothing = contextlib.nullcontext()
    with syncing_ahead(area.folder) if many else nothing, parity or nothing:
        content = new_content(base, draft, staged)
        if parity:
            parity.begin(area.parity, area.object, content, new)
        state = payload_state(entries, algorithm)
        version = Version(created, state, message, Agent(record.agent_name, record.agent_address))
        described = instance_record(record, draft, created, provenance, context.log.settled_head(), checked)
        tags = tag_files(entries, described, context.config.digests, created[:10], tag_files_of(checked))
        stage_tags(area, tags, base, state, content)
        base.add_version(version, content)
        inventory = base.write(area.version)
        if not record.base:
            write_file(*declare(area.object))
            copy_records(area.version, area.object, algorithm)
        detail["inventory"] = f"{algorithm}:{inventory}"
        area.write_seal({"inventory": inventory, "detail": detail, "checks": drafts_of(checked), **(waiting or {})})
        if parity:
            parity.make(area.object, base, inventory)
    return base


def flush(areas: Sequence[StagingArea]) -> None:
    """Put sealed versions on stable storage (step 2), several of them with one flush.

    Raises:
        DiskFull, WriteFailed: The storage could not promise it; nothing of them may be published.
    """
    # The descriptor that was opened first is told of every failed write since.
    oldest = min(areas, key=lambda area: area.held_since)
    sync_trees([area.folder for area in areas], since=oldest.held)


def new_content(base: Inventory, draft: Draft, staged: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """The payload's new content in the version after `base`: content path to digests."""
    content: dict[str, Mapping[str, str]] = {}
    folder = f"v{base.head + 1}/content/"
    for entry in draft.added():
        digest = entry.digests[base.algorithm]
        if digest in staged:
            content[folder + staged[digest]] = entry.digests
        elif not (place := base.content_path(digest)).partition("/content/")[2].startswith(PAYLOAD):
            # The same bytes as a tag file, of which only the first digest was recorded.
            content[place] = {name: value for name, value in entry.digests.items() if name != base.algorithm}
    return content


@dataclass(slots=True)
class SealedPart:
    """One of the versions that are published together: `committed` is called when it is, `error` is why it was not."""

    area: StagingArea
    committed: Callable[[], object] = bool
    error: Conflict | None = None


def publish(context: ArchiveContext, area: StagingArea, committed: Callable[[], object] = bool) -> None:
    """Give a sealed version its place and finish the work (steps 3 to 6).

    A failure up to the event takes the version out again: the resource is as it was. `committed` is called
    when it is done, before the staging folder goes.

    Raises:
        ResourceExists, StaleTransaction: Somebody else was first; nothing is published.
        DiskFull, WriteFailed: The storage refused; nothing is published.
    """
    if context.home is not None:
        context.home.publish(sealed_transaction(area))
        with contextlib.suppress(StorageError):
            area.discard()
        return
    part = SealedPart(area, committed)
    publish_all(context, [part])
    if part.error is not None:
        raise part.error


def publish_all(context: ArchiveContext, parts: Sequence[SealedPart]) -> None:
    """As `publish` for each of several, with one flush for the folders they are renamed into and one for the log.

    Where somebody else was first, that part alone is left out, and has the `error`.

    Raises:
        DiskFull, WriteFailed: The storage refused; none of them is published.
    """
    roots = [context.layout.object(part.area.record.project, part.area.record.id) for part in parts]
    with contextlib.ExitStack() as locks:
        # In one order, so that no two groups wait for each other.
        for lock in sorted({context.object_lock(root) for root in roots}):
            locks.enter_context(exclusive(lock))
        placed = _place_all(context, list(zip(parts, roots, strict=True)))
        # Committed. What is left is derived or rubbish: if it fails now, the next recovery does it.
        done = [part for part, root in placed if _is_finished(context, part.area, root)]
    for part in done:
        try:
            part.committed()
        finally:
            with contextlib.suppress(StorageError):
                part.area.discard()


def _place_all(context: ArchiveContext, parts: list[tuple[SealedPart, Path]]) -> list[tuple[SealedPart, Path]]:
    """Steps 3 and 4; returns those that are committed now. The caller holds the locks of all objects."""
    tried: list[tuple[SealedPart, Path]] = []
    folders: set[Path] = set()
    try:
        for part, root in parts:
            try:
                _refuse_unless_next(context, part.area.record, root)
                tried.append((part, root))
                folders.add(place_version(context, part.area, root))
            except Conflict as error:
                part.error = error
        placed = [(part, root) for part, root in tried if part.error is None]
        if placed:
            sync_folders(folders)
            context.log.append(event for part, _ in placed for event in _events(part.area))
    except BaseException:
        for part, root in reversed(tried):
            take_out(context, part.area, root)
        raise
    return placed


def _refuse_unless_next(context: ArchiveContext, record: TransactionRecord, root: Path) -> None:
    head = head_of(root)
    if head != record.base:
        _refuse(record, head)
    if not head and context.layout.tombstone(record.project, record.id).exists():
        # Made and purged by others while this transaction was open: the id is not used again.
        _refuse(record, head)
    refuse_reserved(context, record)


def _is_finished(context: ArchiveContext, area: StagingArea, root: Path) -> bool:
    try:
        finish_root(context, root, area.record.base + 1)
    except StorageError:
        area.release()
        return False
    return True


def abandon(area: StagingArea) -> None:
    """Remove what is left of a transaction that could not be committed.

    A version that was placed and could not be taken out again is left for recovery to finish: without
    its folder here nobody would know that its event is missing.
    """
    if not area.version.is_dir():
        area.release()
        return
    withdraw(area)
    # What cannot be removed now is removed by the next recovery.
    with contextlib.suppress(StorageError):
        area.discard()


def hand_over(context: ArchiveContext, area: StagingArea) -> None:
    """Bring what is prepared to where it is committed, if that is not here.

    Raises:
        MunimentError: As `Home.prepare`.
    """
    if context.home is not None:
        context.home.prepare(sealed_transaction(area))


def give_up(context: ArchiveContext, area: StagingArea) -> None:
    """Let go of what a transaction has reserved, for it is going to be rolled back.

    Raises:
        TransactionClosed: It was decided that it be committed.
        MunimentError: It was not done.
    """
    if context.home is None:
        unreserve(context, area.record)
    elif (area.sealed() or {}).get("group"):
        context.home.give_up(sealed_transaction(area))


def withdraw(area: StagingArea) -> None:
    """Break the seal of a version that could not be published; one that stands in its place keeps it.

    Recovery publishes what is sealed: whoever was told that it failed must not find it there later. Only
    where the storage refuses even this may that happen.
    """
    if area.version.is_dir():
        with contextlib.suppress(StorageError):
            area.unseal()


def append_event(context: ArchiveContext, area: StagingArea) -> None:
    """Append the event of a published version, with those of its checks (step 4).

    Raises:
        DiskFull, WriteFailed: The storage refused; there is no event.
    """
    context.log.append(_events(area))


def _events(area: StagingArea) -> list[Event]:
    """What the log says of a published version."""
    record = area.record
    begun_by = {"begun by": str(record.agent)} if record.committed_by else {}
    sealed = area.sealed() or {}
    draft = Event(
        "ingestion",
        record.committed_by or str(record.agent),
        record.project,
        record.id,
        record.base + 1,
        detail={**sealed.get("detail", {}), **begun_by},
        transaction=record.transaction,
    )
    return [draft, *(replace(draft, **found) for found in sealed.get("checks", ()))]


def sealed_transaction(area: StagingArea) -> SealedTransaction:
    """What is complete in a staging area, as it is handed to whoever publishes it elsewhere."""
    record, sealed = area.record, area.sealed() or {}
    inventory = str(sealed.get("inventory", ""))
    version = SealedResource(record.project, record.id, record.base, record.base + 1, area.object, inventory)
    waiting = str(sealed.get("group", "")), str(sealed.get("decided at", ""))
    return SealedTransaction(record.transaction, (version,), record.log, tuple(_events(area)), *waiting)


def finish_root(context: ArchiveContext, root: Path, version: int) -> None:
    """Make the object's root inventory that of `version` (step 5); the caller holds the object's lock.

    Raises:
        DiskFull, WriteFailed: The storage refused; the newest version's own inventory still stands.
    """
    if version == 1 or context.config.mode is Mode.WORM:
        return
    algorithm = context.config.digests[0]
    make_folder(context.layout.scratch)
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with writing(root), open_regular(root / f"v{version}" / NAME) as file:
        pieces = hashed(iter(lambda: file.read(_CHUNK), b""), hasher)
        replace_file(root / NAME, pieces, scratch=context.layout.scratch)
    replace_file(root / f"{NAME}.{algorithm}", sidecar_of(hasher.hexdigest()), scratch=context.layout.scratch)
    sync_folder(root)


def place_version(context: ArchiveContext, area: StagingArea, root: Path) -> Path:
    """Rename the version into place: the commit point. Returns the folder whose names must be synced."""
    try:
        if not area.record.base:
            return _place_object(context, area)
        rename(area.version, root / area.version.name)
    except FileExistsError:
        _refuse(area.record, head_of(root))
    return root


def take_out(context: ArchiveContext, area: StagingArea, root: Path) -> None:
    """Undo the commit point after something failed right behind it.

    If this fails too, the version stays, and recovery records it. It also stays when its event is in the
    log and could not be taken back: the log never speaks of a version that is not there.
    """
    if area.version.is_dir():
        return  # it never left: what stands in its place is somebody else's
    record = area.record
    with contextlib.suppress(StorageError):
        if context.log.mentions(record.transaction, record.log):
            return
    with contextlib.suppress(StorageError, FileExistsError):
        if area.record.base:
            rename(root / area.version.name, area.version)
            sync_folder(root)
            return
        make_folder(area.object.parent)
        rename(root, area.object)
        sync_folder(root.parent)
        drop_empty_folders(root.parent, context.layout.objects)


def _place_object(context: ArchiveContext, area: StagingArea) -> Path:
    """Publish a new object by renaming the highest folder on its way that is not there yet.

    So no empty folder is ever left in the storage root (OCFL 1.1 §4, E073), whatever happens.
    Returns the folder whose names must be synced.
    """
    record = area.record
    parts = object_parts(to_uri(record.project, record.id))
    for depth in range(1, len(parts) + 1):
        target = context.layout.objects.joinpath(*parts[:depth])
        if target.exists():
            continue
        try:
            rename(area.build.joinpath(*parts[:depth]), target)
        except FileExistsError:
            continue
        return target.parent
    raise FileExistsError(context.layout.objects.joinpath(*parts))


def _refuse(record: TransactionRecord, head: int) -> NoReturn:
    if record.base:
        raise StaleTransaction(id=record.id, base=record.base, head=head)
    raise ResourceExists(id=record.id, project=record.project)


def instance_record(
    record: TransactionRecord,
    draft: Draft,
    created: str,
    provenance: list[object],
    log: Head,
    checked: CheckReport | None = None,
) -> dict[str, object]:
    """What `instance.json` says; `log` is the log's head, so that the log can be held against its instances."""
    described: dict[str, object] = {
        "format": "1.0",
        "id": record.id,
        "project": record.project,
        "instance": record.transaction,
        "number": record.base + 1,
        "created": created,
        "agent": {"name": record.agent_name, "address": record.agent_address},
        "message": record.message,
        "log": {"seq": log.seq, "hash": log.hash},
        "metadata": draft.metadata,
    }
    checks = checked.record if checked else {}
    further = {"provenance": provenance, "links": draft.links, "folders": draft.folders, "checks": checks}
    further["left_out"] = draft.left_out
    return {**described, **{name: value for name, value in further.items() if value}}


def _drop_unused(area: StagingArea, staged: dict[str, str], used: Collection[str]) -> None:
    with writing(area.content):
        for digest in [digest for digest in staged if digest not in used]:
            os.unlink(area.content / staged.pop(digest))
        _drop_unrecorded(area.content, frozenset(staged.values()))


def _drop_unrecorded(content: Path, recorded: frozenset[str]) -> None:
    """Remove what no entry stands for, and folders that then hold no file.

    A process that was killed between storing a file and noting it leaves the file behind, and whoever takes the
    transaction up again stores it under another name. An object may hold neither unrecorded files nor empty
    folders (OCFL 1.1 §3.3.1, E023 and E024).
    """
    start = len(os.fspath(content)) + 1
    filled: set[str] = set()
    for place, _, names in walk_tree(content, deepest_first=True):
        for name in names:
            path = os.path.join(place, name)
            if path[start:] in recorded:
                filled.add(place)
            else:
                os.unlink(path)
        if place in filled:
            filled.add(os.path.dirname(place))
        elif len(place) >= start:
            os.rmdir(place)


def drop_empty_folders(folder: Path, stop: Path) -> None:
    """Remove `folder` and those above it as long as they are empty, up to `stop`; it may be gone already.

    Raises:
        WriteFailed: The storage refused.
    """
    with writing(folder):
        while folder != stop:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass  # removed by another, or before a crash
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                    return
                raise
            folder = folder.parent


def stage_tags(
    area: StagingArea,
    tags: Iterable[tuple[str, TagFile]],
    base: Inventory,
    state: DigestBlock,
    content: dict[str, Mapping[str, str]],
) -> None:
    """Put tag files into the version, but those whose content the object holds already."""
    # Names are put together as text: a `Path` for each file of a small resource is a tenth of its time.
    folder = os.fspath(area.content)
    made = {""}
    for path, tag in tags:
        digest = tag.digests[base.algorithm]
        known = base.holds(digest) or bool(state.paths(digest))
        state.add(digest, (path,))
        if known:
            continue
        above = path.rpartition("/")[0]
        if above not in made:
            make_folder(f"{folder}/{above}")
            made.add(above)
        write_file(f"{folder}/{path}", (tag.data,))
        # Tag files are new in every version. So one digest vouches for them, the one that names them too; but
        # parity of a large one is named by its sha256.
        all_digests = len(tag.data) >= PARITY_FROM
        content[f"{area.version.name}/content/{path}"] = tag.digests if all_digests else {base.algorithm: digest}
        del tag  # of many files it is large, and so is what comes next


def copy_records(source: Path, target: Path, algorithm: str) -> None:
    """Write an inventory and its sidecar into `target`, where there is none, as they are in `source`.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    for name in (f"/{NAME}", f"/{NAME}.{algorithm}"):
        with writing(target), open_regular(f"{source}{name}") as file:
            write_file(f"{target}{name}", iter(lambda: file.read(_CHUNK), b""))
