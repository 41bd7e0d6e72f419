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
from muniment.workflows.copies.keys import EVENTS, FOUNDATION, SETTINGS, TOMBSTONES, segment_key

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
    for seq, line in log_lines(archive, after):
        first = first or seq
        pieces.append(line)
        size += len(line)
        newest = seq
        if len(pieces) == _MOST_EVENTS or size >= _MOST_BYTES:
            _put_segment(store, name, first, b"".join(pieces))
            pieces, size, first = [], 0, 0
    if pieces:
        _put_segment(store, name, first, b"".join(pieces))
    return newest


def _put_segment(store: Store, name: str, first: int, lines: bytes) -> None:
    key = segment_key(first)
    try:
        _prove(store, [put_bytes(store, key, lines, _WARM)])
    except KeyTaken:
        # A run that ended before it could note how far it had come.
        there = read_bytes(store, key, _LARGEST_SEGMENT)
        if there == lines:
            return
        if not there.endswith(b"\n") or not lines.startswith(there):
            _put_again(store, name, key, lines, there)
            return
        following = first + there.count(b"\n")
        _put_segment(store, name, following, lines[len(there) :])


def _put_again(store: Store, name: str, key: str, lines: bytes, there: bytes) -> None:
    """Events that do not agree: put anew if those there are damaged, refused if they are another history's."""
    try:
        for line in there.splitlines():
            json.loads(line)
    except ValueError:
        with contextlib.suppress(ChangeRefused):
            entry = Entry(LogicalPath.parse(key), len(lines))
            _prove(store, [store.replace(key, entry, lambda: io.BytesIO(lines))])
            return
    reason = f"its log has other events in {key} than this archive: one of the two was restored from an older state"
    raise WrongStore(name=name, address=str(store), reason=reason)


def events_of(store: Store) -> list[str]:
    """The keys of all events in a store, in the order of their numbers."""
    return [each.key for each in store.list(f"{EVENTS}/")]


def _extensions(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in sorted(root.glob("objects/extensions/*/*.json"))]


def _prove(store: Store, receipts: list[Receipt]) -> None:
    if receipts:
        store.flush()
        for receipt in receipts:
            store.check(receipt)
