"""Uploads: files on their way into a transaction, which may come in pieces over several connections.

The bytes of an upload lie in the transaction's folder, so that they vanish with it, and become a file
of the transaction by one rename:

```
staging/open/<transaction>/uploads/<upload>.json   what it will be
staging/open/<transaction>/uploads/<upload>.part   the bytes that have come
```
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from muniment.archive.context import Opened
from muniment.archive.copying.copy_and_digest import THREADED, Digesting
from muniment.archive.disk.durable import NEW_FILE, make_folder, replace_file, write_all, write_file, writing
from muniment.archive.ingest.staging import StagingArea, TransactionRecord, left_behind, read_record
from muniment.archive.ingest.transaction import Transaction
from muniment.content import Entry, parse_expected
from muniment.content.acceptable import check_size
from muniment.content.digests import ALGORITHMS
from muniment.content.identity import Agent
from muniment.content.pieces import PIECE
from muniment.content.regular import read_regular
from muniment.content.times import check_time
from muniment.errors.archive import LeftoverNotFound
from muniment.errors.base import MunimentError
from muniment.errors.remote import UploadBusy, UploadIncomplete, UploadNotFound, WrongUploadOffset

_READ = 1 << 20
_ID = re.compile(r"[0-9a-f-]{36}")
_UNKNOWN = TransactionRecord("", "", "", 0, "", "", "")
"""Of a transaction that is not taken over: only its folder is needed."""


def extend_lease(archive: Opened, transaction: str, seconds: float) -> None:
    """Let a parked transaction live for so many seconds from now on, without taking it.

    Raises:
        DiskFull, WriteFailed: The storage refused, or the transaction is gone.
    """
    StagingArea(_folder(archive, transaction), _UNKNOWN, None).write_lease(seconds)


def begun_by(archive: Opened, transaction: str) -> tuple[Agent, str]:
    """Who began a transaction and in which project, without taking it.

    Raises:
        LeftoverNotFound: There is none such.
    """
    if not _ID.fullmatch(transaction):
        raise LeftoverNotFound(transaction=transaction)
    record = read_record(archive.context.layout.transactions / transaction)
    return record.agent, record.project


@dataclass(frozen=True, slots=True)
class ParkedTransaction:
    """A transaction that nobody holds at this moment and that its maker may go on with until its `lease` ends."""

    transaction: str
    project: str
    id: str
    base: int
    started: str
    agent: Agent
    lease: str


def parked_transactions(archive: Opened) -> Iterator[ParkedTransaction]:
    """Every transaction that has a lease, the oldest first, without taking any."""
    for folder in left_behind(archive.context.layout):
        try:
            record = read_record(folder)
            lease = read_regular(folder / "lease").decode("ascii").strip()
        except (MunimentError, OSError, UnicodeDecodeError):
            continue  # it was closed meanwhile, or never parked
        yield ParkedTransaction(
            record.transaction, record.project, record.id, record.base, record.started, record.agent, lease
        )


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What an upload will be: its path, the size and digests promised, and its time of change.

    `said` is what its sender said of it, word for word, and wants to hear again. `taken` are the digests of the file
    when it was given to the transaction.
    """

    path: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: str | None = None
    replace: bool = False
    said: str = ""
    taken: Mapping[str, str] = field(default_factory=dict)


class Upload:
    """A file on its way into a transaction; one connection at a time may send.

    The bytes are digested while they come, and what this process has not seen itself is read once from the disk.
    """

    def __init__(self, folder: Path, id: str, request: UploadRequest, algorithms: Iterable[str]) -> None:
        self.id = id
        self.request = request
        self._part = folder / f"{id}.part"
        self._note = folder / f"{id}.json"
        self._algorithms = tuple(dict.fromkeys((*algorithms, *request.digests)))
        self._descriptor = -1
        self._digesting: Digesting | None = None
        self._digested = 0
        self._size = 0
        self._values: tuple[int, dict[str, str]] = (-1, {})
        self._pieces: tuple[str, ...] = ()

    @classmethod
    def begin(cls, transaction: Transaction, request: UploadRequest) -> Self:
        """Make room for a file in a transaction that this process holds.

        Raises:
            UnsafePath, PathTaken, PathCollides, FileNotInInstance: It cannot have that path.
            BadValue: Its size or time of change cannot be.
            DiskFull, WriteFailed: The storage refused.
        """
        transaction.check_path(request.path, replace=request.replace)
        if request.size is not None:
            check_size(request.size)
        if request.modified:
            request = replace(request, modified=check_time(request.modified, "the time of change"))
        folder = transaction.uploads
        make_folder(folder)
        fresh = cls(folder, secrets.token_hex(16), request, transaction.algorithms)
        with writing(fresh._part):
            os.close(os.open(fresh._part, NEW_FILE, 0o644))
        write_file(fresh._note, json.dumps(asdict(request)).encode("utf-8"))
        return fresh

    @classmethod
    def open(cls, archive: Opened, transaction: str, id: str) -> Self:
        """An upload that was begun, in this process or another.

        Raises:
            UploadNotFound: There is none such.
        """
        folder = StagingArea(_folder(archive, transaction), _UNKNOWN, None).uploads
        if not re.fullmatch(r"[0-9a-f]{32}", id):
            raise UploadNotFound(transaction=transaction, upload=id)
        return cls(folder, id, _read_note(folder / f"{id}.json"), archive.context.config.digests)

    def reread(self) -> None:
        """Learn what another process wrote down of it since.

        Raises:
            UploadNotFound: It is over.
        """
        self.request = _read_note(self._note)

    def announce(self, size: int) -> None:
        """Say how large the file will be, where that was not known when it began.

        Raises:
            BadValue: It cannot be so large.
            WrongUploadOffset: Another size was announced, or more has come already.
            DiskFull, WriteFailed: The storage refused.
        """
        check_size(size)
        if self.request.size not in {None, size}:
            self._refuse_elsewhere(self.request.size or 0, size)
        if self.received() > size:
            self._refuse_elsewhere(self.received(), size)
        if self.request.size is None:
            self._write_note(replace(self.request, size=size))

    def received(self) -> int:
        """How many bytes have come.

        Raises:
            UploadNotFound: It is over.
        """
        try:
            return self._part.stat().st_size
        except OSError:
            raise UploadNotFound(transaction=self._part.parent.parent.name, upload=self.id) from None

    def taken(self, transaction: Transaction) -> Entry | None:
        """The file, if it was given to its transaction, which this process holds, and is there.

        Raises:
            UploadNotFound: It is over.
        """
        self.reread()
        if not self.request.taken:
            return None
        there = (entry for entry in transaction.files() if entry.path == self.request.path)
        return next((entry for entry in there if dict(entry.digests) == dict(self.request.taken)), None)

    @contextlib.contextmanager
    def receiving(self, offset: int, *, lasting: bool = False) -> Iterator[None]:
        """Take bytes by `write` from `offset` on, for the length of a `with` block.

        With `lasting` they are on stable storage at its end: whoever is told how far it came need not keep them.

        Raises:
            UploadNotFound: It is over.
            UploadBusy: Another connection is sending.
            WrongUploadOffset: It does not stand at `offset`.
            DiskFull, WriteFailed: The storage refused.
        """
        self._take_up(offset)
        try:
            yield
        finally:
            if self._digesting is not None:
                values = self._digesting.values()
                self._values = (self._size, dict(zip(self._algorithms, values, strict=True)))
                self._pieces = self._digesting.pieces()
            descriptor, self._descriptor = self._descriptor, -1
            try:
                if lasting and self._size > offset:
                    with writing(self._part):
                        os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def write(self, data: bytes) -> None:
        """Append the next bytes.

        Raises:
            DiskFull, WriteFailed: The storage refused.
            WrongUploadOffset: More comes than was announced.
        """
        size = self._size + len(data)
        if self.request.size is not None and size > self.request.size:
            self._refuse_elsewhere(self.request.size, size)
        assert self._digesting is not None
        if size > THREADED and len(data) >= _READ // 4:
            self._digesting.spread()
        digesting, self._digesting = self._digesting, None  # of a part of them nobody could tell
        digesting.feed(data)
        try:
            with writing(self._part):
                write_all(self._descriptor, data)
        except BaseException:
            digesting.close()
            raise
        self._digesting = digesting
        self._digested = self._size = size

    def finish(
        self, transaction: Transaction, digests: Mapping[str, str] | None = None, *, remember: bool = False
    ) -> Entry:
        """Give the file to its transaction, which this process holds.

        With `remember` it can still be asked afterwards whether that was done (`taken`).

        Raises:
            UploadIncomplete: Not all of it has come.
            DigestMismatch: It is not the file that was promised; it is gone.
            MunimentError: As `Upload.begin`; it is gone.
        """
        size = self.received()
        if self.request.size not in {None, size}:
            raise UploadIncomplete(upload=self.id, found=size, size=self.request.size)
        expected = {**self.request.digests, **parse_expected(digests)}
        found = self._digests(size, expected)
        if remember:
            # Before it is given away: whoever finds this and the file in the transaction knows that all was done.
            own = {name: found[name] for name in transaction.algorithms}
            self._write_note(replace(self.request, size=size, taken=own))
        done = False
        try:
            path = transaction.check_path(self.request.path, replace=self.request.replace)
            entry = Entry(path, size, found, self.request.modified)
            kept = transaction.store_upload(self._part, entry, expected, self._pieces)
            done = remember
        finally:
            if not done:
                self.discard()
        return kept

    def discard(self) -> None:
        """Remove what has come."""
        for place in (self._note, self._part):
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
            self._catch_up(descriptor, size)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._size = descriptor, size

    def _write_note(self, request: UploadRequest) -> None:
        replace_file(self._note, json.dumps(asdict(request)).encode("utf-8"), scratch=self._note.parent)
        self.request = request

    def _refuse_elsewhere(self, found: int, given: int) -> None:
        if found != given:
            raise WrongUploadOffset(upload=self.id, found=found, given=given)

    def _catch_up(self, descriptor: int, size: int) -> None:
        """Digest what has come, but for what this process has digested already: bytes are only ever appended."""
        if self._digesting is None or self._digested > size:
            self._digesting, self._digested = Digesting(self._algorithms, piece=PIECE), 0
        if size - self._digested > THREADED:
            self._digesting.spread()
        while self._digested < size:
            data = os.pread(descriptor, min(_READ, size - self._digested), self._digested)
            if not data:
                break
            self._digesting.feed(data)
            self._digested += len(data)

    def _digests(self, size: int, expected: Mapping[str, str]) -> dict[str, str]:
        known, values = self._values
        if known == size and set(expected) <= set(values):
            return values
        wanted = tuple(dict.fromkeys((*self._algorithms, *(name for name in expected if name in ALGORITHMS))))
        if wanted != self._algorithms:
            self._algorithms, self._digesting = wanted, None
        with self.receiving(size):
            pass
        return self._values[1]


def _read_note(place: Path) -> UploadRequest:
    """What an upload will be, as it was written down.

    Raises:
        UploadNotFound: There is none such.
    """
    try:
        return UploadRequest(**json.loads(read_regular(place)))
    except (OSError, ValueError, TypeError, RecursionError):
        raise UploadNotFound(transaction=place.parent.parent.name, upload=place.stem) from None


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
def receiving(archive: Opened, suffix: str = "") -> Iterator[Receiving]:
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


def _folder(archive: Opened, transaction: str) -> Path:
    if not _ID.fullmatch(transaction):
        raise UploadNotFound(transaction=transaction, upload="")
    return archive.context.layout.transactions / transaction
