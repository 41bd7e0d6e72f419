"""The log's mirror: a second copy of its files below `parity/`, from which damaged lines are read and repaired.

It is appended to after the log's own bytes are on stable storage and is not synced itself: a power cut may
leave it behind the log, never ahead, and what is missing is caught up by the next append or opening. So where
it holds more than the log, the log has lost something. In worm mode, where no file is written twice, each file of
the mirror is synced and then given its place by a rename.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from muniment.archive.disk.durable import (
    NEW_FILE,
    make_folder,
    rename,
    replace_file,
    sync_folder,
    write_all,
    write_file,
)
from muniment.archive.eventlog.files import LogFiles, last_whole_line, opened
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.content.events import Event
from muniment.content.regular import read_regular, regular_size
from muniment.errors.archive import ReadFailed
from muniment.errors.base import StorageError

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Mirror:
    """The mirror of one log. What cannot be written to it is left for later; the log itself never depends on it."""

    def __init__(self, folder: Path, scratch: Path, *, one_each: bool) -> None:
        self._folder = folder
        self._scratch = scratch
        self._one_each = one_each
        self.files = LogFiles(folder, one_each=one_each)

    def of(self, path: Path) -> Path:
        """The mirror of one of the log's files."""
        return self._folder.joinpath(*path.parts[-2:])

    def is_level(self, path: Path) -> bool:
        """Whether a file of the log and its mirror have the same size."""
        return regular_size(path) == regular_size(self.of(path))

    def append(self, path: Path, size: int, lines: Sequence[bytes]) -> None:
        """Copy lines that were appended to a file of the log when that had `size` bytes."""
        mirror = self.of(path)
        with contextlib.suppress(OSError, StorageError):
            if not size:
                make_folder(mirror.parent)
            if not size and self._one_each:
                self._place_whole(mirror, b"".join(lines))
                return
            descriptor = os.open(mirror, _APPEND if size else NEW_FILE | os.O_APPEND, 0o644)
            try:
                if os.fstat(descriptor).st_size == size:
                    write_all(descriptor, b"".join(lines))
            finally:
                os.close(descriptor)

    def catch_up(self, path: Path) -> None:
        """Append the whole lines a file of the log has more than its mirror; one that differs stays as it is."""
        mirror = self.of(path)
        with contextlib.suppress(OSError, StorageError):
            own = read_regular(path)
            whole = own[: own.rfind(b"\n") + 1]
            size = regular_size(mirror)
            if size is None:
                make_folder(mirror.parent)
            elif not whole.startswith(read_regular(mirror)):
                return
            if size is None and self._one_each:
                self._place_whole(mirror, whole)
                return
            descriptor = os.open(mirror, NEW_FILE | os.O_APPEND if size is None else _APPEND, 0o644)
            try:
                write_all(descriptor, whole[size or 0 :])
            finally:
                os.close(descriptor)

    def _place_whole(self, mirror: Path, data: bytes) -> None:
        """Give a mirror its place whole or not at all: a file that is never written again cannot be caught up later."""
        make_folder(self._scratch)
        fresh = self._scratch / f"events-mirror-{secrets.token_hex(8)}"
        write_file(fresh, data, sync=True)
        rename(fresh, mirror)

    def fill(self, own: Iterable[Path], lines: Mapping[int, bytes]) -> None:
        """Take in events by their number, each line without its end, that neither log nor mirror has whole.

        `own` are the files of the log. A line goes into the file whose numbers it lies among, else into a new one.

        Raises:
            DiskFull, WriteFailed: The storage refused; each file is as it was or whole.
        """
        places = {int(path.stem): path for path in (*self.files.all(), *(self.of(path) for path in own))}
        logs = {self.of(path): path for path in own}
        held = {path: _newest_in(path, logs.get(path)) for path in places.values()}
        fresh: dict[Path, dict[int, bytes]] = {}
        for number, line in sorted(lines.items()):
            first = max((each for each in places if each <= number), default=0)
            place = places.get(first)
            grows = place is not None and place.parent == self.files.bucket(number)
            grows = grows and (not self._one_each or (place in fresh and place not in logs))
            if place is None or not (number <= held[place] or grows):
                place = places[number] = self.files.place(number)
            held[place] = max(number, held.get(place, 0))
            fresh.setdefault(place, {})[number] = line
        make_folder(self._scratch)
        for place, taken in fresh.items():
            known = {**_numbered(logs.get(place)), **_numbered(place), **taken}
            make_folder(place.parent)
            replace_file(place, b"".join(known[number] + b"\n" for number in sorted(known)), scratch=self._scratch)
            sync_folder(place.parent)

    def line(self, path: Path, offset: int, seq: int | None) -> tuple[bytes, Event] | None:
        """The event that stands in a file of the log at `offset` by the mirror, or None where that cannot tell.

        `seq` is its number, where that is known.
        """
        found = next(self.lines(path, offset), None)
        return found if found and seq in {None, found[1].seq} else None

    def lines(self, path: Path, offset: int) -> Iterator[tuple[bytes, Event]]:
        """The whole events the mirror has of a file of the log from `offset` on; none where no line begins there."""
        mirror = self.of(path)
        if (regular_size(mirror) or 0) <= offset:
            return
        with contextlib.suppress(ReadFailed), opened(mirror) as file:
            file.seek(max(offset - 1, 0))
            if offset and file.read(1) != b"\n":
                return
            for line in file:
                found = event_of(line)
                if found:
                    yield found

    def last_line(self, path: Path) -> bytes:
        """The last whole line in the mirror of a file of the log, or nothing."""
        try:
            return last_whole_line(self.of(path))
        except ReadFailed:
            return b""


def _newest_in(*paths: Path | None) -> int:
    """The number of the last line in files of the same name: its own or, where no event tells it, by counting."""
    newest = 0
    for path in paths:
        data = _content(path)
        counted = int(path.stem) + data.count(b"\n") - 1 if path is not None else 0
        newest = max(newest, max(_by_number(data), default=counted))
    return newest


def _numbered(path: Path | None) -> dict[int, bytes]:
    """The whole events of a file by their numbers."""
    return {number: line for number, (line, event) in _by_number(_content(path)).items() if event}


def _content(path: Path | None) -> bytes:
    with contextlib.suppress(OSError):
        return read_regular(path) if path is not None else b""
    return b""


def merged(own: bytes, mirrored: bytes, first: int, following: str = "") -> bytes:
    """A file of the log made whole from its own bytes and those of its mirror; `first` is its first event's number.

    `following` is the hash that the first event of the next file holds, where there is one.

    Of two lines that differ, that one is right whose hash the line after it holds, and of the newest the one
    that holds the hash of a line before; where that does not tell either, the log's own. A line that is an
    event in neither stays as the log has it.
    """
    ours = {number: found for number, found in _by_number(own).items() if number >= first}
    theirs = {number: found for number, found in _by_number(mirrored).items() if number >= first and found[1]}
    kept: list[bytes] = []
    expected = following
    for number in range(max((*ours, *theirs), default=0), first - 1, -1):
        candidates = [lines[number] for lines in (ours, theirs) if number in lines]
        before = {line_hash(lines[number - 1][0]) for lines in (ours, theirs) if number - 1 in lines}
        choices = (
            [found for found in candidates if line_hash(found[0]) == expected],
            [found for found in candidates if found[1] and found[1].previous in before],
            [found for found in candidates if found[1]],
            candidates,
        )
        best = next((choice[0] for choice in choices if choice), None)
        if best is not None:
            line, event = best
            expected = event.previous if event else ""
            kept.append(line + b"\n")
    return b"".join(reversed(kept))


def _by_number(data: bytes) -> dict[int, tuple[bytes, Event | None]]:
    """Whole lines by number: their own, or for a damaged one the number its place gives it."""
    found: dict[int, tuple[bytes, Event | None]] = {}
    number = 0
    unplaced: list[bytes] = []
    for line in data.split(b"\n")[:-1]:
        read = event_of(line + b"\n")
        if read is None:
            number += 1
            if found:
                found[number] = (line, None)
            else:
                unplaced.append(line)
            continue
        number = read[1].seq
        for back, bad in enumerate(reversed(unplaced), 1):
            found[number - back] = (bad, None)
        unplaced.clear()
        found[number] = read
    return found
