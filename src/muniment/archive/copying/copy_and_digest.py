"""What is done to one file: read it once, digest it, perhaps write it; and the loop of a worker process.

Workers start this file by its path, on an interpreter without context-packages, so that they are there
in a few hundredths of a second: it imports the standard library alone. The archive's own process
runs the same functions for small jobs. Every change to the disk goes through `os` by name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import marshal
import mmap
import os
import stat
import struct
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from hashlib import _Hash

CHUNK = 1 << 20
WHOLE = 1 << 20
"""Files up to this size are read and written with one call each."""
JOINED = 256 << 10
"""Bytes of small files that are written together where files are joined: they stay in the processor's own memory."""
THREADED = 8 << 20
"""From this size on each digest may have a thread of its own: reading, writing and one slow digest no longer
wait for each other when one big file is all that is left. Where other workers have files of their own to do,
threads only get in each other's way."""
DEPTH = 3
"""How many chunks may wait for the slowest digest."""
FLUSH = 8 << 20
"""Bytes written after which the kernel is asked to begin storing them."""

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe nobody writes to would wait for ever.
EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_ADVISE = hasattr(os, "posix_fadvise")
LENGTH = struct.Struct("<Q")
SOURCE, TARGET = "source", "target"


_ROOM = threading.local()


def _room() -> memoryview:
    """The memory a thread reads small files into: taken from the system once, not anew for each file."""
    view: memoryview | None = getattr(_ROOM, "view", None)
    if view is None:
        # One byte more, so that what is read tells the end of a file as well. What is not used of it costs nothing.
        view = memoryview(mmap.mmap(-1, JOINED + WHOLE + 1, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        _ROOM.view = view
    return view


class CopyError(Exception):
    """One file could not be done: side, kind, errno and reason, as in `Failed`; of several, `path` is the one."""

    path = ""

    def __init__(self, side: str, kind: str, number: int, reason: str) -> None:
        self.row = (side, kind, number, reason)
        super().__init__(reason)


def copy_error_of(side: str, error: OSError) -> CopyError:
    """Name what the system refused."""
    number = error.errno or 0
    if side == TARGET:
        kind = "full" if number in {errno.ENOSPC, errno.EDQUOT} else "write"
    elif number in {errno.ENOENT, errno.ENOTDIR}:
        kind = "missing"
    elif number in {errno.EACCES, errno.EPERM}:
        kind = "denied"
    elif number in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
        kind = "special"
    else:
        kind = "read"
    return CopyError(side, kind, number, error.strerror or str(error))


class PieceHasher:
    """The sha256 of a stream, and that of each piece of it of `size` bytes.

    A stream of one piece costs nothing more: until there are two the digest of the whole is that of the piece.
    """

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._whole = hashlib.sha256(usedforsecurity=False)
        self._part: _Hash | None = None
        self._done: list[str] = []

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        rest = memoryview(data)
        while rest:
            taken = rest[: self._left]
            self._whole.update(taken)
            if self._part is not None:
                self._part.update(taken)
            self._left -= len(taken)
            rest = rest[len(taken) :]
            if not self._left:
                self._done.append((self._part or self._whole).hexdigest())
                self._part = hashlib.sha256(usedforsecurity=False)
                self._left = self._size

    def hexdigest(self) -> str:
        """The digest of the whole."""
        return self._whole.hexdigest()

    def pieces(self) -> tuple[str, ...]:
        """The digests of the pieces; none where there is but one."""
        last = [self._part.hexdigest()] if self._part is not None and self._left < self._size else []
        found = (*self._done, *last)
        return found if len(found) > 1 else ()


class Digesting:
    """Several digests of one stream; with `threads` each has a thread of its own.

    With `piece` the sha256 of each piece of so many bytes is found as well, in the thread of the whole's.
    What is fed may be overwritten by the feeder after `DEPTH` further calls of `feed`.
    """

    def __init__(self, algorithms: Sequence[str], *, threads: bool = False, piece: int = 0) -> None:
        self._hashers: list[_Hash | PieceHasher] = [
            PieceHasher(piece) if piece and name == "sha256" else hashlib.new(name, usedforsecurity=False)
            for name in algorithms
        ]
        self._lanes: list[tuple[SimpleQueue[object], SimpleQueue[None], threading.Thread]] = []
        self._fed = 0
        if threads:
            self.spread()

    def spread(self) -> None:
        """Go on with a thread for each digest."""
        if self._lanes:
            return
        self._fed = 0
        for hasher in self._hashers:
            given: SimpleQueue[object] = SimpleQueue()
            done: SimpleQueue[None] = SimpleQueue()
            thread = threading.Thread(target=_digest, args=(hasher.update, given, done), daemon=True)
            thread.start()
            self._lanes.append((given, done, thread))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        if not self._lanes:
            for hasher in self._hashers:
                hasher.update(data)
            return
        self._fed += 1
        for given, done, _ in self._lanes:
            given.put(data)
            if self._fed > DEPTH:
                done.get()

    def close(self) -> None:
        """End the threads, when they have digested all they were given."""
        for given, _, _ in self._lanes:
            given.put(None)
        for _, _, thread in self._lanes:
            thread.join()
        self._lanes = []

    def values(self) -> tuple[str, ...]:
        """The digests in the order of the algorithms."""
        self.close()
        return tuple(hasher.hexdigest() for hasher in self._hashers)

    def pieces(self) -> tuple[str, ...]:
        """The digests of the pieces; none of a stream of one piece, or where they were not asked for."""
        self.close()
        return next((hasher.pieces() for hasher in self._hashers if isinstance(hasher, PieceHasher)), ())


def _digest(update: Callable[[object], None], given: SimpleQueue[object], done: SimpleQueue[None]) -> None:
    while (data := given.get()) is not None:
        update(data)
        done.put(None)


def hash_file(path: str, algorithms: Sequence[str], piece: int = 0, *, spread: bool = True) -> tuple[object, ...]:
    """Digest a file: its size, time of last change in ns, the digests, and those of its pieces of `piece` bytes.

    `spread` lets a big one have threads.

    Raises:
        CopyError: It could not be read, is not a file, or changed meanwhile.
    """
    source, before = _open_source(path)
    try:
        if before.st_size <= WHOLE:
            values = _digests_of(_read_whole(source, before.st_size, _room()), algorithms)
            pieces: tuple[str, ...] = ()
        else:
            values, pieces = _pass_through(source, before.st_size, None, algorithms, piece, spread=spread)
        _refuse_change(source, before)
    finally:
        os.close(source)
    return (before.st_size, before.st_mtime_ns, values, pieces)


def copy_file(
    path: str, target: str, algorithms: Sequence[str], known: Iterable[str] = (), piece: int = 0, *, spread: bool = True
) -> tuple[object, ...]:
    """Copy a file to a new one while digesting the very bytes that are written, and their pieces of `piece` bytes.

    When `known` holds digests, of the first algorithm, the file is digested first, and written only
    if its digest is none of them; `spread` lets a big file have threads. Nothing is left at `target` when it fails.

    Returns:
        Size, time of last change in ns, the digests, whether it was written, and the digests of its pieces.

    Raises:
        CopyError: One side refused, the source is not a file, or it changed meanwhile.
    """
    source, before = _open_source(path)
    size = before.st_size
    try:
        if size <= WHOLE:
            data = _read_whole(source, size, _room())
            _refuse_change(source, before)
            values = _digests_of(data, algorithms)
            stored = values[0] not in known
            if stored:
                write_new(target, data)
            return (size, before.st_mtime_ns, values, stored, ())
        if known:
            values, pieces = _pass_through(source, size, None, algorithms, piece, spread=spread)
            if values[0] in known:
                _refuse_change(source, before)
                return (size, before.st_mtime_ns, values, False, pieces)
            os.lseek(source, 0, os.SEEK_SET)
        with NewFile(target) as out:
            values, pieces = _pass_through(source, size, out, algorithms, piece, spread=spread)
            _refuse_change(source, before)
            out.keep()
        return (size, before.st_mtime_ns, values, True, pieces)
    finally:
        os.close(source)


def join_files(
    target: str,
    files: Iterable[tuple[str, int, str, str]],
    *,
    spread: bool = True,  # noqa: ARG001 - all kinds of work are called in one way
) -> tuple[int, str]:
    """Write the bytes of many files one after the other into a new one; how many they are, and their sha256.

    `files` are path, size in bytes, and algorithm and value of the digest each must have; '' is any. Nothing is left
    at `target` when it fails. It is left to the kernel when that is stored: what is joined is soon removed again.

    Raises:
        CopyError: A file could not be read (its `path` is told), has another size (`changed`) or digest (`other`),
            or the storage refused.
    """
    whole = hashlib.sha256(usedforsecurity=False)
    room = _room()
    size = held = 0

    def write(data: memoryview) -> None:
        whole.update(data)
        out.write(data)

    with NewFile(target, brief=True) as out:
        for path, length, algorithm, value in files:
            try:
                if length <= WHOLE:
                    _read_checked(path, length, algorithm, value, room[held:])
                    held += length
                if held >= JOINED or length > WHOLE:
                    write(room[:held])
                    held = 0
                if length > WHOLE:
                    _pass_checked(path, length, algorithm, value, write)
            except CopyError as trouble:
                if trouble.row[0] == SOURCE:
                    trouble.path = path
                raise
            size += length
        write(room[:held])
        out.keep()
    return size, whole.hexdigest()


def _read_checked(path: str, size: int, algorithm: str, value: str, room: memoryview) -> None:
    """Read a small file to the beginning of `room`, if its bytes are those that are expected."""
    source, before = _open_source(path)
    try:
        _refuse_other_size(before.st_size, size)
        data = _read_whole(source, size, room)
    finally:
        os.close(source)
    if algorithm:
        _refuse_other_digest(_digests_of(data, (algorithm,))[0], algorithm, value)


def _pass_checked(path: str, size: int, algorithm: str, value: str, take: Callable[[memoryview], None]) -> None:
    """Give the bytes of a large file to `take`; an error at its end, if not before, where they are others."""
    source, before = _open_source(path)
    room = _room()[:CHUNK]
    hasher = hashlib.new(algorithm or "sha256", usedforsecurity=False)
    left = size
    try:
        _refuse_other_size(before.st_size, size)
        while count := _read_some(source, room):
            left -= count
            if left < 0:
                break
            hasher.update(room[:count])
            take(room[:count])
    finally:
        os.close(source)
    _refuse_other_size(size - left, size)
    if algorithm:
        _refuse_other_digest(hasher.hexdigest(), algorithm, value)


def _read_some(source: int, room: memoryview) -> int:
    try:
        return os.readv(source, [room])
    except OSError as error:
        raise copy_error_of(SOURCE, error) from None


def _refuse_other_digest(found: str, algorithm: str, value: str) -> None:
    if found != value:
        raise CopyError(SOURCE, "other", 0, f"its {algorithm} is {found}, not {value}")


def _open_source(path: str) -> tuple[int, os.stat_result]:
    try:
        source = os.open(path, EXISTING)
    except OSError as error:
        raise copy_error_of(SOURCE, error) from None
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode):
        os.close(source)
        raise CopyError(SOURCE, "special", 0, "it is not a file")
    return source, status


def _refuse_change(source: int, before: os.stat_result) -> None:
    after = os.fstat(source)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise CopyError(SOURCE, "changed", 0, "it changed while it was being read")


def _read_whole(source: int, size: int, room: memoryview) -> memoryview:
    """The bytes of a file, at the beginning of `room`: they stay there until that is used again."""
    # One byte more is asked for, so that the answer tells the end of the file as well.
    found = _read_some(source, room[: size + 1])
    while found < size and (more := _read_some(source, room[found : size + 1])):
        found += more
    _refuse_other_size(found, size)
    return room[:size]


def _digests_of(data: memoryview, algorithms: Sequence[str]) -> tuple[str, ...]:
    # Asked for by `new`, OpenSSL would look for the name each time: twice as long for what is small.
    return tuple(getattr(hashlib, name)(data, usedforsecurity=False).hexdigest() for name in algorithms)


def _refuse_other_size(found: int, expected: int) -> None:
    if found != expected:
        raise CopyError(SOURCE, "changed", 0, f"it gave {found} bytes, its size was {expected}")


def _pass_through(
    source: int, size: int, out: NewFile | None, algorithms: Sequence[str], piece: int, *, spread: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    threads = spread and size >= THREADED
    buffers = [memoryview(bytearray(CHUNK)) for _ in range(DEPTH + 1 if threads else 1)]
    digesting = Digesting(algorithms, threads=threads, piece=piece)
    done = turn = 0
    try:
        while True:
            view = buffers[turn % len(buffers)]
            turn += 1
            if not (count := _read_some(source, view)):
                break
            done += count
            if done > size:
                break
            digesting.feed(view[:count])
            if out is not None:
                out.write(view[:count])
    finally:
        digesting.close()
    _refuse_other_size(done, size)
    return digesting.values(), digesting.pieces()


def write_new(target: str, data: bytes | memoryview) -> None:
    """Write a small file whole.

    Raises:
        CopyError: The storage refused; nothing is left.
    """
    with NewFile(target) as out:
        out.write(data)
        out.keep()


class NewFile:
    """A file that did not exist, and is gone again unless `keep` was called.

    What is `brief` is read and removed in a moment: it is no work for the disk.
    """

    def __init__(self, path: str, *, brief: bool = False) -> None:
        """Make it.

        Raises:
            CopyError: The storage refused, or the name is taken.
        """
        self._path = path
        self._kept = False
        self._brief = brief
        self._size = self._flushed = 0
        try:
            self._descriptor = os.open(path, NEW_FILE, 0o644)
        except OSError as error:
            raise copy_error_of(TARGET, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        if not self._kept:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of `data`.

        Raises:
            CopyError: The storage refused.
        """
        try:
            count = os.write(self._descriptor, data)
            self._size += count
            while count < len(data):
                more = os.write(self._descriptor, memoryview(data)[count:])
                self._size += more
                count += more
            if self._size - self._flushed >= FLUSH and not self._brief:
                self._start_storing()
        except OSError as error:
            raise copy_error_of(TARGET, error) from None

    def _start_storing(self) -> None:
        # Linux answers this advice by starting to write the dirty pages, without waiting: the disk works
        # while we digest, instead of all at once in the sync at the end. Elsewhere it is only advice.
        if _ADVISE:
            os.posix_fadvise(self._descriptor, self._flushed, self._size - self._flushed, os.POSIX_FADV_DONTNEED)
        self._flushed = self._size

    def keep(self) -> None:
        """Close the file and let it stay.

        Raises:
            CopyError: The storage refused at the last moment.
        """
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.close(descriptor)
        except OSError as error:
            raise copy_error_of(TARGET, error) from None
        self._kept = True


WORK: dict[str, Callable[..., tuple[Any, ...]]] = {"copy": copy_file, "hash": hash_file, "join": join_files}


def do_batch(batch: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Do a batch `(verb, rows, spread)`; each answer is `(True, …)` or `(False, side, kind, errno, reason)`."""
    verb, rows, spread = batch
    work: Callable[..., tuple[Any, ...]] = WORK[verb]
    return [do_one(work, row, spread=spread) for row in rows]


def do_one(work: Callable[..., tuple[Any, ...]], row: tuple[Any, ...], *, spread: bool = True) -> tuple[Any, ...]:
    """Do one row of a batch."""
    try:
        return (True, *work(*row, spread=spread))
    except CopyError as trouble:
        return (False, *trouble.row)


def serve() -> None:
    """Answer batches from standard input on standard output until the other end closes.

    A thread waits at the input all the time: it takes the next batch in while one is being done, so
    that neither side ever waits for the other's pipe, and ends the process at once when the parent
    is gone, killed or not, so that nobody writes into a transaction that is being rolled back.
    """
    batches: SimpleQueue[tuple[object, ...]] = SimpleQueue()
    threading.Thread(target=_receive_batches, args=(batches.put,), daemon=True).start()
    while True:
        _write_all(1, marshal.dumps(do_batch(batches.get())))


def _receive_batches(put: Callable[[object], None]) -> None:
    while (head := _read_all(LENGTH.size)) and (body := _read_all(*LENGTH.unpack(head))):
        put(marshal.loads(body))  # noqa: S302 - what comes down this pipe is from our own parent process
    os._exit(0)


def _read_all(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, CHUNK))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    serve()
