"""Making a folder from a bucket: a valid archive at every moment, whatever is being laid out in the bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import OBJECTS, commit_key, tombstone_key, version_numbers
from muniment.archive.bucket.mirror_log import LogToMirror, Resource, Step
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
from muniment.archive.ingest.commit import drop_empty_folders
from muniment.archive.ingest.purge import drop_packs
from muniment.archive.package.inventory import NAME, parse_inventory, sidecar_of
from muniment.archive.package.objects import declare, head_of
from muniment.content import Hashers, Progress, quiet
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.identity import from_uri, new_uuid
from muniment.errors.archive import DamagedFile, DamagedRecord, NotAnArchive, NotEmpty
from muniment.errors.base import MunimentError
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
    log = LogToMirror(home, layout, config.id)
    with exclusive(layout.locks / "events"):
        log.set_own_aside()
    mirror = _Mirror(home, layout, config, log)
    for step in log.steps():
        if not mirror.bring(step):
            break
        progress("mirroring", mirror.came, None)
    if mirror.wrong is not None:
        raise mirror.wrong
    return mirror.came


class _Mirror:
    """A folder on its way to be as the bucket: in steps, each of which others see whole or not at all.

    Who audits the folder waits for the locks of the objects that are changed, as beside a commit in the folder itself.
    """

    def __init__(self, home: BucketHome, layout: ArchiveLayout, config: ArchiveConfig, log: LogToMirror) -> None:
        self._home, self._layout, self._config, self._log = home, layout, config, log
        self.came = 0
        """Files that came."""
        self.wrong: MunimentError | None = None
        """What was damaged in the bucket first, and is not here."""

    def bring(self, step: Step) -> bool:
        """Bring what the log tells of in a step, then its part of the log; False where somebody purges it meanwhile."""
        if not step.keys:  # of what is lacking each object stands by itself
            single = [Step(heads={each: head}) for each, head in step.heads.items()]
            single += [Step(purged={each}) for each in step.purged]
            return all(self._bring(each) for each in single)
        return self._bring(step)

    def _bring(self, step: Step) -> bool:
        fresh = self._layout.scratch / f"mirror-{new_uuid()}"
        try:
            built = {
                self._layout.object(*what): self._build(fresh / str(number), what, head, step.inventories)
                for number, (what, head) in enumerate(sorted(step.heads.items()))
            }
            purged = {what: self._tombstone(what) for what in sorted(step.purged)}
            self._publish(step, {root: folder for root, folder in built.items() if folder is not None}, purged, fresh)
        except _Going:
            return False
        finally:
            remove_tree(fresh)
        return True

    def _build(
        self, folder: Path, what: Resource, head: int, inventories: Mapping[tuple[str, str, int], str]
    ) -> Path | None:
        """The versions of an object that the folder lacks, complete but for their place; None where there are none."""
        root = self._layout.object(*what)
        have = head_of(root)
        if have >= head:
            return None
        try:
            for number in range(have + 1, head + 1):
                self._version(root, folder, number, inventories.get((*what, number), ""))
            if not have:
                write_file(*declare(folder))
            sync_tree(folder)
        except (DamagedFile, DamagedRecord) as error:
            if self._home.is_purged(*what):
                raise _Going from error
            self.wrong = self.wrong or error
            remove_tree(folder)
            return None
        return folder

    def _version(self, root: Path, fresh: Path, number: int, said: str) -> None:
        """Build a version in the scratch folder, and compare all of it with its inventory, and that with the log."""
        algorithm = self._config.digests[0]
        prefix = root.relative_to(self._layout.root).as_posix() + "/"
        folder = fresh / f"v{number}"
        make_folder(folder)
        digest = _copy(self._home, prefix, f"v{number}/{NAME}", folder / NAME, algorithm)
        if said and said != f"{algorithm}:{digest}":
            raise DamagedRecord(path=f"{prefix}v{number}/{NAME}", reason="its digest is not the one in the log")
        write_file(folder / f"{NAME}.{algorithm}", sidecar_of(digest))
        inventory = parse_inventory((folder / NAME).read_text("utf-8"), folder / NAME)
        self.came += 1
        for expected, paths in inventory.manifest.items():
            for path in paths:
                if path.startswith(f"v{number}/"):
                    found = _copy(self._home, prefix, path, fresh / path, algorithm)
                    if found != expected:
                        raise DamagedFile(path=prefix + path, algorithm=algorithm, found=found, expected=expected)
                    self.came += 1

    def _tombstone(self, what: Resource) -> bytes | None:
        """The record of a purge; None where the folder has done it."""
        if self._layout.tombstone(*what).exists() and not self._layout.object(*what).exists():
            return None
        key = tombstone_key(*what)
        try:
            with self._home.keys.open(key) as stream:
                return stream.read()
        except KeyNotFound:
            self.wrong = self.wrong or DamagedRecord(path=key, reason="it is missing")
            return None

    def _publish(
        self, step: Step, built: Mapping[Path, Path], purged: Mapping[Resource, bytes | None], fresh: Path
    ) -> None:
        layout = self._layout
        if not (step.keys or built or any(purged.values())):
            return
        roots = {*built, *(layout.object(*what) for what in purged)}
        with contextlib.ExitStack() as held:
            for lock in sorted({layout.object_lock(root) for root in roots}):
                held.enter_context(exclusive(lock))
            for root, folder in built.items():
                self._place(root, folder)
            for number, (what, record) in enumerate(purged.items()):
                if record is not None:
                    _put_whole(layout, layout.tombstone(*what), record)
                    self.came += 1
                    self._remove(layout.object(*what), fresh / f"purged-{number}")
            held.enter_context(exclusive(layout.locks / "events"))
            self._log.settle()
            for key in step.keys:
                self._log.put(key)
                self.came += 1
        if not step.keys:
            # Indexes go by the log, which told of what came now a while ago.
            for name in ("index.db", "contents.db"):
                for end in ("", "-wal", "-shm"):
                    (layout.state / f"{name}{end}").unlink(missing_ok=True)
        if not layout.settings.exists():
            _put_whole(layout, layout.settings, config_bytes(self._config))

    def _place(self, root: Path, folder: Path) -> None:
        """Give what was built its place, a version after the other, and the root the newest one's inventory."""
        numbers = version_numbers([each.name for each in folder.iterdir()])
        have = head_of(root)
        newest = 1 if self._config.mode is Mode.WORM else numbers[-1]
        names = (NAME, f"{NAME}.{self._config.digests[0]}")
        if not have:
            for name in names:
                write_file(folder / name, (folder / f"v{newest}" / name).read_bytes())
            make_folder(root.parent)
            rename(folder, root)
            sync_folder(root.parent)
            return
        for number in numbers:
            rename(folder / f"v{number}", root / f"v{number}")
        sync_folder(root)
        if self._config.mode is not Mode.WORM:
            for name in names:
                replace_file(root / name, (root / f"v{newest}" / name).read_bytes(), scratch=self._layout.scratch)
            sync_folder(root)

    def _remove(self, root: Path, aside: Path) -> None:
        if root.exists():
            make_folder(aside.parent)
            rename(root, aside)
            sync_folder(root.parent)
        drop_empty_folders(root.parent, self._layout.objects)
        drop_packs(self._layout, root)


class _Going(Exception):
    """Somebody purges what is to be brought, and has not told of it yet."""


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
