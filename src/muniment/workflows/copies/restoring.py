"""Restoring from one store alone: an instance, a resource, or the whole archive, with everything read compared."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from muniment.archive import Archive, RestoredArchive, RestoredFiles, parse_own_files, repair_copy
from muniment.content.identity import to_uri
from muniment.errors.archive import DamagedFile, ResourceNotFound, ResourcePurged
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.copies import NothingToRestore
from muniment.errors.stores import KeyNotFound, StoreNotReady
from muniment.layouts.packages import folder_name
from muniment.stores import Store, read_bytes
from muniment.workflows.copies.keys import (
    EVENTS,
    FOUNDATION,
    OWN_FILES,
    RECORDS,
    SETTINGS,
    TOMBSTONES,
    parse_record_key,
)
from muniment.workflows.copies.log_segments import keys_of_log
from muniment.workflows.copies.record import LARGEST, CopiedFile, CopyRecord, parse_record

_CHUNK = 1 << 20
_LARGEST_SETTINGS = 1 << 20
Watch = Callable[[int], None]


@dataclass(slots=True)
class Restored:
    """What was restored: instances, bytes read from the store, and what could not be, with the reason."""

    target: Path
    instances: int = 0
    size: int = 0
    lacking: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    """Folder of each object to the digest its inventories name content by."""


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record of a copy that cannot be read (now): its key, and why."""

    key: str
    reason: str


def records_of(
    store: Store, project: str | None = None, resource: str | None = None
) -> Iterator[CopyRecord | UnreadableRecord]:
    """The records in a store, of each instance the one to restore from, or why it cannot be read.

    The tree is preferred to a tar, and what was made again to what was made before. With `resource`, of that alone.
    """
    best: dict[tuple[str, str, int], tuple[int, str, int, str]] = {}
    name = None if resource is None else folder_name(resource)
    for found in store.list(f"{RECORDS}/"):
        parts = parse_record_key(found.key)
        if parts is None:
            continue
        layout, of, folder, number, generation = parts
        if (project is not None and of != project) or (name is not None and folder != name):
            continue
        rank = (1 if layout == "ocfl" else 0, layout, generation, found.key)
        place = (of, folder, number)
        if place not in best or rank > best[place]:
            best[place] = rank
    for place in sorted(best):
        key = best[place][3]
        try:
            yield parse_record(read_bytes(store, key, LARGEST))
        except StoreNotReady as error:
            yield UnreadableRecord(key, error.message)
        except (ValueError, DamagedFile):
            yield UnreadableRecord(key, "its record cannot be read")


def restore_resource(
    store: Store, target: Path, resource: str, project: str | None, scratch: Path, watch: Watch
) -> Restored:
    """Make the OCFL object of a resource again, in a folder of its own below `target`.

    Raises:
        NothingToRestore: The store has no copy of it.
        NotEmpty, DiskFull, WriteFailed: The target cannot be used.
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    done = Restored(target)
    files = RestoredFiles(target, scratch / "files")
    for record in records_of(store, project, resource):
        if isinstance(record, UnreadableRecord):
            done.lacking[record.key] = record.reason
            continue
        folder = record.object.rpartition("/")[2]
        _restore_instance(store, record, files, done, _Place(folder, scratch, watch))
        done.target = target / folder
    if not done.instances and not done.lacking:
        raise NothingToRestore(store=str(store), what=repr(resource))
    for folder, algorithm in done.objects.items():
        files.complete_object(folder, algorithm)
    return done


def restore_archive(store: Store, target: Path, scratch: Path, watch: Watch) -> Restored:
    """Make the whole archive again at `target`; run again, it goes on.

    What cannot be had is named and left out; the rest becomes an archive all the same.

    Raises:
        NothingToRestore: The store holds no archive.
        NotEmpty, DiskFull, WriteFailed: The target cannot be used.
        StoreUnreachable, StoreRefused: The store cannot be used; run it again.
    """
    done = Restored(target)
    own = _own_files(store, target)
    try:
        settings = own.get(SETTINGS) or read_bytes(store, SETTINGS, _LARGEST_SETTINGS)
        archive = str(json.loads(settings)["id"])
    except (KeyNotFound, ValueError, KeyError, TypeError) as error:
        raise NothingToRestore(store=str(store), what=f"an archive ({error})") from error
    made = RestoredArchive(target, archive)
    purged = {each.key.rpartition("/")[2].removesuffix(".json") for each in store.list(f"{TOMBSTONES}/")}
    for record in records_of(store):
        if isinstance(record, CopyRecord) and _digest_of(record) in purged:
            continue  # what was purged does not come back, though its copy is there still
        if isinstance(record, UnreadableRecord):
            done.lacking[record.key] = record.reason
        else:
            _restore_instance(store, record, made, done, _Place(record.object, scratch, watch))
    names = [each for each in FOUNDATION if each != SETTINGS]
    names += [each.key for each in store.list("objects/extensions/")]
    names += [each.key for each in store.list(f"{TOMBSTONES}/")]
    places = {name: name for name in names} | {
        f"{EVENTS}/{key.rpartition(f'{EVENTS}/')[2]}": key for key in keys_of_log(store)
    }
    for name, key in places.items():
        with _noting(done, name):
            source = partial(io.BytesIO, own[name]) if name in own else partial(store.open, key)
            done.size += made.put(name, source, {})
    made.finish(settings, done.objects.items())
    for what in _unrestored(target):
        done.lacking[what] = "this store holds no copy of it"
    if not done.lacking:
        made.complete()
    return done


def _own_files(store: Store, target: Path) -> Mapping[str, bytes]:
    """The archive's own files by their record, which vouches for itself; none where that is lost.

    It is read where an earlier run put it if it lies on a tape that is not in the drive.

    Raises:
        StoreNotReady: It is not ready, and there was no earlier run.
    """
    with contextlib.suppress(KeyNotFound, ValueError):
        try:
            return parse_own_files(read_bytes(store, OWN_FILES, _LARGEST_SETTINGS))
        except StoreNotReady:
            if not (target / OWN_FILES).is_file():
                raise
            return parse_own_files((target / OWN_FILES).read_bytes())
    return {}


def _unrestored(target: Path) -> Iterator[str]:
    """The instances that the restored log tells of and the restored archive does not have: no policy sent them here."""
    with Archive(target, parity=False) as archive:
        newest: dict[tuple[str, str], int] = {}
        for event in archive.events():
            place = event.project, event.resource
            if event.event == "ingestion" and event.resource and event.outcome == "success":
                newest[place] = max(newest.get(place, 0), event.instance)
            elif event.event == "deletion":
                newest.pop(place, None)
        for (project, resource), number in newest.items():
            try:
                head = archive.instance(resource, project=project).head
            except (ResourceNotFound, ResourcePurged):
                head = 0
            except MunimentError:
                continue  # not whole: the files of it that could not be had are named already
            if head < number:
                yield f"{resource} v{number}" if number == head + 1 else f"{resource} v{head + 1}-v{number}"


def _digest_of(record: CopyRecord) -> str:
    """What the tombstone of a resource is named by: the sha256 of its OCFL id."""
    return hashlib.sha256(to_uri(record.project, record.resource).encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an instance goes: the object's folder below the target, and a folder for what is on its way."""

    folder: str
    scratch: Path
    watch: Watch


def _restore_instance(store: Store, record: CopyRecord, files: RestoredFiles, done: Restored, place: _Place) -> None:
    before = len(done.lacking)
    if record.layout == "bag":
        with _noting(done, f"{record.resource} v{record.number}"):
            restore_bag(store, record, files, done, place.scratch, place.folder)
            place.watch(record.size)
    else:
        for file in record.files:
            _, _, path = file.key.partition(f"{record.object}/")
            with _noting(done, file.key):
                read = files.put(f"{place.folder}/{path}", partial(store.open, file.key), {"sha256": file.sha256})
                done.size += read
                place.watch(read)
    done.objects[place.folder] = record.algorithm
    done.instances += len(done.lacking) == before


def restore_bag(
    store: Store, record: CopyRecord, files: RestoredFiles, done: Restored, scratch: Path, folder: str = ""
) -> None:
    """Make the folder of a version again from its tar: the inventory in the record says where each file belongs.

    Raises:
        DamagedFile, CannotRepair: It is damaged, and its parity does not help.
        KeyNotFound, StoreNotReady, StoreUnreachable, StoreRefused: It cannot be had.
    """
    within = f"{folder}/" if folder else ""
    text = record.inventory.encode("utf-8")
    digest = hashlib.new(record.algorithm, text).hexdigest()
    if digest != record.inventory_digest:
        raise DamagedFile(
            path=Path(record.key), algorithm=record.algorithm, found=digest, expected=record.inventory_digest
        )
    wanted = content_paths(json.loads(text), record.number)
    work = Path(tempfile.mkdtemp(prefix="bag-", dir=_made(scratch)))
    try:
        tar = fetch_tar(store, record, work)
        done.size += tar.stat().st_size
        with tarfile.open(tar) as opened:
            for member in opened:
                for path, value in wanted.pop(member.name.partition("/")[2], ()):
                    source = partial(_extracted, opened, member)
                    files.put(f"{within}{path}", source, {record.algorithm: value})
        for missing in wanted:
            done.lacking[f"{record.resource} v{record.number}: {missing}"] = "the tar does not hold it"
    finally:
        shutil.rmtree(work, ignore_errors=True)
    name = f"{within}v{record.number}/inventory.json"
    files.put(name, lambda: io.BytesIO(text), {record.algorithm: digest})
    side = f"{digest} inventory.json\n".encode()
    files.put(f"{name}.{record.algorithm}", lambda: io.BytesIO(side), {})


def fetch_tar(store: Store, record: CopyRecord, work: Path) -> Path:
    """The tar of a copy, in a file in `work`; repaired from its parity where it is damaged.

    Raises:
        DamagedFile, CannotRepair: It is damaged, and its parity does not help.
        KeyNotFound, StoreNotReady, StoreUnreachable, StoreRefused: It cannot be had.
    """
    (tar,) = (file for file in record.files if file.role == "tar")
    target = work / tar.sha256
    found = ""
    with contextlib.suppress(KeyNotFound):
        found = _download(store, tar, target)
    if found == tar.sha256:
        return target
    parity = _made(work / "parity")
    for file in record.files:
        if file.role == "parity":
            with contextlib.suppress(KeyNotFound):
                _download(store, file, parity / file.key.rpartition("/")[2])
    if not any(parity.iterdir()):
        raise DamagedFile(path=Path(tar.key), algorithm="sha256", found=found or "nothing", expected=tar.sha256)
    return repair_copy(target, tar.sha256, parity, work, work / f"repaired-{tar.sha256}")


def _download(store: Store, file: CopiedFile, target: Path) -> str:
    digest = hashlib.sha256()
    with store.open(file.key) as source, target.open("wb") as out:
        while piece := source.read(_CHUNK):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


def content_paths(inventory: Mapping[str, object], number: int) -> dict[str, list[tuple[str, str]]]:
    """Path in the bag to the content paths that have its bytes and came with this version, each with its digest."""
    given = cast("dict[str, dict[str, dict[str, dict[str, list[str]]]]]", inventory)
    manifest = cast("dict[str, list[str]]", inventory["manifest"])
    state = given["versions"][f"v{number}"]["state"]
    wanted: dict[str, list[tuple[str, str]]] = {}
    for digest, paths in manifest.items():
        here = [path for path in paths if path.startswith(f"v{number}/")]
        if here and digest in state:
            wanted[state[digest][0]] = [(path, digest) for path in here]
    return wanted


def _extracted(opened: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    found = opened.extractfile(member)
    return cast("BinaryIO", found if found is not None else io.BytesIO())


@contextlib.contextmanager
def _noting(done: Restored, what: str) -> Iterator[None]:
    """Note what cannot be had and go on; a store that is not there ends it all.

    Raises:
        RemoteError: The store is not there.
    """
    try:
        yield
    except StoreNotReady as error:
        done.lacking[what] = error.message
    except RemoteError:
        raise
    except (MunimentError, tarfile.TarError, ValueError, KeyError) as error:
        done.lacking[what] = str(error)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
