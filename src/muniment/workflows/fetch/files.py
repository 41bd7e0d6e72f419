"""Fetching all files of one source into a transaction: many at once, in the order listed, none twice.

What the transaction holds already is not fetched again, so a worker that is killed loses the files under way and
nothing else. A file of an earlier instance is believed to be unchanged only on better grounds. Small files are
read whole, several at a time, and stored in batches; a large one is streamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from muniment.content import Entry
from muniment.content.transaction import Addable, Transaction
from muniment.errors.archive import PathCollides, PathTaken
from muniment.errors.base import MunimentError, Refused, RemoteError
from muniment.errors.content import NameNotUnicode, UnsafePath
from muniment.errors.jobs import LeaseLost
from muniment.errors.sources import CredentialRefused, FileCut, FileError, NotAtService, RateLimited
from muniment.jobs import Context
from muniment.sources import Failure, Item, Source, SourceEntry, checked, failure_of
from muniment.sources.documents import NAMES, PRESENT, name_at_source
from muniment.sources.protocol import about
from muniment.workflows.fetch.streams import Counted, Rejoined, read_up_to
from muniment.workflows.fetch.transactions import TransactionLease

SMALL = 1 << 20
"""Bytes up to which a file is read whole."""
_BATCH_FILES = 100
_BATCH_SIZE = 16 << 20
_BATCH_SECONDS = 1.0
"""After so long a batch is stored however small it is: what is not stored yet is lost when the worker is."""
_AHEAD = 16
"""Files for each stream that are asked for ahead of the one that is stored next."""
_AHEAD_SIZE = 32 << 20
"""Bytes that all of them together may have in memory."""
_SIDE_BY_SIDE = max(1, min(4, os.cpu_count() or 1))
"""Files stored at once where the transaction can: each digest of a stream keeps a core busy at most."""
_TRIES = 3
_MOST_IN_A_ROW = 5
"""Passing failures one after the other, from which it is the service that fails and not its files."""


_OF_ONE_FILE = (FileError, RemoteError, Refused, PathTaken, PathCollides, UnsafePath, NameNotUnicode)
"""What may be the matter with one file while the others come."""

Each = TypeVar("Each")
Result = TypeVar("Result")


class Stopping(Exception):
    """No error: the worker is being stopped, and everything that was stored is kept."""


@dataclass(slots=True)
class Taken:
    """What came of a source: how many files are there, their bytes, and what could not be had."""

    files: int = 0
    size: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Coming:
    item: Item
    entry: SourceEntry
    path: str
    loaded: Future[bytes | BinaryIO]


class Fetch:
    """One run over a source. `prefix` is the folder in the package that its files go to; none is the package itself.

    `earlier` are the files of the instance that this one follows, by their paths. They are not fetched where a digest
    that the source states is theirs, or both size and time of change are; with `again` they are all the same.
    """

    def __init__(
        self,
        source: Source,
        hold: TransactionLease,
        prefix: str,
        context: Context,
        *,
        streams: int,
        last_time: Callable[[], bool],
        earlier: Mapping[str, Entry] | None = None,
        again: bool = False,
    ) -> None:
        self.taken = Taken()
        self._earlier = earlier or {}
        self._again = again
        self._source = source
        self._hold = hold
        self._prefix = prefix
        self._context = context
        self._streams = streams
        self._last_time = last_time
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="fetch")
        self._stores = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="store")
        self._under_way: dict[str, int] = {}
        self._coming: deque[_Coming] = deque()
        self._batch: list[tuple[SourceEntry, str, bytes]] = []
        self._batch_size = 0
        self._ahead = 0
        self._stored_at = time.monotonic()
        self._passing: list[tuple[SourceEntry, MunimentError]] = []
        self._in_a_row = 0
        self._there: set[str] = set()
        self._held: set[str] = set()
        self._names: list[dict[str, str]] = []
        self._present: list[dict[str, str]] = []

    def run(self) -> Taken:
        """Fetch everything that is not there yet.

        Raises:
            Stopping: The worker is being stopped; the rest comes later.
            RateLimited: The service wants to be left alone for a while.
            TransactionGone: There is no transaction to fetch into.
            MunimentError: The submission has to change, or the service failed.
        """
        with self._hold.taken() as transaction:
            files = transaction.files()
            start = self._path("")
            known: dict[str, Entry] = {each.path: each for each in files if each.path.startswith(start)}
        self._held = set(known)
        try:
            for item, entry in self._listed():
                self._pause()
                path = self._path(entry.path)
                if entry.original is not None:
                    self._names.append(name_at_source(entry))
                if entry.present is not None:
                    self._present.append({"path": str(entry.path), "version": entry.present})
                if self._is_there(path, known.get(path), entry):
                    self._count(path, known[path].size or 0)
                    continue
                self._coming.append(_Coming(item, entry, path, self._pool.submit(self._load, item, entry)))
                self._ahead += _weight(entry)
                while len(self._coming) >= self._streams * _AHEAD or self._ahead > _AHEAD_SIZE:
                    self._next()
            while self._coming:
                self._next()
            self._store_batch()
            self._record(NAMES, self._names, known)
            self._record(PRESENT, self._present, known)
            self._settle(known)
        except LeaseLost:
            raise  # another worker may be at it: nothing more is written
        except Exception:
            self._store_batch()  # what has come has come, whatever ended this run
            raise
        finally:
            for coming in self._coming:
                coming.loaded.cancel()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._stores.shutdown(wait=True, cancel_futures=True)
            self._close_waiting()
        return self.taken

    def _path(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _is_there(self, path: str, known: Entry | None, entry: SourceEntry) -> bool:
        """Whether a file need not be fetched."""
        if known is None or not _same(known, entry):
            return False
        earlier = self._earlier.get(path)
        came_now = earlier is None or earlier.digests != known.digests or earlier.modified != known.modified
        return came_now or (not self._again and _certain(known, entry))

    def _listed(self) -> Iterator[tuple[Item, SourceEntry]]:
        for number, page in enumerate(self._source.pages(), 1):
            self._told(f"listing {self._prefix}, page {number}")
            self.taken.failures += page.failures
            for item in page.items:
                for entry in self._source.entries(item):
                    if isinstance(entry, Failure):
                        self.taken.failures.append(entry)
                    else:
                        yield item, entry

    def _pause(self) -> None:
        self._context.check()
        if self._context.stopping:
            raise Stopping

    # --- reading

    def _load(self, item: Item, entry: SourceEntry) -> bytes | BinaryIO:
        """All of a small file, or the stream of a large one from its beginning. In a thread of the pool."""
        stream = checked(self._source.open(item, entry), entry, self._source.service)
        try:
            if entry.size is not None and entry.size > SMALL:
                return stream
            head = read_up_to(stream, SMALL + 1)
        except BaseException:
            stream.close()
            raise
        if len(head) <= SMALL:
            stream.close()
            return head
        return Rejoined(head, stream)  # type: ignore[return-value]  # all that is done with it is to read and close it

    def _next(self) -> None:
        """Store the file whose turn it is; when it is large, those after it that are large too beside it."""
        large: list[tuple[_Coming, BinaryIO]] = []
        trouble: tuple[_Coming, MunimentError] | None = None
        try:
            while self._coming and len(large) < _SIDE_BY_SIDE and trouble is None:
                if large and not self._goes_beside(self._coming[0], [each.path for each, _ in large]):
                    break
                coming = self._coming.popleft()
                self._ahead -= _weight(coming.entry)
                try:
                    loaded = coming.loaded.result()
                except _OF_ONE_FILE as error:
                    trouble = coming, error
                    continue
                if isinstance(loaded, bytes):
                    self._keep_small(coming, loaded)
                    break
                large.append((coming, loaded))
            self._keep_large(large)
        finally:
            for _, stream in large:
                stream.close()
        if trouble is not None:
            self._trouble(*trouble)

    @staticmethod
    def _goes_beside(coming: _Coming, paths: Sequence[str]) -> bool:
        """Whether a file is large, and cannot collide with those at `paths`: of two that do, the first is kept."""
        size, path = coming.entry.size, coming.path
        apart = all(not f"{path}/".startswith(f"{each}/") and not each.startswith(f"{path}/") for each in paths)
        return size is not None and size > SMALL and apart

    def _keep(self, coming: _Coming, loaded: bytes | BinaryIO) -> None:
        if isinstance(loaded, bytes):
            self._keep_small(coming, loaded)
            return
        try:
            with self._hold.taken() as transaction:
                stored = self._stream_in(transaction, coming, loaded)
        finally:
            loaded.close()
        self._in_a_row = 0
        self._count(coming.path, stored.size or 0)

    def _keep_small(self, coming: _Coming, data: bytes) -> None:
        self._batch.append((coming.entry, coming.path, data))
        self._batch_size += len(data)
        self._in_a_row = 0
        full = len(self._batch) >= _BATCH_FILES or self._batch_size >= _BATCH_SIZE
        if full or time.monotonic() - self._stored_at > _BATCH_SECONDS:
            self._store_batch()

    def _keep_large(self, large: Sequence[tuple[_Coming, BinaryIO]]) -> None:
        """Store streams side by side. What is one file's own trouble holds up none of the others."""
        if not large:
            return
        self._store_batch()

        def store(each: tuple[_Coming, BinaryIO]) -> Entry | MunimentError:
            try:
                return self._stream_in(transaction, *each)
            except _OF_ONE_FILE as error:
                return error

        with self._hold.taken() as transaction:
            results = self._at_once(store, large)
        for (coming, _), result in zip(large, results, strict=True):
            if isinstance(result, MunimentError):
                self._trouble(coming, result)
            else:
                self._in_a_row = 0
                self._count(coming.path, result.size or 0)

    def _stream_in(self, transaction: Transaction, coming: _Coming, stream: BinaryIO) -> Entry:
        """Store one stream, telling how far it is."""

        def tell(size: int) -> None:
            self._under_way[coming.path] = size
            self._told()

        try:
            return self._store(transaction, Counted(stream, tell), coming.path, coming.entry)
        finally:
            self._under_way.pop(coming.path, None)

    def _store_batch(self) -> None:
        batch, self._batch, self._batch_size = self._batch, [], 0
        self._stored_at = time.monotonic()
        if not batch:
            return
        with self._hold.taken() as transaction:
            for entry, path, data in batch:
                try:
                    self._store(transaction, data, path, entry)
                except (PathTaken, PathCollides, UnsafePath, NameNotUnicode) as error:
                    self._fail(entry, error.message)
                else:
                    self._count(path, len(data))

    def _at_once(self, work: Callable[[Each], Result], things: Sequence[Each]) -> list[Result]:
        """Do `work` on each, several at once."""
        if len(things) == 1:
            return [work(each) for each in things]
        futures = [self._stores.submit(work, each) for each in things]
        _, rest = wait(futures, return_when=FIRST_EXCEPTION)
        for future in rest:
            future.cancel()
        wait(futures)  # whoever let go of the transaction now would take it from the others
        for future in futures:
            if not future.cancelled() and (error := future.exception()):
                raise error
        return [future.result() for future in futures]

    def _store(self, transaction: Transaction, data: Addable, path: str, entry: SourceEntry) -> Entry:
        """Store a file in place of what is there from before.

        Where something is there that was not, an answer was lost in an outage, or another worker was at it after this
        one's lease had run out: that is no fault of the file, and the same comes in its place.
        """
        take = transaction.replace if path in self._held else transaction.add
        try:
            (stored,) = take(data, path, modified=entry.modified)
        except PathTaken:
            if path in self._held:
                raise
            self._held.add(path)
            if not isinstance(data, bytes):
                service, reason = self._source.service, "it was stored already, and is read again"
                raise FileCut(path=str(entry.path), service=service, size=0, reason=reason) from None
            (stored,) = transaction.replace(data, path, modified=entry.modified)
        self._held.add(path)
        return stored

    def _record(self, name: str, lines: list[dict[str, str]], known: dict[str, Entry]) -> None:
        """Keep beside the files what their paths and bytes do not say: names that no path carries, versions."""
        if not lines:
            return
        data = json.dumps(lines, ensure_ascii=False, indent=1).encode() + b"\n"
        path = self._path(about(name))
        held = known.get(path)
        if held is None or held.digests.get("sha256") != hashlib.sha256(data).hexdigest():
            with self._hold.taken() as transaction:
                self._store(transaction, data, path, SourceEntry(about(name), len(data)))
        self._count(path, len(data))

    # --- what goes wrong

    def _trouble(self, coming: _Coming, error: MunimentError) -> None:
        """One file did not come: another try, a failure of its own, or the end of this run.

        Raises:
            MunimentError: The run ends.
        """
        for _ in range(1, _TRIES):
            if not (isinstance(error, FileError) and error.retry):
                break
            try:
                self._keep(coming, self._load(coming.item, coming.entry))
            except (FileError, RemoteError, Refused) as again:
                error = again
            else:
                return
        if error.outage or isinstance(error, CredentialRefused | NotAtService | RateLimited):
            raise error  # it is not this file's: an archive that cannot be reached would take none
        if isinstance(error, FileError):
            self.taken.failures.append(failure_of(error, str(coming.entry.path), self._source.service))
        elif isinstance(error, RemoteError) and error.retry:
            self._passing.append((coming.entry, error))
            self._in_a_row += 1
            if self._in_a_row >= _MOST_IN_A_ROW and not self._last_time():
                raise error
        else:
            self._fail(coming.entry, error.message)

    def _settle(self, known: dict[str, Entry]) -> None:
        """Decide on the files that failed in passing, and take out what the source no longer lists.

        Raises:
            RemoteError: They are tried again later.
        """
        if self._passing and not self._last_time():
            raise self._passing[0][1]
        for entry, error in self._passing:
            self._fail(entry, error.message)
        gone = [path for path in known if path not in self._there]
        if gone:
            with self._hold.taken() as transaction:
                for path in gone:
                    transaction.delete(path)

    def _fail(self, entry: SourceEntry, reason: str) -> None:
        self.taken.failures.append(Failure(str(entry.path), reason, self._source.service))

    # --- progress

    def _count(self, path: str, size: int) -> None:
        self._there.add(path)
        self.taken.files += 1
        self.taken.size += size
        self._told()

    def _told(self, what: str = "") -> None:
        size = self.taken.size + sum(list(self._under_way.values()))
        self._context.progress(what or f"fetching {self._prefix}", self.taken.files, None, size=size)

    def _close_waiting(self) -> None:
        for coming in self._coming:
            if coming.loaded.done() and not coming.loaded.cancelled() and coming.loaded.exception() is None:
                loaded = coming.loaded.result()
                if not isinstance(loaded, bytes):
                    loaded.close()


def _same(known: Entry, entry: SourceEntry) -> bool:
    """Whether what is stored is, by all the source says, what it has now."""
    stated = {"size": entry.size, "modified": entry.modified, **entry.digests}
    stored = {"size": known.size, "modified": known.modified, **known.digests}
    return all(stored[name] == value for name, value in stated.items() if value is not None and name in stored)


def _certain(known: Entry, entry: SourceEntry) -> bool:
    """Whether the source says enough to know a file of long ago again; it is known that nothing it says differs."""
    dated = entry.size is not None and entry.modified is not None and known.modified is not None
    return dated or any(name in known.digests for name in entry.digests)


def _weight(entry: SourceEntry) -> int:
    """Bytes of a file in memory before it is stored. A large one is an open stream: four of them may wait."""
    if entry.size is None:
        return SMALL
    return entry.size if entry.size <= SMALL else _AHEAD_SIZE // 4
