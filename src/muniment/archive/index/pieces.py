"""The digests of the pieces of large files: derived, so that whoever loses them loses time alone."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

_DIGEST = 32
"""Bytes of a sha256."""


class Pieces:
    """A database beside the index: the sha256 of each piece by that of the whole file.

    Content has one entry wherever it lies, and entries never change. Serves all threads and processes; what
    cannot be read or written is as good as not known.
    """

    def __init__(self, path: Path) -> None:
        """Use the database at `path`, which is made when there is something to remember."""
        self._path = path
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
        if row is None or not isinstance(row[0], bytes) or not row[0] or len(row[0]) % _DIGEST:
            return None
        return tuple(row[0][at : at + _DIGEST].hex() for at in range(0, len(row[0]), _DIGEST))

    def learn(self, sha256: str, read: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """The same; where it is not known, what `read` gives, which is remembered.

        Of several threads that ask at once one reads, and the others wait for it.
        """
        with self._lock:
            turn = self._reading.setdefault(sha256, threading.Lock())
        with turn:
            found = self.known(sha256)
            if found is None:
                found = read()
                self._keep(sha256, found)
        with self._lock:
            self._reading.pop(sha256, None)
        return found

    def _keep(self, sha256: str, pieces: tuple[str, ...]) -> None:
        row = (bytes.fromhex(sha256), b"".join(map(bytes.fromhex, pieces)))
        # Whoever may not write here reads more often, and nothing else.
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(self._connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS files (sha256 BLOB PRIMARY KEY, pieces BLOB NOT NULL)")
            connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", row)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10)
