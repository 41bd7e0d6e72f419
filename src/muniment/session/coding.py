"""Bodies that come compressed though they were asked for as they are (RFC 9110 §8.4)."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote, urlsplit

from muniment.errors.sources import FileCut, FileDiffers, FileUnavailable

_IDENTITY = frozenset({"", "identity"})
_ZLIB = frozenset({"gzip", "x-gzip", "deflate"})
_PIECE = 65_536
_STORED_COMPRESSED = (".gz", ".tgz", ".gzip", ".bgz", ".svgz", ".z", ".emz", ".wmz", ".vgz")
"""Endings of files that are compressed where they lie. Many servers announce these as a coding, wrongly."""


class Inner(Protocol):
    """The body within: bytes as they come."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill the buffer."""

    def close(self) -> None:
        """Be done with it."""


def coding_of(headers: Mapping[str, str], url: str, length: int | None, size: int | None) -> str | None:
    """The coding to take off a body, or None where it comes as it is stored.

    `length` is how long it is as it comes, `size` what the service announced. Where both agree, or the name says that
    the file itself is compressed, the coding is one in name only and the bytes are kept as they come.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in _IDENTITY:
        return None
    if size is not None and size == length:
        return None
    if size is None and coding in _ZLIB and unquote(urlsplit(url).path).lower().endswith(_STORED_COMPRESSED):
        return None
    return coding


class Decoded(io.RawIOBase):
    """The file in a coded body, from `offset` on.

    Raises:
        FileUnavailable: Its coding is not gzip or deflate.
    """

    def __init__(self, body: Inner, coding: str, path: str, service: str, offset: int = 0) -> None:
        super().__init__()
        self._body = body
        self._path = path
        self._service = service
        self._machine = zlib.decompressobj(wbits=47)  # zlib or gzip, by its header
        self._buffer = bytearray(_PIECE)
        self._size = 0
        self._begun = False
        self._coming = b""
        self._left = b""
        if coding not in _ZLIB:
            body.close()
            reason = f"it came in the coding {coding[:40]!r}, which nobody asked for"
            raise FileUnavailable(path=path, service=service, reason=reason)
        self._skip(offset)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            FileCut: It ended before the compressed data did.
            FileDiffers: It is not compressed as it says.
            RemoteError: As from the body within.
        """
        view = memoryview(buffer)
        while view and not self._coming:
            self._coming = self._inflated(len(view))
            if not self._coming and not self._left and not self._more():
                return 0
        taken, self._coming = self._coming[: len(view)], self._coming[len(view) :]
        view[: len(taken)] = taken
        self._size += len(taken)
        return len(taken)

    def close(self) -> None:
        """Close the body within too."""
        self._body.close()
        super().close()

    def _inflated(self, most: int) -> bytes:
        """The next piece, of at most so many bytes: a small body may hold a very large file."""
        if self._machine.eof and self._left:  # several compressed pieces in a row are one (RFC 1952 §2.2)
            self._machine = zlib.decompressobj(wbits=47)
        try:
            data = self._machine.decompress(self._left, most)
        except zlib.error:
            raise FileDiffers(
                path=self._path, service=self._service, what="the coding", expected="gzip", found="something else"
            ) from None
        self._left = self._machine.unused_data if self._machine.eof else self._machine.unconsumed_tail
        return data

    def _more(self) -> bool:
        """Read on in the body; whether anything came."""
        count = self._body.readinto(self._buffer)
        self._left = bytes(memoryview(self._buffer)[:count])
        self._begun |= bool(count)
        if not count and self._begun and not self._machine.eof:
            raise FileCut(
                path=self._path, service=self._service, size=self._size, reason="the compressed data has no end"
            )
        return bool(count)

    def _skip(self, count: int) -> None:
        buffer = bytearray(min(count, _PIECE))
        while count > 0 and (done := self.readinto(memoryview(buffer)[:count])):
            count -= done
