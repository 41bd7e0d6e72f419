"""Pieces: digests of a large file's parts of 64 MiB, by which a range of its bytes is proven without reading it all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
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

    def learn(self, sha256: str, read: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """The same, where it is not known by reading the file; of several that ask at once, one reads."""


class PieceHasher:
    """The sha256 of each piece of a stream of bytes, fed once."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._hasher = hashlib.sha256(usedforsecurity=False)
        self._left = PIECE

    def update(self, data: bytes | memoryview) -> None:
        """Feed the next bytes."""
        rest = memoryview(data)
        while len(rest) >= self._left:
            self._hasher.update(rest[: self._left])
            rest = rest[self._left :]
            self._done.append(self._hasher.hexdigest())
            self._hasher = hashlib.sha256(usedforsecurity=False)
            self._left = PIECE
        self._hasher.update(rest)
        self._left -= len(rest)

    def values(self) -> tuple[str, ...]:
        """The digests of all that was fed."""
        return (*self._done, self._hasher.hexdigest()) if self._left < PIECE or not self._done else tuple(self._done)


def read_pieces(pieces: Iterator[bytes], algorithms: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The digests of a file and those of its pieces, in one pass over its bytes."""
    whole, parts = Hashers(algorithms), PieceHasher()
    for data in pieces:
        whole.update(data)
        parts.update(data)
    return whole.values(), parts.values()


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, chunk by chunk."""
    while data := file.read(_CHUNK):
        yield data


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

    def read() -> tuple[str, ...]:
        with open_at(0) as file:
            found, pieces = read_pieces(chunks_of(file), ("sha256",))
        if found["sha256"] != sha256:
            raise PieceMismatch(start=0, stop=size, found=found["sha256"], expected=sha256)
        return pieces

    if book is None:
        read()
    else:
        book.learn(sha256, read)


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
