"""What a store needs beside copies to make an archive again from it: its settings, its log, its tombstones."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice

from muniment.archive import Archive, log_lines, own_files, tombstone_files
from muniment.content import Entry, LogicalPath
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.copies import WrongStore
from muniment.errors.stores import ChangeRefused, KeyNotFound, KeyTaken
from muniment.stores import PutOptions, Receipt, Store, put_bytes, read_bytes
from muniment.workflows.copies.keys import EVENTS, SETTINGS, TOMBSTONES, segment_key, within

_WARM = PutOptions(warm=True)
_MOST_EVENTS = 10_000
_MOST_BYTES = 32 << 20
_LARGEST_SEGMENT = 2 * _MOST_BYTES
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
        with contextlib.suppress(ValueError):  # damaged ones are found by `check_root_files`
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


def put_log(archive: Archive, store: Store, name: str, after: int) -> int:
    """Put the events after number `after`, exactly as they lie in the log; the number of the newest that is there now.

    Raises:
        WrongStore: The store has other events under these numbers: the archive there has another history.
        DamagedRecord: A line of the log is damaged; what came before it is there.
        MunimentError: As `Store.put`.
    """
    newest, pieces, size, first = after, list[bytes](), 0, 0
    into = _Segments(store, name, log_generation(store))
    for seq, line in log_lines(archive, after):
        first = first or seq
        pieces.append(line)
        size += len(line)
        newest = seq
        if len(pieces) == _MOST_EVENTS or size >= _MOST_BYTES:
            into.put(first, b"".join(pieces))
            pieces, size, first = [], 0, 0
    if pieces:
        into.put(first, b"".join(pieces))
    return newest


def log_generation(store: Store) -> int:
    """Which of the logs in a store counts: the last that was begun."""
    generation = 1
    while store.stat(within(generation + 1, segment_key(1))) is not None:
        generation += 1
    return generation


def begin_log_again(archive: Archive, store: Store, name: str) -> int:
    """Put the whole log beside one that has another history, which stays; the number of the newest event.

    Raises:
        MunimentError: As `put_log`.
    """
    seq, line = next(log_lines(archive, 0))
    _Segments(store, name, log_generation(store) + 1).put(seq, line)  # it is the one that counts from here on
    return put_log(archive, store, name, seq)


def check_root_files(archive: Archive, store: Store, name: str, logged: int) -> dict[str, str]:
    """Read back what a store has beside copies, its log up to event `logged` included, and put anew what is damaged.

    The answer is what was not as it should be, by its key: '' where it is now, else why not. The archive's own log has
    to be whole.

    Raises:
        DamagedRecord: The archive's own log is damaged.
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    wanted = {**own_files(archive), **{key: path.read_bytes() for key, path in tombstone_files(archive)}}
    said: dict[str, str] = {}
    for key, data in wanted.items():
        if not _is_there(store, key, data):
            said[key] = _put_anew(store, key, data)
    keys = events_of(store)
    firsts = [_first_of(key) for key in keys]
    places = dict(zip(firsts, keys, strict=True))
    if 1 not in places:
        places[1] = within(log_generation(store), segment_key(1))
    lines = log_lines(archive, 0)
    for first, after in zip(sorted(places), [*sorted(places)[1:], logged + 1], strict=True):
        data = b"".join(line for _, line in islice(lines, max(0, after - first)))
        key = places[first]
        if data and not _is_there(store, key, data):
            said[key] = _put_anew(store, key, data)
    if any(said[key] for key in said if key in places.values()):
        begin_log_again(archive, store, name)  # beside the one that nothing can be changed of
        said |= {key: "" for key in places.values() if key in said}
    return said


def _is_there(store: Store, key: str, data: bytes) -> bool:
    try:
        return read_bytes(store, key, max(len(data), _LARGEST_FILE)) == data
    except RemoteError:
        raise
    except MunimentError:
        return False


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


LinesOf = Callable[[int], list[bytes]]
"""The lines, without their ends, that a store has of the event with a number."""


def log_lines_of(store: Store) -> LinesOf:
    """What gives the line of an event in a store, without its end; none where the store has it not, or damaged."""
    keys = events_of(store)
    firsts = [_first_of(key) for key in keys]
    held: dict[int, bytes] = {}
    opened = -1

    def lines_of(number: int) -> list[bytes]:
        nonlocal opened
        place = bisect_right(firsts, number) - 1
        if place < 0:
            return []
        if place != opened:
            held.clear()
            opened = place
            with contextlib.suppress(KeyNotFound):
                for each in read_bytes(store, keys[place], _LARGEST_SEGMENT).splitlines():
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        held[int(json.loads(each)["seq"])] = each
        return [held[number]] if number in held else []

    return lines_of


class _Segments:
    """The files of a log in a store."""

    def __init__(self, store: Store, name: str, generation: int) -> None:
        self._store = store
        self._name = name
        self._generation = generation

    def put(self, first: int, lines: bytes) -> None:
        """Put events from number `first` on; what a run that ended has put of them is found and gone on from."""
        key = within(self._generation, segment_key(first))
        try:
            _prove(self._store, [put_bytes(self._store, key, lines, _WARM)])
        except KeyTaken:
            there = read_bytes(self._store, key, _LARGEST_SEGMENT)
            if there == lines:
                return
            if not there.endswith(b"\n") or not lines.startswith(there):
                self._put_again(key, lines, there)
                return
            self.put(first + there.count(b"\n"), lines[len(there) :])

    def _put_again(self, key: str, lines: bytes, there: bytes) -> None:
        """Events that do not agree: put anew if those there are damaged, refused if they are another history's."""
        try:
            for line in there.splitlines():
                json.loads(line)
        except ValueError:
            with contextlib.suppress(ChangeRefused):
                entry = Entry(LogicalPath.parse(key), len(lines))
                _prove(self._store, [self._store.replace(key, entry, lambda: io.BytesIO(lines))])
                return
        reason = (
            f"its log has other events in {key} than this archive: one of the two was restored from an older state; if "
            f"this is the one to go on with, run `muniment store continue {self._name}`"
        )
        raise WrongStore(name=self._name, address=str(self._store), reason=reason)


def events_of(store: Store) -> list[str]:
    """The keys of all events of the log that counts, in the order of their numbers."""
    return [each.key for each in store.list(within(log_generation(store), f"{EVENTS}/"))]


def _first_of(key: str) -> int:
    """The number of the first event in a file of the log."""
    return int(key.rpartition("/")[2].partition(".")[0])


def _prove(store: Store, receipts: list[Receipt]) -> None:
    if receipts:
        store.flush()
        for receipt in receipts:
            store.check(receipt)
