"""The home of versions in a bucket: committed by one put, then laid out, and read wherever they lie by now.

The order is the promise (docs/durability.md):

1. everything the version brings is put below `intake/<transaction>/`, and looked at;
2. the seal is put **once**: from here on whoever opens the archive finishes it;
3. **the version's inventory is put once in its place**: from here on it is committed, and cannot fail;
   of a history, which is a new resource's, its first version's: the seal tells of the others;
4. the event is put once, with the number after the newest;
5. the files are laid out in their places, then the sidecar, then the copies in the object's root;
6. the intake is removed, the seal last.

A history whose root was not made yet may lack versions in its place: readers take the newest from the seal, and who
commits the next version lays it out first. Steps 3 to 6 may be done by any number of machines at once: what each puts
is the same, or is put once.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from muniment.archive.bucket import groups
from muniment.archive.bucket.instance import BucketInstance
from muniment.archive.bucket.intake import Intake, Seal, SealedObject, seal_of
from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.killed import KilledTransactions
from muniment.archive.bucket.layout import commit_key, object_place, tombstone_key
from muniment.archive.bucket.log import BucketLog
from muniment.archive.bucket.publication import lay_out, others_committed
from muniment.archive.bucket.repair import Fetch, ObjectRepair, Vouched, wrong_files
from muniment.archive.bucket.versions import Versions
from muniment.archive.bucket.worm import WormKeys
from muniment.archive.context import SealedResource, SealedTransaction
from muniment.archive.disk.durable import make_folder, remove_tree, replace_file, write_file, writing
from muniment.archive.disk.layout import SETTINGS, ArchiveLayout
from muniment.archive.package.inventory import DECLARATION, NAME, read_inventory, sidecar
from muniment.archive.package.names import PAYLOAD
from muniment.archive.package.objects import newest_inventory
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.digests import Hashers
from muniment.content.identity import Agent, new_uuid
from muniment.content.regular import is_regular
from muniment.errors.archive import (
    ArchiveGone,
    CommitUncertain,
    DamagedRecord,
    ReadFailed,
    ResourceExists,
    ResourceNotFound,
    ResourcePurged,
    ResourceReserved,
    StaleTransaction,
    TransactionClosed,
    TransactionRolledBack,
)
from muniment.errors.base import MunimentError
from muniment.errors.stores import KeyNotFound, StoredWrong, StoreUnreachable

_CHUNK = 1 << 20
_LOOKS = 20
"""Times that the root is looked at again: each time somebody committed meanwhile."""


class BucketHome:
    """Where one archive's versions lie: the keys of a bucket, and a copy of its records in the state folder."""

    def __init__(self, keys: Keys, layout: ArchiveLayout, config: ArchiveConfig, log: BucketLog, agent: Agent) -> None:
        self.keys = keys
        self._layout = layout
        self._config = config
        self.local = layout.root
        """The state folder, in which records lie as in an archive's own."""
        self._log = log
        self._agent = agent
        self._versions = Versions(keys, layout)
        self.killed = KilledTransactions(keys, layout.root)

    @property
    def algorithm(self) -> str:
        """The digest by which inventories name content."""
        return self._config.digests[0]

    @property
    def worm(self) -> bool:
        """Whether nothing is ever put anew."""
        return self._config.mode is Mode.WORM

    @property
    def agent(self) -> Agent:
        """Who acts."""
        return self._agent

    @property
    def log(self) -> BucketLog:
        """The archive's log."""
        return self._log

    @property
    def scratch(self) -> Path:
        """A folder of this machine for what is being made."""
        return self._layout.scratch

    def place(self, project: str, resource: str) -> str:
        """The prefix of a resource's object."""
        return object_place(project, resource)

    # --- committing

    def publish(self, sealed: SealedTransaction) -> None:
        """Commit what is complete on this machine.

        Raises:
            MunimentError: As `Home.publish`.
        """
        intake = Intake(self.keys, sealed.transaction)
        first = sealed.resources[0]
        if self.is_committed(first.project, first.id, first.base + 1, sealed.transaction):
            self._finish_left(intake)  # another machine did it, or this one before it was cut off
            return
        seal = self._prepared(intake, sealed) if sealed.group else self._sealed(intake, sealed)
        with _uncertain(sealed.transaction):
            lost = self.commit(seal, lambda count: _first_inventory(sealed.resources[count]))
        if lost is not None:
            intake.drop()
            self._refuse_late(sealed.resources[lost], beaten=True)
        # Committed. What is left is the same for all, and whoever opens the archive next does what fails here.
        with contextlib.suppress(MunimentError):
            for each in sealed.resources:
                self._keep_records(each)
        with contextlib.suppress(MunimentError):
            self.finish(seal, [each.object for each in sealed.resources])

    def _refuse_gone(self) -> None:
        """Refuse to seal anything in a bucket that was emptied under this process."""
        if self.keys.stat(SETTINGS) is None:
            raise ArchiveGone(place=str(self.keys), name=SETTINGS, state=self._layout.root)

    def _sealed(self, intake: Intake, sealed: SealedTransaction) -> Seal:
        """Upload and seal what is to be committed at once."""
        seal = self._uploaded(intake, sealed, reserving=len(sealed.resources) > 1)
        with _uncertain(sealed.transaction):
            if not intake.seal(seal):
                raise TransactionRolledBack(transaction=sealed.transaction)
        return seal

    def _uploaded(self, intake: Intake, sealed: SealedTransaction, *, reserving: bool) -> Seal:
        """Upload what is to be sealed, and reserve its versions where others may not be first to one of them."""
        versions = [(each.project, each.id, each.base + 1) for each in sealed.resources]
        try:
            for each, version in zip(sealed.resources, versions, strict=True):
                self._refuse_late(each)
                groups.refuse_prepared(self.keys, version)
            seal = intake.upload(sealed, str(self._agent), self._config.digests[0])
            self._refuse_gone()
            if reserving:
                groups.reserve(self.keys, sealed.transaction, versions, self.killed.standing)
                for each in sealed.resources:
                    self._refuse_late(each)
        except BaseException:
            # Not where it was sealed before: then others may be finishing it. What was reserved is let go by the mark.
            intake.abandon(str(self._agent), keep_mark=reserving)
            raise
        return seal

    def _prepared(self, intake: Intake, sealed: SealedTransaction) -> Seal:
        """What was prepared, after it was decided that it be committed."""
        with _uncertain(sealed.transaction):
            try:
                seal = intake.read_end()
            except KeyNotFound:
                seal = None
            if seal is None or groups.settle(self.keys, sealed.transaction, groups.COMMIT) != groups.COMMIT:
                raise TransactionRolledBack(transaction=sealed.transaction)
        return seal

    def prepare(self, sealed: SealedTransaction) -> None:
        """Upload, reserve and seal what is part of a group.

        Raises:
            MunimentError: As `Home.prepare`.
        """
        intake = Intake(self.keys, sealed.transaction)
        if self.keys.stat(intake.end) is not None:  # by an attempt whose answer was lost: `resolve` decides about it
            raise TransactionRolledBack(transaction=sealed.transaction)
        seal = self._uploaded(intake, sealed, reserving=True)
        if not intake.seal(seal):
            raise TransactionRolledBack(transaction=sealed.transaction)

    def give_up(self, sealed: SealedTransaction) -> None:
        """Decide that what was prepared is never committed, unless it is committed.

        Raises:
            MunimentError: As `Home.give_up`.
        """
        first = sealed.resources[0]
        if not self.is_committed(first.project, first.id, first.base + 1, sealed.transaction):
            self.give_up_left(sealed.transaction)

    def give_up_left(self, transaction: str) -> None:
        """Roll back what lies in the intake, whoever brought it there, unless it is sealed and waits for no group.

        Raises:
            TransactionClosed: It was decided that it be committed.
            StoreUnreachable, StoreFailed, StoreRefused: Nobody can tell.
        """
        intake = Intake(self.keys, transaction)
        if intake.kill(str(self._agent)):
            intake.clear(keep_end=True)
            return
        seal = seal_of(self.keys, transaction)
        if seal is None:
            return
        if not seal.group:
            raise TransactionClosed(id=seal.objects[0].id, how="committed")
        groups.give_up(self.keys, seal, self._config.id)
        intake.clear_to_mark()

    def commit_left(self, seal: Seal) -> None:
        """Commit what was prepared and left, as it lies in the intake; that it be committed is decided by this.

        Raises:
            TransactionRolledBack: It was decided that it is not.
            StaleTransaction, ResourceExists: Somebody else was first.
            CommitUncertain: Nobody can tell yet.
            StorageError, RemoteError: Not all was done; the next opening goes on.
        """
        intake = Intake(self.keys, seal.transaction)
        with _uncertain(seal.transaction):
            if groups.settle(self.keys, seal.transaction, groups.COMMIT) != groups.COMMIT:
                raise TransactionRolledBack(transaction=seal.transaction)
            lost = self.commit(seal, lambda count: self.staged_inventory(intake, count))
        if lost is not None:
            raise ResourceExists(id=seal.objects[lost].id, project=seal.objects[lost].project)
        self.finish(seal)

    def decide(self, group: str, record: Mapping[str, Any]) -> None:
        """Keep for ever what was decided about a group.

        Raises:
            MunimentError: As `Home.decide`.
        """
        groups.decide(self.keys, group, record)

    def decision(self, group: str) -> dict[str, Any] | None:
        """What was decided about a group, or None.

        Raises:
            DamagedRecord: It cannot be read.
        """
        return groups.decision(self.keys, group)

    def forget(self, group: str) -> None:
        """Remove a decision all of whose parts are committed.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It was not done.
        """
        groups.forget(self.keys, group)

    def verdict(self, seal: Seal) -> str:
        """What a prepared transaction came to; '' where its group was not decided, or the decision is elsewhere.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return groups.verdict_of(self.keys, seal, self._config.id)

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
                self.commit(seal, lambda count: self.staged_inventory(intake, count))
                self.finish(seal)

    def commit(self, seal: Seal, inventory: Callable[[int], bytes | Path]) -> int | None:
        """Put the inventories of what was sealed in their places: the commit point.

        `inventory` gives the one that commits the object of a count. The count of the object where another stands,
        None where nothing is lost.

        Raises:
            ResourceReserved: One waits for the decision about another transaction.
            StoreUnreachable: Nobody can tell.
            StoreFailed, StoreRefused: It was not done.
            StoredWrong: The store gave back something else: it lies.
        """
        groups.refuse_reserved(self.keys, seal.transaction, seal.versions, str(self._agent))
        for count, each in enumerate(seal.objects):
            if self._tombstone(each.project, each.id) is not None:
                return count
            if each.number > 1:
                self._finish_history(each.place)
            key = commit_key(each.place, each.number)
            if not self.keys.put_once(key, inventory(count), note=seal.transaction):
                return count
            if not self.is_as_sealed(each):
                raise StoredWrong(
                    store=str(self.keys), key=key, what="digest", found="another", expected=each.inventories[0]
                )
        return None

    def staged_inventory(self, intake: Intake, count: int) -> bytes:
        """The inventory that commits the object of a count, as it was uploaded.

        Raises:
            KeyNotFound: It is being cleared.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        with self.keys.open(intake.inventory(count + 1)) as stream:
            return stream.read()

    def is_as_sealed(self, each: SealedObject) -> bool:
        """Whether what stands in a committed version's place is the inventory that was sealed.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return self._digest(commit_key(each.place, each.number)) == each.inventories[0]

    def finish(self, seal: Seal, local: Sequence[Path] = ()) -> None:
        """Do what follows the commit; from `local`, the folders the objects were built in, where these are here.

        Raises:
            MunimentError: Not all was done; whoever opens the archive goes on.
        """
        intake = Intake(self.keys, seal.transaction)
        self._log.append_once(seal.events, seal.transaction, seal.log, lambda: others_committed(self, seal.transaction))
        if not lay_out(self, seal, local):
            return
        for each in seal.objects:
            self.finish_root(each.project, each.id)
            self._hold(each)
        if seal.group or len(seal.objects) > 1:
            groups.release(self.keys, seal.versions)
        intake.clear(seal=seal if local else None)

    def _hold(self, sealed: SealedObject) -> None:
        """In worm mode, see that all that was brought is locked: nothing of the intake is removed before that."""
        if isinstance(self.keys, WormKeys):
            records = [f"v{number}/{NAME}" for number in range(sealed.number, sealed.head + 1)]
            records += [NAME] if sealed.number == 1 else []
            names = {*sealed.files, *records, *(f"{record}.{self.algorithm}" for record in records)}
            names |= {DECLARATION} if sealed.number == 1 else set()
            self.keys.hold(sealed.place + name for name in names)

    def _finish_history(self, place: str) -> None:
        """Lay out a history that was committed and is not in its place: nothing may follow it before that."""
        seal = None if self._versions.is_settled(place) else self._versions.made_by(place)
        if seal is not None:
            self.finish(seal)

    def finish_root(self, project: str, id: str) -> None:
        """Make the copies in the object's root those of its newest version, in worm mode of its first.

        Raises:
            MunimentError: It was not done.
        """
        place = object_place(project, id)
        done = 0
        for _ in range(_LOOKS):
            newest = self._versions.listed(place)
            if newest == done or not newest:
                return
            record = f"{place}{NAME}.{self.algorithm}"
            if not self.worm or self.keys.stat(record) is None:
                with self.keys.open(commit_key(place, 1 if self.worm else newest)) as stream:
                    data = stream.read()
                self.keys.put(place + NAME, data)
                self.keys.put(record, sidecar(data, self.algorithm))
            done = newest

    def _refuse_late(self, version: SealedResource, *, beaten: bool = False) -> None:
        self.refuse_purged(version.project, version.id)
        head = self.newest(version.project, version.id)
        if head != version.base or beaten:
            if version.base:
                raise StaleTransaction(id=version.id, base=version.base, head=head)
            raise ResourceExists(id=version.id, project=version.project)

    def _keep_records(self, version: SealedResource) -> None:
        """Keep the records of a version that was built here, so that nobody need ask for them."""
        name, root = f"v{version.head}", self._layout.object(version.project, version.id)
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
        return self._versions.newest(object_place(project, id))

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
        place = object_place(project, id)
        key = commit_key(place, number)
        with self.open(place, f"v{number}/{NAME}") as stream:
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
        sealed = self._versions.staged(place, number)
        found = {path: at.size for path, at in sealed.files.items() if path.startswith(f"v{number}/")} if sealed else {}
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
            with contextlib.suppress(KeyNotFound, ValueError):  # of the object's root nothing is staged
                sealed = self._versions.staged(place, int(number))
                staged = sealed.files.get(path) if sealed else None
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

    def wrong(self, project: str, resource: str, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
        """Which files of an object are nowhere or have not the digests that are wanted, by their paths below it.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return wrong_files(self, project, resource, wanted)

    def put_back(
        self, what: tuple[str, str], names: Iterable[str], fetch: Fetch, source: str, vouched: Vouched
    ) -> dict[str, str]:
        """Let files of an object (project and resource) be what was recorded; '' or why not, by path.

        Raises:
            MunimentError: As `ObjectRepair.put_back`.
        """
        return ObjectRepair(self, *what, vouched).put_back(names, fetch, source)

    def _bring(self, target: Path, source: BinaryIO) -> None:
        fresh = self._layout.scratch / f"record-{new_uuid()}"
        make_folder(self._layout.scratch)
        make_folder(target.parent)
        with source as stream:
            write_file(fresh, iter(lambda: stream.read(_CHUNK), b""), sync=True)  # what is there is not fetched again
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

    def _digest(self, key: str) -> str:
        hashers = Hashers([self._config.digests[0]])
        with self.keys.open(key) as stream:
            while piece := stream.read(_CHUNK):
                hashers.update(piece)
        return hashers.values()[self._config.digests[0]]

    def _keep(self, path: Path, data: bytes) -> None:
        make_folder(self._layout.scratch)
        replace_file(path, data, scratch=self._layout.scratch)


def _first_inventory(resource: SealedResource) -> Path:
    return resource.object / f"v{resource.base + 1}" / NAME


@contextlib.contextmanager
def _uncertain(transaction: str) -> Any:
    """Name what it means when nobody can tell whether a put happened that decides."""
    try:
        yield
    except (StoreUnreachable, ResourceReserved) as error:
        raise CommitUncertain(transaction=transaction, reason=error.message) from error
