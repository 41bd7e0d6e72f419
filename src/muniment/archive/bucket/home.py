"""The home of versions in a bucket: committed by one put, then laid out, and read wherever they lie by now.

The order is the promise (docs/durability.md):

1. everything the version brings is put below `intake/<transaction>/`, and looked at;
2. the seal is put **once**: from here on whoever opens the archive finishes it;
3. **the version's inventory is put once in its place**: from here on it is committed, and cannot fail;
4. the event is put once, with the number after the newest;
5. the files are laid out in their places, then the sidecar, then the copies in the object's root;
6. the intake is removed, the seal last.

Steps 3 to 6 may be done by any number of machines at once: what each puts is the same, or is put once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from muniment.archive.bucket.instance import BucketInstance
from muniment.archive.bucket.intake import AT_ONCE, Intake, Seal, Staged, seal_of
from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import commit_key, declaration_key, object_place, tombstone_key, version_numbers
from muniment.archive.bucket.log import BucketLog
from muniment.archive.context import SealedVersion
from muniment.archive.disk.durable import make_folder, remove_tree, replace_file, write_file, writing
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.package.inventory import NAME, Inventory, parse_inventory, read_inventory, sidecar
from muniment.archive.package.names import PAYLOAD
from muniment.archive.package.objects import declare, newest_inventory
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.digests import Hashers
from muniment.content.identity import Agent, new_uuid
from muniment.content.regular import is_regular
from muniment.errors.archive import (
    CommitUncertain,
    DamagedRecord,
    ReadFailed,
    ResourceExists,
    ResourceNotFound,
    ResourcePurged,
    StaleTransaction,
    TransactionRolledBack,
)
from muniment.errors.base import RemoteError, StorageError
from muniment.errors.stores import KeyNotFound, StoredWrong, StoreUnreachable

_CHUNK = 1 << 20
_LOOKS = 20
"""Times that the root is looked at again: each time somebody committed meanwhile."""
_One = TypeVar("_One")


class BucketHome:
    """Where one archive's versions lie: the keys of a bucket, and a copy of its records in the state folder."""

    def __init__(self, keys: Keys, layout: ArchiveLayout, config: ArchiveConfig, log: BucketLog, agent: Agent) -> None:
        self.keys = keys
        self._layout = layout
        self._config = config
        self._log = log
        self._agent = agent

    @property
    def algorithm(self) -> str:
        """The digest by which inventories name content."""
        return self._config.digests[0]

    @property
    def worm(self) -> bool:
        """Whether nothing is ever put anew."""
        return self._config.mode is Mode.WORM

    def place(self, project: str, resource: str) -> str:
        """The prefix of a resource's object."""
        return object_place(project, resource)

    # --- committing

    def publish(self, version: SealedVersion) -> None:
        """Commit a version that is complete on this machine.

        Raises:
            MunimentError: As `Home.publish`.
        """
        intake = Intake(self.keys, version.transaction)
        if self.is_committed(version.project, version.id, version.base + 1, version.transaction):
            self._finish_left(intake)  # another machine did it, or this one before it was cut off
            return
        try:
            self._refuse_late(version)
            seal = intake.upload(version, str(self._agent), self._config.digests[0])
        except BaseException:
            intake.drop()
            raise
        with _uncertain(version.transaction):
            if not self.keys.put_once(intake.end, seal.as_bytes()):
                raise TransactionRolledBack(transaction=version.transaction)
            ours = self.commit(seal, version.object / f"v{seal.number}" / NAME)
        if not ours:
            intake.drop()
            self._refuse_late(version, beaten=True)
        # Committed. What is left is the same for all, and whoever opens the archive next does what fails here.
        with contextlib.suppress(RemoteError, StorageError):
            self._keep_records(version)
        with contextlib.suppress(RemoteError, StorageError):
            self.finish(seal, version.object)

    def is_committed(self, project: str, id: str, number: int, transaction: str) -> bool:
        """Whether the version of this number is that of this transaction.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        try:
            return self.keys.note(commit_key(object_place(project, id), number)) == transaction
        except KeyNotFound:
            return False

    def _finish_left(self, intake: Intake) -> None:
        with contextlib.suppress(KeyNotFound):
            seal = intake.read_end()
            if seal is not None:
                self.finish(seal)

    def commit(self, seal: Seal, inventory: bytes | Path) -> bool:
        """Put a sealed version's inventory in its place: the commit point. False where another stands there.

        Raises:
            StoreUnreachable: Nobody can tell.
            StoreFailed, StoreRefused: It was not done.
            StoredWrong: The store gave back something else: it lies.
        """
        key = commit_key(seal.place, seal.number)
        if self._tombstone(seal.project, seal.id) is not None:
            return False
        if not self.keys.put_once(key, inventory, note=seal.transaction):
            return False
        if not self.is_as_sealed(seal):
            raise StoredWrong(store=str(self.keys), key=key, what="digest", found="another", expected=seal.inventory)
        return True

    def is_as_sealed(self, seal: Seal) -> bool:
        """Whether what stands in a committed version's place is the inventory that was sealed.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return self._digest(commit_key(seal.place, seal.number)) == seal.inventory

    def finish(self, seal: Seal, local: Path | None = None) -> None:
        """Do what follows the commit of a version; from `local`, the folder it was built in, where that is here.

        Raises:
            MunimentError: Not all was done; whoever opens the archive goes on.
        """
        intake = Intake(self.keys, seal.transaction)
        self._log.append_once(seal.events, seal.transaction, seal.log)
        try:
            self._lay_out(seal, local)
        except KeyNotFound:
            if self.keys.stat(intake.end) is None:
                return  # somebody else was faster, and cleared it
            raise
        self.finish_root(seal.project, seal.id)
        intake.clear()

    def finish_root(self, project: str, id: str) -> None:
        """Make the copies in the object's root those of its newest version (not in worm mode after the first).

        Raises:
            MunimentError: It was not done.
        """
        place = object_place(project, id)
        done = 0
        for _ in range(_LOOKS):
            newest = self.newest(project, id)
            if newest == done or not newest:
                return
            if newest == 1 or self._config.mode is not Mode.WORM:
                with self.keys.open(commit_key(place, newest)) as stream:
                    data = stream.read()
                self.keys.put(place + NAME, data)
                self.keys.put(f"{place}{NAME}.{self._config.digests[0]}", sidecar(data, self._config.digests[0]))
            done = newest

    def _lay_out(self, seal: Seal, local: Path | None) -> None:
        """Put every file of a committed version in its place that is not there, then the sidecar."""
        folder = f"{seal.place}v{seal.number}/"
        there = {each.key.removeprefix(seal.place): each.size for each in self.keys.list(folder)}
        missing = [(path, at) for path, at in seal.files.items() if there.get(path) != at.size]
        expected = {} if local is not None or not missing else self._expected(seal)
        _all_at_once(lambda one: self._lay_out_one(seal, *one, local, expected), missing)
        digest_name = self._config.digests[0]
        self.keys.put(f"{folder}{NAME}.{digest_name}", f"{seal.inventory} {NAME}\n".encode("ascii"))
        if seal.number == 1:
            self.keys.put(declaration_key(seal.place), declare(Path())[1])

    def _lay_out_one(self, seal: Seal, path: str, at: Staged, local: Path | None, expected: dict[str, str]) -> None:
        if local is not None:
            self.keys.put(seal.place + path, local / path)
        elif at.alone:
            self.keys.copy(at.key, seal.place + path)
        else:
            with self.keys.open(at.key, at.start, at.size) as stream:
                data = stream.read()
            found = hashlib.new(self._config.digests[0], data).hexdigest()
            if found != expected[path]:
                what = f"digest of {path!r}"
                raise StoredWrong(store=str(self.keys), key=at.key, what=what, found=found, expected=expected[path])
            self.keys.put(seal.place + path, data)

    def _expected(self, seal: Seal) -> dict[str, str]:
        inventory = self._read_inventory(seal.place, seal.number)
        return {path: digest for digest, paths in inventory.manifest.items() for path in paths}

    def _refuse_late(self, version: SealedVersion, *, beaten: bool = False) -> None:
        self.refuse_purged(version.project, version.id)
        head = self.newest(version.project, version.id)
        if head != version.base or beaten:
            if version.base:
                raise StaleTransaction(id=version.id, base=version.base, head=head)
            raise ResourceExists(id=version.id, project=version.project)

    def _keep_records(self, version: SealedVersion) -> None:
        """Keep the records of a version that was built here, so that nobody need ask for them."""
        name, root = f"v{version.base + 1}", self._layout.object(version.project, version.id)
        inventory, _ = read_inventory(version.object / name, self.algorithm)
        records = [path for path in inventory.logical(inventory.head) if not path.startswith(PAYLOAD)]
        paths = {inventory.content_path(inventory.logical(inventory.head)[each]) for each in records}
        for path in [each for each in paths if each.startswith(f"{name}/")]:
            self._bring(root / path, (version.object / path).open("rb"))
        for path in (f"{name}/{NAME}", f"{name}/{NAME}.{self.algorithm}"):
            self._bring(root / path, (version.object / path).open("rb"))

    # --- reading

    def published(self, project: str, id: str, number: int) -> BucketInstance:
        """An instance that was just committed from here, by its records in the state folder.

        Raises:
            MunimentError: As `instance`, where they could not be kept.
        """
        root = self._layout.object(project, id)
        with contextlib.suppress(FileNotFoundError, DamagedRecord, ReadFailed):
            inventory, _ = read_inventory(root / f"v{number}", self.algorithm)
            return BucketInstance(self, root, project, id, inventory, number)
        return self.instance(project, id, number)

    def newest(self, project: str, id: str) -> int:
        """The number of a resource's newest version, 0 where there is none.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        numbers = version_numbers(list(self.keys.folders(object_place(project, id))))
        return numbers[-1] if numbers else 0

    def instance(self, project: str, id: str, number: int = 0) -> BucketInstance:
        """An instance, the newest where no number is given.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource.
            DamagedRecord: Its inventory cannot be read.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        self.refuse_purged(project, id)
        root = self._layout.object(project, id)
        newest = self.newest(project, id)
        if not newest:
            remove_tree(root)
            raise ResourceNotFound(id=id)
        self.fetch_inventory(project, id, newest)
        inventory, _ = newest_inventory(root, self._config.digests[0])
        return BucketInstance(self, root, project, id, inventory, number or inventory.head)

    def fetch_inventory(self, project: str, id: str, number: int) -> None:
        """Have a version's inventory in the state folder; it never changes, so that once is enough.

        Raises:
            DamagedRecord: It is not what its sidecar says.
            KeyNotFound, StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        folder = self._layout.object(project, id) / f"v{number}"
        algorithm = self._config.digests[0]
        if is_regular(folder / f"{NAME}.{algorithm}"):
            return
        key = commit_key(object_place(project, id), number)
        with self.keys.open(key) as stream:
            data = stream.read()
        recorded = sidecar(data, algorithm)
        with contextlib.suppress(KeyNotFound), self.keys.open(f"{key}.{algorithm}") as stream:
            if stream.read() != recorded:
                raise DamagedRecord(path=key, reason="its digest is not the one in its sidecar")
        make_folder(folder)
        self._keep(folder / NAME, data)
        self._keep(folder / f"{NAME}.{algorithm}", recorded)

    def sizes(self, place: str, number: int) -> Mapping[str, int]:
        """The bytes of a committed version's files, by their paths below the object, wherever they lie by now.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        folder = f"{place}v{number}/"
        found: dict[str, int] = {}
        with contextlib.suppress(KeyNotFound):
            seal = seal_of(self.keys, self.keys.note(commit_key(place, number)))
            if seal is not None:
                found = {path: at.size for path, at in seal.files.items()}
        # Listed after the seal was asked for: what it no longer told of was laid out by then.
        return found | {each.key.removeprefix(place): each.size for each in self.keys.list(folder)}

    def open(self, place: str, path: str, offset: int = 0) -> BinaryIO:
        """The bytes of a committed file, `path` below the object at `place`, wherever they lie by now.

        Raises:
            KeyNotFound: They are nowhere.
            StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
        """
        try:
            return self.keys.open(place + path, offset)
        except KeyNotFound:
            number = path.partition("/")[0].removeprefix("v")
            with contextlib.suppress(KeyNotFound):
                seal = seal_of(self.keys, self.keys.note(commit_key(place, int(number))))
                staged = seal.files.get(path) if seal else None
                if staged is not None and offset <= staged.size:
                    return self.keys.open(staged.key, staged.start + offset, staged.size - offset)
            return self.keys.open(place + path, offset)  # it was laid out meanwhile

    def fetch(self, place: str, path: str, target: Path) -> None:
        """Have a small record of a version in the state folder.

        Raises:
            KeyNotFound, StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        if is_regular(target):
            return
        self._bring(target, self.open(place, path))

    def keep_copy(self, key: str) -> None:
        """Have a small file of the archive that never changes in the state folder, where a folder has it.

        Raises:
            KeyNotFound, StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        target = self._layout.root / key
        if not is_regular(target):
            self._bring(target, self.keys.open(key))

    def _bring(self, target: Path, source: BinaryIO) -> None:
        fresh = self._layout.scratch / f"record-{new_uuid()}"
        make_folder(self._layout.scratch)
        make_folder(target.parent)
        with source as stream:
            write_file(fresh, iter(lambda: stream.read(_CHUNK), b""))
        with writing(target):
            os.replace(fresh, target)

    def refuse_purged(self, project: str, id: str) -> None:
        """Refuse a resource that was purged.

        Raises:
            ResourcePurged: It was.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        record = self._tombstone(project, id)
        if record is not None:
            raise ResourcePurged(id=id, when=record.get("purged", ""), why=record.get("reason", ""))

    def is_purged(self, project: str, id: str) -> bool:
        """Whether a resource was purged.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return self._tombstone(project, id) is not None

    def _tombstone(self, project: str, id: str) -> dict[str, Any] | None:
        if self._config.mode is not Mode.DYNAMIC:
            return None
        try:
            with self.keys.open(tombstone_key(project, id)) as stream:
                record = json.loads(stream.read())
        except KeyNotFound:
            return None
        except ValueError:
            return {}
        return record if isinstance(record, dict) else {}

    def _read_inventory(self, place: str, number: int) -> Inventory:
        key = commit_key(place, number)
        with self.keys.open(key) as stream:
            return parse_inventory(stream.read().decode("utf-8", "replace"), Path(key))

    def _digest(self, key: str) -> str:
        hashers = Hashers([self._config.digests[0]])
        with self.keys.open(key) as stream:
            while piece := stream.read(_CHUNK):
                hashers.update(piece)
        return hashers.values()[self._config.digests[0]]

    def _keep(self, path: Path, data: bytes) -> None:
        make_folder(self._layout.scratch)
        replace_file(path, data, scratch=self._layout.scratch)


@contextlib.contextmanager
def _uncertain(transaction: str) -> Any:
    """Name what it means when nobody can tell whether a put happened that decides."""
    try:
        yield
    except StoreUnreachable as error:
        raise CommitUncertain(transaction=transaction, reason=error.message) from error


def _all_at_once(work: Callable[[_One], object], items: Iterable[_One]) -> None:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="laying-out") as pool:
        for _ in pool.map(work, items):
            pass
