"""Sending what is in the archive to a store, and proving that it is there: read back, or by the store's own digest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from muniment.content import Entry, LogicalPath
from muniment.doors.distillery.batches import VerifiedCopy
from muniment.doors.distillery.making import MadeFile, files_of
from muniment.errors.base import MunimentError
from muniment.errors.distillery import CopyNotVerified
from muniment.errors.stores import (
    CapacityExceeded,
    KeyHeld,
    KeyNotFound,
    KeyTaken,
    StoredWrong,
    StoreNotReady,
    StoreReadOnly,
    TapeMissing,
    TapeUnlabelled,
)
from muniment.stores import Receipt, Stat, Store

if TYPE_CHECKING:
    from muniment.content.instance import Instance
    from muniment.doors.distillery.context import DistilleryContext

_TRIES = 3
NEEDS_A_PERSON = (CapacityExceeded, StoreReadOnly, StoreNotReady, TapeMissing, TapeUnlabelled)
"""A tape that is full, locked, unlabelled, or not there: somebody changes it, and it goes on."""


def send(given: DistilleryContext, destination: str, instance: Instance, check: Callable[[], None]) -> int:
    """Put what is not there yet; the number of files that were put. They are on stable storage when it returns.

    Raises:
        KeyHeld: Something else is under one of the keys.
        CapacityExceeded: There is no room for all of it; nothing was sent.
        MunimentError: As `Store.put`.
    """
    store = given.store(destination)
    owed = _owed(given, destination, instance)
    size = sum(each.size for each in owed)
    capacity = store.capacity()
    # What is larger than a whole tape goes onto several.
    if owed and (capacity is None or size < capacity.total):
        store.preflight(size=size)
    count = 0
    for each in owed:
        check()
        count += _put(store, each, instance)
    store.flush()
    return count


def verify(given: DistilleryContext, destination: str, instance: Instance, check: Callable[[], None]) -> int:
    """Prove that every file is in the store as it is in the archive, and remember it; the number of files.

    What turns out wrong is removed where the store lets go of things, and put anew.

    Raises:
        CopyNotVerified, KeyNotFound: Something is not there as it should be; nothing of it was remembered.
        MunimentError: As `Store.check`.
    """
    store = given.store(destination)
    owed = _owed(given, destination, instance)
    proved = []
    for each in owed:
        check()
        stat = _proved(store, each, instance)
        proved.append(
            VerifiedCopy(
                destination=destination,
                key=each.key,
                component_id=instance.id,
                path=each.path,
                instance=instance.number,
                size=each.size,
                md5=each.md5,
                sha256=each.sha256,
                place=stat.place,
                uri=given.uri(destination, each.key, stat.place),
                verified_at=given.now(),
            )
        )
    # What a run that was ended had put without noting it: a tape's own list gets it now.
    store.flush()
    given.batches.record(proved)
    return len(files_of(instance))


def _owed(given: DistilleryContext, destination: str, instance: Instance) -> list[MadeFile]:
    """The files that were not proved to be in the store before."""
    known = {each.key: each for each in given.batches.copies(instance.id) if each.destination == destination}
    return [each for each in files_of(instance) if each.key not in known or known[each.key].sha256 != each.sha256]


def _put(store: Store, file: MadeFile, instance: Instance) -> bool:
    """Put a file; False where it is there already, which is then proved like the rest."""
    entry = Entry(LogicalPath.parse(file.key), file.size, {"md5": file.md5, "sha256": file.sha256})

    def read() -> BinaryIO:
        return instance.open(file.path)

    try:
        store.put(file.key, entry, read)
    except KeyTaken:
        stat = store.stat(file.key)
        if stat is not None and stat.size != file.size:
            raise KeyHeld(key=file.key, store=str(store)) from None
        return False
    return True


def _proved(store: Store, file: MadeFile, instance: Instance) -> Stat:
    """Where a file is, once it is proved to be there; what is missing or wrong is put anew, a few times.

    Raises:
        CopyNotVerified: The store keeps something else each time.
        KeyNotFound: It takes it and has nothing.
    """
    for _ in range(_TRIES):
        stat = store.stat(file.key)
        if stat is None:
            _put(store, file, instance)
            store.flush()
            stat = store.stat(file.key)
        if stat is None:
            raise KeyNotFound(key=file.key, store=str(store))
        receipt = Receipt(file.key, file.size, {"md5": file.md5, "sha256": file.sha256}, place=stat.place)
        try:
            _prove(store, receipt)
        except StoredWrong as error:
            wrong = error
            if not store.capabilities.removes:
                break
            continue
        return stat
    raise CopyNotVerified(store=str(store), key=file.key, reason=wrong.message)


def _prove(store: Store, receipt: Receipt) -> None:
    try:
        if not store.confirm(receipt):
            store.check(receipt)
    except StoredWrong:
        if store.capabilities.removes:
            store.remove(receipt.key)
        raise


def difference(given: DistilleryContext, copy: VerifiedCopy) -> MunimentError | None:
    """What is wrong with a copy now, or why that cannot be told; None where it is as it was."""
    receipt = Receipt(copy.key, copy.size, {"md5": copy.md5, "sha256": copy.sha256}, place=copy.place)
    try:
        store = given.store(copy.destination)
        if not store.confirm(receipt):
            store.check(receipt)
    except MunimentError as error:
        return error
    return None
