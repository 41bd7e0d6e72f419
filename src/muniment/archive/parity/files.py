"""Parity for one file: a PAR2 set named by the file's sha256, made, verified and used to repair it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.disk import durable
from muniment.archive.parity import sets as work
from muniment.archive.parity.geometry import geometry
from muniment.archive.parity.par2 import Par2, Verdict
from muniment.archive.parity.salvage import salvage
from muniment.archive.parity.sidecar import ParityFile
from muniment.errors.archive import ReadFailed
from muniment.errors.parity import CannotRepair, ParityNotMade

_ONE_THREAD_BELOW = 4_000_000


@dataclass(frozen=True, slots=True)
class ParitySet:
    """A set as it was made: its name, the bytes it protects, and its files, the sidecar last."""

    name: str
    protected: int
    files: tuple[ParityFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files of the set, the sidecar included."""
        return sum(file.size for file in self.files)


def make_for_file(
    source: Path,
    sha256: str,
    target_folder: Path,
    redundancy: int,
    *,
    tool: Par2 | None = None,
    check_source: bool = True,
    threads: int | None = None,
) -> ParitySet | None:
    """Make `<sha256>.par2`, its volume and its sidecar in `target_folder`; None for an empty file or 0 percent.

    A file worth it is worked by `threads` threads, by default one for each processor.

    The set is complete or not there at all. Nothing is synced: publishing is the caller's. The source is
    linked into a folder in `target_folder` meanwhile (copied where it is on another filesystem).
    `check_source` reads the source beside par2 and refuses to make parity of other bytes than `sha256` names.

    Raises:
        ParityNotMade: The source's bytes are not those of `sha256`.
        ParityToolMissing, ParityToolFailed: par2 could not do it.
        ReadFailed, DiskFull, WriteFailed: The storage refused.
    """
    work.refuse_name(sha256)
    size = _size(source)
    if not size or not redundancy:
        return None
    tool = tool or Par2()
    if size < _ONE_THREAD_BELOW:
        threads = 1
    with work.work_folder(target_folder) as folder:
        work.lend(source, folder / sha256)
        if check_source and size < _ONE_THREAD_BELOW:
            _refuse_other(source, work.sha256_of(folder / sha256), sha256)
        beside = check_source and size >= _ONE_THREAD_BELOW
        with _checking(source, folder / sha256, sha256) if beside else contextlib.nullcontext():
            files = work.build_set(tool, folder, sha256, geometry(size, redundancy), threads)
        return ParitySet(sha256, size, work.deliver(files, folder, sha256, target_folder))


def verify_file(source: Path, sha256: str, parity_folder: Path, scratch: Path, *, tool: Par2 | None = None) -> Verdict:
    """Whether the file agrees with its parity and, if not, whether it can be repaired. Nothing is changed.

    Raises:
        CannotRepair: There are no parity files.
        ParityToolMissing, ParityToolFailed: par2 could not come to a verdict.
        DiskFull, WriteFailed: The scratch folder refused.
    """
    work.refuse_name(sha256)
    with work.work_folder(scratch) as folder:
        work.bring_set(parity_folder, sha256, folder)
        with durable.writing(folder):
            (folder / sha256).symlink_to(source.absolute())
        return (tool or Par2()).verify(folder, sha256)


def repair_file(
    source: Path, sha256: str, parity_folder: Path, scratch: Path, target: Path, *, tool: Par2 | None = None
) -> Path:
    """Write the repaired bytes of `source` to `target` (new, on the filesystem of `scratch`); the source is only read.

    The result has the sha256 asked for, or there is no result. A source that is missing, too short, too long
    or unreadable in layout is repaired as far as the parity reaches.

    Raises:
        CannotRepair: More is lost than the parity can stand in for; the message says how much.
        ParityToolMissing, ParityToolFailed: par2 could not come to a verdict.
        DiskFull, WriteFailed: The scratch folder refused.
    """
    work.refuse_name(sha256)
    with work.work_folder(scratch) as folder:
        data = folder / sha256
        found = _found(source)
        if found is None or found == sha256:
            # Not left to par2: at a read error it gives up, where all but a few sectors could still be used.
            durable.write_file(data, salvage(source, work.size_or_nothing(source)))
        else:
            with durable.writing(folder):
                data.symlink_to(source.absolute())
        if found != sha256:
            work.bring_set(parity_folder, sha256, folder)
            work.repair(tool or Par2(), folder, sha256, str(source))
        found = work.sha256_of(data)
        if found != sha256:
            raise CannotRepair(path=source, reason=f"the repaired bytes have the sha256 {found}, not {sha256}")
        durable.rename(data, target)
    return target


def _size(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise ReadFailed(path=source, reason=error.strerror or str(error)) from error


def _found(source: Path) -> str | None:
    """The sha256 the file has now; None when it is missing or cannot be read to its end."""
    try:
        return work.sha256_of(source)
    except ReadFailed:
        return None


@contextlib.contextmanager
def _checking(source: Path, path: Path, sha256: str) -> Iterator[None]:
    """Read `path` beside what the caller does, on the same cached bytes, and refuse other content than `sha256`.

    Raises:
        ParityNotMade: The bytes have another sha256.
        ReadFailed: They cannot be read.
    """
    stopped = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="parity-check") as pool:
        reading = pool.submit(work.sha256_of, path, stopped.is_set)
        try:
            yield
        except BaseException:
            stopped.set()
            raise
        found = reading.result()
    _refuse_other(source, found, sha256)


def _refuse_other(source: Path, found: str, sha256: str) -> None:
    if found != sha256:
        raise ParityNotMade(path=source, reason=f"its sha256 is {found}, not {sha256}")
