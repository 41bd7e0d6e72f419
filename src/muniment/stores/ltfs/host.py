"""The machine a tape is mounted on: what a store asks of it, and the machine we run on as one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from muniment.errors.stores import StoreFailed, StoreFull, StoreReadOnly, TapeMissing, TapeUnlabelled
from muniment.stores.ltfs.catalogue import is_tape
from muniment.stores.ltfs.names import INCOMING, INDICATOR, INDICATOR_SUFFIX
from muniment.stores.protocol import CHUNK

ATTRIBUTES = ("volumeUUID", "volumeName", "volumeSerial", "indexGeneration", "mediaStorageAlert")
"""What LTFS says of a tape in extended attributes of its root (`user.ltfs.…`), as far as it does."""
_LONGEST_INDICATOR = 200
_ASK_EVERY = 16 << 20
"""Bytes after which it is asked again whether there is room."""
COMMAND_SECONDS = 3600
"""How long mounting may take: a tape that was not unmounted is read from its beginning."""
_LONGEST_SAID = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted tape: its name, bytes in all and free, and whether it can be written to."""

    tape: str
    total: int
    free: int
    read_only: bool
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def reserve(self) -> int:
        """Bytes that must stay free, for LTFS's index: a hundredth of all."""
        return self.total // 100


@dataclass(frozen=True, slots=True)
class Found:
    """A file on a tape: its path there, bytes, and time of change in RFC 3339."""

    name: str
    size: int
    modified: str


class Host(Protocol):
    """The machine a tape is mounted on."""

    def run(self, words: Sequence[str]) -> str:
        """Run a command there, as these words and by no shell: what went wrong, or ''.

        Raises:
            StoreUnreachable: The machine cannot be asked.
        """

    def volume(self) -> Volume:
        """The tape that is mounted now.

        Raises:
            TapeMissing: None is.
            TapeUnlabelled: It has no indicator, or several.
            StoreFailed, StoreUnreachable: It could not be told.
        """

    def stat(self, name: str) -> Found | None:
        """A file, or None."""

    def list(self) -> Iterator[Found]:
        """Every file, in no order."""

    def open(self, name: str, offset: int) -> BinaryIO:
        """A file's bytes from `offset` on."""

    def write(self, name: str, data: Iterable[bytes], room: Callable[[int], None]) -> None:
        """Write a file that is not there. `room` is asked now and then for what comes next, and may raise."""

    def sha256(self, name: str) -> tuple[int, str]:
        """Size and digest of a file, read from the medium as far as the machine can be made to."""

    def sync(self) -> None:
        """Let LTFS write its index, so that what was written is found again after the next mount."""


def indicator_of(names: Iterable[str], content: bytes | None, store: str) -> str:
    """The name of a tape: of its one file `*.indicator`, or the first line of its file INDICATOR. Never written here.

    Raises:
        TapeUnlabelled: There is none, or more than one.
    """
    stems = [name.removesuffix(INDICATOR_SUFFIX) for name in names if name.endswith(INDICATOR_SUFFIX)]
    if content is not None:
        stems.append(content[:_LONGEST_INDICATOR].decode("utf-8", "replace").strip().split("\n")[0].strip())
    if len(stems) != 1:
        reason = f"it has {len(stems)} indicators" if stems else f"it has neither {INDICATOR} nor a *{INDICATOR_SUFFIX}"
        raise TapeUnlabelled(store=store, reason=reason)
    if not is_tape(stems[0]):
        raise TapeUnlabelled(store=store, reason=f"its indicator {stems[0][:40]!r} is no name for a tape")
    return stems[0]


def outcome(command: str, status: int, said: bytes) -> str:
    """What went wrong with a command, by its status and its last line; '' where nothing did."""
    if status == 0:
        return ""
    lines = said.decode("utf-8", "replace").strip().splitlines() or [""]
    # LTFS begins each line with the number of its process, which is another each time.
    text = re.sub(r"^[0-9a-f]+ (?=LTFS\d)", "", lines[-1].strip())
    return f"{command} ended with status {status}{f': {text[:300]}' if text else ''}"


class LocalHost:
    """A tape mounted on this machine."""

    def __init__(self, mount: Path, store: str) -> None:
        self._mount = mount
        self._store = store

    def run(self, words: Sequence[str]) -> str:
        """Run a command: what went wrong, or ''."""
        # A file and no pipe: what mounts stays behind as a daemon, and a pipe that it holds would never end.
        with tempfile.TemporaryFile() as said:
            try:
                done = subprocess.run(
                    list(words), check=False, timeout=COMMAND_SECONDS, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"{words[0]} did not end within {COMMAND_SECONDS} s"
            except OSError as error:
                return f"{words[0]}: {error.strerror}"
            said.seek(0)
            return outcome(words[0], done.returncode, said.read(_LONGEST_SAID))

    def volume(self) -> Volume:
        """The tape that is mounted now.

        Raises:
            TapeMissing, TapeUnlabelled, StoreFailed: As `Host.volume`.
        """
        with self._trouble("."):
            if not os.path.ismount(self._mount):
                raise TapeMissing(store=self._store, reason=f"nothing is mounted at {self._mount}")
            names = [each.name for each in self._mount.iterdir()]
            label = self._mount / INDICATOR
            content = label.read_bytes() if INDICATOR in names else None
            found = os.statvfs(self._mount)
        tape = indicator_of(names, content, self._store)
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        facts = {name: value for name in ATTRIBUTES if (value := self._attribute(name))}
        return Volume(tape, total, free, bool(found.f_flag & os.ST_RDONLY), facts)

    def stat(self, name: str) -> Found | None:
        """A file, or None.

        Raises:
            StoreFailed: It could not be told.
        """
        with self._trouble(name):
            try:
                found = (self._mount / name).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return Found(name, found.st_size, _when(found.st_mtime))

    def list(self) -> Iterator[Found]:
        """Every file.

        Raises:
            StoreFailed: It could not be told.
        """
        with self._trouble("."):
            for folder, _, names in os.walk(self._mount, onerror=_raise):
                for name in names:
                    path = Path(folder, name)
                    found = path.lstat()
                    yield Found(str(path.relative_to(self._mount)), found.st_size, _when(found.st_mtime))

    def open(self, name: str, offset: int) -> BinaryIO:
        """A file's bytes from `offset` on.

        Raises:
            StoreFailed: It cannot be read.
        """
        with self._trouble(name):
            file = (self._mount / name).open("rb")
            file.seek(offset)
            return file

    def write(self, name: str, data: Iterable[bytes], room: Callable[[int], None]) -> None:
        """Write a file under another name, and give it its own when it is whole.

        What fails is removed, though a tape gives no room back.

        Raises:
            StoreFull, StoreReadOnly, StoreFailed: The tape refused.
        """
        place = self._mount / name
        fresh = self._mount / INCOMING / secrets.token_hex(8)
        unasked = _ASK_EVERY
        try:
            with self._trouble(name):
                fresh.parent.mkdir(exist_ok=True)
                with fresh.open("xb", buffering=0) as file:
                    for piece in data:
                        unasked += len(piece)
                        if unasked >= _ASK_EVERY:
                            room(len(piece))
                            unasked = 0
                        _write(file.fileno(), piece)
                    os.fsync(file.fileno())
                place.parent.mkdir(parents=True, exist_ok=True)
                if os.path.lexists(place):  # writers hold the drive one at a time; this is for those who do not
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                fresh.rename(place)
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink()

    def sha256(self, name: str) -> tuple[int, str]:
        """Size and digest of a file; what is in memory proves nothing, so the cache is asked to let it go.

        Raises:
            StoreFailed: It cannot be read.
        """
        digest, size = hashlib.sha256(), 0
        with self._trouble(name), (self._mount / name).open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while piece := file.read(CHUNK):
                digest.update(piece)
                size += len(piece)
        return size, digest.hexdigest()

    def sync(self) -> None:
        """Let LTFS write its index.

        Raises:
            StoreFull, StoreFailed: It could not.
        """
        with self._trouble("."):
            folder = os.open(self._mount, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _libc.syncfs(folder):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            finally:
                os.close(folder)
            try:
                os.setxattr(self._mount, "user.ltfs.sync", b"1")
            except OSError as error:
                if error.errno not in {errno.ENOTSUP, errno.ENODATA, errno.EPERM}:
                    raise

    def _attribute(self, name: str) -> str:
        try:
            return os.getxattr(self._mount, f"user.ltfs.{name}").decode("utf-8", "replace").strip("\0 \n")
        except OSError:
            return ""

    @contextlib.contextmanager
    def _trouble(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StoreFull(store=self._store, key=name) from error
            if error.errno == errno.EROFS:
                raise StoreReadOnly(store=self._store, key=name, reason="the tape is mounted read-only") from error
            raise StoreFailed(store=self._store, key=name, reason=error.strerror or str(error)) from error


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _raise(error: OSError) -> None:
    raise error
