"""Faults of the storage on demand: the n-th call that changes the disk fails, or the process dies there.

A task runs in a forked child whose system calls are counted. The counting sees what goes through `os`
and the archive's `syncfs`; SQLite's writes (all it holds is derived) and par2's own are not seen.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import signal
import struct
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn

from muniment.archive.disk import durable
from muniment.errors.base import MunimentError

Strike = Literal["kill", "torn", "once", "onwards", "power"]
Counting = Callable[[], AbstractContextManager[None]]

_OF_A_PATH = ("mkdir", "unlink", "remove", "rmdir", "rename", "replace", "link", "symlink", "truncate")
_OF_A_DESCRIPTOR = ("write", "writev", "pwrite", "fsync", "fdatasync", "ftruncate")
_NEED_ROOM = {"open", "mkdir", "link", "symlink", "write", "writev", "pwrite", "fsync", "fdatasync", "syncfs"}
"""What a full disk refuses; it lets names be changed and removed."""
_WRITES = os.O_WRONLY | os.O_RDWR
_SHUTDOWN = 0x8004587D
"""The request XFS_IOC_GOINGDOWN, which ext4 has as EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)."""
_WITHOUT_THE_LOG = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at the `at`-th call, counted from 1; 0 is never.

    `kill` dies before the call, `torn` after half of it where it is a write. `once` fails it with the
    error `number`, `onwards` also every later call. `power` shuts the filesystem down before it dies; that
    takes root and a filesystem of one's own.
    """

    at: int = 0
    strike: Strike = "kill"
    number: int = errno.EIO

    def applies_to(self, call: str) -> bool:
        """Whether this error can happen to a call of that name."""
        name = call.split(" ", 1)[0]
        if self.strike == "torn":
            return name == "write"
        return self.strike in {"kill", "power"} or self.number != errno.ENOSPC or name in _NEED_ROOM


@dataclass(slots=True)
class Outcome:
    """What became of a task: the calls it made, what it raised, and what a power cut then could take.

    `unsynced` are the inodes with bytes that no sync covers yet, each with the size that one does cover;
    `renames` are the (from, to) names that none covers, oldest first, each with where the file is kept that
    was renamed over, or ''.
    """

    calls: list[str] = field(default_factory=list)
    killed: bool = False
    error: str = ""
    expected_error: bool = False
    trace: str = ""
    answer: Any = None
    unsynced: dict[str, int] = field(default_factory=dict)
    renames: list[tuple[str, str, str]] = field(default_factory=list)


class _Counted:
    """Stands between a task and the system; keeps what a report needs."""

    def __init__(self, root: str, fault: Fault, dying: Callable[[], NoReturn]) -> None:
        self.root = root.rstrip("/") + "/"
        self.fault = fault
        self.calls: list[str] = []
        self.unsynced: dict[str, int] = {}
        self.renames: list[tuple[str, str, str]] = []
        self._dying = dying
        self._real_sync: Callable[[int], int] | None = None
        self._ours: dict[int, str] = {}
        self._real: dict[str, Any] = {name: getattr(os, name) for name in (*_OF_A_PATH, *_OF_A_DESCRIPTOR)}
        self._real |= {"open": os.open, "close": os.close}

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Put every call through here."""
        real_sync = self._real_sync = durable._syncfs  # noqa: SLF001 - the one call that is not in `os`
        for name in _OF_A_PATH:
            setattr(os, name, self._of_path(name))
        for name in _OF_A_DESCRIPTOR:
            setattr(os, name, self._of_descriptor(name))
        os.open, os.close = self._open, self._close  # type: ignore[assignment] # same calls, narrower types
        if real_sync is not None:
            durable._syncfs = self._syncfs()  # noqa: SLF001 - as above
        try:
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)
            durable._syncfs = real_sync  # noqa: SLF001 - as above

    def _inside(self, path: object) -> str:
        text = os.path.abspath(os.fsdecode(path)) if isinstance(path, (str, bytes, os.PathLike)) else ""
        return text.removeprefix(self.root) if text.startswith(self.root) else ""

    def _count(self, call: str, partly: Callable[[], object] | None = None) -> None:
        """Note a call that is about to be made; strike if it is its turn."""
        self.calls.append(call)
        number, fault = len(self.calls), self.fault
        if not fault.at or number < fault.at or (number > fault.at and fault.strike != "onwards"):
            return
        if not fault.applies_to(call):
            return
        if fault.strike in {"kill", "torn", "power"}:
            if partly and fault.strike == "torn":
                partly()
            if fault.strike == "power":
                cut_power(self.root)
            self._dying()
        raise OSError(fault.number, os.strerror(fault.number), call.split(" ", 1)[-1])

    def _of_path(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(path: Any, *arguments: Any, **named: object) -> object:
            place = self._inside(path)
            target = (
                self._inside(arguments[0]) if arguments and name in {"rename", "replace", "link", "symlink"} else ""
            )
            if (place or target) and not (name == "mkdir" and os.path.lexists(path)):
                self._count(f"{name} {target or place}")
            if name not in {"rename", "replace"} or not (place or target):
                return real(path, *arguments, **named)
            names = os.path.abspath(os.fsdecode(path)), os.path.abspath(os.fsdecode(arguments[0]))
            replaced = self._keep(names[1])
            answer = real(path, *arguments, **named)
            self.renames.append((*names, replaced))
            return answer

        return call

    def _keep(self, target: str) -> str:
        """Keep a file that is about to be renamed over: a power cut can bring it back. Where it is kept."""
        if not os.path.lexists(target) or os.path.isdir(target):
            return ""
        folder = f"{self.root.rstrip('/')}.replaced"
        with suppress(FileExistsError):
            self._real["mkdir"](folder)
        kept = f"{folder}/{len(self.renames)}-{len(self.calls)}"
        self._real["link"](target, kept, follow_symlinks=False)
        return kept

    def _of_descriptor(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(descriptor: int, *arguments: Any, **named: object) -> object:
            place = self._ours.get(descriptor)
            if place is None:
                return real(descriptor, *arguments, **named)
            half = (
                (lambda: real(descriptor, bytes(arguments[0])[: len(arguments[0]) // 2])) if name == "write" else None
            )
            if half:
                status = os.fstat(descriptor)
                self.unsynced.setdefault(str(status.st_ino), status.st_size)
            self._count(f"{name} {place}", half)
            answer = real(descriptor, *arguments, **named)
            if name in {"fsync", "fdatasync"}:
                # A journalling filesystem stores all names with the journal, but bytes of this file only.
                self.unsynced.pop(str(os.fstat(descriptor).st_ino), None)
                self.renames.clear()
            return answer

        return call

    def _syncfs(self) -> Callable[[int], int]:
        def call(descriptor: int) -> int:
            try:
                self._count(f"syncfs {self._ours.get(descriptor, '?')}")
            except OSError as error:
                ctypes.set_errno(error.errno or 0)
                return -1
            # The real one is not called but where power is cut: it would wait for everybody who writes there.
            if self.fault.strike == "power" and self._real_sync is not None:
                return self._real_sync(descriptor)
            self.unsynced.clear()
            self.renames.clear()
            return 0

        return call

    def _open(self, path: Any, flags: int, *arguments: object, **named: object) -> int:
        place = self._inside(path)
        makes = flags & os.O_CREAT and not os.path.lexists(path)
        if place and (makes or flags & os.O_TRUNC):
            self._count(f"open {place}")
        descriptor: int = self._real["open"](path, flags, *arguments, **named)
        if place:
            self._ours[descriptor] = place
        else:
            self._ours.pop(descriptor, None)
        return descriptor

    def _close(self, descriptor: int) -> None:
        self._ours.pop(descriptor, None)
        self._real["close"](descriptor)


def run(task: Callable[[Counting], object], root: str, fault: Fault | None = None) -> Outcome:
    """Run `task` in a forked child, counting what it changes below `root`, with a fault on the way.

    The task is given a function to call when the counting shall begin, which returns a context manager
    for the time of it; what it returns (plain data) is the outcome's `answer`.

    Raises:
        RuntimeError: The child ended in a way that is no outcome.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # no thread of ours is alive when a test forks
        child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(task, root, fault or Fault(), writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if not data:
        message = f"the child said nothing and ended with status {status}"
        raise RuntimeError(message)
    outcome = Outcome(**json.loads(data))
    outcome.renames = [(source, target, replaced) for source, target, replaced in outcome.renames]
    return outcome


def _in_child(task: Callable[[Counting], object], root: str, fault: Fault, pipe: int) -> NoReturn:
    outcome = Outcome()
    write, kill = os.write, os.kill

    def tell() -> None:
        outcome.calls = counted.calls
        outcome.unsynced = counted.unsynced
        outcome.renames = counted.renames
        data = json.dumps(asdict(outcome)).encode("utf-8")
        while data:
            data = data[write(pipe, data) :]

    def dying() -> NoReturn:
        outcome.killed = True
        tell()
        kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    counted = _Counted(root, fault, dying)
    try:
        outcome.answer = task(counted.counting)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent judges it
        outcome.error = type(error).__name__
        outcome.expected_error = isinstance(error, MunimentError)
        outcome.trace = traceback.format_exc()
    with suppress(BaseException):
        tell()
    os._exit(0)


def cut_power(place: str) -> None:
    """Shut down the filesystem that `place` lies on or would lie on, now and without writing out its log (ext4, XFS).

    Whatever was not synced is lost; nothing can be read or written there until it is mounted again.

    Raises:
        OSError: One is not root, or the filesystem cannot be shut down.
    """
    while not os.path.isdir(place):
        place = os.path.dirname(place.rstrip("/"))
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_THE_LOG))
    finally:
        os.close(descriptor)


def lose_power(root: str, outcome: Outcome, choose: Callable[[int], int]) -> list[str]:
    """Take from the disk what a power cut could have taken after the kill; says what it took.

    `choose(n)` gives a number below n. Of the bytes of a file that were not synced all, the second
    half or none are lost, or they read as zeros; the newest few renames not synced are undone.
    """
    took = []
    for source, target, replaced in reversed(
        outcome.renames[len(outcome.renames) - choose(len(outcome.renames) + 1) :]
    ):
        if os.path.lexists(target) and not os.path.lexists(source) and os.path.isdir(os.path.dirname(source)):
            os.rename(target, source)
            if replaced:
                os.rename(replaced, target)
            took.append(f"the name {target}")
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            safe = outcome.unsynced.get(str(status.st_ino), status.st_size)
            if safe < status.st_size:
                took.append(f"{_lose(path, safe, status.st_size, choose(4))} of {path}")
    return took


def _lose(path: str, safe: int, size: int, how: int) -> str:
    """Lose what of a file lies past `safe` bytes."""
    if how == 0:
        return "nothing"
    if how == 1:
        with open(path, "r+b") as file:
            file.seek(safe)
            file.write(bytes(size - safe))
        return "zeros for the end"
    kept = safe if how == 2 else safe + (size - safe) // 2
    os.truncate(path, kept)
    return f"all past {kept} bytes"
