"""The archive's log: append-only JSON lines, each holding the hash of the line before.

Events lie in `events/<bucket>/<first number>.jsonl`, ten thousand numbers to a bucket. An archive in
worm mode writes one new file for each commit and never touches it again; the others append to the
bucket's file. A line that a crash left without its end is not an event.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from muniment.archive.durable import (
    make_folder,
    rename,
    sync_folder,
    write_all,
    write_file,
    writing,
)
from muniment.archive.locks import exclusive
from muniment.archive.places import Places
from muniment.archive.times import now
from muniment.errors.archive import DamagedRecord

BUCKET = 10_000
FIRST = "0" * 64
"""What stands in `previous` of the first event."""

_TAIL = 65_536


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log; `event` is a PREMIS event type, `outcome` is `success` or `failure`."""

    event: str
    agent: str
    project: str = ""
    resource: str = ""
    instance: int = 0
    outcome: str = "success"
    detail: dict[str, Any] = field(default_factory=dict)
    transaction: str = ""
    seq: int = 0
    timestamp: str = ""
    previous: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data, number and time first."""
        record = asdict(self)
        return {name: record[name] for name in _ORDER if record[name] not in ("", {}, 0)}

    def as_line(self) -> bytes:
        """The event as the log holds it, without the line's end."""
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


_ORDER = (
    "seq",
    "timestamp",
    "event",
    "project",
    "resource",
    "instance",
    "outcome",
    "agent",
    "transaction",
    "detail",
    "previous",
)


def parse_event(line: bytes) -> Event:
    """An event from its line.

    Raises:
        ValueError, TypeError: The line is not an event.
    """
    record = json.loads(line)
    if not isinstance(record, dict) or not isinstance(record.get("seq"), int):
        message = "not an event"
        raise TypeError(message)
    return Event(**record)


def line_hash(line: bytes) -> str:
    """What the next event's `previous` must be."""
    return hashlib.sha256(line).hexdigest()


class EventLog:
    """The log of one archive; every process may append, one at a time."""

    def __init__(self, places: Places, *, worm: bool) -> None:
        self._places = places
        self._worm = worm

    def append(self, drafts: Iterable[Event]) -> list[Event]:
        """Number, chain and store the drafts; on return they are on stable storage.

        Raises:
            DiskFull, WriteFailed: The storage refused; no draft is in the log.
        """
        with exclusive(self._places.locks / "events"):
            mended = self._mend()
            last, previous = self._last()
            lines: list[bytes] = []
            events: list[Event] = []
            for draft in (*mended, *drafts):
                stamp = max(now(), last.timestamp if last else "")
                event = replace(draft, seq=last.seq + 1 if last else 1, timestamp=stamp, previous=previous)
                line = event.as_line()
                previous, last = line_hash(line), event
                lines.append(line + b"\n")
                events.append(event)
            if lines:
                self._store(events, lines)
        return events[len(mended) :]

    def read(self, start: int | str = 0) -> Iterator[Event]:
        """Events strictly after a number or a time, oldest first; an unfinished last line is left out.

        Raises:
            DamagedRecord: A finished line is not an event.
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
        for path in self._files_from(start):
            with path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield path, line[:-1]

    def files(self) -> list[Path]:
        """Every file of the log, oldest first."""
        return [path for bucket in self._buckets() for path in _segments(bucket)]

    def torn(self) -> Path | None:
        """The log's last file, when its last line is unfinished."""
        path = self._last_file()
        return path if path and path.stat().st_size and not _ends_whole(path) else None

    def mentions(self, transaction: str, since: str) -> bool:
        """Whether an event of this transaction, begun at the time `since`, is in the log."""
        if any(event.transaction == transaction for event in self.read(since)):
            return True
        # The clock may have been set back meanwhile, and the log's newest time may be ahead of it.
        return now() <= since and any(event.transaction == transaction for event in self.read())

    def head(self) -> int:
        """The number of the newest event, 0 for an empty log."""
        last, _ = self._last()
        return last.seq if last else 0

    def mend(self) -> None:
        """Set an unfinished last line aside; appending does it too."""
        if self.torn():
            self.append(())

    def _buckets(self) -> list[Path]:
        try:
            names = sorted(entry.name for entry in os.scandir(self._places.events) if entry.is_dir())
        except FileNotFoundError:
            return []
        return [self._places.events / name for name in names if name.isdigit()]

    def _last_file(self) -> Path | None:
        for bucket in reversed(self._buckets()):
            segments = _segments(bucket)
            if segments:
                return segments[-1]
        return None

    def _last(self) -> tuple[Event | None, str]:
        """The newest event and the hash of its line."""
        path = self._last_file()
        while path:
            line = _last_whole_line(path)
            if line:
                try:
                    return parse_event(line), line_hash(line)
                except (ValueError, TypeError) as error:
                    raise DamagedRecord(path=path, reason=f"its last line is not an event ({error})") from error
            files = self.files()
            position = files.index(path)
            path = files[position - 1] if position else None
        return None, FIRST

    def _files_from(self, start: int | str) -> list[Path]:
        if isinstance(start, int):
            first_bucket = f"{start // BUCKET:08d}"
            files = [path for bucket in self._buckets() if bucket.name >= first_bucket for path in _segments(bucket)]
            position = bisect_right([int(path.stem) for path in files], start)
            return files[max(position - 1, 0) :]
        files = self.files()
        low, high = 0, len(files)
        while low < high:
            middle = (low + high) // 2
            first = _first_event(files[middle])
            if first is not None and first.timestamp <= start:
                low = middle + 1
            else:
                high = middle
        return files[max(low - 1, 0) :]

    def _mend(self) -> list[Event]:
        path = self.torn()
        if path is None or self._worm:
            return []
        data = path.read_bytes()
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

    def _store(self, events: list[Event], lines: list[bytes]) -> None:
        first = events[0].seq
        bucket = self._places.events / f"{first // BUCKET:08d}"
        make_folder(bucket)
        with os.scandir(bucket) as entries:
            empty = next(entries, None) is None
        if empty:
            # Before there is an event in it: afterwards a refusal would come too late.
            sync_folder(self._places.events)
        segments = [] if self._worm else _segments(bucket)
        if segments:
            _append(segments[-1], b"".join(lines))
            return
        make_folder(self._places.scratch)
        fresh = self._places.scratch / f"events-{secrets.token_hex(8)}"
        write_file(fresh, lines, sync=True)
        _publish(fresh, bucket / f"{first:012d}.jsonl")


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


def _segments(bucket: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(bucket) if name.endswith(".jsonl"))
    except FileNotFoundError:
        return []
    return [bucket / name for name in names]


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _last_whole_line(path: Path) -> bytes:
    """The last line of `path` that has its end, or nothing."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        reach = _TAIL
        while True:
            file.seek(max(size - reach, 0))
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            _, found, last = whole[:-1].rpartition(b"\n")
            if found or reach >= size:
                return last if found or whole else b""
            reach *= 4


def _first_event(path: Path) -> Event | None:
    with path.open("rb") as file:
        line = file.readline()
    try:
        return parse_event(line)
    except (ValueError, TypeError):
        return None
