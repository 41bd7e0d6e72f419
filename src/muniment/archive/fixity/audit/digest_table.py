"""The inventory digests that the log vouches for, of any number of instances in a few megabytes of memory."""

from __future__ import annotations

import sqlite3
import threading
import weakref

from muniment.errors.archive import WriteFailed

_IN_MEMORY = 4096
"""KiB; what does not fit lies in a temporary file without a name, which goes with the process."""

_SET_UP = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_IN_MEMORY};
CREATE TABLE digests (key BLOB PRIMARY KEY, digest BLOB, found INTEGER NOT NULL) WITHOUT ROWID;
BEGIN;
"""


class DigestTable:
    """A digest, `algorithm:value`, for each key of 16 bytes, and whether what it is of was found. Serves all threads.

    Every method raises `WriteFailed` where the folder for temporary files is full.
    """

    def __init__(self) -> None:
        """Begin with none."""
        # Whoever lets go of this lets go of the file: an audit is often left before its end.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SET_UP)
        self._lock = threading.Lock()
        weakref.finalize(self, self._database.close)

    def keep(self, key: bytes, digest: str) -> None:
        """Remember a digest, in place of another."""
        self._one(
            "INSERT INTO digests VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE SET digest = excluded.digest",
            (key, _packed(digest)),
        )

    def forget(self, key: bytes) -> None:
        """There is to be none for a key."""
        self._one("UPDATE digests SET digest = NULL WHERE key = ?", (key,))

    def get(self, key: bytes) -> str | None:
        """The digest for a key."""
        row = self._one("SELECT digest FROM digests WHERE key = ?", (key,))
        return None if row is None or row[0] is None else _unpacked(row[0])

    def mark_found(self, key: bytes) -> None:
        """Note that what a key stands for was found, also where there is no digest for it yet."""
        self._one("INSERT INTO digests VALUES (?, NULL, 1) ON CONFLICT (key) DO UPDATE SET found = 1", (key,))

    def all_found(self) -> bool:
        """Whether nothing that has a digest is missing."""
        return self._one("SELECT 1 FROM digests WHERE NOT found AND digest IS NOT NULL LIMIT 1", ()) is None

    def is_missing(self, key: bytes) -> bool:
        """Whether a key has a digest and was not found."""
        return self._one("SELECT 1 FROM digests WHERE key = ? AND NOT found AND digest IS NOT NULL", (key,)) is not None

    def _one(self, statement: str, values: tuple[object, ...]) -> tuple[bytes | None] | None:
        try:
            with self._lock:
                row: tuple[bytes | None] | None = self._database.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise WriteFailed(path="the file for temporary digests", reason=str(error)) from error
        return row


def _packed(digest: str) -> bytes:
    """Half as long as it is written, for there are many."""
    algorithm, _, value = digest.partition(":")
    try:
        packed = f"{algorithm}:".encode() + bytes.fromhex(value)
    except ValueError:
        packed = b""
    return packed if packed and _unpacked(packed) == digest else b"\0" + digest.encode("utf-8", "surrogatepass")


def _unpacked(packed: bytes) -> str:
    if packed[:1] == b"\0":
        return packed[1:].decode("utf-8", "surrogatepass")
    algorithm, _, value = packed.partition(b":")
    return f"{algorithm.decode()}:{value.hex()}"
