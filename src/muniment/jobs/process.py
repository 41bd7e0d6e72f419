"""What one process of a Celery worker has of its own: ledger, broker, and the steps it holds, with their heartbeat.

The process does what a message asks for before it takes the next. A step that only waits for somebody else is left to
a thread of its own instead, and the process takes the next message meanwhile: what hangs costs a thread, and not one
of the few processes.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from muniment.errors.base import MunimentError
from muniment.errors.database import DatabaseBroken
from muniment.jobs.batch import Batch
from muniment.jobs.broker import BrokerConnection
from muniment.jobs.execution import Holdings, StepContext, given_up, record_apart, run
from muniment.jobs.leases import Exchange
from muniment.jobs.ledger import Ledger
from muniment.jobs.local import Pace
from muniment.jobs.model import Claim, Outcome, State
from muniment.jobs.outages import OutageLog, tell
from muniment.jobs.steps import Registry

logger = logging.getLogger(__name__)

LONG_MESSAGE = 1.0
"""Seconds after which a process gives the rest of a message's steps to others."""
_MOST_LEFT = 8
"""Steps that one process leaves to threads of their own, at most: each may hold memory and a connection."""
_LAST_WAIT = 5.0
"""Seconds that such steps get to end themselves when their process is ended."""


class Flag:
    """Set once, seen by every process forked from the one that made it.

    One byte of shared memory: an event with a lock would stay locked when a process is killed while it looks.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Raise it, for all."""
        self._byte[0] = 1

    def is_set(self) -> bool:
        """Whether it was raised."""
        return self._byte[0] == 1


class WorkerProcess:
    """What one process of a worker has of its own: a ledger, a broker, a name, and the heartbeat for what it holds."""

    def __init__(
        self,
        owner: str,
        ledger: Ledger,
        broker: BrokerConnection,
        registry: Registry,
        pace: Pace,
        stopping: Flag,
        awake: Callable[[], None],
    ) -> None:
        """`awake` is called when a step that was left to its thread has made something ready."""
        self.ledger = ledger
        self.broker = broker
        self.owner = owner
        self.stopping = stopping
        self.usual = 1.0  # seconds a step takes, lately
        self._registry = registry
        self._pace = pace
        self._awake = awake
        self._held = Holdings(ledger, self.owner, pace.lease)
        self._outages = OutageLog(logger)
        self._hold = threading.Condition()
        self._batch: Batch | None = None
        self._left: dict[StepContext, bool] = {}
        """The steps that were left to threads of their own, and whether each was given up since."""
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def take(self, names: Sequence[str], wanted: tuple[int, int]) -> list[Claim]:
        """Take steps, as soon as the ledger can be reached; none when the worker is being stopped meanwhile."""
        exchange = self._insist(lambda: self.ledger.leases.exchange(self.owner, (), wanted, names, self._pace.lease))
        return [] if exchange is None else exchange.claims

    def do(self, claims: Sequence[Claim]) -> bool:
        """Do these steps one after the other under the heartbeat; whether something became ready through it.

        It does not wait for one that only waits for somebody else.
        """
        waiting = [StepContext(self.ledger, claim, self.stopping) for claim in claims]
        for context in waiting:
            self._held.add(context)
        outcomes: list[Outcome] = []
        while waiting:
            batch = Batch(waiting, self._run, self._came_late)
            with self._hold:
                self._batch = batch
                self._hold.notify()
            outcomes += batch.run()
            waiting = batch.take_back()
        with self._hold:
            self._batch = None
        return self.record(outcomes)

    def _run(self, context: StepContext) -> Outcome:
        began = time.monotonic()
        outcome = run(self._registry, context)
        with self._hold:
            if context not in self._left:
                self.usual += (time.monotonic() - began - self.usual) * 0.2
        return outcome

    def _came_late(self, context: StepContext, outcome: Outcome) -> None:
        """A step has ended that was left to its thread. One that was given up meanwhile is another's."""
        with self._hold:
            lost = self._left[context]
        if not lost and self.record([outcome]):
            self._awake()
        with self._hold:
            del self._left[context]
            self._hold.notify_all()

    def record(self, outcomes: Sequence[Outcome]) -> bool:
        """Tell the ledger, however long that takes; whether something became ready.

        When the worker is stopped before, the steps are done once more by another.
        """
        if not outcomes:
            return False
        try:
            exchange = self._insist(lambda: self.ledger.leases.exchange(self.owner, outcomes))
        except DatabaseBroken:
            return record_apart(self.ledger, self.owner, outcomes)
        finally:
            for outcome in outcomes:
                self._held.drop(outcome.claim)
        if exchange is None:
            return False
        tell(logger, exchange.news)
        for refused in exchange.refused:
            logger.warning("step %s was taken over by another worker", refused.claim.id)
        return exchange.awake

    def leave(self) -> None:
        """The process is ended: let what was left to threads end itself for a while, and give the rest back."""
        until = time.monotonic() + _LAST_WAIT
        with self._hold:
            while self._left and (wait := until - time.monotonic()) > 0:
                self._hold.wait(wait)
        self._give_back(self._held.all(), "its worker was stopped")

    def _insist(self, speak: Callable[[], Exchange]) -> Exchange | None:
        while True:
            try:
                exchange = speak()
            except DatabaseBroken:
                raise
            except MunimentError as error:
                self._outages.failed(error.code(), error)
                if self.stopping.is_set():
                    return None
                time.sleep(self._outages.pause(self._pace.poll))
            else:
                self._outages.works()
                return exchange

    def _give_back(self, contexts: Sequence[StepContext], reason: str = "") -> None:
        """Let others do these steps; if the ledger cannot be told, their lease runs out."""
        if contexts:
            with contextlib.suppress(MunimentError):
                outcomes = [
                    Outcome(context.claim, State.READY, reason=reason, counts="untried") for context in contexts
                ]
                self.ledger.leases.exchange(self.owner, outcomes)
            for context in contexts:
                context.on_loss()
                self._held.drop(context.claim)

    # --- the heartbeat

    def _beat(self) -> None:
        renewed = 0.0
        outages = OutageLog(logger)
        while True:
            with self._hold:
                if not len(self._held):
                    self._hold.wait()
            self._give_back_what_waits()
            with outages.watching():
                due = time.monotonic() - renewed >= self._pace.lease / 4
                self._held.pulse(renew=due)
                renewed = time.monotonic() if due else renewed
                self._leave_what_waits()
                self._end_what_hangs()
            time.sleep(min(self._pace.pulse, self._pace.lease / 4))

    def _current(self) -> tuple[Batch, StepContext, float] | None:
        """What the process does at this moment, and for how many seconds already."""
        with self._hold:
            batch = self._batch
        now = None if batch is None else batch.now()
        return None if batch is None or now is None else (batch, *now)

    def _give_back_what_waits(self) -> None:
        """Steps that were taken together with one that takes long: another process may have time for them."""
        current = self._current()
        if current is not None and current[2] >= LONG_MESSAGE:
            self._give_back(current[0].take_back())

    def _leave_what_waits(self) -> None:
        """Leave a step that only waits for others to its thread, so that the process does other steps meanwhile."""
        current = self._current()
        if current is None:
            return
        batch, context, _ = current
        if not context.only_waits(self._registry.get(context.claim.name), self._pace.quiet):
            return
        with self._hold:
            if len(self._left) < _MOST_LEFT and batch.leave(context):
                self._left[context] = False

    def _end_what_hangs(self) -> None:
        """Give a step that is over its deadline back, and end the process that waits for it: no thread can be ended.

        Celery starts another in its place.
        """
        current = self._current()
        with self._hold:
            hanging = [context for context, lost in self._left.items() if not lost]
            if current is not None and current[1] not in self._left:
                hanging.append(current[1])
        for context, outcome in given_up(self._registry, hanging, self._pace.grace):
            tell(logger, self.ledger.leases.exchange(self.owner, [replace(outcome, history="given back")]).news)
            context.on_loss()
            self._held.drop(context.claim)
            with self._hold:
                if context in self._left:
                    logger.error("%s It hangs, so its thread is left to itself.", outcome.reason)
                    self._left[context] = True
                    continue
            now = self._current()
            if now is not None and now[1] is context:
                logger.error("%s It hangs, so its process is ended.", outcome.reason)
                self._give_back(self._held.all(), "its process was ended")
                os._exit(1)
