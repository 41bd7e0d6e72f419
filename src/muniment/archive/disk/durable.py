"""Every write of the archive to the disk, and the syncs that make it durable.

Every module of the archive writes, renames and flushes with the functions here, so that the order
of durable points can be read in one place (docs/durability.md) and failed on purpose in tests.
Foreign `OSError`s become errors of Muniment's here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import secrets
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from muniment.errors.archive import DiskFull, WriteFailed

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FEW_FOLDERS = 12
"""Up to so many are synced one by one, as a flush of all brings out what others are writing too."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


class writing:  # noqa: N801 - used as a function is; made by hand, as a generator takes three times as long
    """Turn an `OSError` while writing below `path` into one of Muniment's errors.

    Raises:
        DiskFull: No space or quota is left.
        WriteFailed: Any other refusal of the storage.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin to write."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Name what the storage refused."""
        if not isinstance(error, OSError):
            return
        place = error.filename if isinstance(error.filename, str) else os.fspath(self._path)
        if error.errno in _FULL:
            raise DiskFull(path=place) from error
        raise WriteFailed(path=place, reason=error.strerror or str(error)) from error


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte: the kernel may take fewer than it is given."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(
    path: str | os.PathLike[str], chunks: bytes | Iterable[bytes | bytearray | memoryview], *, sync: bool = False
) -> None:
    """Write a file that does not exist yet; with `sync` its bytes are on stable storage on return.

    Raises:
        DiskFull, WriteFailed: The storage refused; a partial file is removed.
    """
    with writing(path):
        descriptor = os.open(path, NEW_FILE, 0o644)
        try:
            for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
                write_all(descriptor, chunk)
            if sync:
                os.fsync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(descriptor)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make `path` and what is missing above it; being there already is fine.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    with writing(path):
        missing = [os.fspath(path)]
        while missing:
            try:
                os.mkdir(missing[-1])
            except FileExistsError:
                pass  # made by another meanwhile, or there before: what was wanted
            except FileNotFoundError:
                missing.append(os.path.dirname(missing[-1]) or ".")
                continue
            missing.pop()


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Make the names in a folder last: after a rename or a new file, nothing else does.

    Raises:
        WriteFailed: The storage could not promise it.
    """
    with writing(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_folders(paths: Collection[Path]) -> None:
    """As `sync_folder` for each of several folders of one filesystem; many of them by one flush of it.

    Raises:
        WriteFailed: The storage could not promise it.
    """
    if len(paths) > _FEW_FOLDERS and _syncfs is not None:
        sync_tree(next(iter(paths)))
        return
    for path in paths:
        sync_folder(path)


def rename(source: Path, target: Path) -> None:
    """Give `source` the name `target` at once; both lie on one filesystem.

    Raises:
        FileExistsError: `target` is a folder with something in it (the caller decides what that means).
        DiskFull, WriteFailed: The storage refused.
    """
    try:
        with writing(target):
            os.rename(source, target)
    except WriteFailed as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise FileExistsError(cause.errno, "already there", os.fspath(target)) from None
        raise


def link(source: Path, name: Path) -> None:
    """Give what is at `source` the further name `name`; of a symbolic link, the link itself.

    Raises:
        FileExistsError: There is something at `name`.
        DiskFull, WriteFailed: The storage refused, or knows no further names for it (a folder, some filesystems).
    """
    try:
        with writing(name):
            os.link(source, name, follow_symlinks=False)
    except WriteFailed as error:
        if isinstance(error.__cause__, FileExistsError):
            raise error.__cause__ from None
        raise


def replace_file(target: Path, data: bytes | Iterable[bytes | bytearray | memoryview], *, scratch: Path) -> None:
    """Put new content under the name of a file that may exist, whole or not at all.

    The new file is written in `scratch`, never beside the target: no temporary file may lie inside
    an object's root (OCFL 1.1 §3.1, E001). The caller syncs the target's folder.

    Raises:
        DiskFull, WriteFailed: The storage refused; the target is as before.
    """
    fresh = scratch / f"new-{secrets.token_hex(8)}"
    write_file(fresh, data, sync=True)
    with writing(target):
        try:
            os.replace(fresh, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it, links not followed; what is already gone is fine.

    Raises:
        WriteFailed: Something could not be removed.
    """
    with writing(path):
        try:
            if path.is_symlink():
                os.unlink(path)
                return
            _remove_folder(os.fspath(path))
        except FileNotFoundError:
            return
        except NotADirectoryError:
            os.unlink(path)


def _remove_folder(path: str) -> None:
    # Own walk, not shutil.rmtree: every unlink goes through `os` by name, where tests can fail it.
    # Nor by recursion: what is removed may be deeper than Python calls itself.
    waiting: list[tuple[str, bool]] = [(path, False)]
    while waiting:
        place, emptied = waiting.pop()
        if emptied:
            os.rmdir(place)
            continue
        waiting.append((place, True))
        with os.scandir(place) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, False))
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)


def _find_syncfs() -> Callable[[int], int] | None:
    """The C library's syncfs, where it reports errors: Linux since 5.8."""
    if sys.platform != "linux":
        return None
    numbers = platform.release().split(".")[:2]
    try:
        if (int(numbers[0]), int(numbers[1].split("-")[0])) < (5, 8):
            return None
        found = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, ValueError, IndexError, OSError):
        return None
    found.argtypes = [ctypes.c_int]
    found.restype = ctypes.c_int

    def call(descriptor: int) -> int:
        return int(found(descriptor))

    return call


_SYNCFS = _syncfs = _find_syncfs()
# Tests put their own in place of the second, where they count and fail what must not fail unseen.


def sync_trees(roots: Sequence[Path], *, since: int | None = None) -> None:
    """As `sync_tree` for each of several on one filesystem, with one flush where there is `syncfs`.

    Raises:
        DiskFull, WriteFailed: The storage could not promise it; treat all of them as not written.
    """
    for root in roots if _syncfs is None else roots[:1]:
        sync_tree(root, since=since)


def sync_tree(root: Path, *, since: int | None = None) -> None:
    """Put everything below `root` on stable storage: files, their folders, all names.

    One `syncfs` of the filesystem serves where it is there, because thousands of `fsync`s cost
    tens of times as much; elsewhere every file and folder is synced on its own.

    `since` is a descriptor on the same filesystem that was open before the first byte was written: the
    kernel tells a descriptor of every failed write since it was opened, but of an earlier one only if
    nobody else has been told.

    Raises:
        DiskFull, WriteFailed: The storage could not promise it; treat the tree as not written.
    """
    with writing(root):
        if _syncfs is None:
            _sync_each(os.fspath(root))
            return
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if since is None else since
        try:
            if _syncfs(descriptor) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), os.fspath(root))
        finally:
            if since is None:
                os.close(descriptor)


@contextlib.contextmanager
def syncing_ahead(root: Path) -> Iterator[None]:
    """While the block works, let what was written below `root` go to the disk already.

    It promises nothing, and what fails is told to the `sync_tree` that follows, if that is given a
    descriptor from before: it has only what came later to wait for.
    """
    if _SYNCFS is None:
        yield
        return
    with writing(root):
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    ahead = threading.Thread(target=_SYNCFS, args=(descriptor,), daemon=True)
    try:
        # Where no thread is to be had, the sync that follows does all the work.
        with contextlib.suppress(RuntimeError):
            ahead.start()
        yield
    finally:
        if ahead.ident is not None:
            ahead.join()
        os.close(descriptor)


def _sync_each(root: str) -> None:
    # The deepest first, so that a name is never on the disk before what it leads to.
    folders = [root]
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    _sync_one(entry.path, os.O_NOFOLLOW)
    for folder in reversed(folders):
        _sync_one(folder, os.O_DIRECTORY)
    # The name of the whole is to last too; a folder that may not be opened is not one of the archive's.
    with contextlib.suppress(PermissionError):
        _sync_one(os.path.dirname(root), os.O_DIRECTORY)


def _sync_one(path: str, flag: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | flag | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
