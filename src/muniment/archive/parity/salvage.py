"""Copying what can still be read of a failing file: unreadable stretches become zeros, for parity to repair."""

from __future__ import annotations

import os
from collections.abc import Iterator

from muniment.content.regular import descriptor_of

_PIECE = 1 << 20
_SMALLEST = 4096


def salvage(path: str | os.PathLike[str] | None, size: int, *, start: int = 0) -> Iterator[bytes]:
    """The bytes from `start` to `size` of the file at `path`, in pieces; what is not there or not readable is zeros.

    A link is followed: whoever moved a file away and left one has the right bytes to give.
    """
    try:
        descriptor = -1 if path is None else descriptor_of(path, follow=True)
    except OSError:
        descriptor = -1
    place = start
    try:
        while place < size:
            wanted = min(_PIECE, size - place)
            yield from _pieces(descriptor, place, wanted)
            place += wanted
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _pieces(descriptor: int, place: int, wanted: int) -> Iterator[bytes]:
    """`wanted` bytes from `place`; where a read fails, again in steps as small as a sector."""
    if descriptor < 0:
        yield bytes(wanted)
        return
    try:
        data = os.pread(descriptor, wanted, place)
    except OSError:
        if wanted <= _SMALLEST:
            yield bytes(wanted)
            return
        for start in range(place, place + wanted, _SMALLEST):
            yield from _pieces(descriptor, start, min(_SMALLEST, place + wanted - start))
        return
    yield data
    if data and len(data) < wanted:
        yield from _pieces(descriptor, place + len(data), wanted - len(data))
    elif not data:
        yield bytes(wanted)
