"""What a server in front of an archive needs beside the archive itself: uploads in pieces, and who acts.

An upload is a file on its way into a transaction that may come over several connections. Its bytes lie
in the transaction's folder, so that they vanish with it, and become the transaction's by one rename:

```
staging/open/<transaction>/uploads/<upload>.json   what it will be
staging/open/<transaction>/uploads/<upload>.part   the bytes that have come
```
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from muniment.archive.archive import Archive
from muniment.archive.copying.copy_and_digest import THREADED, Digesting
from muniment.archive.disk.durable import NEW_FILE, make_folder, rename, write_all, write_file, writing
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.archive.ingest.transaction import Transaction
from muniment.content import Entry, LogicalPath, parse_expected
from muniment.content.digests import ALGORITHMS
from muniment.content.identity import Agent
from muniment.errors.archive import FileNotInInstance
from muniment.errors.remote import UploadBusy, UploadElsewhere, UploadIncomplete, UploadNotFound

_READ = 1 << 20


def acting_as(archive: Archive, agent: Agent) -> Archive:
    """The same opened archive in the hands of somebody else: `agent` is who its log then names."""
    other = copy.copy(archive)
    other._context = replace(archive.context, agent=agent)  # noqa: SLF001 - made here, before anybody has it
    return other


def touch(archive: Archive, transaction: str, seconds: float) -> None:
    """Let a parked transaction live for so many seconds from now on, without taking it.

    Raises:
        DiskFull, WriteFailed: The storage refused, or the transaction is gone.
    """
    nobody = TransactionRecord(transaction, "", "", 0, "", "", "")
    StagingArea(_folder(archive, transaction), nobody, None).write_lease(seconds)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an upload will be: its path, the size and digests promised, and its time of change."""

    path: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: str | None = None
    replace: bool = False


class Upload:
    """A file on its way into a transaction; one connection at a time may send.

    The bytes are digested while they come. After a break they are digested once more from the disk.
    """

    def __init__(self, folder: Path, id: str, wanted: Wanted, algorithms: Iterable[str]) -> None:
        self.id = id
        self.wanted = wanted
        self._part = folder / f"{id}.part"
        self._note = folder / f"{id}.json"
        self._algorithms = tuple(dict.fromkeys((*algorithms, *wanted.digests)))
        self._descriptor = -1
        self._digesting: Digesting | None = None
        self._size = 0
        self._values: tuple[int, dict[str, str]] = (-1, {})

    @classmethod
    def begin(cls, transaction: Transaction, wanted: Wanted) -> Self:
        """Make room for a file in a transaction that this process holds.

        Raises:
            UnsafePath, PathTaken, PathCollides, FileNotInInstance: It cannot have that path.
            DiskFull, WriteFailed: The storage refused.
        """
        check_upload(transaction, wanted)
        folder = transaction._space.folder / "uploads"  # noqa: SLF001 - the transaction's own folder
        make_folder(folder)
        fresh = cls(folder, secrets.token_hex(16), wanted, transaction._context.config.digests)  # noqa: SLF001 - as above
        with writing(fresh._part):
            os.close(os.open(fresh._part, NEW_FILE, 0o644))
        write_file(fresh._note, json.dumps(asdict(wanted)).encode("utf-8"))
        return fresh

    @classmethod
    def open(cls, archive: Archive, transaction: str, id: str) -> Self:
        """An upload that was begun, in this process or another.

        Raises:
            UploadNotFound: There is none such.
        """
        folder = _folder(archive, transaction) / "uploads"
        try:
            if not re.fullmatch(r"[0-9a-f]{32}", id):
                raise FileNotFoundError
            record = json.loads((folder / f"{id}.json").read_bytes())
        except (OSError, ValueError):
            raise UploadNotFound(transaction=transaction, upload=id) from None
        return cls(folder, id, Wanted(**record), archive.config.digests)

    def received(self) -> int:
        """How many bytes have come.

        Raises:
            UploadNotFound: It is over.
        """
        try:
            return self._part.stat().st_size
        except OSError:
            raise UploadNotFound(transaction=self._part.parent.parent.name, upload=self.id) from None

    @contextlib.contextmanager
    def receiving(self, offset: int) -> Iterator[None]:
        """Take bytes by `write` from `offset` on, for the length of a `with` block.

        Raises:
            UploadNotFound: It is over.
            UploadBusy: Another connection is sending.
            UploadElsewhere: It does not stand at `offset`.
        """
        self._take_up(offset)
        try:
            yield
        finally:
            if self._digesting is not None:
                values = self._digesting.values()
                self._values = (self._size, dict(zip(self._algorithms, values, strict=True)))
            self._digesting = None
            os.close(self._descriptor)
            self._descriptor = -1

    def write(self, data: bytes) -> None:
        """Append the next bytes.

        Raises:
            DiskFull, WriteFailed: The storage refused.
            UploadElsewhere: More comes than was announced.
        """
        size = self._size + len(data)
        if self.wanted.size is not None and size > self.wanted.size:
            self._refuse_elsewhere(self.wanted.size, size)
        assert self._digesting is not None
        if size > THREADED and len(data) >= _READ // 4:
            self._digesting.spread()
        self._digesting.feed(data)
        with writing(self._part):
            write_all(self._descriptor, data)
        self._size = size

    def finish(self, transaction: Transaction, digests: Mapping[str, str] | None = None) -> Entry:
        """Give the file to its transaction, which this process holds.

        Raises:
            UploadIncomplete: Not all of it has come.
            DigestMismatch: It is not the file that was promised; it is gone.
            MunimentError: As `Upload.begin`; it is gone.
        """
        size = self.received()
        if self.wanted.size not in {None, size}:
            raise UploadIncomplete(upload=self.id, found=size, size=self.wanted.size)
        expected = {**self.wanted.digests, **parse_expected(digests)}
        found = self._digests(size, expected)
        try:
            path = check_upload(transaction, self.wanted)
            additions = transaction._writer  # noqa: SLF001 - one with the transaction: see the module's docstring
            target = additions._target(path)  # noqa: SLF001 - as above
            rename(self._part, Path(target))
            entry = additions._keep(path, target, size, found, expected, self.wanted.modified)  # noqa: SLF001 - as above
            return transaction._store(entry)  # noqa: SLF001 - as above
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what has come."""
        for place in (self._part, self._note):
            with contextlib.suppress(OSError):
                place.unlink()

    def _take_up(self, offset: int) -> None:
        try:
            descriptor = os.open(self._part, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            raise UploadNotFound(transaction=self._part.parent.parent.name, upload=self.id) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadBusy(upload=self.id) from None
            size = os.fstat(descriptor).st_size
            self._refuse_elsewhere(size, offset)
            self._digesting = self._digested(descriptor, size)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._size = descriptor, size

    def _refuse_elsewhere(self, found: int, given: int) -> None:
        if found != given:
            raise UploadElsewhere(upload=self.id, found=found, given=given)

    def _digested(self, descriptor: int, size: int) -> Digesting:
        digesting = Digesting(self._algorithms, threads=size > THREADED)
        position = 0
        while position < size:
            data = os.pread(descriptor, min(_READ, size - position), position)
            if not data:
                break
            digesting.feed(data)
            position += len(data)
        return digesting

    def _digests(self, size: int, expected: Mapping[str, str]) -> dict[str, str]:
        known, values = self._values
        if known == size and set(expected) <= set(values):
            return values
        self._algorithms = tuple(dict.fromkeys((*self._algorithms, *(name for name in expected if name in ALGORITHMS))))
        with self.receiving(size):
            pass
        return self._values[1]


def note_links(transaction: Transaction, links: Mapping[str, str], folders: Iterable[str]) -> None:
    """Record links as links and folders with nothing in them, as `Transaction.add` does for a folder.

    Raises:
        UnsafePath, PathTaken, PathCollides: One of them cannot be there.
        TransactionClosed: The transaction is over.
    """
    transaction._refuse_closed()  # noqa: SLF001 - one with the transaction: see the module's docstring
    transaction._refuse_prepared()  # noqa: SLF001 - as above
    draft = transaction._draft  # noqa: SLF001 - as above
    names = [LogicalPath.parse(name) for name in folders]
    for name in links:
        draft.check_new(LogicalPath.parse(name))
    draft.note(links, names)
    transaction._space.note({"links": dict(links), "folders": names})  # noqa: SLF001 - as above


class Receiving:
    """A file that comes from outside and belongs to nobody yet, in the archive's scratch folder."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Append the next bytes.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        with writing(self.path):
            write_all(self._descriptor, data)


@contextlib.contextmanager
def receiving(archive: Archive, suffix: str = "") -> Iterator[Receiving]:
    """A place for something large that comes from outside, gone at the end of a `with` block.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    scratch = archive.context.layout.scratch
    make_folder(scratch)
    path = scratch / f"received-{secrets.token_hex(8)}{suffix}"
    with writing(path):
        descriptor = os.open(path, NEW_FILE, 0o644)
    try:
        yield Receiving(path, descriptor)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()


def check_upload(transaction: Transaction, wanted: Wanted) -> LogicalPath:
    """Refuse what `add` and `replace` would refuse, before a byte comes; the path, if they would not.

    Raises:
        MunimentError: As `Upload.begin`.
    """
    transaction._refuse_closed()  # noqa: SLF001 - what `add` and `replace` check, checked here before a byte comes
    transaction._refuse_prepared()  # noqa: SLF001 - as above
    if wanted.replace and wanted.path not in transaction._draft.entries:  # noqa: SLF001 - as above
        raise FileNotInInstance(instance=transaction.number, id=transaction.id, path=wanted.path)
    return transaction._check(wanted.path, replace=wanted.replace)  # noqa: SLF001 - as above


def _folder(archive: Archive, transaction: str) -> Path:
    if not re.fullmatch(r"[0-9a-f-]{36}", transaction):
        raise UploadNotFound(transaction=transaction, upload="")
    return archive.context.layout.transactions / transaction
