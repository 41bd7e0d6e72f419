"""The files of the log, and of its mirror: where they lie, and finding a place in them.

Events lie in `events/<bucket>/<first number>.jsonl`, ten thousand numbers to a bucket, so that a name
says which event a file begins with, and names sort as numbers do.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from muniment.content.regular import open_regular
from muniment.errors.archive import ReadFailed

BUCKET = 10_000

_TAIL = 65_536
_LATE = "~"
_SUFFIX = ".jsonl"
_BUCKET_NAME = re.compile(r"[0-9]{8}", re.ASCII)
_FILE_NAME = re.compile(rf"[0-9]{{12}}\{_SUFFIX}", re.ASCII)


class LogFiles:
    """The files below the folder of one log. With `one_each`, every append makes a new one."""

    def __init__(self, folder: Path, *, one_each: bool) -> None:
        self._folder = folder
        self._one_each = one_each
        self._known: Path | None = None

    def bucket(self, number: int) -> Path:
        """The folder of the file that begins with this event."""
        return self._folder / f"{number // BUCKET:08d}"

    def place(self, number: int) -> Path:
        """The file that begins with this event."""
        return self.bucket(number) / _name(number)

    def all(self) -> Iterator[Path]:
        """Every file, oldest first."""
        for bucket in self._buckets():
            yield from _files(bucket)

    def last(self) -> Path | None:
        """The newest file, or None where there is none."""
        path = self._known if self._one_each and self._known and self._known.exists() else self._listed()
        # A folder of thousands takes long to list: from one file on, each names the next.
        while path and (following := self._following(path)):
            path = following
        self._known = path
        return path

    def past(self, start: int | str) -> Iterator[Path]:
        """The files in which all events past a number or a time stand, and at most one before them."""
        buckets = self._buckets()
        if isinstance(start, int):
            first = bisect_right([bucket.name for bucket in buckets], self.bucket(start).name) - 1
            # Events appended at once lie together, so those past `start` may begin in the bucket before.
            while first > 0 and _first_name(buckets[first]) > _name(start):
                first -= 1
        else:
            first = bisect_right(buckets, start, key=lambda bucket: _time_of(bucket / _first_name(bucket))) - 1
        here, *later = buckets[max(first, 0) :] or [self._folder]
        files = _files(here)
        if isinstance(start, int):
            skipped = bisect_right(files, _name(start), key=lambda path: path.name) - 1
        else:
            skipped = bisect_right(files, start, key=_time_of) - 1
        yield from files[max(skipped, 0) :]
        for bucket in later:
            yield from _files(bucket)

    def _buckets(self) -> list[Path]:
        return [self._folder / name for name in self._bucket_names()]

    def _bucket_names(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ReadFailed(path=self._folder, reason=error.strerror) from error
        return [name for name in names if _BUCKET_NAME.fullmatch(name)]

    def _listed(self) -> Path | None:
        known = self._known
        for bucket in reversed(self._bucket_names()):
            name = max(_names(f"{self._folder}/{bucket}"), default="")
            if name:
                same = known is not None and known.parts[-2:] == (bucket, name)
                return known if same else self._folder.joinpath(bucket, name)
        return None

    def _following(self, path: Path) -> Path | None:
        if not self._one_each:
            return None
        try:
            following = self.place(json.loads(last_whole_line(path))["seq"] + 1)
        except (ReadFailed, ValueError, TypeError, KeyError, RecursionError):
            return None
        # Of files that were exchanged one leads back to the other.
        return following if following.exists() and following.name > path.name else None


def _name(first: int) -> str:
    return f"{first:012d}{_SUFFIX}"


_LAST = _name(10**12 - 1)


def _names(bucket: str | Path) -> list[str]:
    try:
        return [name for name in os.listdir(bucket) if _FILE_NAME.fullmatch(name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadFailed(path=bucket, reason=error.strerror) from error


def _files(bucket: Path) -> list[Path]:
    return [bucket / name for name in sorted(_names(bucket))]


def _first_name(bucket: Path) -> str:
    """The name of a bucket's first file; of an empty one, a name later than any."""
    return min(_names(bucket), default=_LAST)


def _time_of(path: Path) -> str:
    """The latest time up to the first event in a file; where that cannot be told, later than anything."""
    try:
        with opened(path) as file:
            return _latest(json.loads(file.readline()))
    except (ReadFailed, ValueError, TypeError, KeyError, RecursionError):
        return _LATE


def _latest(record: Any) -> str:
    """The latest time of all events up to this one: what times are searched by, as those never fall."""
    return max(str(record["timestamp"]), str(record.get("latest", "")))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of the log, to read.

    Raises:
        ReadFailed: The storage did not give it.
    """
    try:
        with open_regular(path) as raw, io.BufferedReader(raw) as file:
            yield file
    except OSError as error:
        raise ReadFailed(path=path, reason=error.strerror) from error


def ends_whole(path: Path) -> bool:
    """Whether the file's last line has its end.

    Raises:
        ReadFailed: The storage did not say.
    """
    with opened(path) as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def last_whole_line(path: Path) -> bytes:
    """The last line of `path` that has its end, or nothing.

    Raises:
        ReadFailed: The storage did not give it.
    """
    with opened(path) as file:
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


def seek(file: BinaryIO, start: int | str) -> None:
    """Move to the beginning of a line, not far before the first event past a number or a time."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _TAIL and start:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        place = file.tell()
        try:
            past = place >= high or _is_past(json.loads(file.readline()), start)
        except (ValueError, TypeError, KeyError, RecursionError):
            break
        if past:
            high = middle
        else:
            low = place
    file.seek(low)


def _is_past(record: Any, start: int | str) -> bool:
    return bool(record["seq"] > start if isinstance(start, int) else _latest(record) > start)
