"""The files of the log in a store: which there are, what belongs in each, and putting what came since.

A file begins with the event its name says. The last one is written anew with what came, until it has so many bytes that
a new one is begun: a store then has no more files than its log has such pieces, however often something was put. Where
nothing can be changed (a tape), each time something is put makes a file.
"""

from __future__ import annotations

import contextlib
import io
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import islice

from muniment.archive import Archive, log_lines
from muniment.content import Entry, LogicalPath
from muniment.errors.copies import WrongStore
from muniment.errors.stores import ChangeRefused, KeyNotFound, KeyTaken
from muniment.stores import PutOptions, Receipt, Store, put_bytes, read_bytes
from muniment.workflows.copies.keys import EVENTS, segment_key, within

_WARM = PutOptions(warm=True)
_MOST_EVENTS = 10_000
_MOST_BYTES = 32 << 20
_LARGEST = 2 * _MOST_BYTES
FILLED = 64 << 10
"""Bytes from which on a file is not written anew: about two hundred events. More of them would be fewer files, but in a
bucket that keeps versions each writing leaves the former file there."""


def put_log(archive: Archive, store: Store, name: str, after: int) -> int:
    """Put the events after number `after`, exactly as they lie in the log; the number of the newest that is there now.

    The last file there is looked at as well, and is made whole where it has less than was noted.

    Raises:
        WrongStore: The store has other events under these numbers: the archive there has another history.
        DamagedRecord: A line of the log is damaged; what came before it is there.
        MunimentError: As `Store.put`.
    """
    if archive.head().seq <= after:
        return after
    into = _Segments(archive, store, name, log_generation(store))
    newest, pieces, size, first = after, list[bytes](), 0, 0
    for seq, line in log_lines(archive, into.begin(after) - 1):
        if pieces and (len(pieces) == _MOST_EVENTS or size >= _MOST_BYTES or seq in into.there):
            into.put(first, b"".join(pieces))
            pieces, size = [], 0
        if not pieces:
            first = seq
        pieces.append(line)
        size += len(line)
        newest = max(newest, seq)
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
    _Segments(archive, store, name, log_generation(store) + 1).put(seq, line)  # the one that counts from here on
    return put_log(archive, store, name, seq)


def keys_of_log(store: Store) -> list[str]:
    """The keys of the files of the log that counts, in the order of their events."""
    return [each.key for each in store.list(_folder(log_generation(store)))]


def segments(archive: Archive, store: Store, logged: int) -> Iterator[tuple[str, bytes, bytes]]:
    """Every file that a store should have of the log up to event `logged`: its key, its bytes, and what may follow.

    Only behind the last may something: it is being put just now.

    Raises:
        DamagedRecord: The archive's own log is damaged.
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    places = {_first_of(key): key for key in keys_of_log(store)}
    places.setdefault(1, within(log_generation(store), segment_key(1)))
    firsts = sorted(places)
    lines = log_lines(archive, 0)
    for first, after in zip(firsts, [*firsts[1:], logged + 1], strict=True):
        data = b"".join(line for _, line in islice(lines, max(0, after - first)))
        more = b"".join(line for _, line in islice(lines, _MOST_EVENTS)) if first == firsts[-1] else b""
        if data:
            yield places[first], data, more


LinesOf = Callable[[int], list[bytes]]
"""The lines, without their ends, that a store has of the event with a number."""


def log_lines_of(store: Store) -> LinesOf:
    """What gives the line of an event in a store, without its end; none where the store has it not, or damaged."""
    keys = keys_of_log(store)
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
                for each in read_bytes(store, keys[place], _LARGEST).splitlines():
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        held[int(json.loads(each)["seq"])] = each
        return [held[number]] if number in held else []

    return lines_of


class _Segments:
    """The files of one log in a store. `there` are those that may have to be gone on with: first event and bytes."""

    def __init__(self, archive: Archive, store: Store, name: str, generation: int) -> None:
        self._archive = archive
        self._store = store
        self._name = name
        self._generation = generation
        self.there: dict[int, int] = {}

    def begin(self, after: int) -> int:
        """The number of the event from which on to put, where those up to `after` were put before."""
        if not self._store.capabilities.replaces:
            return after + 1
        behind = within(self._generation, segment_key(max(0, after - _MOST_EVENTS)))
        found = self._store.list(_folder(self._generation), behind)
        self.there = {_first_of(each.key): each.size for each in found}
        first = max((number for number in self.there if number <= after + 1), default=0)
        if not first:
            return after + 1
        held = sum(len(line) for _, line in islice(log_lines(self._archive, first - 1), after + 1 - first))
        return after + 1 if held == self.there[first] and held >= FILLED else first

    def put(self, first: int, lines: bytes) -> None:
        """Put events from number `first` on, as far as they are not there."""
        key = within(self._generation, segment_key(first))
        if first not in self.there:
            with contextlib.suppress(KeyTaken):
                self._prove(put_bytes(self._store, key, lines, _WARM))
                return
        there = read_bytes(self._store, key, _LARGEST)
        if self._has_all(first, there, lines):
            return
        if not there.endswith(b"\n") or not lines.startswith(there):
            self._put_again(key, lines, there)
        elif self._store.capabilities.replaces and len(there) < FILLED:
            self._prove(self._replace(key, lines))
        else:
            self.put(first + there.count(b"\n"), lines[len(there) :])

    def _has_all(self, first: int, there: bytes, lines: bytes) -> bool:
        """Whether it has these lines; what it has behind them another process put, if it is of this log as well."""
        if len(there) <= len(lines):
            return there == lines
        log = islice(log_lines(self._archive, first - 1), there.count(b"\n"))
        return there.startswith(lines) and there == b"".join(line for _, line in log)

    def _put_again(self, key: str, lines: bytes, there: bytes) -> None:
        """Events that do not agree: put anew if those there are damaged, refused if they are another history's."""
        try:
            for line in there.splitlines():
                json.loads(line)
        except ValueError:
            with contextlib.suppress(ChangeRefused):
                self._prove(self._replace(key, lines))
                return
        reason = (
            f"its log has other events in {key} than this archive: one of the two was restored from an older state; if "
            f"this is the one to go on with, run `muniment store continue {self._name}`"
        )
        raise WrongStore(name=self._name, address=str(self._store), reason=reason)

    def _replace(self, key: str, lines: bytes) -> Receipt:
        return self._store.replace(key, Entry(LogicalPath.parse(key), len(lines)), lambda: io.BytesIO(lines), _WARM)

    def _prove(self, receipt: Receipt) -> None:
        self._store.flush()
        self._store.check(receipt)


def _folder(generation: int) -> str:
    return within(generation, f"{EVENTS}/")


def _first_of(key: str) -> int:
    """The number of the first event in a file of the log."""
    return int(key.rpartition("/")[2].partition(".")[0])
