"""Making one copy: its files are put, brought to stable storage and read back, and then its record is put."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from muniment.archive import Archive, Instance, make_parity
from muniment.content import Entry, Hashers, LogicalPath
from muniment.content.locks import LockRule
from muniment.content.times import seconds
from muniment.errors.stores import ChangeRefused, KeyTaken, StoredWrong, StoreNotReady
from muniment.layouts.bag import lay_bag
from muniment.layouts.packages import PackageTar, at
from muniment.stores import Lock, PutOptions, Receipt, Store
from muniment.workflows.copies.keys import bag_key, within
from muniment.workflows.copies.object_root import DECLARATION, INVENTORY, root_keys, root_trouble
from muniment.workflows.copies.policy import CopyRule
from muniment.workflows.copies.record import CopiedFile, CopyRecord

_CHUNK = 1 << 20
_DIGESTS = ("sha256",)
"""What a copy is recorded and proved by; each one more costs as much as the sending of the bytes."""
_THREADS = 8
"""How many large things go over at once: each may need memory for a part of it."""
_SMALL = 1 << 20
_WARM = PutOptions(warm=True, digests=_DIGESTS)
Work = TypeVar("Work")
Answer = TypeVar("Answer")
Watch = Callable[[int], None]
"""Told the bytes that went over; it may raise to stop."""


class CopyWriter:
    """Writes copies of an archive's instances to one store, as one rule asks."""

    def __init__(self, archive: Archive, store: Store, rule: CopyRule, scratch: Path, watch: Watch) -> None:
        self._archive = archive
        self._store = store
        self._rule = rule
        self._scratch = scratch
        self._watch = watch

    def make(self, instance: Instance, generation: int = 1, *, newest: bool = True) -> CopyRecord:
        """Make a copy of an instance, read it back, and put its record; what is there already is compared.

        With `newest`, no later instance of the resource is in the store: the object's root is told so.

        Raises:
            ChangeRefused: Something else lies where it belongs, and the store changes nothing: make another generation.
            StoredWrong, KeyNotFound: What came back is not what was sent; it is not recorded.
            MunimentError: The archive's own bytes are damaged, or archive or store failed.
        """
        lock = lock_of(self._rule.lock, datetime.now(UTC).timestamp())
        options = PutOptions(lock, digests=_DIGESTS)
        if self._rule.layout == "bag":
            files, inventory = self._bag(instance, generation, options), _text_of(instance)
        else:
            files, inventory = self._object(instance, generation, options, newest=newest), ""
        algorithm, _, digest = instance.inventory_digest().partition(":")
        record = CopyRecord(
            archive=self._archive.config.id,
            layout=self._rule.layout,
            project=instance.project,
            resource=instance.id,
            number=instance.number,
            instance=instance.instance,
            created=instance.created,
            object=self._object_folder(instance),
            algorithm=algorithm,
            inventory_digest=digest,
            files=files,
            inventory=inventory,
            generation=generation,
        )
        data = record.as_bytes()
        entry = Entry(LogicalPath(record.key), len(data))
        # Without its record nobody knows what to make ready of a copy in a cold class.
        self._prove([self._put(record.key, entry, lambda: io.BytesIO(data), replace(options, warm=True))])
        return record

    # --- layouts

    def _object(
        self, instance: Instance, generation: int, options: PutOptions, *, newest: bool
    ) -> Sequence[CopiedFile]:
        folder = within(generation, self._object_folder(instance))

        def put(given: tuple[Entry, Callable[[int], BinaryIO]]) -> Receipt:
            entry, opened = given
            key = f"{folder}/{entry.path}"
            known = {name: value for name, value in entry.digests.items() if name in _DIGESTS} or entry.digests
            return self._put(key, Entry(LogicalPath(key), entry.size, known), partial(_buffered, opened), options)

        entries = instance.version_entries()
        # A tape is written and read from one end to the other: what is one after another by name lies so.
        ordered = sorted(entries, key=lambda given: str(given[0].path)) if self._store.at_once == 1 else entries
        receipts = self._each(put, ordered, lambda given: given[0].size)
        declared = b"ocfl_object_1.1\n"
        key = f"{folder}/{DECLARATION}"
        known = Entry(LogicalPath(key), len(declared), {"sha256": hashlib.sha256(declared).hexdigest()})
        receipts.append(self._put(key, known, lambda: io.BytesIO(declared), options))
        self._prove(receipts)
        if newest:
            self._tell_root(folder, instance)
        return [CopiedFile(each.key, each.size, each.digests["sha256"]) for each in receipts]

    def _tell_root(self, folder: str, instance: Instance) -> None:
        """Let the object's root have the newest inventory, where the store lets a document be put anew.

        Raises:
            ChangeRefused: What is there is no inventory of this object, and the store changes nothing.
        """
        receipts, stayed = [], False
        for entry, opened in instance.version_entries():
            name = str(entry.path).partition("/")[2]
            if not name.startswith(INVENTORY):
                break  # the two come first
            key = f"{folder}/{name}"
            known = Entry(LogicalPath(key), entry.size, entry.digests)
            if self._store.capabilities.replaces:
                receipts.append(self._store.replace(key, known, partial(_buffered, opened), _WARM))
                continue
            try:
                receipts.append(self._store.put(key, known, partial(_buffered, opened), _WARM))
            except KeyTaken:
                stayed = True  # as in a worm archive: a reader takes the highest version there is
        self._prove(receipts)
        algorithm = self._archive.config.digests[0]
        with contextlib.suppress(StoreNotReady):  # it lies on another tape: looked at when that is in the drive
            if stayed and (reason := root_trouble(self._store, folder, instance.number, algorithm)):
                raise ChangeRefused(store=str(self._store), key=root_keys(folder, algorithm)[0], reason=reason)

    def _bag(self, instance: Instance, generation: int, options: PutOptions) -> Sequence[CopiedFile]:
        key = within(generation, bag_key(instance.project, instance.id, instance.number))
        self._scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="bag-", dir=self._scratch))
        try:
            tar = folder / "bag.tar"
            sha256 = self._write_tar(instance, tar)
            parity = make_parity(tar, sha256, folder / "parity", self._rule.redundancy) if self._rule.redundancy else ()
            wanted = [(key, tar, "tar"), *((f"{key}.parity/{path.name}", path, "parity") for path in parity)]
            receipts = []
            for name, path, role in wanted:
                digest = sha256 if role == "tar" else _sha256(path)
                known = Entry(LogicalPath(name), path.stat().st_size, {"sha256": digest})
                receipts.append(self._put(name, known, partial(_buffered, partial(at, path)), options))
            self._prove(receipts)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return [
            CopiedFile(each.key, each.size, each.digests["sha256"], role)
            for each, (_, _, role) in zip(receipts, wanted, strict=True)
        ]

    def _write_tar(self, instance: Instance, target: Path) -> str:
        """Pack an instance; the tar's sha256. Every file is checked on its way."""
        hashers = Hashers(["sha256"])
        with target.open("wb") as file:
            for piece in PackageTar(lay_bag(instance), seconds(instance.created)).read():
                hashers.update(piece)
                file.write(piece)
        return hashers.values()["sha256"]

    # --- putting and proving

    def _put(self, key: str, entry: Entry, open_: Callable[[], BinaryIO], options: PutOptions) -> Receipt:
        """Put something, or find that it is there: from a run that ended, or because two copies share it."""
        try:
            receipt = self._store.put(key, entry, open_, options)
        except KeyTaken:
            receipt = self._there(key, entry, open_)
        self._watch(receipt.size)
        return receipt

    def _there(self, key: str, entry: Entry, open_: Callable[[], BinaryIO]) -> Receipt:
        """What lies under a key, if it is what belongs there; else it is put anew where the store allows that.

        Raises:
            ChangeRefused: It is something else, and stays.
        """
        expected = Receipt(key, entry.size or 0, {"sha256": entry.digests.get("sha256") or _digest_of(open_)})
        try:
            self._store.check(expected)
        except StoredWrong:
            return self._store.replace(key, entry, open_)
        return expected

    def _prove(self, receipts: Sequence[Receipt]) -> None:
        """Bring what was put to stable storage and read it back.

        Raises:
            StoredWrong, KeyNotFound: It is not what was sent.
            StoreNotReady: It cannot be read yet.
        """
        self._store.flush()
        unproved = [each for each in receipts if self._rule.read_back or not each.confirmed]
        waiting = None
        for error in self._each(self._unready, unproved, lambda receipt: receipt.size):
            self._watch(0)
            waiting = waiting or error
        if waiting is not None:
            raise waiting

    def _unready(self, receipt: Receipt) -> StoreNotReady | None:
        """Read back; the error when it has to be made ready first, which is begun for all before that ends the work."""
        try:
            self._store.check(receipt)
        except StoreNotReady as error:
            return error
        return None

    def _each(
        self, work: Callable[[Work], Answer], things: Iterable[Work], size_of: Callable[[Work], int | None]
    ) -> list[Answer]:
        """Do it with all of them, in their order for whoever gets the answers; many at once of those that are small.

        Where a store is served one after another, they are done in that order too.
        """
        todo = list(things)
        if self._store.at_once == 1:
            return [work(each) for each in todo]
        small = [(size_of(each) or _SMALL) < _SMALL for each in todo]
        answers: dict[int, Answer] = {}
        for kind, threads in ((True, self._store.at_once), (False, _THREADS)):
            numbers = [number for number, each in enumerate(small) if each is kind]
            done = _at_once(work, [todo[number] for number in numbers], threads)
            answers |= dict(zip(numbers, done, strict=True))
        return [answers[number] for number in range(len(todo))]

    def _object_folder(self, instance: Instance) -> str:
        layout = self._archive.context.layout
        return layout.object(instance.project, instance.id).relative_to(layout.root).as_posix()


def _at_once(work: Callable[[Work], Answer], todo: Sequence[Work], threads: int) -> list[Answer]:
    if len(todo) < 2:  # noqa: PLR2004 - nothing to share out
        return [work(each) for each in todo]
    with ThreadPoolExecutor(threads, thread_name_prefix="copy") as pool:
        futures = [pool.submit(work, each) for each in todo]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def lock_of(rule: LockRule | None, now: float) -> Lock | None:
    """The lock that a rule asks for on something that is put now (seconds since 1970 UTC)."""
    if rule is None:
        return None
    lock = rule.at(now)
    return Lock(lock.mode, lock.until)


def _text_of(instance: Instance) -> str:
    """The text of the inventory that came with an instance."""
    _, opened = next(instance.version_entries())
    with opened(0) as file:
        return file.read().decode("utf-8")


def _buffered(opened: Callable[[int], BinaryIO]) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", opened(0)), _CHUNK))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def _digest_of(open_: Callable[[], BinaryIO]) -> str:
    hashers = Hashers(["sha256"])
    with open_() as file:
        for piece in _pieces(file):
            hashers.update(piece)
    return hashers.values()["sha256"]


def _sha256(path: Path) -> str:
    return _digest_of(lambda: path.open("rb"))
