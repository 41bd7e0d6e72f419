"""The content writer: stores bytes in a transaction's staging area, copied and digested in one pass, each content once.

Content the resource already has, or that this transaction already stored, is not kept a second time:
only the path is recorded (equal content is stored once per resource).
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

from muniment.archive.copying import Copied, Copier, CopyJob, Failed, write_stream
from muniment.archive.disk.durable import make_folder, rename, writing
from muniment.archive.ingest.staging import StagingArea
from muniment.archive.package.names import stored_path
from muniment.archive.package.packed_entries import PackedEntries
from muniment.content import Entry, Hashers, LogicalPath, Progress
from muniment.content.digests import refuse_mismatch
from muniment.content.pieces import PieceBook
from muniment.content.regular import open_regular
from muniment.content.times import from_ns
from muniment.content.transaction import Readable
from muniment.errors.archive import WriteFailed
from muniment.errors.content import DigestMismatch

_TELL_EVERY = 200
_MOST_PROBED = 8


class ContentWriter:
    """What one transaction has stored so far. Several threads may store streams at once.

    `staged` is digest (of the archive's first algorithm) to content path below the version's content
    folder; `known` are the digests the resource's earlier instances hold, by size in bytes; `book` is told of the
    pieces of what is large.
    """

    def __init__(
        self,
        copier: Copier,
        area: StagingArea,
        known: Mapping[int, tuple[str, ...]],
        held: Container[str],
        book: PieceBook,
    ) -> None:
        self.staged: dict[str, str] = {}
        self._copier = copier
        self._book = book
        self._area = area
        self._known = known
        self._held = held
        self._root = os.fspath(area.content)
        self._folders: set[str] = set()
        # Places given out, written to or not yet: what is promised to one thread is not on the disk at once.
        self._taken: set[str] = set()
        # A transaction that was begun by somebody else may have files no one here knows of.
        self._alone = area.journal_size() == 0
        self._lock = threading.Lock()

    def stream(
        self,
        path: LogicalPath,
        source: Readable | Iterable[bytes],
        expected: Mapping[str, str],
        modified: str | None = None,
    ) -> Entry:
        """Store what a stream gives.

        Raises:
            DigestMismatch: It has not the digests expected; nothing of it is kept.
            DiskFull, WriteFailed: The storage refused; nothing of it is kept.
        """
        with self._lock:
            target = self._target(path)
        algorithms = (*self._copier.algorithms, *expected)
        size, digests, pieces = write_stream(source, target, algorithms)
        with self._lock:
            entry = self._keep(path, target, size, digests, expected, modified)
        self._book.keep(entry.digests["sha256"], pieces)
        return entry

    def close(self) -> dict[str, str]:
        """Nothing more will come: what is staged. What is known of earlier files is let go of: of many it is much."""
        self._known, self._held = {}, ()
        return self.staged

    def expect(self, count: int) -> None:
        """So many files will come: their workers may start while the names are still being looked at."""
        self._copier.expect(count)

    def file(self, path: LogicalPath, source: str, expected: Mapping[str, str], modified: str | None = None) -> Entry:
        """Store one file.

        Raises:
            DigestMismatch, SourceUnreadable, SourceChanged, NotAPlainFile: It was refused.
            DiskFull, WriteFailed: The storage refused.
        """
        real = os.path.realpath(source)  # a link named by hand means what it points to
        before = len(self.staged)
        entry = next(iter(list(self.files([(path, real, -1)], None, modified))))
        try:
            refuse_mismatch(path, self._all_digests(entry, real, expected), expected)
        except DigestMismatch:
            if len(self.staged) > before:
                _remove(f"{self._root}/{self.staged.pop(entry.digests[self._copier.algorithms[0]])}")
            raise
        return entry

    def files(
        self, found: Iterable[tuple[LogicalPath, str, int]], progress: Progress | None, modified: str | None = None
    ) -> Iterator[Entry]:
        """Store many files, (path, source, size) each; the entries come as they are done.

        Raises:
            SourceUnreadable, SourceChanged, NotAPlainFile: One of them was refused.
            DiskFull, WriteFailed: The storage refused.
        """
        jobs = list(found)
        size = done = 0
        answers = self._copier.copy(self._jobs(jobs))
        try:
            for done, answer in enumerate(answers, 1):
                if isinstance(answer, Failed):
                    raise answer.error()
                entry, took = self._copied(answer, modified)
                size += took
                if progress and (done % _TELL_EVERY == 0 or took > (1 << 20)):
                    progress("adding", done, len(jobs), size=size)
                yield entry
        finally:
            answers.close()
        if progress:
            progress("adding", done, len(jobs), size=size)

    def move_in(self, part: Path, entry: Entry, expected: Mapping[str, str], pieces: tuple[str, ...]) -> Entry:
        """Store a file that lies in the transaction's folder already and was digested on its way there.

        Raises:
            DigestMismatch: It has not the digests expected; it is gone.
            DiskFull, WriteFailed: The storage refused.
        """
        with self._lock:
            target = self._target(entry.path)
            rename(part, Path(target))
            kept = self._keep(entry.path, target, entry.size or 0, dict(entry.digests), expected, entry.modified)
        self._book.keep(kept.digests["sha256"], pieces)
        return kept

    def _all_digests(self, entry: Entry, source: str, expected: Mapping[str, str]) -> dict[str, str]:
        """The entry's digests and those of `expected` that the archive does not record itself."""
        further = [name for name in expected if name not in entry.digests]
        if not further:
            return dict(entry.digests)
        hashers = Hashers(further)
        staged = self.staged.get(entry.digests[self._copier.algorithms[0]])
        with open_regular(Path(self._root, staged or source), follow=True) as file:
            while chunk := file.read(1 << 20):
                hashers.update(chunk)
        return {**entry.digests, **hashers.values()}

    def _jobs(self, found: Iterable[tuple[LogicalPath, str, int]]) -> Iterator[CopyJob]:
        for path, source, size in found:
            if size < 0:
                size = os.stat(source).st_size if os.path.exists(source) else 0  # noqa: PLW2901 - only a hint
            target = self._target(path)
            yield CopyJob((path, target), source, target, size, self._known.get(size, ()))

    def _copied(self, answer: Copied, modified: str | None) -> tuple[Entry, int]:
        path, target = answer.key
        when = modified or from_ns(answer.mtime_ns)
        self._book.keep(answer.digests["sha256"], answer.pieces)
        if not answer.stored:
            return Entry(path, answer.size, answer.digests, when), answer.size
        return self._keep(path, target, answer.size, answer.digests, {}, when), answer.size

    def _keep(
        self,
        path: LogicalPath,
        target: str,
        size: int,
        digests: dict[str, str],
        expected: Mapping[str, str],
        modified: str | None,
    ) -> Entry:
        try:
            refuse_mismatch(path, digests, expected)
        except BaseException:
            _remove(target)
            raise
        own = {name: digests[name] for name in self._copier.algorithms}
        digest = own[self._copier.algorithms[0]]
        if digest in self._held or digest in self.staged:
            _remove(target)
        else:
            self.staged[digest] = target[len(self._root) + 1 :]
        return Entry(path, size, own, modified)

    def _target(self, path: LogicalPath) -> str:
        """A free place for the content of `path`; its own name unless this transaction used that up."""
        stored = stored_path(path)
        place = f"{self._root}/{stored}"
        if self._is_taken(place) or not self._has_folder(place):
            place = self._second_place(stored)
        self._taken.add(place)
        return place

    def _is_taken(self, place: str) -> bool:
        return place in self._taken or place in self._folders or (not self._alone and os.path.lexists(place))

    def _has_folder(self, place: str) -> bool:
        """Make the folder for `place`; not when a file this transaction stored, or will, is in the way."""
        folder = place[: place.rindex("/")]
        if folder in self._folders:
            return True
        if self._is_promised(folder):
            return False
        try:
            make_folder(folder)
        except WriteFailed as error:
            if isinstance(error.__cause__, NotADirectoryError):
                return False
            raise
        if not os.path.isdir(folder):
            return False
        while folder not in self._folders and len(folder) > len(self._root):
            self._folders.add(folder)
            folder = folder[: folder.rindex("/")]
        return True

    def _is_promised(self, folder: str) -> bool:
        """Whether this or a folder above it is to be a file."""
        while len(folder) > len(self._root) and folder not in self._folders:
            if folder in self._taken:
                return True
            folder = folder[: folder.rindex("/")]
        return False

    def _second_place(self, stored: str) -> str:
        """A place for a file whose own was used for content this transaction replaced."""
        number = 2
        while (
            self._is_taken(place := f"{self._root}/again/{number}/{stored}")
            or os.path.lexists(place)
            or not self._has_folder(place)
        ):
            number += 1
        return place


def known_content(entries: PackedEntries, algorithm: str) -> dict[int, tuple[str, ...]]:
    """Digests of the newest instance's files by size, so that a file that came before is not written again."""
    sizes = Counter(entries.sizes())
    known: dict[int, tuple[str, ...]] = {}
    for _, size, digest in entries.by(algorithm):
        # Reading twice pays only where a match is likely: not for a size that very many files have.
        if size is not None and sizes[size] <= _MOST_PROBED:
            known[size] = (*known.get(size, ()), digest)
    return known


def _remove(target: str) -> None:
    with writing(target):
        os.unlink(target)
