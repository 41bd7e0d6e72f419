"""Making a folder from a bucket: a valid archive at every moment, whatever is being laid out in the bucket."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import EVENTS, OBJECTS, commit_key
from muniment.archive.config import config_bytes, read_config
from muniment.archive.create import archive_files
from muniment.archive.disk.durable import (
    make_folder,
    remove_tree,
    rename,
    replace_file,
    sync_folder,
    sync_tree,
    write_file,
)
from muniment.archive.disk.layout import SETTINGS, TUPLES, ArchiveLayout
from muniment.archive.disk.locks import exclusive
from muniment.archive.disk.root_files import PLACES as RECORDS
from muniment.archive.disk.root_files import RootFiles
from muniment.archive.eventlog.lines import event_of
from muniment.archive.package.inventory import NAME, parse_inventory, sidecar_of
from muniment.archive.package.objects import declare, head_of
from muniment.content import Hashers, Progress, quiet
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.identity import from_uri, new_uuid
from muniment.errors.archive import DamagedFile, DamagedRecord, NotAnArchive, NotEmpty
from muniment.errors.stores import KeyNotFound

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome

_CHUNK = 1 << 20


def object_prefixes(keys: Keys) -> Iterator[str]:
    """The prefix of every object in a bucket, from a listing of all its keys.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    newest = ""
    for each in keys.list(OBJECTS):
        parts = each.key.split("/")
        if parts[1] == "extensions" or len(parts) <= TUPLES + 2:
            continue
        prefix = "/".join(parts[: TUPLES + 2]) + "/"
        if prefix != newest:
            newest = prefix
            yield prefix


def objects_of(keys: Keys) -> Iterator[tuple[str, str]]:
    """Project and id of every resource in a bucket.

    Raises:
        DamagedRecord: An object has no inventory that says whose it is.
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    for prefix in object_prefixes(keys):
        try:
            with keys.open(commit_key(prefix, 1)) as stream:
                found = from_uri(parse_inventory(stream.read().decode("utf-8", "replace"), Path(prefix)).id)
        except KeyNotFound:
            found = None
        if found is None:
            raise DamagedRecord(path=prefix, reason="it has no first version that says whose it is")
        yield found


def mirror_bucket(home: BucketHome, config: ArchiveConfig, target: Path, progress: Progress = quiet) -> int:
    """Make `target` the same as the bucket; what is there already stays. How many files came.

    Raises:
        MunimentError: As `BucketArchive.mirror`.
    """
    layout = ArchiveLayout(target, target)
    _begin(layout, config)
    came, told = _mirror_log(home, layout, config)
    for each in home.keys.list("tombstones/"):
        with home.keys.open(each.key) as stream:
            _put_whole(layout, target / each.key, stream.read())
    for project, id in objects_of(home.keys):  # noqa: A001 - the field's name
        # What was committed since the log was read, or has no event yet, comes the next time: nothing vouches for it.
        if (project, id) in told:
            came += _mirror_object(home, layout, config, (project, id), told[project, id])
        progress("mirroring", came, None)
    if not (target / SETTINGS).exists():
        _put_whole(layout, target / SETTINGS, config_bytes(config))
    return came


def _mirror_log(
    home: BucketHome, layout: ArchiveLayout, config: ArchiveConfig
) -> tuple[int, dict[tuple[str, str], int]]:
    """Bring the log; how many of its files came, and up to which instance it tells of each resource without a gap.

    The event of an instance may come after that of the next: each machine tells of its own when it gets to it.
    """
    came, told = 0, dict[tuple[str, str], set[int]]()
    with exclusive(layout.locks / "events"):
        stored = {each.key: each.size for each in home.keys.list(EVENTS)}
        _set_own_events_aside(layout, config, stored)
        for key in stored:
            place = layout.root / key
            if place.exists():
                data = place.read_bytes()
            else:
                with home.keys.open(key) as stream:
                    data = stream.read()
                _put_whole(layout, layout.log_mirror / place.parent.name / place.name, data)
                _put_whole(layout, place, data)
                came += 1
            for found in map(event_of, data.splitlines(keepends=True)):
                if found is None or found[1].outcome != "success":
                    continue
                event = found[1]
                if event.event == "ingestion":
                    told.setdefault((event.project, event.resource), set()).add(event.instance)
                elif event.event == "deletion":
                    told.pop((event.project, event.resource), None)
    return came, {what: _without_gap(numbers) for what, numbers in told.items()}


def _without_gap(numbers: set[int]) -> int:
    return next(number for number in itertools.count() if number + 1 not in numbers)


def _set_own_events_aside(layout: ArchiveLayout, config: ArchiveConfig, stored: Mapping[str, int]) -> None:
    """Take out of the folder's log what was written there and not in the bucket, such as the event of an audit.

    The bucket's next event has the number of the first of these. They are kept, below `staging/mirror-of/`.
    """
    aside = layout.staging / "mirror-of" / config.id / f"own-events-{new_uuid()}"
    for place in sorted(layout.events.glob("*/*.jsonl")):
        if stored.get(place.relative_to(layout.root).as_posix()) != place.stat().st_size:
            make_folder(aside)
            (layout.log_mirror / place.parent.name / place.name).unlink(missing_ok=True)
            rename(place, aside / place.name)
            sync_folder(aside)
            sync_folder(place.parent)


def _begin(layout: ArchiveLayout, config: ArchiveConfig) -> None:
    root = layout.root
    if root.exists() and any(root.iterdir()):
        try:
            known = read_config(root).id
        except NotAnArchive:
            known = ""
            if not (root / "staging" / "mirror-of" / config.id).is_dir():
                raise NotEmpty(path=root) from None
        if known not in {"", config.id}:
            raise NotEmpty(path=root)
    for folder in (layout.transactions, layout.quarantine, layout.scratch, layout.locks):
        make_folder(folder)
    for folder in (layout.parity, layout.events, layout.tombstones, layout.objects):
        make_folder(folder)
    make_folder(layout.staging / "mirror-of" / config.id)
    files = archive_files()
    record = RootFiles({**files, SETTINGS: config_bytes(config)}).as_bytes()
    for name, content in {**files, **dict.fromkeys(RECORDS, record)}.items():
        if not (root / name).exists():
            _put_whole(layout, root / name, content)


def _mirror_object(
    home: BucketHome, layout: ArchiveLayout, config: ArchiveConfig, what: tuple[str, str], told: int
) -> int:
    """Bring the instances of a resource up to the one that the log tells of; how many files came."""
    project, id = what  # noqa: A001 - the field's name
    root, came = layout.object(project, id), 0
    newest = min(home.newest(project, id), told)
    for number in range(head_of(root) + 1, newest + 1):
        came += _mirror_version(home, layout, config, project, id, number)
    if came and (newest == 1 or config.mode is not Mode.WORM):
        algorithm = config.digests[0]
        for name in (NAME, f"{NAME}.{algorithm}"):
            replace_file(root / name, (root / f"v{newest}" / name).read_bytes(), scratch=layout.scratch)
        sync_folder(root)
    return came


def _mirror_version(
    home: BucketHome, layout: ArchiveLayout, config: ArchiveConfig, project: str, id: str, number: int
) -> int:
    """Build a version in the scratch folder, compare all of it with its inventory, and give it its place."""
    algorithm = config.digests[0]
    root = layout.object(project, id)
    prefix = root.relative_to(layout.root).as_posix() + "/"
    fresh = layout.scratch / f"mirror-{new_uuid()}"
    folder = fresh / f"v{number}"
    make_folder(folder)
    try:
        digest = _copy(home, prefix, f"v{number}/{NAME}", fresh / f"v{number}" / NAME, algorithm)
        write_file(folder / f"{NAME}.{algorithm}", sidecar_of(digest))
        inventory = parse_inventory((folder / NAME).read_text("utf-8"), folder / NAME)
        came = 1
        for expected, paths in inventory.manifest.items():
            for path in paths:
                if path.startswith(f"v{number}/"):
                    found = _copy(home, prefix, path, fresh / path, algorithm)
                    if found != expected:
                        raise DamagedFile(path=prefix + path, algorithm=algorithm, found=found, expected=expected)
                    came += 1
        if number == 1:
            write_file(*declare(fresh))
            for name in (NAME, f"{NAME}.{algorithm}"):
                write_file(fresh / name, (folder / name).read_bytes())
        sync_tree(fresh)
        make_folder(root.parent)
        rename(fresh if number == 1 else folder, root if number == 1 else root / f"v{number}")
        sync_folder(root.parent if number == 1 else root)
    finally:
        remove_tree(fresh)
    return came


def _copy(home: BucketHome, prefix: str, path: str, target: Path, algorithm: str) -> str:
    """Bring one file of an object from wherever it lies in the bucket; its digest."""
    hashers = Hashers([algorithm])
    make_folder(target.parent)
    try:
        with home.open(prefix, path) as stream:

            def pieces() -> Iterator[bytes]:
                while piece := stream.read(_CHUNK):
                    hashers.update(piece)
                    yield piece

            write_file(target, pieces())
    except KeyNotFound:
        raise DamagedRecord(path=prefix + path, reason="it is missing") from None
    return hashers.values()[algorithm]


def _put_whole(layout: ArchiveLayout, place: Path, data: bytes) -> None:
    make_folder(place.parent)
    replace_file(place, data, scratch=layout.scratch)
    sync_folder(place.parent)
