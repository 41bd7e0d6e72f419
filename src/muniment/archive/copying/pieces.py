"""The digests of the pieces of large files: derived, so that whoever loses them loses time alone."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from muniment.archive.copying.copy_and_digest import CHUNK, PieceHasher
from muniment.content.pieces import PIECE
from muniment.errors.content import PieceMismatch

_DIGEST = 32
"""Bytes of a sha256."""


class Pieces:
    """A database beside the index: the sha256 of each piece by that of the whole file.

    Content has one entry wherever it lies, and entries never change. An entry that is no longer as it was written
    is as good as none: its own digest tells. Serves all threads and processes; what cannot be read or written is
    as good as not known, and what is no database any more is made anew.
    """

    def __init__(self, path: Path, piece: int = PIECE) -> None:
        """Use the database at `path`, which is made when there is something to remember; `piece` is in bytes."""
        self._path = path
        self._piece = piece
        self._reading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def known(self, sha256: str) -> tuple[str, ...] | None:
        """The sha256 of each piece of a file, if it is known."""
        if not self._path.exists():
            return None
        try:
            with contextlib.closing(self._connect()) as connection:
                found = connection.execute("SELECT pieces FROM files WHERE sha256 = ?", (bytes.fromhex(sha256),))
                row = found.fetchone()
        except sqlite3.DatabaseError:
            return None
        kept = row[0] if row is not None and isinstance(row[0], bytes) else b""
        pieces = kept[:-_DIGEST]
        if not pieces or len(pieces) % _DIGEST or kept[-_DIGEST:] != _proof(sha256, pieces):
            return None
        return tuple(pieces[at : at + _DIGEST].hex() for at in range(0, len(pieces), _DIGEST))

    def learn(self, size: int, sha256: str, open_at: Callable[[int], BinaryIO]) -> None:
        """Find them, where they are not known, by reading the file.

        Of several threads that ask at once one reads, and the others wait for it.

        Raises:
            PieceMismatch: It is not what it was.
            OSError: The system did not give it.
        """
        with self._alone(sha256):
            if self.known(sha256) is not None:
                return
            hasher = PieceHasher(self._piece)
            with open_at(0) as file:
                while data := file.read(CHUNK):
                    hasher.update(data)
            if (found := hasher.hexdigest()) != sha256:
                raise PieceMismatch(start=0, stop=size, found=found, expected=sha256)
            self.keep(sha256, hasher.pieces())

    def keep(self, sha256: str, pieces: Sequence[str]) -> None:
        """Remember what was found while the bytes went by; nothing of a file of one piece."""
        if not pieces:
            return
        joined = b"".join(map(bytes.fromhex, pieces))
        row = (bytes.fromhex(sha256), joined + _proof(sha256, joined))
        # Whoever may not write here reads more often, and nothing else.
        with contextlib.suppress(sqlite3.DatabaseError, OSError):
            try:
                self._write(row)
            except sqlite3.OperationalError:
                raise  # others write, it may not be written, or the disk is full: that says nothing against it
            except sqlite3.DatabaseError:
                self._path.unlink(missing_ok=True)
                self._write(row)

    def _write(self, row: tuple[bytes, bytes]) -> None:
        with contextlib.closing(self._connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS files (sha256 BLOB PRIMARY KEY, pieces BLOB NOT NULL)")
            connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", row)

    @contextlib.contextmanager
    def _alone(self, sha256: str) -> Iterator[None]:
        with self._lock:
            turn = self._reading.setdefault(sha256, threading.Lock())
        try:
            with turn:
                yield
        finally:
            with self._lock:
                self._reading.pop(sha256, None)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10)


def _proof(sha256: str, pieces: bytes) -> bytes:
    return hashlib.sha256(bytes.fromhex(sha256) + pieces, usedforsecurity=False).digest()
