"""Steps that one thread does one after the other, and that can be left to itself when one of them only waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from muniment.jobs.execution import StepContext
from muniment.jobs.model import Outcome


class Batch:
    """Some steps and the thread that does them. Thread-safe."""

    def __init__(
        self,
        contexts: Iterable[StepContext],
        do: Callable[[StepContext], Outcome],
        late: Callable[[StepContext, Outcome], None],
    ) -> None:
        """`do` does a step; `late` is told, in the batch's thread, what came of one that the thread was left with."""
        self._queue = deque(contexts)
        self._do = do
        self._late = late
        self._changed = threading.Condition()
        self._now: StepContext | None = None
        self._since = 0.0
        self._outcomes: list[Outcome] = []
        self._ended = False
        self._left = False

    def run(self) -> list[Outcome]:
        """Do the steps until the last has ended, or until the thread is left with one; what came of the others."""
        try:
            threading.Thread(target=self._work, name="step", daemon=True).start()
        except RuntimeError:
            self._work()  # no more threads are given to this process: then the caller waits for each of them
        with self._changed:
            while not self._ended and not self._left:
                self._changed.wait()
            return list(self._outcomes)

    def now(self) -> tuple[StepContext, float] | None:
        """The step that is being done, and for how many seconds already."""
        with self._changed:
            return None if self._now is None else (self._now, time.monotonic() - self._since)

    def take_back(self) -> list[StepContext]:
        """The steps that were not begun: they are not this batch's any more."""
        with self._changed:
            waiting = list(self._queue)
            self._queue.clear()
        return waiting

    def leave(self, context: StepContext) -> bool:
        """Leave the thread with this step, so that `run` waits no longer; False if that has ended meanwhile."""
        with self._changed:
            if self._now is not context:
                return False
            self._left = True
            self._changed.notify_all()
            return True

    def _work(self) -> None:
        while (context := self._next()) is not None:
            outcome = self._do(context)
            with self._changed:
                self._now = None
                if not self._left:
                    self._outcomes.append(outcome)
                    continue
            self._late(context, outcome)
            return
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _next(self) -> StepContext | None:
        with self._changed:
            if not self._queue:
                return None
            self._now, self._since = self._queue.popleft(), time.monotonic()
            return self._now
