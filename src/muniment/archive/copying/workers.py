"""Resident worker processes: started once, fed with batches over pipes, gone when this process goes.

They are plain subprocesses, not `multiprocessing`: its spawn needs a main guard in the user's own
script, its fork is not safe in a server with threads.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import subprocess
import sys
import threading
from collections import deque
from typing import Any

from muniment.archive.copying import copy_and_digest
from muniment.errors.archive import WorkerDied

ROOM = 8 << 20
"""A worker is given another batch while it has less than this many bytes in hand."""
BATCHES = 2
"""...and fewer than this many batches."""


class Worker:
    """One process, and the batches it has in hand."""

    def __init__(self, command: list[str] | None = None) -> None:
        """Start it: one that copies and digests, or what `command` says.

        Raises:
            WorkerDied: The system did not let a process start.
        """
        if command is None:
            # -I makes it blind to PYTHONUTF8; both must spell file names the same way.
            utf8 = ["-X", "utf8"] if sys.flags.utf8_mode else []
            command = [sys.executable, "-I", "-S", *utf8, copy_and_digest.__file__]
        try:
            # A process group of its own: a Ctrl-C is for the parent, which then ends its workers.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                process_group=0,
            )
        except OSError as error:
            raise WorkerDied(reason=f"it could not start: {error}") from error
        self._hand: deque[tuple[object, int]] = deque()
        self._bytes = 0

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand."""
        return not self._hand

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def has_room(self) -> bool:
        """Whether another batch would keep it busy rather than make it a bottleneck."""
        return not self._hand or (len(self._hand) < BATCHES and self._bytes < ROOM)

    def fileno(self) -> int:
        """Where its answers arrive, for a selector."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, batch: tuple[Any, ...], ticket: Any, size: int) -> None:
        """Hand it a batch of `size` bytes; `ticket` comes back with the answers.

        Raises:
            WorkerDied: It is not there any more.
        """
        body = marshal.dumps(batch)
        view = memoryview(copy_and_digest.LENGTH.pack(len(body)) + body)
        assert self._process.stdin is not None
        try:
            while view:
                view = view[self._process.stdin.write(view) or 0 :]
        except OSError:
            raise self._death() from None
        self._hand.append((ticket, size))
        self._bytes += size

    def receive(self) -> tuple[object, list[tuple[object, ...]]]:
        """Wait for the answers to the oldest batch in hand: its ticket, and a row for each job.

        Raises:
            WorkerDied: It ended first.
        """
        body = self._read(*copy_and_digest.LENGTH.unpack(self._read(copy_and_digest.LENGTH.size)))
        ticket, size = self._hand.popleft()
        self._bytes -= size
        return ticket, marshal.loads(body)  # noqa: S302 - from our own child process

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        parts = []
        while size:
            part = self._process.stdout.read(size)
            if not part:
                raise self._death()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _death(self) -> WorkerDied:
        self.kill()
        status = self._process.returncode
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return WorkerDied(reason=f"{how}, with {len(self._hand)} batches in hand")

    def kill(self) -> None:
        """End it whatever it is doing; when this returns it writes nothing any more."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Workers:
    """At most `count` processes, lent to one run of work at a time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: list[Worker] = []
        self._lent: list[Worker] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def take(self) -> list[Worker]:
        """All that are free, started if need be; none when others use them.

        Raises:
            WorkerDied: A process could not be started.
        """
        with self._lock:
            self._fill_up()
            taken, self._idle = self._idle, []
            self._lent += taken
            return taken

    def start(self) -> None:
        """Start what `take` would start, so that it need not wait for it.

        Raises:
            WorkerDied: A process could not be started.
        """
        with self._lock:
            self._fill_up()

    def _fill_up(self) -> None:
        if self._owner != os.getpid():
            # After a fork the pipes are still the parent's: two would talk into one.
            self._idle, self._lent, self._owner = [], [], os.getpid()
        for worker in [worker for worker in self._idle if not worker.alive]:
            worker.kill()
            self._idle.remove(worker)
        while len(self._idle) + len(self._lent) < self.count:
            self._idle.append(Worker())

    def give_back(self, workers: list[Worker]) -> None:
        """Return what was taken; one that is still at work, because its run was broken off, is ended."""
        with self._lock:
            for worker in workers:
                self._lent.remove(worker)
                if worker.idle and worker.alive:
                    self._idle.append(worker)
                else:
                    worker.kill()

    def pids(self) -> list[int]:
        """The processes running now, lent or free."""
        with self._lock:
            return sorted(worker.pid for worker in self._idle + self._lent)

    def close(self) -> None:
        """End those that are free."""
        with self._lock:
            if self._owner == os.getpid():
                for worker in self._idle:
                    worker.kill()
            self._idle = []
