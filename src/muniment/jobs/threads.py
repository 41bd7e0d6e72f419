"""The threads that do steps: which are free, what each does and since when, and what was taken too early.

A thread cannot be ended from outside. One whose step hangs is given up, and another takes its place, so that what
hangs costs its own thread and no other's; what it says should it ever come back is refused by the ledger's fence.
Long before that, one that only waits for somebody else gets a stand-in, who does other steps meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from muniment.jobs.execution import StepContext
from muniment.jobs.model import Outcome, Priority

_USUAL_WEIGHT = 0.2
_MOST_STAND_INS = 8
"""For each thread at most: they cost memory, and each may hold a connection."""


@dataclass(slots=True)
class _StepThread:
    """One thread, and the step it does."""

    thread: threading.Thread
    context: StepContext | None = None
    since: float = 0.0
    stood_in_for: bool = False
    """Whether another thread does what it would do, so that it ends when its step does."""


class StepThreads:
    """`count` threads; at most `for_bulk` of them do bulk steps at any moment. Thread-safe."""

    def __init__(
        self, count: int, for_bulk: int, do: Callable[[StepContext], Outcome], ring: Callable[[], None]
    ) -> None:
        """`do` does a step; `ring` is called after each, for what it came to can be collected."""
        self.usual = 1.0
        """Seconds that a step takes, lately."""
        self._count = count
        self._for_bulk = for_bulk
        self._do = do
        self._ring = ring
        self._threads: list[_StepThread] = []
        self._bulk = 0
        self._waiting: dict[Priority, deque[tuple[StepContext, float]]] = {priority: deque() for priority in Priority}
        self._finished: list[Outcome] = []
        self._changed = threading.Condition()
        self._ending = False

    def start(self) -> None:
        """Hire the threads."""
        with self._changed:
            for _ in range(self._count):
                self._add()

    def end(self) -> None:
        """Let each thread go when it has done what it has in each."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def room(self) -> tuple[int, int]:
        """How many more steps there are free threads for: (any, bulk).

        A thread that is kept for priority steps takes no other, however many wait.
        """
        with self._changed:
            busy = sum(each.context is not None for each in self._threads if not each.stood_in_for)
            waiting = {priority: len(each) for priority, each in self._waiting.items()}
            free = max(0, self._count - busy - sum(waiting.values()))
            return free, max(0, min(free, self._for_bulk - self._bulk - waiting[Priority.BULK]))

    def swift(self, seconds: float) -> bool:
        """Whether steps usually take less than so many seconds, and none that is being done takes longer."""
        now = time.monotonic()
        with self._changed:
            busy = [each.since for each in self._threads if each.context is not None and not each.stood_in_for]
        return self.usual < seconds and all(now - since < seconds for since in busy)

    def give(self, contexts: Sequence[StepContext]) -> None:
        """Have these steps done, in this order."""
        now = time.monotonic()
        with self._changed:
            for context in contexts:
                self._waiting[context.claim.priority].append((context, now))
            self._changed.notify(len(contexts))

    def unbegun(self, longer_than: float) -> list[StepContext]:
        """Take back what has waited for so many seconds: another process may have a thread free."""
        until = time.monotonic() - longer_than
        late: list[StepContext] = []
        with self._changed:
            for priority, waiting in self._waiting.items():
                late += [context for context, since in waiting if since <= until]
                self._waiting[priority] = deque(each for each in waiting if each[1] > until)
        return late

    def busy_with(self) -> list[StepContext]:
        """The steps that are being done."""
        with self._changed:
            return [each.context for each in self._threads if each.context is not None]

    def give_up(self, context: StepContext) -> bool:
        """Leave a step's thread to itself and hire another; False if the step has ended meanwhile."""
        with self._changed:
            for each in self._threads:
                if each.context is context:
                    self._threads.remove(each)
                    if not each.stood_in_for:
                        self._bulk -= context.claim.priority is Priority.BULK
                        self._add()
                    return True
        return False

    def stand_in(self, context: StepContext) -> None:
        """Hire another thread for the one that does this step, which only waits; unless there are too many already."""
        with self._changed:
            stand_ins = sum(each.stood_in_for for each in self._threads)
            for each in self._threads:
                if each.context is context and not each.stood_in_for and stand_ins < _MOST_STAND_INS * self._count:
                    each.stood_in_for = True
                    self._bulk -= context.claim.priority is Priority.BULK
                    self._add()

    def collect(self) -> list[Outcome]:
        """What came of the steps that ended since the last call."""
        with self._changed:
            finished, self._finished = self._finished, []
        return finished

    def _add(self) -> None:
        each = _StepThread(threading.Thread(name="step", daemon=True))
        each.thread = threading.Thread(target=self._work, args=(each,), name="step", daemon=True)
        self._threads.append(each)
        each.thread.start()

    def _work(self, each: _StepThread) -> None:
        while True:
            with self._changed:
                while (context := self._next()) is None:
                    if self._ending:
                        return
                    self._changed.wait()
                each.context, each.since = context, time.monotonic()
            outcome = self._do(context)
            with self._changed:
                if each not in self._threads:
                    return  # it was given up, and the step with it
                self.usual += (time.monotonic() - each.since - self.usual) * _USUAL_WEIGHT
                each.context = None
                self._finished.append(outcome)
                if each.stood_in_for:
                    self._threads.remove(each)
                else:
                    self._bulk -= context.claim.priority is Priority.BULK
                    self._changed.notify()
            self._ring()
            if each.stood_in_for:
                return

    def _next(self) -> StepContext | None:
        """The step that a free thread may begin."""
        for priority, waiting in self._waiting.items():
            if waiting and (priority is not Priority.BULK or self._bulk < self._for_bulk):
                context, _ = waiting.popleft()
                self._bulk += priority is Priority.BULK
                return context
        return None
