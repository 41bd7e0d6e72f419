"""Digests of many files: each file read once for all its algorithms, several files at a time."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, Protocol

from muniment.content import Progress, quiet
from muniment.validation.findings import why

_BUFFER = 256 * 1024
_BATCH_FILES = 32
_BATCH_BYTES = 4 * 1024 * 1024
"""A thread gets up to so many files or bytes at once: one by one, handing over costs more than a small file."""


class Hasher(Protocol):
    """What every hash object of the standard library can do."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in the next bytes."""

    def hexdigest(self) -> str:
        """The digest of everything so far."""


def _blake2b(size: int) -> Callable[[], Hasher]:
    return lambda: hashlib.blake2b(digest_size=size)


def _named(name: str) -> Callable[[], Hasher]:
    return lambda: hashlib.new(name, usedforsecurity=False)


KNOWN: Mapping[str, tuple[int, Callable[[], Hasher]]] = {
    "md5": (32, _named("md5")),
    "sha1": (40, _named("sha1")),
    "sha224": (56, _named("sha224")),
    "sha256": (64, _named("sha256")),
    "sha384": (96, _named("sha384")),
    "sha512": (128, _named("sha512")),
    "sha512/256": (64, _named("sha512_256")),
    "sha3224": (56, _named("sha3_224")),
    "sha3256": (64, _named("sha3_256")),
    "sha3384": (96, _named("sha3_384")),
    "sha3512": (128, _named("sha3_512")),
    "blake2b": (128, _blake2b(64)),
    "blake2b-512": (128, _blake2b(64)),
    "blake2b-384": (96, _blake2b(48)),
    "blake2b-256": (64, _blake2b(32)),
    "blake2b-160": (40, _blake2b(20)),
    "blake2s": (64, hashlib.blake2s),
}
"""Algorithm to the length of its hexadecimal digest and what computes it."""
if "sha512_256" not in hashlib.algorithms_available:  # pragma: no cover - depends on the machine's OpenSSL
    KNOWN = {name: row for name, row in KNOWN.items() if name != "sha512/256"}


class FileToDigest(NamedTuple):
    """A file to read: its path below the root, the algorithms wanted of it, its size in bytes."""

    path: str
    algorithms: Iterable[str]
    size: int


@dataclass(slots=True)
class Result:
    """What reading one file gave: its digests, or the reason there are none."""

    path: str
    size: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    trouble: str = ""


def read_digests(path: str, algorithms: Iterable[str]) -> Result:
    """Read one regular file in constant memory; trouble is in the result, never raised.

    Opened without following a link and without waiting, so a pipe put in a file's place cannot hang us.
    """
    result = Result(path)
    hashers = {name: KNOWN[name][1]() for name in algorithms}
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                result.trouble = "it is no file any more"
                return result
            buffer = memoryview(bytearray(_BUFFER))
            while count := os.readv(handle, [buffer]):
                result.size += count
                for hasher in hashers.values():
                    hasher.update(buffer[:count])
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        result.trouble = why(error)
        return result
    result.digests = {name: hasher.hexdigest() for name, hasher in hashers.items()}
    return result


def read_many(
    wanted: Iterable[FileToDigest],
    root: str,
    *,
    total: int | None = None,
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Result]:
    """Digests of `wanted` files below `root`, in the order given, `jobs` files at a time.

    Memory does not grow with the number of files: only a few batches are under way at once.
    """
    workers = max(1, jobs or min(os.cpu_count() or 1, 8))
    done = size = 0
    for results in _read_batches(root, _batches(wanted), workers):
        for result in results:
            done, size = done + 1, size + result.size
            yield result
        progress("verify", done, total, size=size)


def _read_batches(root: str, batches: Iterator[list[FileToDigest]], workers: int) -> Iterator[list[Result]]:
    first, second = next(batches, None), next(batches, None)
    if first is None:
        return
    if second is None:
        # All there is, one thread would read: this one does it, for a root of many small objects starts none.
        yield _read_batch(root, first)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="digest") as pool:
        under_way: deque[Future[list[Result]]] = deque()
        try:
            for batch in chain((first, second), batches):
                under_way.append(pool.submit(_read_batch, root, batch))
                if len(under_way) >= workers * 3:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _batches(wanted: Iterable[FileToDigest]) -> Iterator[list[FileToDigest]]:
    batch: list[FileToDigest] = []
    size = 0
    for item in wanted:
        batch.append(item)
        size += item.size
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_batch(root: str, batch: list[FileToDigest]) -> list[Result]:
    results = []
    for item in batch:
        result = read_digests(os.path.join(root, item.path), item.algorithms)
        result.path = item.path
        results.append(result)
    return results
