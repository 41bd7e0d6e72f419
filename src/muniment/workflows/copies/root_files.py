"""What a store needs beside copies to make an archive again from it: the archive's own files, tombstones, the log."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator

from muniment.archive import Archive, own_files, tombstone_files
from muniment.content import Entry, LogicalPath
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.copies import WrongStore
from muniment.errors.stores import KeyTaken, StoreNotReady
from muniment.stores import PutOptions, Receipt, Store, put_bytes, read_bytes
from muniment.workflows.copies.keys import EVENTS, SETTINGS, TOMBSTONES, within
from muniment.workflows.copies.log_segments import begin_log_again, log_generation, segments

_WARM = PutOptions(warm=True)
_LARGEST_FILE = 1 << 20


def put_foundation(archive: Archive, store: Store, name: str) -> None:
    """Put the files that every copy of the archive begins with, as far as they are not there.

    Raises:
        WrongStore: The settings there are another archive's.
        MunimentError: As `Store.put`.
    """
    wanted = own_files(archive)
    if store.stat(SETTINGS) is not None:
        if store.capabilities.cold:
            return
        with contextlib.suppress(ValueError):  # damaged ones are found by `wrong_root_files`
            there = json.loads(read_bytes(store, SETTINGS, _LARGEST_FILE)).get("id")
            if there != archive.config.id:
                raise WrongStore(name=name, address=str(store), reason=f"it holds the archive {there}")
        wanted = {key: data for key, data in wanted.items() if store.stat(key) is None}
    receipts = []
    for key in sorted(wanted, key=lambda one: one == SETTINGS):  # last: with it, the rest is there
        with contextlib.suppress(KeyTaken):
            receipts.append(put_bytes(store, key, wanted[key], _WARM))
    _prove(store, receipts)


def put_tombstones(archive: Archive, store: Store) -> int:
    """Put the records of what was purged, as far as they are not there; how many."""
    wanted = dict(tombstone_files(archive))
    if wanted:
        for each in store.list(f"{TOMBSTONES}/"):
            wanted.pop(each.key, None)
    receipts = []
    for key, path in wanted.items():
        with contextlib.suppress(KeyTaken):
            receipts.append(put_bytes(store, key, path.read_bytes(), _WARM))
    _prove(store, receipts)
    return len(receipts)


def wrong_root_files(archive: Archive, store: Store, logged: int) -> Iterator[tuple[str, bytes]]:
    """Read back what a store has beside copies, its log up to event `logged` included: what is not as it should be.

    The answer is each key with the bytes that belong there. The archive's own log has to be whole.

    Raises:
        DamagedRecord: The archive's own log is damaged.
        StoreUnreachable, StoreRefused, StoreNotReady: The store cannot be used.
    """
    wanted = {**own_files(archive), **{key: path.read_bytes() for key, path in tombstone_files(archive)}}
    for key, data in wanted.items():
        if not _is_there(store, key, data):
            yield key, data
    for key, data, more in segments(archive, store, logged):
        if not _is_there(store, key, data, more):
            yield key, data


def repair_root_files(archive: Archive, store: Store, name: str, logged: int) -> dict[str, str]:
    """Put anew what `wrong_root_files` finds; by key '' where it is as it should be now, else why not.

    Raises:
        MunimentError: As `wrong_root_files`.
    """
    of_log = within(log_generation(store), f"{EVENTS}/")
    said = {key: _put_anew(store, key, data) for key, data in wrong_root_files(archive, store, logged)}
    if any(reason for key, reason in said.items() if key.startswith(of_log)):
        begin_log_again(archive, store, name)  # beside the one that nothing can be changed of
        said |= {key: "" for key in said if key.startswith(of_log)}
    return said


def _is_there(store: Store, key: str, data: bytes, more: bytes = b"") -> bool:
    """Whether `data` lies under a key, and behind it nothing but the beginning of `more`."""
    try:
        found = read_bytes(store, key, max(len(data) + len(more), _LARGEST_FILE))
    except (RemoteError, StoreNotReady):
        raise
    except MunimentError:
        return False
    return found.startswith(data) and more.startswith(found[len(data) :])


def _put_anew(store: Store, key: str, data: bytes) -> str:
    """Let `data` lie under a key; '' or why it does not."""
    entry = Entry(LogicalPath.parse(key), len(data), {"sha256": hashlib.sha256(data).hexdigest()})
    try:
        try:
            receipt = store.put(key, entry, lambda: io.BytesIO(data), _WARM)
        except KeyTaken:
            receipt = store.replace(key, entry, lambda: io.BytesIO(data), _WARM)
        _prove(store, [receipt])
    except RemoteError:
        raise
    except MunimentError as error:
        return error.message
    return ""


def _prove(store: Store, receipts: list[Receipt]) -> None:
    if receipts:
        store.flush()
        for receipt in receipts:
            store.check(receipt)
