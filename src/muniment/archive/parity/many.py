"""Parity for many files at once: several par2 processes side by side, bounded by the processors."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from muniment.archive.parity.files import ParitySet, make_for_file
from muniment.archive.parity.par2 import Par2
from muniment.content.progress import Progress, quiet

_LARGE = 1 << 30
"""From this size on in bytes a file has all processors to itself, so that none of them waits long for the last one."""
_AHEAD = 4


def make_many(
    files: Iterable[tuple[Path, str]],
    target_folder: Path,
    redundancy: int,
    *,
    progress: Progress = quiet,
    total: int | None = None,
    workers: int | None = None,
    check_source: bool = True,
) -> Iterator[ParitySet]:
    """Make a set of its own for each (source, sha256), in the order given; equal content once, empty files none.

    Files are worked side by side, each by one thread of par2, as it digests a file with one thread anyhow; very
    large ones, and those that are too few for that, by all threads. `progress` is told `parity`, the files done,
    `total` and the bytes protected. When the caller stops iterating, or one file fails, running processes are ended
    and no more are started; sets that were handed out are complete.

    Raises:
        ParityNotMade, ParityToolMissing, ParityToolFailed, ReadFailed, DiskFull, WriteFailed: As `make_for_file`.
    """
    tool = Par2()
    workers = workers or tool.threads
    one_large = threading.Lock()
    few = total is not None and total < workers

    def make(source: Path, sha256: str) -> ParitySet | None:
        def run(threads: int | None) -> ParitySet | None:
            return make_for_file(
                source, sha256, target_folder, redundancy, tool=tool, check_source=check_source, threads=threads
            )

        if _is_large(source):
            with one_large:
                return run(None)
        return run(None if few else 1)

    waiting: collections.deque[concurrent.futures.Future[ParitySet | None]] = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="parity")
    done = size = 0
    try:
        queue = iter(_once_each(files))
        while True:
            room = _AHEAD * workers - len(waiting)
            waiting.extend(pool.submit(make, source, sha256) for source, sha256 in itertools.islice(queue, room))
            if not waiting:
                return
            made = waiting.popleft().result()
            done += 1
            size += made.protected if made else 0
            progress("parity", done, total, size=size)
            if made:
                yield made
    finally:
        tool.stop()
        pool.shutdown(cancel_futures=True)


def _once_each(files: Iterable[tuple[Path, str]]) -> Iterator[tuple[Path, str]]:
    """Two sets of one name would be written at the same time."""
    seen: set[bytes] = set()
    for source, sha256 in files:
        key = sha256.encode()
        if key not in seen:
            seen.add(key)
            yield source, sha256


def _is_large(source: Path) -> bool:
    try:
        return source.stat().st_size >= _LARGE
    except OSError:
        return False
