"""The archive's log: append-only JSON lines, each holding the hash of the line before.

An archive in worm mode writes one new file for each commit and never touches it again; the others
append to the newest until its bucket is full (`log_files`). A line that a crash left without its end
is not an event.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from muniment.archive.disk.durable import (
    make_folder,
    rename,
    sync_folder,
    write_all,
    write_file,
    writing,
)
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.locks import exclusive
from muniment.archive.eventlog.files import LogFiles, ends_whole, last_whole_line, opened, seek
from muniment.content.events import Event, parse_event
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord

FIRST = "0" * 64
"""What stands in `previous` of the first event."""


def line_hash(line: bytes) -> str:
    """What the next event's `previous` must be."""
    return hashlib.sha256(line).hexdigest()


class EventLog:
    """The log of one archive; every process may append, one at a time."""

    def __init__(self, layout: ArchiveLayout, *, worm: bool) -> None:
        self._places = layout
        self._worm = worm
        self._files = LogFiles(layout.events, one_each=worm)

    def append(self, drafts: Iterable[Event]) -> list[Event]:
        """Number, chain and store the drafts; on return they are on stable storage.

        Raises:
            DiskFull, WriteFailed: The storage refused; no draft is in the log.
        """
        with exclusive(self._places.locks / "events"):
            path = self._files.last()
            torn = self._set_torn_line_aside(path)
            last, previous = self._last(path)
            lines: list[bytes] = []
            events: list[Event] = []
            for draft in (*torn, *drafts):
                stamp = max(now(), last.timestamp if last else "")
                event = replace(draft, seq=last.seq + 1 if last else 1, timestamp=stamp, previous=previous)
                line = event.as_line()
                previous, last = line_hash(line), event
                lines.append(line + b"\n")
                events.append(event)
            if lines:
                self._store(path, events[0].seq, lines)
        return events[len(torn) :]

    def read(self, start: int | str = 0) -> Iterator[Event]:
        """Events strictly after a number or a time, oldest first; an unfinished last line is left out.

        Raises:
            DamagedRecord: A finished line is not an event.
            ReadFailed: The storage did not give it.
        """
        for path, line in self.lines(start):
            try:
                event = parse_event(line)
            except (ValueError, TypeError) as error:
                raise DamagedRecord(path=path, reason=f"a line of it is not an event ({error})") from error
            if event.seq > start if isinstance(start, int) else event.timestamp > start:
                yield event

    def lines(self, start: int | str = 0) -> Iterator[tuple[Path, bytes]]:
        """Whole lines with the file they stand in, beginning at or before `start`."""
        for path in self._files.past(start):
            with opened(path) as file:
                seek(file, start)
                for line in file:
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
        if after > self.head():
            # The log was lost and begun anew since; its numbers say nothing about this transaction.
            after = 0
        wanted = transaction.encode("ascii")
        for path in reversed(list(self._files.past(after))):
            with opened(path) as file:
                seek(file, after)
                if any(wanted in line and _is_of(line, transaction) for line in file):
                    return True
        return False

    def head(self) -> int:
        """The number of the newest event, 0 for an empty log."""
        last, _ = self._last(self._files.last())
        return last.seq if last else 0

    def recover(self) -> None:
        """Set an unfinished last line aside; appending does it too."""
        if self.torn():
            self.append(())

    def _last(self, path: Path | None) -> tuple[Event | None, str]:
        """The newest event and the hash of its line; `path` is the log's last file."""
        while path:
            line = last_whole_line(path)
            if line:
                try:
                    return parse_event(line), line_hash(line)
                except (ValueError, TypeError) as error:
                    raise DamagedRecord(path=path, reason=f"its last line is not an event ({error})") from error
            files = self.files()
            position = files.index(path)
            path = files[position - 1] if position else None
        return None, FIRST

    def _set_torn_line_aside(self, path: Path | None) -> list[Event]:
        if self._worm or path is None or ends_whole(path):
            return []
        with opened(path) as file:
            data = file.read()
        whole = data.rfind(b"\n") + 1
        fragment = data[whole:]
        make_folder(self._places.quarantine)
        kept = self._places.quarantine / f"event-{path.stem}-{secrets.token_hex(4)}"
        write_file(kept, fragment, sync=True)
        with writing(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, whole)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        detail = {"note": "an unfinished line of the log was set aside", "quarantine": kept.name}
        return [Event("recovery", "muniment", detail=detail)]

    def _store(self, last: Path | None, first: int, lines: list[bytes]) -> None:
        """Put lines, the first of them with the number `first`, behind those of `last`, the log's last file."""
        bucket = self._files.bucket(first)
        if last and last.parent == bucket and not self._worm:
            _append(last, b"".join(lines))
            return
        make_folder(bucket)
        if last is None or last.parent != bucket:
            # Before there is an event in it: afterwards a refusal would come too late.
            sync_folder(self._places.events)
        make_folder(self._places.scratch)
        fresh = self._places.scratch / f"events-{secrets.token_hex(8)}"
        write_file(fresh, lines, sync=True)
        _publish(fresh, self._files.place(first))


def _publish(fresh: Path, target: Path) -> None:
    """Give a new file of the log its name, or leave no trace of it when that cannot be made to last."""
    try:
        rename(fresh, target)
        sync_folder(target.parent)
    except BaseException:
        for place in (fresh, target):
            with contextlib.suppress(OSError):
                os.unlink(place)
        raise


def _append(path: Path, data: bytes) -> None:
    """Append at once, and take back what was written of it when the storage refuses."""
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
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


def _is_of(line: bytes, transaction: str) -> bool:
    try:
        return line.endswith(b"\n") and parse_event(line).transaction == transaction
    except (ValueError, TypeError):
        return False
