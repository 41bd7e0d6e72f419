"""What a store needs beside copies to make an archive again from it: its settings, its log, its tombstones."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from muniment.archive import Archive, log_lines, tombstone_files
from muniment.content import Entry, LogicalPath
from muniment.errors.copies import WrongStore
from muniment.errors.stores import ChangeRefused, KeyTaken
from muniment.stores import PutOptions, Receipt, Store, put_bytes, read_bytes
from muniment.workflows.copies.keys import EVENTS, FOUNDATION, SETTINGS, TOMBSTONES, segment_key, within

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
    root = archive.path
    names = [*FOUNDATION, *_extensions(root)]
    if store.stat(SETTINGS) is not None:
        if store.capabilities.cold:
            return
        there = json.loads(read_bytes(store, SETTINGS, _LARGEST_FILE))
        if there.get("id") != archive.config.id:
            raise WrongStore(name=name, address=str(store), reason=f"it holds the archive {there.get('id')}")
        names = [each for each in names if store.stat(each) is None]
    receipts = []
    for each in sorted(names, key=lambda one: one == SETTINGS):  # last: with it, the rest is there
        with contextlib.suppress(KeyTaken, FileNotFoundError):
            receipts.append(put_bytes(store, each, (root / each).read_bytes(), _WARM))
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


def _extensions(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in sorted(root.glob("objects/extensions/*/*.json"))]


def _prove(store: Store, receipts: list[Receipt]) -> None:
    if receipts:
        store.flush()
        for receipt in receipts:
            store.check(receipt)
