"""What the copier is asked and what it answers."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

from muniment.errors.archive import DiskFull, NotAPlainFile, ReadFailed, SourceChanged, SourceUnreadable, WriteFailed
from muniment.errors.base import MunimentError


class CopyJob(NamedTuple):
    """Copy the file `source` to the new file `target`, whose folder exists.

    `key` comes back with the answer. `size` in bytes is a hint for sharing the work out, never
    trusted. `known` holds digests, of the first algorithm, of content that is already kept: a file
    with one of them is digested but not written. Give it only for files of a size that is known too,
    because they are then read twice.
    """

    key: object
    source: str
    target: str
    size: int = 0
    known: tuple[str, ...] = ()


class HashJob(NamedTuple):
    """Digest the file `path` with `algorithms` (the copier's own if empty); `size` is a hint as in `CopyJob`.

    With `pieces` the sha256 of each piece of a large file is found as well.
    """

    key: Any
    path: str
    size: int = 0
    algorithms: tuple[str, ...] = ()
    pieces: bool = False


class JoinJob(NamedTuple):
    """Write the bytes of `files` one after the other into the new file `target`; `size` as in `CopyJob`.

    Each is its path, its size in bytes, and algorithm and value of the digest it must have; '' is any.
    """

    key: Any
    target: str
    files: tuple[tuple[str, int, str, str], ...]
    size: int = 0


class Joined(NamedTuple):
    """Files were joined: their bytes, and the sha256 of them all."""

    key: Any
    size: int
    sha256: str


class Copied(NamedTuple):
    """A file came in; `stored` is False when its content was known and nothing was written.

    `pieces` has the sha256 of each piece of a large file.
    """

    key: Any
    size: int
    digests: dict[str, str]
    mtime_ns: int
    stored: bool
    pieces: tuple[str, ...] = ()


class Hashed(NamedTuple):
    """A file was digested; `pieces` has the sha256 of each piece of a large one, where that was asked for."""

    key: Any
    size: int
    digests: dict[str, str]
    mtime_ns: int
    pieces: tuple[str, ...] = ()


class Failed(NamedTuple):
    """A file could not be done, and nothing of it is left at the target.

    `kind` is missing, denied, special (a link, folder, pipe or device), changed (while it was read), other (than its
    digest says) or read (any other refusal) of the source; full or write of the target. `number` is the errno or 0.
    """

    key: Any
    path: str
    side: Literal["source", "target"]
    kind: Literal["missing", "denied", "special", "changed", "other", "read", "full", "write"]
    number: int
    reason: str

    @classmethod
    def of(cls, key: Any, source: str, target: str, row: tuple[Any, ...]) -> Self:
        """From what `copy_and_digest` says about a pair of files: side, kind, errno and reason."""
        return cls(key, target if row[0] == "target" else source, *row)

    def error(self) -> MunimentError:
        """The error of Muniment's to raise where one bad file ends everything."""
        if self.kind == "full":
            return DiskFull(path=self.path)
        if self.kind == "write":
            return WriteFailed(path=self.path, reason=self.reason)
        if self.kind == "changed":
            return SourceChanged(path=self.path)
        if self.kind == "special":
            return NotAPlainFile(path=self.path, kind=self.reason)
        if self.kind == "read":
            return ReadFailed(path=self.path, reason=self.reason)
        return SourceUnreadable(path=self.path, reason=self.reason)
