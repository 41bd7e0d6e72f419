"""The bytes of an xz with a limit to the memory that it may take: its dictionary is as large as its writer wished."""

from __future__ import annotations

import io
import lzma
from typing import BinaryIO

from muniment.validation.packed.members import NotReadable

MOST_MEMORY = 256 * 1024 * 1024
"""Bytes for a dictionary; `xz -9` takes 65 MiB, and up to 4 GiB can be asked for."""
TOO_LARGE = f"unpacking it takes more than {MOST_MEMORY >> 20} MiB of memory: pack it again with a smaller dictionary"

_CHUNK = 64 * 1024


class XzReader(io.RawIOBase):
    """One xz stream after another, as `xz` unpacks them; going back begins anew."""

    def __init__(self, file: BinaryIO) -> None:
        """Read from `file`, which is closed by whoever opened it."""
        self._file = file
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._at = 0
        self._stream = _new_stream()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in, at a price."""
        return True

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to `offset` from the beginning, by reading."""
        assert whence == io.SEEK_SET
        if offset < self._at:
            self._begin()
        while self._at < offset and self._next(min(offset - self._at, _CHUNK)):
            pass
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override] # any buffer would do
        """Put the next bytes into `buffer`; how many, 0 at the end."""
        piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _next(self, size: int) -> bytes:
        while True:
            if self._stream.eof:
                rest = self._stream.unused_data.lstrip(b"\0") or self._file.read(_CHUNK).lstrip(b"\0")
                if not rest:
                    return b""
                self._stream = _new_stream()
            else:
                rest = self._file.read(_CHUNK) if self._stream.needs_input else b""
                if not rest and self._stream.needs_input:
                    raise EOFError
            try:
                piece = self._stream.decompress(rest, size)
            except lzma.LZMAError as error:
                if "emory" in str(error):  # the one thing that is no damage, and has no class of its own
                    raise NotReadable(TOO_LARGE) from error
                raise
            if piece:
                self._at += len(piece)
                return piece


def _new_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
