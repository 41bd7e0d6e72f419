"""Opening files to read: regular ones only, so that a pipe or device in a file's place never makes a reader wait."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from muniment.content.folders import kind_of

# Without waiting for somebody to write into a pipe; of a regular file it changes nothing.
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file at `path` itself; a link to one is none."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def descriptor_of(path: str | os.PathLike[str], *, follow: bool = False) -> int:
    """A descriptor to read a regular file by, for the caller to close; a link is refused unless `follow`.

    Raises:
        OSError: There is none, it cannot be opened, or it is no regular file (EINVAL, with what it is).
    """
    return _opened(path, follow=follow)[0]


def _opened(path: str | os.PathLike[str], *, follow: bool) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, _READING | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno == errno.ELOOP and not follow and Path(path).is_symlink():
            raise _refusal(path, "a link") from None
        if error.errno == errno.ENXIO:
            raise _refusal(path, "a socket or a device") from None
        raise
    status = os.fstat(descriptor)
    kind = kind_of(status.st_mode)
    if kind:
        os.close(descriptor)
        raise _refusal(path, kind)
    return descriptor, status


def open_regular(path: str | os.PathLike[str], *, follow: bool = False) -> io.FileIO:
    """A regular file as an unbuffered stream of bytes; a link is refused unless `follow`.

    Raises:
        OSError: As `descriptor_of`.
    """
    return io.FileIO(descriptor_of(path, follow=follow), "rb", closefd=True)


def open_text(path: str | os.PathLike[str], encoding: str = "utf-8") -> io.TextIOWrapper:
    """A regular file, or one that a link leads to, as lines of text.

    Raises:
        OSError: As `descriptor_of`.
        LookupError: There is no such encoding.
    """
    return io.TextIOWrapper(io.BufferedReader(open_regular(path, follow=True)), encoding=encoding)


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a regular file that is known to be small: a record, a sidecar.

    Raises:
        OSError: As `descriptor_of`.
    """
    descriptor, status = _opened(path, follow=False)
    try:
        # One byte more than there should be: of a file that has that size, the end is seen in the same call.
        pieces = [os.read(descriptor, status.st_size + 1)]
        if len(pieces[0]) != status.st_size:
            while pieces[-1]:
                pieces.append(os.read(descriptor, 1 << 20))
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def read_small(path: str | os.PathLike[str], size: int) -> bytes:
    """All bytes of a small file that should have `size`: one more of a longer one, fewer of a shorter.

    It is not asked whether it is a regular file, which would cost as much as reading it: a pipe without a writer is
    read as an empty file, and whoever asks compares what came with the size and a digest.

    Raises:
        OSError: There is none, it is a link, or it cannot be read.
    """
    descriptor = os.open(path, _READING | os.O_NOFOLLOW)
    try:
        found = os.read(descriptor, size + 1)
        while len(found) < size and (more := os.read(descriptor, size + 1 - len(found))):
            found += more
    finally:
        os.close(descriptor)
    return found


def _refusal(path: str | os.PathLike[str], kind: str) -> OSError:
    return OSError(errno.EINVAL, f"{kind}, not a file", os.fspath(path))


def regular_size(path: Path) -> int | None:
    """Bytes of the regular file at `path`, or None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
