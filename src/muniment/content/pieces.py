"""Pieces: digests of a large file's parts of 64 MiB, by which a range of its bytes is proven without reading it all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

from muniment.content.digests import Hashers
from muniment.errors.content import PieceMismatch

PIECE = 64 * 1024 * 1024
"""Bytes of a piece; the last one of a file may have fewer. A file of no more is one piece: its digest proves it."""
_CHUNK = 1 << 20

Open = Callable[[int], BinaryIO]
"""Gives a file's bytes from an offset on."""


class PieceBook(Protocol):
    """Remembers the digests of the pieces of files, by the sha256 of the whole."""

    def known(self, sha256: str) -> tuple[str, ...] | None:
        """The sha256 of each piece, if it is known."""

    def learn(self, size: int, sha256: str, open_at: Open) -> None:
        """Find them, where they are not known, by reading the file; of several that ask at once, one reads.

        Raises:
            PieceMismatch: It is not what it was.
            OSError: The system did not give it.
        """

    def keep(self, sha256: str, pieces: Sequence[str]) -> None:
        """Remember what was found while the bytes went by; nothing of a file of one piece."""


def pieces_of_file(size: int, sha256: str, book: PieceBook | None) -> tuple[str, ...] | None:
    """The digests that prove ranges of a file, if they are known; those of a small file are its own."""
    if size <= PIECE:
        return (sha256,)
    return None if book is None else book.known(sha256)


def learn_pieces(size: int, sha256: str, book: PieceBook | None, open_at: Open) -> None:
    """Prove a whole file by reading it, and remember its pieces, so that the next range costs one of them.

    Raises:
        PieceMismatch: It is not what it was.
        OSError: The system did not give it.
    """
    if book is not None:
        book.learn(size, sha256, open_at)
        return
    hashers = Hashers(("sha256",))
    with open_at(0) as file:
        while data := file.read(_CHUNK):
            hashers.update(data)
    if (found := hashers.values()["sha256"]) != sha256:
        raise PieceMismatch(start=0, stop=size, found=found, expected=sha256)


class RangeProof:
    """Proves the bytes of a range while they are read: each of the pieces it lies in is held against its digest.

    What of the first and the last piece lies outside of the range is read beside it.
    """

    def __init__(self, size: int, digests: Sequence[str], start: int, open_at: Open) -> None:
        """Begin before the byte at `start`; `digests` are those of the pieces."""
        self._size = size
        self._digests = digests
        self._open = open_at
        self._at = start
        self._begun = False
        self._hasher = hashlib.sha256(usedforsecurity=False)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the range.

        Raises:
            PieceMismatch: A piece that is complete now is not what it was.
            OSError: The system did not give what lies before the range.
        """
        if not self._begun:
            self._begun = True
            first = self._at - self._at % PIECE
            self._read_beside(first, self._at - first)
        rest = memoryview(data)
        while rest:
            end = self._end()
            taken = rest[: end - self._at]
            if not len(taken):
                return  # longer than the file: whoever reads says so
            self._hasher.update(taken)
            self._at += len(taken)
            rest = rest[len(taken) :]
            if self._at == end:
                self._judge()

    def finish(self) -> None:
        """Read the last piece to its end, and judge it.

        Raises:
            PieceMismatch: It is not what it was.
            OSError: The system did not give it.
        """
        if self._at % PIECE and self._at < self._size:
            end = self._end()
            self._read_beside(self._at, end - self._at)
            self._at = end
            self._judge()

    def _end(self) -> int:
        """The end of the piece that the next byte belongs to."""
        return min(self._at - self._at % PIECE + PIECE, self._size)

    def _read_beside(self, start: int, count: int) -> None:
        if not count:
            return
        with self._open(start) as file:
            left = count
            while left and (data := file.read(min(_CHUNK, left))):
                self._hasher.update(data)
                left -= len(data)

    def _judge(self) -> None:
        index = (self._at - 1) // PIECE
        found = self._hasher.hexdigest()
        self._hasher = hashlib.sha256(usedforsecurity=False)
        expected = self._digests[index] if index < len(self._digests) else ""
        if found != expected:
            raise PieceMismatch(start=index * PIECE, stop=self._at, found=found, expected=expected)
