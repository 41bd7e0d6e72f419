"""Streams on their way from a source into a transaction: a part read ahead, and what has come counted."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """The next bytes of a stream, as many as asked for unless it ends."""
    pieces: list[bytes] = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class Rejoined(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """The beginning, then what follows."""
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        return int(self._rest.readinto(buffer))  # type: ignore[attr-defined]  # every stream of a source is an io object

    def close(self) -> None:
        """Close the stream within too."""
        self._rest.close()
        super().close()


class Counted:
    """A stream that says how far it is; its `told` may raise, which ends the reading."""

    def __init__(self, stream: BinaryIO, told: Callable[[int], None]) -> None:
        self._stream = stream
        self._told = told
        self._size = 0

    def read(self, size: int) -> bytes | bytearray:
        """Read on: as much as was asked for, where a socket gives less at a time. Digesting pays by large pieces."""
        buffer = bytearray(size)
        view, came = memoryview(buffer), 0
        while came < size and (count := self._stream.readinto(view[came:])):  # type: ignore[attr-defined]  # as above
            came += count
        self._size += came
        self._told(self._size)
        return buffer if came == size else bytes(view[:came])
