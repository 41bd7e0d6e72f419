"""Pictures of files, made by processes of their own with limits: what was uploaded never reaches a browser by them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from muniment.content.regular import descriptor_of
from muniment.errors.base import MunimentError
from muniment.errors.distillery import ImagingFailed
from muniment.errors.remote import PreviewsBusy
from muniment.imaging import ImageProcess, ImagingLimits

SIDE = 1600
"""Pixels of the longer side of a preview."""
SMALL = 192
"""Pixels of the longer side of one in a strip."""
_PIXELS = 500_000_000
_PAGES = 5_000
_MEMORY = 1 << 30
_OUTPUT = 8 << 20
LOOK = ImagingLimits(_MEMORY, 5.0, _PIXELS, _PAGES, 1, _OUTPUT)
MAKE = ImagingLimits(_MEMORY, 10.0, _PIXELS, _PAGES, 1, _OUTPUT)
_WAITING = 4
"""Requests that may wait for one process. More are told to come again, so that the server's threads stay free."""


_STRIP = 24
"""As `_WAITING`, of the small ones of a strip: a browser asks for all in sight at once."""
_KEPT = 2000
"""Small ones that are kept, of a few kilobytes each: the same strip is looked at by many."""


class Previews:
    """Four processes: for looks at headers, so that no page waits for pictures, for pictures, small ones and tiles.

    Raises from every method:
        BadScan: It is no picture or PDF that is shown, or exceeds a limit.
        ImagingFailed: The process ended, or took too long.
        ExtraMissing, ImagingLibraryMissing: The imaging library is not installed.
        PreviewsBusy: Too many wait already.
        OSError: The file cannot be opened, or is no regular file.
    """

    def __init__(self, look: ImagingLimits = LOOK, make: ImagingLimits = MAKE) -> None:
        self._look, self._make = ImageProcess(look), ImageProcess(make)
        self._tiles, self._small = ImageProcess(make), ImageProcess(make)
        self._looking, self._making, self._tiling = (threading.BoundedSemaphore(_WAITING) for _ in range(3))
        self._strips = threading.BoundedSemaphore(_STRIP)
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, path: Path) -> tuple[int, int, int]:
        """What a file's header says: pages, and width and height in pixels or, of a PDF, in points."""
        os.close(descriptor_of(path))
        with _place(self._looking):
            return self._look.look(path)

    def picture(self, path: Path, page: int) -> bytes:
        """A JPEG of one page, counted from 1."""
        return self._made(self._making, self._make, path, page, SIDE)

    def small(self, path: Path, page: int, digest: str) -> bytes:
        """A small JPEG of one page, counted from 1, of the content that has this digest."""
        key = (digest, page)
        if (known := self.known(page, digest)) is not None:
            return known
        made = self._made(self._strips, self._small, path, page, SMALL)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def known(self, page: int, digest: str) -> bytes | None:
        """The small JPEG that `small` gives, where it is kept."""
        with self._lock:
            if not digest or (digest, page) not in self._kept:
                return None
            self._kept.move_to_end((digest, page))
            return self._kept[digest, page]

    @staticmethod
    def _made(places: threading.BoundedSemaphore, process: ImageProcess, path: Path, page: int, side: int) -> bytes:
        os.close(descriptor_of(path))
        with _place(places), TemporaryDirectory(prefix="muniment-preview-") as folder:
            made = Path(folder, "preview.jpg")
            process.preview(path, page - 1, made, side=side)
            with made.open("rb") as file:
                return file.read(_OUTPUT)

    def tile(self, path: Path, page: int, box: tuple[int, int, int, int], wide: int) -> bytes:
        """A JPEG of a part of one page, counted from 1: left, top, width and height, `wide` pixels wide."""
        os.close(descriptor_of(path))
        with _place(self._tiling), TemporaryDirectory(prefix="muniment-preview-") as folder:
            made = Path(folder, "tile.jpg")
            self._tiles.region(path, page - 1, made, box=box, wide=wide)
            with made.open("rb") as file:
                return file.read(_OUTPUT)

    def close(self) -> None:
        """End the processes."""
        self._small.close()
        self._look.close()
        self._make.close()
        self._tiles.close()


def reason_of(error: MunimentError | OSError) -> str:
    """Why there is no preview, in a line."""
    if isinstance(error, ImagingFailed):
        return f"the process that makes previews ended: {error.details['reason']}"
    if isinstance(error, MunimentError):
        return str(error.details.get("reason") or error)
    return error.strerror or type(error).__name__


@contextmanager
def _place(places: threading.BoundedSemaphore) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise PreviewsBusy
    try:
        yield
    finally:
        places.release()
