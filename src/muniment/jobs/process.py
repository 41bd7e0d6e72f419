"""What one process of a Celery worker has of its own: ledger, broker, and the steps it holds, with their heartbeat."""

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
        self, owner: str, ledger: Ledger, broker: BrokerConnection, registry: Registry, pace: Pace, stopping: Flag
    ) -> None:
        self.ledger = ledger
        self.broker = broker
        self.owner = owner
        self.stopping = stopping
        self.usual = 1.0  # seconds a step takes, lately
        self._registry = registry
        self._pace = pace
        self._held = Holdings(ledger, self.owner, pace.lease)
        self._outages = OutageLog(logger)
        self._hold = threading.Condition()
        self._now: StepContext | None = None
        self._since = 0.0
        self._queued: list[StepContext] = []
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def take(self, names: Sequence[str], wanted: tuple[int, int]) -> list[Claim]:
        """Take steps, as soon as the ledger can be reached; none when the worker is being stopped meanwhile."""
        exchange = self._insist(lambda: self.ledger.leases.exchange(self.owner, (), wanted, names, self._pace.lease))
        return [] if exchange is None else exchange.claims

    def do(self, claims: Sequence[Claim]) -> bool:
        """Do these steps one after the other under the heartbeat; whether something became ready through it."""
        contexts = [StepContext(self.ledger, claim, self.stopping) for claim in claims]
        for context in contexts:
            self._held.add(context)
        with self._hold:
            self._queued = list(contexts)
            self._hold.notify()
        outcomes: list[Outcome] = []
        while (begun := self._next()) is not None:
            outcomes.append(run(self._registry, begun))
            with self._hold:
                self.usual += (time.monotonic() - self._since - self.usual) * 0.2
                self._now = None
        return self.record(outcomes)

    def _next(self) -> StepContext | None:
        with self._hold:
            if not self._queued:
                return None
            self._now, self._since = self._queued.pop(0), time.monotonic()
            return self._now

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
                self._end_what_hangs()
            time.sleep(min(self._pace.pulse, self._pace.lease / 4))

    def _give_back_what_waits(self) -> None:
        """Steps that were taken together with one that takes long: another process may have time for them."""
        with self._hold:
            if self._now is None or time.monotonic() - self._since < LONG_MESSAGE:
                return
            waiting, self._queued = self._queued, []
        if waiting:
            with contextlib.suppress(MunimentError):  # then their lease runs out
                outcomes = [Outcome(context.claim, State.READY, counts="untried") for context in waiting]
                self.ledger.leases.exchange(self.owner, outcomes)
            for context in waiting:
                self._held.drop(context.claim)

    def _end_what_hangs(self) -> None:
        """Give a step that is over its deadline back, and end this process, for its thread cannot be ended.

        Celery starts another in its place.
        """
        with self._hold:
            now = [self._now] if self._now is not None else []
        for context, outcome in given_up(self._registry, now, self._pace.grace):
            logger.error("%s It hangs, so its process is ended.", outcome.reason)
            tell(logger, self.ledger.leases.exchange(self.owner, [replace(outcome, history="given back")]).news)
            with self._hold:
                if self._now is context:
                    os._exit(1)
