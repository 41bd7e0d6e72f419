"""The engine without a server: threads of one process that take steps from the ledger and do them.

Any number of such processes may share one ledger. In each, one coordinating thread speaks with the ledger:
it records what the others finished, renews leases and takes new steps, all in one transaction per turn, so that
many small steps cost one write to the disk together. While it writes, more steps finish; the next turn takes
them all.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from muniment.errors.base import MunimentError
from muniment.jobs.execution import Holdings, StepContext, record_apart, run, worker_id
from muniment.jobs.leases import Exchange
from muniment.jobs.ledger import Ledger
from muniment.jobs.model import Claim, Outcome, Priority, State
from muniment.jobs.steps import Registry

logger = logging.getLogger(__name__)

_SHORT_STEP = 0.05
"""Seconds: only steps that usually take less are taken ahead of time; a long one must not be held back by another."""
_AHEAD = 32
_WAITED_LONG = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How an engine keeps time, in seconds. The defaults suit real work; tests make them shorter."""

    lease: float = 60.0
    """How long a worker may be silent before its steps go to others."""
    poll: float = 0.5
    """How often an idle engine looks for steps that other processes submitted."""
    pulse: float = 1.0
    """How often progress is written and cancels are heard."""
    sweep: float = 5.0
    """How often vanished workers' steps are looked for."""
    unclaimed: float = 86400.0
    """How long a step may be due that no worker knows, before it ends as failed."""
    seen: float = 180.0
    """How long a worker counts as alive after it was last heard of."""


@dataclass(slots=True)
class _Clockwork:
    """When each of the coordinator's duties is due next, by the monotonic clock."""

    due: dict[str, float] = field(default_factory=dict)

    def ring(self, duty: str, every: float) -> bool:
        """Whether `duty` is due; if so, it is due again in `every` seconds."""
        now = time.monotonic()
        if self.due.get(duty, 0.0) > now:
            return False
        self.due[duty] = now + every
        return True


class LocalEngine:
    """Threads that do what the ledger owes. `start` it, `stop` it; or use it in a `with`."""

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        *,
        threads: int = 4,
        reserve: int = 1,
        queues: tuple[Priority, ...] = (Priority.PRIORITY, Priority.BULK),
        pace: Pace | None = None,
    ) -> None:
        """`reserve` of the `threads` never take bulk steps, so that a long bulk job makes nobody wait."""
        self.owner = worker_id("local")
        self._ledger = ledger
        self._registry = registry
        self._threads = threads
        self._for_bulk = max(1, threads - reserve) if Priority.PRIORITY in queues else threads
        self._queues = queues
        self._pace = pace or Pace()
        self._held = Holdings(ledger, self.owner, self._pace.lease)
        self._todo: queue.SimpleQueue[tuple[StepContext, float] | None] = queue.SimpleQueue()
        self._finished: list[Outcome] = []
        self._bell = threading.Condition()
        self._rung = False
        self._claimed = 0
        self._usual = 1.0
        self._stopping = threading.Event()
        self._abandon = threading.Event()
        self._crew: list[threading.Thread] = []
        self._coordinator: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._ledger.on_submission(self.wake)
        for number in range(self._threads):
            thread = threading.Thread(target=self._work, name=f"step-{number}", daemon=True)
            thread.start()
            self._crew.append(thread)
        self._coordinator = threading.Thread(target=self._coordinate, name="ledger", daemon=True)
        self._coordinator.start()

    def stop(self, grace: float = 30.0) -> None:
        """Take nothing new, let what is under way end within `grace` seconds, and give the rest back."""
        self._stopping.set()
        self.wake()
        if self._coordinator is None:
            return
        self._coordinator.join(grace)
        self._abandon.set()
        self.wake()
        self._coordinator.join()
        for _ in self._crew:
            self._todo.put(None)
        self._ledger.remove_listener(self.wake)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wake(self) -> None:
        """Look at the ledger now."""
        with self._bell:
            self._rung = True
            self._bell.notify()

    # --- the crew

    def _work(self) -> None:
        while (order := self._todo.get()) is not None:
            context, taken = order
            if time.monotonic() - taken > _WAITED_LONG:
                # Held up behind longer steps: others may have hands free.
                outcome = Outcome(context.claim, State.READY, next_at=0.0, counts="untried")
            else:
                began = time.monotonic()
                outcome = run(self._registry, context, self._ledger.database.now())
                self._usual += (time.monotonic() - began - self._usual) * 0.2
            with self._bell:
                self._finished.append(outcome)
                self._rung = True
                self._bell.notify()

    # --- the coordinator

    def _coordinate(self) -> None:
        clockwork = _Clockwork()
        unrecorded: list[Outcome] = []
        idle = False
        while True:
            unrecorded += self._wait(self._pace.poll if idle and not unrecorded else 0.0)
            if self._stopping.is_set() and not unrecorded and (self._claimed == 0 or self._abandon.is_set()):
                break
            try:
                self._duties(clockwork)
                taken = self._turn(unrecorded)
                unrecorded = []
                idle = taken == 0
            except MunimentError as error:
                # The ledger cannot be reached: what is finished is kept and told later, the fence keeps it safe.
                logger.warning("%s", error)
                idle = True
                time.sleep(self._pace.poll)
            except Exception:
                logger.exception("the coordinator failed and goes on")  # without it everything owed would stand still
                idle = True
                time.sleep(self._pace.poll)
        self._leave()

    def _wait(self, seconds: float) -> list[Outcome]:
        with self._bell:
            if not self._rung and seconds:
                self._bell.wait(min(seconds, self._pace.pulse, self._pace.lease / 4))
            self._rung = False
            finished, self._finished = self._finished, []
        return finished

    def _duties(self, clockwork: _Clockwork) -> None:
        pace = self._pace
        if clockwork.ring("announce", pace.seen / 3):
            names = list(self._registry)
            self._ledger.leases.announce(self.owner, "local", names, forget_after=pace.unclaimed + pace.seen)
        if clockwork.ring("renew", pace.lease / 4):
            self._held.pulse(renew=True)
        elif clockwork.ring("pulse", pace.pulse):
            self._held.pulse(renew=False)
        if not self._stopping.is_set() and clockwork.ring("sweep", pace.sweep):
            self._ledger.leases.sweep(pace.unclaimed, pace.seen, self._registry)
            self._ledger.tick()

    def _turn(self, outcomes: list[Outcome]) -> int:
        """Record and take; the number of steps that were taken or recorded."""
        wanted = (0, 0) if self._stopping.is_set() else self._wanted(len(outcomes))
        if not outcomes and not any(wanted):
            return 0
        leases, names = self._ledger.leases, list(self._registry)
        try:
            exchange = leases.exchange(self.owner, outcomes, wanted, names, self._pace.lease)
        except MunimentError as error:
            if error.retry or not outcomes:
                raise
            record_apart(self._ledger, self.owner, outcomes)
            exchange = Exchange([], [], awake=True)
        for outcome in outcomes:
            self._held.drop(outcome.claim)
        for outcome in exchange.refused:
            logger.warning("step %s was taken over by another worker; its outcome here was refused", outcome.claim.id)
        self._claimed += len(exchange.claims) - len(outcomes)
        now = time.monotonic()
        for claim in exchange.claims:
            self._give(claim, now)
        return len(exchange.claims) + len(outcomes)

    def _give(self, claim: Claim, now: float) -> None:
        context = StepContext(self._ledger, claim, self._stopping)
        self._held.add(context)
        self._todo.put((context, now))

    def _wanted(self, ending: int) -> tuple[int, int]:
        held = self._claimed - ending
        ahead = _AHEAD if self._usual < _SHORT_STEP else 0
        priority = max(0, self._threads + ahead - held) if Priority.PRIORITY in self._queues else 0
        bulk = max(0, self._for_bulk + ahead - held) if Priority.BULK in self._queues else 0
        return priority, bulk

    def _leave(self) -> None:
        """Give back what is still under way; should a thread end it after all, the fence refuses that."""
        contexts = self._held.all()
        outcomes = [
            Outcome(context.claim, State.READY, reason="its worker was stopped", next_at=0.0, counts="untried")
            for context in contexts
        ]
        for context in contexts:
            context.on_loss()
        try:
            self._ledger.leases.exchange(self.owner, outcomes)
            self._ledger.leases.leave(self.owner)
        except MunimentError as error:
            logger.warning("%s Its leases will run out by themselves.", error)
