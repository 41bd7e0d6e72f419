"""Taking files into a transaction: from paths, folders, bytes and streams, one journal line each."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.walk import walk
from muniment.archive.ingest.content_writer import ContentWriter, own_name
from muniment.archive.ingest.draft import Draft, Kept
from muniment.archive.ingest.journal import addition
from muniment.archive.ingest.staging import StagingArea
from muniment.archive.package.names import LONGEST_PATH, stored_path
from muniment.content import Entry, LogicalPath, Progress, parse_expected, quiet
from muniment.errors.archive import ArchiveInside, FileNotInInstance, TransactionClosed
from muniment.errors.base import StorageError
from muniment.errors.content import UnsafePath

Addable = str | os.PathLike[str] | bytes | BinaryIO | Iterable[bytes]
"""What `add` takes: a file's or folder's path, bytes, an open file, or an iterator of bytes."""

_LINES_AT_ONCE = 100


class Taking:
    """The half of a transaction that takes files in and leaves files out.

    Bytes and streams may be added by several threads at once, each with a path of its own.
    """

    takes_several = True

    def __init__(self, context: ArchiveContext, space: StagingArea, draft: Draft, additions: ContentWriter) -> None:
        self.id = space.transaction_record.id
        self.number = space.transaction_record.base + 1
        self.prepared = space.sealed() is not None
        self._context = context
        self._space = space
        self._draft = draft
        self._writer = additions
        self._closed = ""
        self._lock = threading.Lock()

    def add(
        self,
        source: Addable,
        path: str | None = None,
        *,
        digests: str | Iterable[str] | Mapping[str, str] | None = None,
        modified: str | None = None,
        progress: Progress = quiet,
    ) -> list[Entry]:
        """Add a file, or all that is in a folder, and return the new entries.

        `path` is the name in the package (for a folder: the folder to put its files under); a file
        named by path keeps its own name without it. `digests` are what the file must have.

        Raises:
            UnsafePath, PathTaken, PathCollides: It cannot have that path.
            DigestMismatch: The file has another digest; it was refused.
            SourceUnreadable, SourceChanged, NotAPlainFile: The source could not be read as one whole.
            ArchiveInside: The folder holds the archive.
            DiskFull, WriteFailed: The storage refused.
            TransactionClosed: The transaction is over.
        """
        return self._take(source, path, digests, modified, progress, replace=False)

    def replace(
        self,
        source: Addable,
        path: str | None = None,
        *,
        digests: str | Iterable[str] | Mapping[str, str] | None = None,
        modified: str | None = None,
        progress: Progress = quiet,
    ) -> list[Entry]:
        """As `add`, for a path that is there already, also when this transaction added it.

        Raises:
            FileNotInInstance: There is no such file to replace.
            MunimentError: As `add`.
        """
        name = path if path is not None else own_name(source)
        if name not in self._draft.entries:
            raise FileNotInInstance(instance=self.number, id=self.id, path=name)
        return self._take(source, name, digests, modified, progress, replace=True)

    def delete(self, path: str) -> list[str]:
        """Leave a file, or a folder and all below it, out of the new instance; earlier ones keep it.

        Raises:
            FileNotInInstance: There is no such file or folder.
            TransactionClosed: The transaction is over.
        """
        self._refuse_closed()
        self._refuse_prepared()
        gone = self._draft.remove(path)
        if not gone:
            raise FileNotInInstance(instance=self.number, id=self.id, path=path)
        self._space.note({"delete": path})
        return gone

    def _refuse_closed(self) -> None:
        if self._closed:
            raise TransactionClosed(id=self.id, how=self._closed)

    def _refuse_prepared(self) -> None:
        if self.prepared:
            raise TransactionClosed(id=self.id, how="prepared")

    def _take(
        self,
        source: Addable,
        path: str | None,
        digests: str | Iterable[str] | Mapping[str, str] | None,
        modified: str | None,
        progress: Progress,
        *,
        replace: bool,
    ) -> list[Entry]:
        self._refuse_closed()
        self._refuse_prepared()
        if isinstance(source, (str, os.PathLike)):
            place = os.fspath(source)
            if os.path.isdir(place):
                return self._take_folder(place, path, progress, replace=replace)
            name = self._check(path if path is not None else own_name(source), replace=replace)
            return [self._store(self._writer.file(name, place, parse_expected(digests), modified))]
        name = self._check(path if path is not None else own_name(source), replace=replace)
        chunks = (source,) if isinstance(source, (bytes, bytearray)) else source
        entry = self._writer.stream(name, chunks, parse_expected(digests), modified)
        with self._lock:
            # Looked at again: meanwhile another thread may have added what this one would collide with.
            self._draft.check_new(name, replace=replace)
            return [self._store(entry)]

    def _take_folder(self, place: str, path: str | None, progress: Progress, *, replace: bool) -> list[Entry]:
        prefix = f"{LogicalPath.parse(path)}/" if path else ""
        self._refuse_archive(place)
        found = walk(place, prefix)
        self._writer.expect(len(found.files))
        for name, _, _ in found.files:
            self._check(name, replace=replace)
        before = self._draft.state_of(name for name, _, _ in found.files)
        entries: list[Entry] = []
        try:
            entries.extend(self._store_all(self._writer.files(found.files, progress)))
        except BaseException:
            # Half a folder must not be committed by somebody who catches this and goes on.
            self._go_back(before, entries)
            raise
        if found.links or found.empty:
            self._draft.note(found.links, found.empty)
            self._space.note({"links": found.links, "folders": found.empty})
        return entries

    def _refuse_archive(self, place: str) -> None:
        archive, real = os.path.realpath(self._context.layout.root), os.path.realpath(place)
        if os.path.commonpath((archive, real)) == real:
            raise ArchiveInside(path=place, archive=archive)

    def _store_all(self, arriving: Iterator[Entry]) -> Iterator[Entry]:
        """As `_store`, with a line of the journal for each but one write for many."""
        lines: list[dict[str, Any]] = []
        try:
            for entry in arriving:
                self._draft.put(entry)
                lines.append(addition(entry, self._staged(entry)))
                if len(lines) >= _LINES_AT_ONCE:
                    self._space.note(*lines)
                    lines.clear()
                yield entry
        finally:
            self._space.note(*lines)

    def _go_back(self, before: Kept, stored: list[Entry]) -> None:
        self._draft.go_back(before)
        with contextlib.suppress(StorageError):
            for entry in stored:
                self._space.note({"delete": entry.path})
                old = before.entries.get(entry.path)
                if old:
                    self._space.note(addition(old, self._staged(old)))

    def _staged(self, entry: Entry) -> str | None:
        return self._writer.staged.get(entry.digests[self._context.config.digests[0]])

    def _check(self, path: str, *, replace: bool) -> LogicalPath:
        name = LogicalPath.parse(path)
        # A character is stored as sixteen bytes at most.
        if 16 * len(name) > LONGEST_PATH - 100 and (stored := len(os.fsencode(stored_path(name)))) > LONGEST_PATH:
            raise UnsafePath(path=f"{name[:80]}…", reason=f"it has {stored} bytes, more than {LONGEST_PATH}")
        self._draft.check_new(name, replace=replace)
        return name

    def _store(self, entry: Entry) -> Entry:
        self._draft.put(entry)
        self._space.note(addition(entry, self._staged(entry)))
        return entry
