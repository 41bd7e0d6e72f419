"""Files of an archive at hand for a process that reads them by name: those of a bucket are fetched first, and kept."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from muniment.archive import Instance
from muniment.content import Entry
from muniment.errors.archive import DamagedFile, DamagedRecord, NotInBucket
from muniment.errors.distillery import BadScan
from muniment.errors.remote import PreviewsBusy

LARGEST = 256 << 20
"""Bytes of a file in a bucket that is fetched to be shown."""
_KEPT = 1 << 30
"""Bytes that are kept of what was fetched: the parts of one picture are asked for one after another."""
_AT_ONCE = 3
_PIECE = 1 << 20


@dataclass(slots=True)
class _Fetched:
    """A file that was fetched or is being so; `used` counts who reads it now."""

    path: Path
    size: int
    used: int = 0
    whole: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class FetchedFiles:
    """What was fetched lately, in a folder of this process. Thread-safe."""

    def __init__(self, kept: int = _KEPT, largest: int = LARGEST) -> None:
        """Keep `kept` bytes at the most, and fetch no file larger than `largest`."""
        self._most, self._largest = kept, largest
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._known: OrderedDict[str, _Fetched] = OrderedDict()
        self._lock = threading.Lock()
        self._fetching = threading.BoundedSemaphore(_AT_ONCE)
        self._number = 0

    @contextlib.contextmanager
    def open(self, found: Instance, entry: Entry) -> Iterator[Path]:
        """Where a file can be read for as long as the context lasts.

        Raises:
            BadScan: It lies in a bucket and is too large, or not what was recorded.
            PreviewsBusy: Too many are being fetched.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be fetched.
            OSError: It could not be written.
        """
        try:
            place = found.location(entry.path)
        except NotInBucket:
            size = entry.size or 0
            if size > self._largest:
                raise BadScan(name=entry.path, reason=f"it lies in a bucket and has {size} bytes") from None
        else:
            yield place
            return
        with self._kept_file(found, entry) as place:
            yield place

    @contextlib.contextmanager
    def _kept_file(self, found: Instance, entry: Entry) -> Iterator[Path]:
        known = self._take(f"{found.root} {found.place(entry.path)}", entry.size or 0)
        try:
            with known.lock:
                if not known.whole:
                    self._fetch(found, entry, known.path)
                    known.whole = True
            yield known.path
        finally:
            with self._lock:
                known.used -= 1
                self._let_go()

    def _take(self, key: str, size: int) -> _Fetched:
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="muniment-shown-")
            if key not in self._known:
                self._number += 1
                self._known[key] = _Fetched(Path(self._folder.name, str(self._number)), size)
            known = self._known[key]
            self._known.move_to_end(key)
            known.used += 1
            return known

    def _fetch(self, found: Instance, entry: Entry, path: Path) -> None:
        if not self._fetching.acquire(blocking=False):
            raise PreviewsBusy
        try:
            with found.open(entry.path) as source, path.open("wb") as target:
                self._copy(source, target, entry)
        except (DamagedFile, DamagedRecord):
            raise BadScan(name=entry.path, reason="it is not what was recorded") from None
        finally:
            self._fetching.release()

    def _copy(self, source: BinaryIO, target: BinaryIO, entry: Entry) -> None:
        size = 0
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > self._largest:
                raise BadScan(name=entry.path, reason="it is longer than was recorded")
            target.write(piece)

    def _let_go(self) -> None:
        """Remove what was used longest ago, and what did not come whole; the lock is held."""
        for key, each in list(self._known.items()):
            total = sum(known.size for known in self._known.values())
            if not each.used and (total > self._most or not each.whole):
                each.path.unlink(missing_ok=True)
                del self._known[key]

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            self._known.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None
