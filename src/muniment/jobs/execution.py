"""Runs one claimed step: its context, and what its result or its error means to the ledger."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from muniment.errors.base import MunimentError
from muniment.errors.jobs import (
    AttemptTooLong,
    LeaseLost,
    SecretInTheOpen,
    StepCancelled,
    StepStalled,
    StorageStalled,
)
from muniment.jobs import verdicts
from muniment.jobs.keyring import Redaction
from muniment.jobs.ledger import Ledger
from muniment.jobs.model import Again, Call, Claim, Done, Json, Outcome, State, StepRow, to_text
from muniment.jobs.steps import Deadlines, Registry, Step

logger = logging.getLogger(__name__)

PATIENCE = 30 * 86400.0
"""Seconds after its first attempt when a step that only ever answers `Again` ends as failed."""

_DEADLINES = Deadlines()

ProgressLine = tuple[str, int, int | None, int]


def worker_id(engine: str) -> str:
    """A name for a worker that no other has, and a person can place."""
    return f"{engine}@{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Raised(Protocol):
    """Something that is set or not: an event, or a flag between processes."""

    def is_set(self) -> bool:
        """Whether it is."""


class StepContext:
    """The context of one claimed step. See `muniment.jobs.steps.Context`."""

    def __init__(self, ledger: Ledger, claim: Claim, stopping: Raised | None = None) -> None:
        """For `claim`, which this worker holds."""
        self.claim = claim
        self.redaction = Redaction({})
        self.line: ProgressLine | None = None
        self.began = self.moved = time.monotonic()
        self._ledger = ledger
        self._secrets: Mapping[str, Json] = {}
        self._stopping = stopping
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        self._paused = threading.Event()
        self._overdue: MunimentError | None = None
        self._overdue_at = 0.0
        self._seen: object = None

    @property
    def job(self) -> str:
        """The job's id."""
        return self.claim.job

    @property
    def key(self) -> str:
        """The step's id."""
        return self.claim.id

    @property
    def attempt(self) -> int:
        """How often it was begun."""
        return self.claim.attempt

    @property
    def secrets(self) -> Mapping[str, Json]:
        """The credentials its call names."""
        return self._secrets

    @property
    def cancelled(self) -> bool:
        """Whether to stop."""
        return self._cancelled.is_set() or self._lost.is_set()

    @property
    def stopping(self) -> bool:
        """Whether the worker is being stopped or the job was paused."""
        return self._paused.is_set() or (self._stopping is not None and self._stopping.is_set())

    def check(self) -> None:
        """Stop here if that is wanted.

        Raises:
            StepCancelled: The job was cancelled.
            LeaseLost: Another worker may have taken this step over.
            StepStalled, StorageStalled, AttemptTooLong: This attempt is over one of its deadlines.
        """
        if self._lost.is_set():
            raise LeaseLost(step=self.claim.id)
        if self._cancelled.is_set():
            raise StepCancelled(job=self.claim.job)
        if self._overdue is not None:
            raise self._overdue

    def progress(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        """Remember how far it is; the heartbeat writes it.

        Raises:
            StepCancelled: The job was cancelled.
            LeaseLost: Another worker may have taken this step over.
        """
        line = (step, done, total, size)
        if line != self.line:
            self.line = line
            self.moved = time.monotonic()
        self.check()

    def spawn(self, *calls: Call) -> int:
        """Make children at once.

        Raises:
            LeaseLost: Another worker may have taken this step over.
            SecretInTheOpen: A call repeats a credential instead of naming it.
        """
        for call in calls:
            self.refuse_secret(call.given, f"what it gives to {call.name!r}")
        return self._ledger.leases.spawn(self.claim, calls)

    def children(self) -> Iterator[StepRow]:
        """For a continuation: the steps it joins."""
        return iter(()) if self.claim.joins is None else self._ledger.children(self.claim.joins)

    def refuse_secret(self, value: Json, where: str) -> None:
        """See that no credential is about to be written.

        Raises:
            SecretInTheOpen: One is.
        """
        if self.redaction.in_json(value):
            raise SecretInTheOpen(name=self.claim.name, where=where)

    def show_secrets(self) -> None:
        """Decrypt what the call names, just before the step begins.

        Raises:
            SecretNotGiven: The job does not hold one of them.
            SecretUnreadable: One cannot be decrypted.
        """
        self._secrets = self._ledger.secrets_for(self.claim)
        self.redaction = Redaction(self._secrets)

    def forget_secrets(self) -> None:
        """Drop the credentials from memory."""
        self._secrets = {}

    def on_cancel(self) -> None:
        """The heartbeat heard that the job was cancelled."""
        self._cancelled.set()

    def on_loss(self) -> None:
        """The heartbeat found the lease gone."""
        self._lost.set()

    def on_pause(self) -> None:
        """The heartbeat heard that the job was paused."""
        self._paused.set()

    def now(self) -> float:
        """The ledger's time; where the ledger cannot be asked for it, this machine's."""
        try:
            return self._ledger.database.now()
        except MunimentError:
            return time.time()

    def begin(self) -> None:
        """The attempt begins now."""
        self.began = self.moved = time.monotonic()

    def overdue(self, step: Step | None, grace: float) -> MunimentError | None:
        """What to end this attempt with, when it is over a deadline and has not ended within `grace` seconds itself.

        The step hears of it at its next `check`.
        """
        now = time.monotonic()
        deadlines: Deadlines = getattr(step, "deadlines", _DEADLINES)
        if self._overdue is None:
            if now - self.moved > deadlines.silence:
                self._look(step)
            silent, running = now - self.moved, now - self.began
            if silent > deadlines.silence:
                kind = StorageStalled if deadlines.ours else StepStalled
                self._overdue = kind(name=self.claim.name, seconds=silent)
            elif running > deadlines.total:
                self._overdue = AttemptTooLong(name=self.claim.name, seconds=running)
            self._overdue_at = now
        return self._overdue if now - self._overdue_at > grace else None

    def only_waits(self, step: Step | None, seconds: float) -> bool:
        """Whether a step that asks others has made no progress for so long, so that it costs no processor either."""
        deadlines: Deadlines | None = getattr(step, "deadlines", None)
        return deadlines is not None and not deadlines.ours and time.monotonic() - self.moved > seconds

    def _look(self, step: Step | None) -> None:
        """See whether a step that says nothing works all the same."""
        work_seen = getattr(step, "work_seen", None)
        if work_seen is not None:
            seen = work_seen(self.claim.given, self)
            if seen != self._seen:
                self._seen, self.moved = seen, time.monotonic()


def run(registry: Registry, context: StepContext) -> Outcome:
    """Run a claimed step and say what became of it; raises nothing.

    What the step raised is told without its credentials, and only its message and kind are kept: a traceback
    may hold anything.
    """
    claim = context.claim
    try:
        step = registry[claim.name]
        context.begin()
        context.check()
        context.show_secrets()
        answer = step.run(claim.given, context)
        outcome = _answered(context, answer)
    except StepCancelled:
        outcome = Outcome(claim, State.CANCELLED)
    except LeaseLost as error:
        # Recording it will be refused if the lease is really gone; if not, the step begins again.
        outcome = Outcome(claim, State.READY, reason=error.message, history="lease lost")
    except Exception as error:  # noqa: BLE001 - whatever a step raises must end up in the ledger, not end the worker
        outcome = _raised(registry, context, error)
    finally:
        context.forget_secrets()
    return replace(outcome, progress=_clean(context))


def given_up(
    registry: Registry, contexts: Iterable[StepContext], grace: float
) -> Iterator[tuple[StepContext, Outcome]]:
    """What becomes of the steps that are over a deadline and do not end by themselves: for the thread they hang in."""
    for context in contexts:
        error = context.overdue(registry.get(context.claim.name), grace)
        if error is not None:
            yield context, replace(_raised(registry, context, error), progress=_clean(context))


def _clean(context: StepContext) -> ProgressLine | None:
    if context.line is None:
        return None
    what, done, total, size = context.line
    return (context.redaction.redact(what), done, total, size)


def _answered(context: StepContext, answer: object) -> Outcome:
    claim = context.claim
    if isinstance(answer, Again):
        reason = context.redaction.redact(answer.because)
        if context.now() - claim.first_at > PATIENCE and not context.stopping:
            days = PATIENCE / 86400
            return Outcome(
                claim, State.FAILED, reason=f"it asked to be run again for more than {days:.0f} days: {reason}"
            )
        waits_for = answer.waits_for
        return Outcome(claim, State.READY, reason=reason, next_at=answer.at, history="again", waits_for=waits_for)
    if not isinstance(answer, Done):
        message = f"the step {claim.name!r} answered {type(answer).__name__}, not Done or Again"
        raise TypeError(message)
    # What cannot be written must fail here, as this step's own error: later it would hold up the others' outcomes.
    to_text(answer.result)
    context.refuse_secret(answer.result, "its result")
    for call in (*answer.spawn, *((answer.then,) if answer.then else ())):
        to_text([call.name, call.given, call.key, list(call.secrets), call.failures, call.losses, call.at])
        context.refuse_secret(call.given, f"what it gives to {call.name!r}")
    return Outcome(claim, State.DONE, result=answer.result, spawn=answer.spawn, then=answer.then)


def _raised(registry: Registry, context: StepContext, error: Exception) -> Outcome:
    now = context.now()
    if isinstance(error, AttemptTooLong):
        return _answered(context, Again(now, error.message))
    text = error.message if isinstance(error, MunimentError) else f"{type(error).__name__}: {error}"
    return verdicts.outcome(context.claim, registry.get(context.claim.name), error, context.redaction.redact(text), now)


def record_apart(ledger: Ledger, owner: str, outcomes: Sequence[Outcome]) -> bool:
    """Record outcomes one by one after the ledger refused them together; whether something became ready.

    The one that cannot be recorded ends its step as failed, with the refusal as its reason.

    Raises:
        DatabaseUnavailable: The ledger cannot be reached.
    """
    awake = False
    for outcome in outcomes:
        try:
            awake = ledger.leases.exchange(owner, [outcome]).awake or awake
        except MunimentError as error:
            if error.retry:
                raise
            logger.exception("the outcome of step %s cannot be recorded", outcome.claim.id)
            refused = Outcome(outcome.claim, State.FAILED, reason=f"its outcome could not be recorded: {error.code()}")
            awake = ledger.leases.exchange(owner, [refused]).awake or awake
    return awake


class Holdings:
    """The steps one worker holds at this moment, and its heartbeat for them. Thread-safe."""

    def __init__(self, ledger: Ledger, owner: str, lease: float) -> None:
        """For the worker `owner`, whose leases last `lease` seconds."""
        self._ledger = ledger
        self._owner = owner
        self._lease = lease
        self._contexts: dict[str, StepContext] = {}
        self._written: dict[str, ProgressLine] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._contexts)

    def add(self, context: StepContext) -> None:
        """Hold one more."""
        with self._lock:
            self._contexts[context.key] = context

    def drop(self, claim: Claim) -> None:
        """Hold it no more."""
        with self._lock:
            held = self._contexts.get(claim.id)
            if held is not None and held.claim.fence == claim.fence:
                del self._contexts[claim.id]
                self._written.pop(claim.id, None)

    def all(self) -> list[StepContext]:
        """The contexts held now."""
        with self._lock:
            return list(self._contexts.values())

    def pulse(self, *, renew: bool) -> None:
        """Write progress, hear of cancels and lost leases, and renew the leases if `renew`.

        Raises:
            DatabaseUnavailable: The ledger cannot be reached; try again soon.
        """
        with self._lock:
            contexts = dict(self._contexts)
        if not contexts:
            return
        lines = {step: line for step, context in contexts.items() if (line := _clean(context)) is not None}
        fresh = {step: line for step, line in lines.items() if self._written.get(step) != line}
        claims = {step: context.claim for step, context in contexts.items()}
        pulse = self._ledger.leases.pulse(self._owner, claims, fresh, self._lease if renew else None)
        self._written.update(fresh)
        for step, context in contexts.items():
            if step in pulse.lost:
                context.on_loss()
            if context.job in pulse.cancelled:
                context.on_cancel()
            if context.job in pulse.paused:
                context.on_pause()
