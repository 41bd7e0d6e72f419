"""The structure of preservation files of an archival object, made in the archive: one resource, an instance per change.

What its files were made of is written into the instance, so that a second run sees that nothing has changed and makes
nothing; what changed is made anew, and its key on the stores gets the instance's number, for stores change nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from muniment.content import Hashers
from muniment.doors.distillery.description import (
    CollectionDescription,
    ObjectDescription,
    caption_of,
    stable_record,
)
from muniment.doors.distillery.folders import ScanFile, ScanFolder
from muniment.errors.archive import ResourceNotFound
from muniment.errors.distillery import BadScan, ImagingFailed, NotLossless
from muniment.imaging import ImageProcess
from muniment.layouts.preservation import collection_key, image_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from muniment.content.instance import Instance
    from muniment.content.transaction import Transaction
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.distillery.policy import BatchPolicy
    from muniment.doors.distillery.settings import Normalisation

KEY = "distillery"
"""Where in an instance's metadata it is said what it is."""
_FORM = 1
"""Raised when files of the same scans would come out otherwise, so that they are made anew."""
_CHUNK = 1 << 20
_WAITING = 2
"""Images made ahead for each process: what waits lies in the scratch folder."""


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file of the package: its path there, its key on the stores, its bytes and digests."""

    path: str
    key: str
    size: int
    md5: str
    sha256: str


@dataclass(frozen=True, slots=True)
class MadeObject:
    """What is in the archive for an archival object: which instance, and whether this run made it."""

    component_id: str
    instance: int
    new: bool
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Scans that could not be read, and why."""


@dataclass(frozen=True, slots=True)
class _Image:
    """What was made of one scan, in the scratch folder: path in the package to file."""

    file: ScanFile
    files: Mapping[str, Path]
    pages: tuple[Mapping[str, object], ...]
    obstacle: str = ""


def make_collection(given: DistilleryContext, collection: CollectionDescription) -> MadeObject:
    """Keep the collection's own record, where it is another than the newest kept.

    Raises:
        MunimentError: The archive did not take it.
    """
    data = record_bytes(collection.record)
    name = f"{collection.id}.json"
    newest = newest_instance(given, collection.id)
    known = dict(newest.metadata.get(KEY, {})) if newest is not None else {}
    made = _made_file(data, name)
    if newest is not None and known.get("files", {}).get(name, {}).get("sha256") == made.sha256:
        return MadeObject(collection.id, newest.number, new=False)
    with _transaction(given, collection.id, newest, f"the record of {collection.title}") as transaction:
        _put(transaction, data, name)
        key = _key(collection_key(collection.id).rpartition("/")[0], made, known, transaction.number)
        files = {name: {**asdict(made), "key": key}}
        transaction.metadata.clear()
        about = {"collection": collection.id, "uri": collection.uri, "files": files}
        transaction.metadata.update({"title": collection.title, KEY: about})
        number = transaction.number
    return MadeObject(collection.id, number, new=True)


def make_object(
    given: DistilleryContext,
    folder: ScanFolder,
    collection: CollectionDescription,
    described: ObjectDescription,
    policy: BatchPolicy,
    scratch: Path,
    check: Callable[[], None],
) -> MadeObject:
    """Make the package of an archival object, or find that the newest instance is it.

    Raises:
        BadScan, NotLossless: An image cannot be used, and the policy is strict; nothing was kept.
        MunimentError: The archive did not take it.
    """
    component = folder.component_id
    newest = newest_instance(given, component)
    known: dict[str, Any] = dict(newest.metadata.get(KEY, {})) if newest is not None else {}
    record = record_bytes(described.record)
    scans = {each.sequence: _sha256(each.path) for each in folder.files}
    wanted = {
        each.sequence: _wanted(policy, each, scans[each.sequence], collection, described) for each in folder.files
    }
    unchanged = known.get("images", {}).keys() == wanted.keys() and not known.get("left_out")
    same = {each for each in wanted if known.get("images", {}).get(each, {}).get("of") == wanted[each]}
    name = f"{component}.json"
    made_record = _made_file(record, name)
    same_record = known.get("files", {}).get(name, {}).get("sha256") == made_record.sha256
    if newest is not None and unchanged and len(same) == len(wanted) and same_record:
        return MadeObject(component, newest.number, new=False)
    root = known.get("folder") or described.arrangement.folder
    _emptied(scratch)
    left_out: dict[str, str] = {}
    with _transaction(given, component, newest, f"{described.title}: {len(folder.files)} scans") as transaction:
        number = transaction.number
        images = {each: known["images"][each] for each in sorted(same)}
        kept = {path for image in images.values() for path in image["files"]}
        for present in [str(each.path) for each in transaction.files()]:
            if present not in kept:
                transaction.delete(present)
        files: dict[str, object] = {path: known["files"][path] for path in sorted(kept)}
        transaction.add(record, name, digests={"sha256": made_record.sha256})
        files[name] = {**asdict(made_record), "key": _key(root, made_record, known, number)}
        todo = [each for each in folder.files if each.sequence not in same]
        for image in _made(given, todo, collection, described, policy, scratch, left_out, check):
            if _sha256(image.file.path) != scans[image.file.sequence]:
                raise BadScan(name=image.file.path.name, reason="it changed while it was read")
            for path, place in image.files.items():
                made = _measured(place, path)
                transaction.add(place, path, digests={"sha256": made.sha256})
                files[path] = {**asdict(made), "key": _key(root, made, known, number)}
                if place != image.file.path:
                    place.unlink()
            images[image.file.sequence] = {
                "file": image.file.path.name,
                "of": wanted[image.file.sequence],
                "files": list(image.files),
                "pages": list(image.pages),
                **({"original_only": image.obstacle} if image.obstacle else {}),
            }
        about = {
            "collection": collection.id,
            "component_id": component,
            "uri": described.uri,
            "folder": root,
            "scans": folder.name,
            "images": dict(sorted(images.items())),
            "files": dict(sorted(files.items())),
            **({"left_out": left_out} if left_out else {}),
        }
        transaction.metadata.clear()
        transaction.metadata.update({"title": described.title, KEY: about})
    return MadeObject(component, number, new=True, left_out=left_out)


def files_of(instance: Instance) -> list[MadeFile]:
    """The files of an instance, in the order of their keys on the stores: so tapes are written."""
    found = instance.metadata.get(KEY, {}).get("files", {})
    return sorted((MadeFile(**each) for each in found.values()), key=lambda each: each.key)


def newest_instance(given: DistilleryContext, resource: str) -> Instance | None:
    """The newest instance of an archival object or collection; None where there is none."""
    try:
        return given.archive.instance(resource, project=given.settings.project)
    except ResourceNotFound:
        return None


def record_bytes(record: Mapping[str, object]) -> bytes:
    """A catalogue's record as it is kept: what is described, in a form that is equal for equal descriptions."""
    text = json.dumps(stable_record(record), ensure_ascii=False, indent=4, sort_keys=True)
    return f"{text}\n".encode("utf-8", "replace")


# --- inside


def _transaction(given: DistilleryContext, resource: str, newest: Instance | None, message: str) -> Transaction:
    project = given.settings.project
    if newest is None:
        return given.archive.new(resource, project, message=message)
    return given.archive.get(resource, "a", project=project, message=message)


def _put(transaction: Transaction, data: bytes, path: str) -> None:
    if path in transaction:
        transaction.delete(path)
    transaction.add(data, path)


def _wanted(
    policy: BatchPolicy,
    file: ScanFile,
    sha256: str,
    collection: CollectionDescription,
    described: ObjectDescription,
) -> str:
    """What an image is made of, as one digest: the scan's bytes, what is written into it, and the policy."""
    caption = asdict(caption_of(collection, described, file.sequence))
    parts = [_FORM, policy.normalisation, sha256, caption]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _made(
    given: DistilleryContext,
    files: list[ScanFile],
    collection: CollectionDescription,
    described: ObjectDescription,
    policy: BatchPolicy,
    scratch: Path,
    left_out: dict[str, str],
    check: Callable[[], None],
) -> Iterator[_Image]:
    """The images of scans in their order, several made at once and few ahead.

    Raises:
        BadScan, NotLossless, ImagingFailed: One cannot be used, and the policy is strict.
    """
    count = max(1, min(given.settings.images.processes, len(files)))
    free: SimpleQueue[ImageProcess] = SimpleQueue()
    processes = [given.images() for _ in range(count)]
    for each in processes:
        free.put(each)

    def make(file: ScanFile) -> _Image:
        images = free.get()
        try:
            return _image(policy.normalisation, images, file, collection, described, scratch)
        finally:
            free.put(images)

    waiting: list[tuple[ScanFile, Future[_Image]]] = []
    rest = iter(files)
    pool = ThreadPoolExecutor(count, "scan")
    try:
        while True:
            while len(waiting) < count * _WAITING and (following := next(rest, None)) is not None:
                waiting.append((following, pool.submit(make, following)))
            if not waiting:
                return
            file, future = waiting.pop(0)
            check()
            try:
                yield future.result()
            except (BadScan, NotLossless, ImagingFailed) as error:
                if policy.broken == "strict":
                    raise
                left_out[file.path.name] = error.message
    finally:
        for _, future in waiting:
            future.cancel()
        for each in processes:
            each.close()
        pool.shutdown(cancel_futures=True)


def _image(
    policy: Normalisation,
    images: ImageProcess,
    file: ScanFile,
    collection: CollectionDescription,
    described: ObjectDescription,
    scratch: Path,
) -> _Image:
    component = described.arrangement.component_id
    stem = image_id(collection.id, component, file.sequence)
    inside = f"{component}_{file.sequence}"
    ending = file.path.suffix
    files: dict[str, Path] = {} if policy == "jp2" else {f"{inside}/{stem}{ending}": file.path}
    scan = images.inspect(file.path)
    if policy == "original":
        return _Image(file, files, tuple(asdict(page) for page in scan.pages))
    if scan.obstacle:
        if policy == "jp2":
            raise BadScan(name=file.path.name, reason=f"it can be no lossless JPEG 2000: {scan.obstacle}")
        return _Image(file, files, tuple(asdict(page) for page in scan.pages), scan.obstacle)
    pages: list[Mapping[str, object]] = []
    for page in range(len(scan.pages)):
        name = f"{stem}-p{page + 1:04}" if page else stem
        out, beside = scratch / f"{name}.jp2", scratch / f"{name}.icc"
        caption = caption_of(collection, described, file.sequence, page)
        made = images.lossless(file.path, page, out, beside, caption)
        pages.append(asdict(made))
        files[f"{inside}/{name}.jp2"] = out
        if made.profile == "beside":
            files[f"{inside}/{name}.icc"] = beside
    return _Image(file, files, tuple(pages))


def _key(root: str, made: MadeFile, known: Mapping[str, Any], number: int) -> str:
    """The key of a file on the stores: its path below the folder; with `.vN` where another content has that key."""
    before = known.get("files", {}).get(made.path)
    if before is not None and before["sha256"] == made.sha256:
        return str(before["key"])
    stem, dot, ending = made.path.rpartition(".")
    return f"{root}/{made.path}" if before is None else f"{root}/{stem}.v{number}{dot}{ending}"


def _made_file(data: bytes, path: str) -> MadeFile:
    hashers = Hashers(("md5", "sha256"))
    hashers.update(data)
    return MadeFile(path, "", hashers.size, **hashers.values())


def _measured(place: Path, path: str) -> MadeFile:
    hashers = Hashers(("md5", "sha256"))
    with place.open("rb") as file:
        while data := file.read(_CHUNK):
            hashers.update(data)
    return MadeFile(path, "", hashers.size, **hashers.values())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _emptied(scratch: Path) -> None:
    """What a run that was ended left there is of no use."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, exist_ok=True)
