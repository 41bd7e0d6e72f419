"""Locks between processes: advisory, on files that hold nothing, released when a process dies.

What stands in the place of a lock and is no file is set aside, so that the work goes on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.disk.durable import make_folder, writing
from muniment.errors.base import StorageError


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock `path` alone, waiting for whoever has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held_if_possible(path: Path) -> Iterator[None]:
    """As `exclusive`; without the lock where this process may not even make its file, as on a read-only medium."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(StorageError):
            stack.enter_context(exclusive(path))
        yield


def try_exclusive(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed, or None when somebody else has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def folder_alone(path: Path) -> Iterator[bool]:
    """Hold a folder itself, which leaves no file in it; False when somebody else has it.

    A filesystem that knows no locks on folders says True to everybody.
    """
    with writing(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        alone = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        except OSError:
            pass  # a filesystem without locks: nobody can be told to wait
        yield alone
    finally:
        os.close(descriptor)


_LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def _open(path: Path) -> int:
    with writing(path):
        try:
            descriptor = os.open(path, _LOCK, 0o644)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
            return _instead(path)
        except FileNotFoundError:
            make_folder(path.parent)
            return os.open(path, _LOCK, 0o644)
        except OSError as error:
            if error.errno in {errno.EISDIR, errno.ELOOP, errno.ENXIO}:
                return _instead(path)
            if error.errno not in {errno.EACCES, errno.EROFS} or not path.exists():
                raise
            # Who may only read can still ask whether somebody holds it.
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _instead(path: Path) -> int:
    """Make a lock in the place of what is none, which goes to quarantine, where an audit names it."""
    quarantine = path.parent.parent / "quarantine"
    make_folder(quarantine)
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        with contextlib.suppress(FileNotFoundError):  # by somebody else, at this moment
            os.rename(path, quarantine / f"lock-{path.name}-{secrets.token_hex(4)}")
    return os.open(path, _LOCK, 0o644)
