"""The archive's log: append-only JSON lines, each holding the hash of the line before.

An archive in worm mode writes one new file for each commit and never touches it again; the others
append to the newest until its bucket is full (`files`). A line that a crash left without its end is not an
event. A line that is damaged is read from the mirror (`mirror`); where that has none either, an event that
says so stands in for it, and the work goes on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from muniment.archive.disk.durable import (
    make_folder,
    rename,
    replace_file,
    sync_folder,
    write_all,
    write_file,
    writing,
)
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.locks import exclusive, held_if_possible
from muniment.archive.eventlog.files import LogFiles, ends_whole, last_whole_line, opened, seek
from muniment.archive.eventlog.group_commit import GroupCommit
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.mirror import Mirror, merged
from muniment.content.events import UNREADABLE, Event, Head
from muniment.content.regular import read_regular
from muniment.content.times import now
from muniment.errors.archive import ReadFailed

FIRST = "0" * 64
"""What stands in `previous` of the first event."""


class _Last(NamedTuple):
    """The newest event, the hash of its line, and whether the log's last file ends with that line, undamaged."""

    event: Event
    hash: str
    whole: bool


class Difference(NamedTuple):
    """A file of the log that is not as its mirror, and in words how."""

    path: Path
    how: str


class EventLog:
    """The log of one archive; every process may append, one at a time."""

    def __init__(self, layout: ArchiveLayout, *, worm: bool) -> None:
        self._layout = layout
        self._worm = worm
        self._files = LogFiles(layout.events, one_each=worm)
        self._mirror = Mirror(layout.log_mirror, layout.scratch, one_each=worm)
        self._known: tuple[tuple[Path, int, int, int], _Last] | None = None
        self._group = GroupCommit(self._append_all)
        self._settled: Head | None = None

    def append(self, drafts: Iterable[Event]) -> list[Event]:
        """Number, chain and store the drafts; on return they are on stable storage.

        Each gets the time the clock says now, also where an event before has a later one. Threads that append
        at the same moment share the flush.

        Raises:
            DiskFull, WriteFailed: The storage refused; no draft is in the log.
        """
        return self._group.append(list(drafts))

    def _append_all(self, drafts: list[Event]) -> list[Event]:
        with exclusive(self._layout.locks / "events"):
            path = self._files.last()
            notes = self._recover_end(path)
            path = self._files.last() if notes else path
            last = self._last(path)
            lines, events = self._chained([*notes, *drafts], last)
            if lines:
                self._settled = _head(last)
                try:
                    place = self._store(path, events[0].seq, lines)
                finally:
                    self._settled = None
                self._known = (_state(place), _Last(events[-1], line_hash(lines[-1][:-1]), whole=True))
        return events[len(notes) :]

    @staticmethod
    def _chained(drafts: Iterable[Event], last: _Last | None) -> tuple[list[bytes], list[Event]]:
        """Number the drafts and chain them to the newest event; their lines and events."""
        seq, previous, latest = (0, FIRST, "")
        if last:
            seq, previous = last.event.seq, last.hash
            latest = max(last.event.timestamp, last.event.latest)
        lines: list[bytes] = []
        events: list[Event] = []
        for draft in drafts:
            stamp = now()
            seq += 1
            event = replace(draft, seq=seq, timestamp=stamp, latest=latest if latest > stamp else "", previous=previous)
            line = event.as_line()
            previous, latest = line_hash(line), max(latest, stamp)
            lines.append(line + b"\n")
            events.append(event)
        return lines, events

    def read(self, start: int | str = 0) -> Iterator[Event]:
        """Events strictly after a number or a time, in the order of their numbers, without an unfinished last line.

        For a line that is damaged and cannot be had from the mirror comes an event `UNREADABLE`.
        """
        for _, _, event in self.entries(start):
            if event.seq > start if isinstance(start, int) else event.timestamp > start or event.event == UNREADABLE:
                yield event

    def lines(self, start: int | str = 0) -> Iterator[tuple[Path, bytes]]:
        """Whole lines as they lie in the log, with their file, beginning at or before `start`.

        A file that cannot be read is passed over: `differences` names it.
        """
        for path, _, line in self._raw(start):
            if line.endswith(b"\n"):
                yield path, line[:-1]

    def files(self) -> list[Path]:
        """Every file of the log, oldest first."""
        return list(self._files.all())

    def torn(self) -> Path | None:
        """The log's last file, when its last line is unfinished."""
        path = self._files.last()
        return path if path and not ends_whole(path) else None

    def mentions(self, transaction: str, after: int) -> bool:
        """Whether an event of this transaction is in the log, whose head was `after` when it began.

        Looked for from the end, and never by time: clocks are set back.
        """
        if after > self.head().seq:
            # The log was lost and begun anew since; its numbers say nothing about this transaction.
            after = 0
        wanted = transaction.encode("utf-8")
        for path in reversed(list(self._files.past(after))):
            for place in (path, self._mirror.of(path)):
                with contextlib.suppress(ReadFailed), opened(place) as file:
                    seek(file, after)
                    if any(wanted in line and _is_of(line, transaction) for line in file):
                        return True
        return False

    def head(self) -> Head:
        """The newest event's number and the hash of its line; number 0 for an empty log."""
        return _head(self._last(self._files.last()))

    def settled_head(self) -> Head:
        """As `head`, but not of what is just being appended: that may be taken back yet."""
        settled = self._settled
        if settled is not None:
            # A thread of this process has the lock: so this is all that is in the log for good. Who waited for it
            # here could not be there when it writes for all that wait.
            return settled
        with held_if_possible(self._layout.locks / "events"):
            return self.head()

    def hash_at(self, seq: int) -> str | None:
        """The hash of the line of event `seq`, or None where the log does not reach so far or the line is damaged."""
        for line, _, event in self.entries(seq - 1):
            if event.seq >= seq:
                return line_hash(line) if event.seq == seq and event.event != UNREADABLE else None
        return None

    def recover(self) -> None:
        """Set an unfinished last line aside, and take from the mirror what the log lost at its end."""
        path = self._files.last()
        ahead = self._mirror.files.last()
        if ahead and (path is None or (ahead.parent.name, ahead.name) > (path.parent.name, path.name)):
            with exclusive(self._layout.locks / "events"):
                self._restore_files()
            path = self._files.last()
        if path and not self._is_whole(path, self._last(path)):
            self.append(())

    def differences(self) -> Iterator[Difference]:
        """Every file in which the log and its mirror are not the same, or that only one of them has."""
        own = {(path.parent.name, path.name) for path in self._files.all()}
        mirrored = {(path.parent.name, path.name) for path in self._mirror.files.all()}
        for bucket, name in sorted(own | mirrored):
            path = self._layout.events / bucket / name
            if (bucket, name) not in own:
                yield Difference(path, "only the mirror has it")
            elif (bucket, name) not in mirrored:
                yield Difference(path, "the mirror lacks it")
            elif how := _difference(path, self._mirror.of(path)):
                yield Difference(path, how)

    def repair(self) -> Iterator[Difference]:
        """Make log and mirror the same where they differ and it can be told what is right; says what was done.

        A file of the log that is replaced is kept in quarantine. In worm mode nothing of the log is replaced;
        files it lost are put back. What cannot be told apart stays as it is.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        with exclusive(self._layout.locks / "events"):
            yield from self._repair_files()

    def fill(self, lines: Mapping[int, bytes]) -> list[Difference]:
        """Take in lines by their numbers, each without its end, that others kept and that the chain of hashes proves.

        They go into the mirror, from which the log is repaired as by `repair`; in worm mode they stay there and are
        read from it. What was done is said of each file.

        Raises:
            DiskFull, WriteFailed: The storage refused; running it again goes on.
        """
        with exclusive(self._layout.locks / "events"):
            self._mirror.fill(self.files(), lines)
            return list(self._repair_files())

    def _repair_files(self) -> Iterator[Difference]:
        self._known = None
        yield from (Difference(path, "put back from the mirror") for path in self._restore_files())
        for path, _ in list(self.differences()):
            done = self._repair_file(path)
            if done:
                yield Difference(path, done)

    def _raw(self, start: int | str) -> Iterator[tuple[Path, int, bytes]]:
        """Lines with their file and the place in it they begin at."""
        for path in self._files.past(start):
            with contextlib.suppress(ReadFailed), opened(path) as file:
                seek(file, start)
                place = file.tell()
                for line in file:
                    yield path, place, line
                    place += len(line)

    def entries(self, start: int | str = 0) -> Iterator[tuple[bytes, Path, Event]]:
        """Every whole line from its better place, the log or the mirror, and its event, from `start` or before on."""
        for path in self._files.past(start):
            right = self._right_content(path) if self._worm else None
            if right is None:
                yield from self._effective_file(path, start)
            else:
                yield from _entries_of(right, path)

    def _right_content(self, path: Path) -> bytes | None:
        """What a file that nothing is repaired in should hold, by the chain of hashes; None where its own lines do.

        A line that was altered and is an event all the same looks right by itself: the one after it tells.
        """
        own, mirrored = _content(path), _content(self._mirror.of(path))
        if own is None or mirrored is None or own.startswith(mirrored) or mirrored.startswith(own):
            return None
        return merged(own, mirrored, int(path.stem), self._following(path))

    def _effective_file(self, path: Path, start: int | str) -> Iterator[tuple[bytes, Path, Event]]:
        seq: int | None = None
        place = 0
        with contextlib.suppress(ReadFailed), opened(path) as file:
            seek(file, start)
            place = file.tell()
            seq = None if place else int(path.stem) - 1
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                following = None if seq is None else seq + 1
                found = event_of(raw) or self._mirror.line(path, place, following)
                line, event = found or (raw[:-1], _stand_in(path, following))
                seq = event.seq or None
                yield line, path, event
                place += len(raw)
        # What the log lost behind this, the mirror may have.
        for line, event in self._mirror.lines(path, place):
            if event.seq > (seq or 0):
                yield line, self._mirror.of(path), event

    def _is_whole(self, path: Path, last: _Last | None) -> bool:
        return last is not None and last.whole and self._mirror.is_level(path)

    def _last(self, path: Path | None) -> _Last | None:
        """The newest event; `path` is the log's last file."""
        if path is None:
            return None
        state = _state(path)
        if self._known and self._known[0] == state:
            return self._known[1]
        found = self._last_in(path)
        if found and found.whole and _state(path) == state:
            self._known = (state, found)
        return found or self._last_before(path)

    def _last_in(self, path: Path) -> _Last | None:
        line = b""
        with contextlib.suppress(ReadFailed):
            line = last_whole_line(path)
            found = event_of(line + b"\n") if line else None
            if found:
                return _Last(found[1], line_hash(line), whole=ends_whole(path) and line == self._mirror.last_line(path))
        mirrored = event_of(self._mirror.last_line(path) + b"\n")
        if mirrored:
            return _Last(mirrored[1], line_hash(mirrored[0]), whole=False)
        last = None
        for read, _, event in self._effective_file(path, 0):
            last = _Last(event, line_hash(read), whole=False)
        if last is None and self._worm:
            # Its name stays taken: what is appended comes after it.
            last = _Last(_stand_in(path, int(path.stem)), line_hash(_content(path) or b""), whole=False)
        return last

    def _last_before(self, path: Path) -> _Last | None:
        files = self.files()
        position = files.index(path) if path in files else 0
        for earlier in reversed(files[:position]):
            found = self._last_in(earlier)
            if found:
                return found
        return None

    def _recover_end(self, path: Path | None) -> list[Event]:
        """Make the end of the log whole before something is appended; returns the events that say what was done.

        The caller holds the lock. `path` is the log's last file.
        """
        if path is None:
            return []
        if self._is_whole(path, self._last(path)):
            return []
        self._known = None
        if self._worm:
            self._mirror.catch_up(path)
            return []
        notes = []
        done = self._repair_file(path)
        if done and done != _CAUGHT_UP:
            notes.append(_note(f"a damaged file of the log was {done}", path=f"{path.parent.name}/{path.name}"))
        with contextlib.suppress(ReadFailed):
            if not ends_whole(path):
                notes.append(self._set_torn_line_aside(path))
        return notes

    def _restore_files(self) -> list[Path]:
        """Put back the files of the log that only the mirror has; in any mode, as nothing is replaced by it."""
        done = []
        for mirror in self._mirror.files.all():
            path = self._layout.events / mirror.parent.name / mirror.name
            if os.path.lexists(path):
                continue
            with contextlib.suppress(OSError):
                data = read_regular(mirror)
                whole = data[: data.rfind(b"\n") + 1]
                if whole:
                    self._put(path, [whole])
                    done.append(path)
        return done

    def _repair_file(self, path: Path) -> str:
        """Make one file and its mirror the same, where it can be told how; says what was done, or nothing."""
        mirror = self._mirror.of(path)
        mirrored = _content(mirror)
        own = _content(path)
        if own is not None and (mirrored is None or own.startswith(mirrored)):
            # A pipe or folder in the mirror's place stays there, and is named.
            self._mirror.catch_up(path)
            return _CAUGHT_UP
        right = merged(own or b"", mirrored or b"", int(path.stem), self._following(path))
        if right != own and not self._worm and right:
            self._set_file_aside(path)
            replace_file(path, right, scratch=self._scratch())
            sync_folder(path.parent)
            if right == mirrored:
                return "repaired from its mirror"
        if right != mirrored and not _is_chained(mirrored or b""):
            replace_file(mirror, right, scratch=self._scratch())
        return "repaired from its mirror" if right != own and not self._worm else ""

    def _following(self, path: Path) -> str:
        """The hash that the first event of the file after this one holds, or '' where that cannot be told."""
        files = self.files()
        after = files[files.index(path) + 1 :] if path in files else []
        if not after:
            return ""
        with contextlib.suppress(ReadFailed), opened(after[0]) as file:
            found = event_of(file.readline())
            return found[1].previous if found else ""
        return ""

    def _set_file_aside(self, path: Path) -> None:
        """Keep a damaged file, or what stands in its place, in quarantine too before it is replaced."""
        make_folder(self._layout.quarantine)
        kept = self._layout.quarantine / f"event-{path.stem}-{secrets.token_hex(4)}"
        if path.is_dir():
            rename(path, kept)
        elif os.path.lexists(path):
            with writing(kept):
                os.link(path, kept, follow_symlinks=False)

    def _set_torn_line_aside(self, path: Path) -> Event:
        with opened(path) as file:
            data = file.read()
        whole = data.rfind(b"\n") + 1
        fragment = data[whole:]
        make_folder(self._layout.quarantine)
        kept = self._layout.quarantine / f"event-{path.stem}-{secrets.token_hex(4)}"
        write_file(kept, fragment, sync=True)
        with writing(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, whole)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return _note("an unfinished line of the log was set aside", quarantine=kept.name)

    def _store(self, last: Path | None, first: int, lines: list[bytes]) -> Path:
        """Put lines, the first of them with the number `first`, behind those of `last`, the log's last file."""
        bucket = self._files.bucket(first)
        if last and last.parent == bucket and not self._worm:
            size = _append(last, b"".join(lines))
            self._mirror.append(last, size, lines)
            return last
        place = self._files.place(first)
        make_folder(bucket)
        if last is None or last.parent != bucket:
            # Before there is an event in it: afterwards a refusal would come too late.
            sync_folder(self._layout.events)
        self._put(place, lines)
        self._mirror.append(place, 0, lines)
        return place

    def _put(self, place: Path, lines: list[bytes]) -> None:
        """Give a new file of the log its name, or leave no trace of it when that cannot be made to last."""
        make_folder(place.parent)
        fresh = self._scratch() / f"events-{secrets.token_hex(8)}"
        write_file(fresh, lines, sync=True)
        try:
            rename(fresh, place)
            sync_folder(place.parent)
        except BaseException:
            for each in (fresh, place):
                with contextlib.suppress(OSError):
                    os.unlink(each)
            raise

    def _scratch(self) -> Path:
        make_folder(self._layout.scratch)
        return self._layout.scratch


def _head(last: _Last | None) -> Head:
    return Head(last.event.seq, last.hash) if last else Head(0, FIRST)


def _state(path: Path) -> tuple[Path, int, int, int]:
    """What tells whether a file was changed since it was looked at."""
    try:
        status = path.lstat()
    except OSError:
        return path, 0, 0, 0
    return path, status.st_ino, status.st_size, status.st_mtime_ns


_CAUGHT_UP = "copied to its mirror"


def _entries_of(content: bytes, path: Path) -> Iterator[tuple[bytes, Path, Event]]:
    """The lines of a file of the log with their events, where `content` is what it should hold."""
    for number, line in enumerate(content.split(b"\n")[:-1], int(path.stem)):
        found = event_of(line + b"\n")
        yield line, path, found[1] if found else _stand_in(path, number)


def _note(note: str, **detail: str) -> Event:
    return Event("recovery", "muniment", detail={"note": note, **detail})


def _stand_in(path: Path, seq: int | None) -> Event:
    """The event that stands in for a line that cannot be read anywhere."""
    detail = {"note": f"a line of {path.parent.name}/{path.name} is damaged, and so is its mirror's"}
    return Event(UNREADABLE, "muniment", outcome="failure", detail=detail, seq=seq or 0)


def _append(path: Path, data: bytes) -> int:
    """Append at once, and take back what was written of it when the storage refuses; returns the size before."""
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            size = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
                    os.fsync(descriptor)
                raise
        finally:
            os.close(descriptor)
    return size


def _content(path: Path) -> bytes | None:
    """A file of the log in memory: it holds ten thousand events at most. None where it cannot be read."""
    try:
        return read_regular(path)
    except OSError:
        return None


def _difference(path: Path, mirror: Path) -> str:
    own, mirrored = _content(path), _content(mirror)
    if own is None:
        return "it cannot be read"
    if mirrored is None:
        return "its mirror cannot be read"
    if own == mirrored:
        return ""
    both = zip(own.split(b"\n"), mirrored.split(b"\n"), strict=False)
    line = next((number for number, (one, two) in enumerate(both) if one != two), 0)
    return f"log and mirror differ from event {int(path.stem) + line} on"


def _is_chained(data: bytes) -> bool:
    """Whether every line is an event that holds the hash of the line before."""
    previous = ""
    for line in data.split(b"\n")[:-1]:
        found = event_of(line + b"\n")
        if found is None or previous not in {"", found[1].previous}:
            return False
        previous = line_hash(line)
    return data.endswith(b"\n")


def _is_of(line: bytes, transaction: str) -> bool:
    found = event_of(line)
    return found is not None and found[1].transaction == transaction
