"""The engine without a server: threads of one process that take steps from the ledger and do them.

Any number of such processes may share one ledger. In each, one coordinating thread speaks with the ledger:
it records what the others finished, renews leases and takes new steps, all in one transaction per turn, so that
many small steps cost one write to the disk together. While it writes, more steps finish; the next turn takes
them all.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Self

from muniment.errors.base import MunimentError
from muniment.errors.database import DatabaseBroken
from muniment.jobs.execution import Holdings, StepContext, given_up, record_apart, run, worker_id
from muniment.jobs.leases import Exchange
from muniment.jobs.ledger import Ledger
from muniment.jobs.model import Outcome, Priority, State
from muniment.jobs.outages import OutageLog, tell
from muniment.jobs.steps import Registry
from muniment.jobs.threads import StepThreads

logger = logging.getLogger(__name__)

_SHORT_STEP = 0.05
"""Seconds: only while all steps take less, some are taken before a thread is free for them."""
_AHEAD = 32
_WAITED_LONG = 0.25
"""Seconds after which a step that was taken ahead of time and still waits is given back."""


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
    unclaimed: float = 600.0
    """How long a step may be due that no worker knows, before that is told."""
    seen: float = 180.0
    """How long a worker counts as alive after it was last heard of."""
    forget: float = 7 * 86400.0
    """How long a worker that was not heard of any more is listed."""
    quiet: float = 5.0
    """How long a step that waits for others may make no progress before another does what its thread would do."""
    grace: float = 10.0
    """How long a step that is over a deadline may take to end itself."""


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
        for_bulk = max(1, threads - reserve) if Priority.PRIORITY in queues else threads
        self._threads = StepThreads(threads, for_bulk, self._do, self.wake)
        self._queues = queues
        self._pace = pace or Pace()
        self._held = Holdings(ledger, self.owner, self._pace.lease)
        self._outages = OutageLog(logger)
        self._bell = threading.Condition()
        self._rung = False
        self._stopping = threading.Event()
        self._abandon = threading.Event()
        self._coordinator: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._ledger.on_submission(self.wake)
        self._threads.start()
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
        self._threads.end()
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

    def _do(self, context: StepContext) -> Outcome:
        return run(self._registry, context)

    # --- the coordinator

    def _coordinate(self) -> None:
        clockwork = _Clockwork()
        unrecorded: list[Outcome] = []
        idle = False
        while True:
            unrecorded += self._wait(self._pace.poll if idle and not unrecorded else 0.0)
            if self._abandon.is_set() or (self._stopping.is_set() and not unrecorded and not len(self._held)):
                break
            unrecorded += self._overdue(clockwork)
            idle = True
            with self._outages.watching():
                self._duties(clockwork)
                idle = self._turn(unrecorded) == 0
                unrecorded = []
            if self._outages.lasting:
                # What is finished is kept and told later, the fence keeps it safe. Whatever failed is due again.
                clockwork.due.clear()
                clockwork.ring("sweep", self._pace.lease / 2)
                self._abandon.wait(self._outages.pause(self._pace.poll))
        self._leave(unrecorded)

    def _wait(self, seconds: float) -> list[Outcome]:
        with self._bell:
            if not self._rung and seconds:
                self._bell.wait(min(seconds, self._pace.pulse, self._pace.lease / 4))
            self._rung = False
        late = self._threads.unbegun(_WAITED_LONG)
        return [*self._threads.collect(), *(Outcome(each.claim, State.READY, counts="untried") for each in late)]

    def _overdue(self, clockwork: _Clockwork) -> list[Outcome]:
        """The steps that hang: each is given back, and its thread left to itself."""
        if not clockwork.ring("deadlines", self._pace.pulse):
            return []
        for context in self._threads.busy_with():
            if context.only_waits(self._registry.get(context.claim.name), self._pace.quiet):
                self._threads.stand_in(context)
        found: list[Outcome] = []
        for context, outcome in given_up(self._registry, self._threads.busy_with(), self._pace.grace):
            if self._threads.give_up(context):
                logger.error("%s It hangs, so its thread is left to itself.", outcome.reason)
                context.on_loss()
                found.append(replace(outcome, history=outcome.history or "given back"))
        return found

    def _duties(self, clockwork: _Clockwork) -> None:
        pace, leases = self._pace, self._ledger.leases
        if clockwork.ring("announce", pace.seen / 3):
            leases.announce(self.owner, "local", list(self._registry), forget_after=pace.forget)
        if clockwork.ring("renew", pace.lease / 4):
            self._held.pulse(renew=True)
        elif clockwork.ring("pulse", pace.pulse):
            self._held.pulse(renew=False)
        if not self._stopping.is_set() and clockwork.ring("sweep", pace.sweep):
            tell(logger, leases.sweep(self.owner, pace.unclaimed, pace.seen, self._registry).news)
            self._ledger.tick()

    def _turn(self, outcomes: list[Outcome]) -> int:
        """Record and take; the number of steps that were taken or recorded."""
        wanted = (0, 0) if self._stopping.is_set() else self._wanted()
        if not outcomes and not any(wanted):
            return 0
        leases, names = self._ledger.leases, list(self._registry)
        try:
            exchange = leases.exchange(self.owner, outcomes, wanted, names, self._pace.lease)
        except MunimentError as error:
            if not isinstance(error, DatabaseBroken) or not outcomes:
                raise
            record_apart(self._ledger, self.owner, outcomes)
            exchange = Exchange([], [], awake=True)
        tell(logger, exchange.news)
        for outcome in outcomes:
            self._held.drop(outcome.claim)
        for outcome in exchange.refused:
            logger.warning("step %s was taken over by another worker; its outcome here was refused", outcome.claim.id)
        contexts = [StepContext(self._ledger, claim, self._stopping) for claim in exchange.claims]
        for context in contexts:
            self._held.add(context)
        self._threads.give(contexts)
        return len(contexts) + len(outcomes)

    def _wanted(self) -> tuple[int, int]:
        """How many priority and bulk steps to take: as many as threads are free, and some more of short ones."""
        room, for_bulk = self._threads.room()
        if self._threads.swift(_SHORT_STEP):
            room, for_bulk = room + _AHEAD, for_bulk + _AHEAD
        return room if Priority.PRIORITY in self._queues else 0, for_bulk if Priority.BULK in self._queues else 0

    def _leave(self, unrecorded: list[Outcome]) -> None:
        """Record what was not, and give back what is under way; should a thread end it after all, that is refused."""
        ended = {outcome.claim.id for outcome in unrecorded}
        contexts = [context for context in self._held.all() if context.key not in ended]
        outcomes = [
            Outcome(context.claim, State.READY, reason="its worker was stopped", counts="untried")
            for context in contexts
        ]
        for context in contexts:
            context.on_loss()
        try:
            self._ledger.leases.exchange(self.owner, [*unrecorded, *outcomes])
            self._ledger.leases.leave(self.owner)
        except MunimentError as error:
            logger.warning("%s Its leases will run out by themselves.", error)
