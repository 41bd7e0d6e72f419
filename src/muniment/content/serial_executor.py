"""Work on a stream in another thread, piece after piece, so that whoever reads it can read on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future

Data = bytes | memoryview

WORTH_IT = 128 * 1024
"""Bytes below which handing over takes longer than the work."""


class SerialExecutor:
    """Does `work` for one piece of data after the other, in their order, in a thread of `threads`.

    Two pieces are in memory at most: the one that is worked on, and the one that waits to be given. The
    work must wait for nothing itself, or threads that are all taken would wait for one another.
    """

    __slots__ = ("_pending", "_threads", "_work")

    def __init__(self, work: Callable[[Data], object], threads: Executor) -> None:
        self._work = work
        self._threads = threads
        self._pending: Future[object] | None = None

    def give(self, data: Data) -> None:
        """Have `data` worked on after what was given before; small data is worked on at once, here."""
        self.wait()
        if len(data) < WORTH_IT:
            self._work(data)
        else:
            self._pending = self._threads.submit(self._work, data)

    def wait(self) -> None:
        """Until everything that was given is worked on."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None
