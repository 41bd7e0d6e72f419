"""The values of the ledger: jobs, steps, their states, and the results of a step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from muniment.errors.jobs import BadSubmission

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


class State(StrEnum):
    """Where a step is."""

    WAITING = "waiting"
    """A continuation whose children have not all ended."""
    READY = "ready"
    """Any worker may take it once its time has come."""
    RUNNING = "running"
    """A worker holds a lease on it."""
    DONE = "done"
    """It ended well; its result is in the ledger."""
    FAILED = "failed"
    """It ended badly and is not tried again; its reason is in the ledger."""
    CANCELLED = "cancelled"
    """Its job was cancelled before it could end."""
    PAUSED = "paused"
    """Nobody takes it until its job goes on."""


class JobState(StrEnum):
    """Where a job is."""

    RUNNING = "running"
    """Something of it is still owed."""
    DONE = "done"
    """All of it ended well, or a continuation took account of what did not."""
    FAILED = "failed"
    """It ended, and a failure was nobody's continuation to deal with."""
    CANCELLED = "cancelled"
    """It was cancelled and nothing of it runs any more."""


class Priority(StrEnum):
    """Which queue a job stands in."""

    PRIORITY = "priority"
    """Somebody waits for it."""
    BULK = "bulk"
    """It may take days."""

    @property
    def rank(self) -> int:
        """Its place in the ledger's order: the lower comes first."""
        return 0 if self is Priority.PRIORITY else 1


ENDED = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Call:
    """A step that is to be made: which, and with what.

    `key` sets apart equal calls under one parent; without it, calls with equal `given` are one.
    `secrets` names the credentials of the job that this step, and no other, is shown.
    `failures` is how often it may raise, and `losses` how often its worker may vanish, before it
    ends as failed (None: as the step's class says). `at` is the earliest time, in seconds since 1970 UTC.
    """

    name: str
    given: Json = None
    key: str | None = None
    secrets: tuple[str, ...] = ()
    failures: int | None = None
    losses: int | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The step ended well. `spawn` are its children; `then` becomes ready when the last child has ended."""

    result: Json = None
    spawn: Sequence[Call] = ()
    then: Call | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Not now: run this step again `at` that time (seconds since 1970 UTC). It counts as no failure.

    `waits_for` names the closed limit that it waits for: when that is lifted, the step runs at once.
    """

    at: float
    because: str
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as the ledger has it. Times are seconds since 1970 UTC, sizes are bytes."""

    id: str
    job: str
    parent: str | None
    name: str
    given: Json
    state: State
    outcome: State | None
    """How the step and all that came of it ended; None while something of it is still owed."""
    attempt: int
    failures: int
    losses: int
    next_at: float
    fence: int
    lease_owner: str | None
    lease_until: float | None
    what: str
    done: int
    total: int | None
    size: int
    result: Json
    reason: str
    ended_at: float | None
    requester: str = ""
    claimed_at: float | None = None
    waits_for: str | None = None
    """The outage or the limit that it waits for, by name."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request as the ledger has it. Times are seconds since 1970 UTC."""

    id: str
    kind: str
    key: str | None
    requester: str
    priority: Priority
    given: Json
    state: JobState
    cancelling: bool
    created_at: float
    ended_at: float | None
    result: Json
    reason: str
    steps: int
    steps_done: int
    steps_failed: int
    steps_cancelled: int
    size: int
    """Bytes of the steps that have ended, as they reported them."""
    paused: bool = False
    """Whether nothing of it is begun until it is told to go on."""
    new: bool = False
    """Whether this very submission made it (False: the key was known)."""

    @property
    def ended(self) -> bool:
        """Whether nothing of it is owed any more."""
        return self.state is not JobState.RUNNING


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: the job, and the steps that run at this moment."""

    job: Job
    running: tuple[StepRow, ...] = ()
    size: int = 0
    """Bytes of ended and running steps together."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One thing that happened to a job, other than a step simply ending well."""

    seq: int
    job: str
    step: str | None
    at: float
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A step in a worker's hands, until `lease_until`; `fence` is what proves it."""

    id: str
    job: str
    name: str
    given: Json
    fence: int
    attempt: int
    failures: int
    losses: int
    max_failures: int | None
    secrets: tuple[str, ...]
    joins: str | None
    """For a continuation: the step whose children it follows."""
    lease_until: float
    first_at: float
    priority: Priority = Priority.BULK


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed step, ready to be recorded."""

    claim: Claim
    state: State
    result: Json = None
    reason: str = ""
    next_at: float | None = None
    """When it may run again; None: at once, or for an outage as the ledger says."""
    counts: str = ""
    """Which tally it adds to: `failures`, `losses`, `outages`, `untried` (it was never begun), or none."""
    waits_for: str | None = None
    spawn: Sequence[Call] = ()
    then: Call | None = None
    progress: tuple[str, int, int | None, int] | None = None
    history: str = ""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a worker learns when it renews its leases."""

    lost: frozenset[str] = frozenset()
    """Steps that are no longer its own."""
    cancelled: frozenset[str] = frozenset()
    """Jobs that were cancelled."""
    paused: frozenset[str] = frozenset()
    """Jobs that were paused."""


@dataclass(frozen=True, slots=True)
class OutageRow:
    """Something of our own that fails. `since` is in seconds since 1970 UTC."""

    name: str
    since: float
    reason: str


DISPATCHER = "dispatcher"
"""The engine of a process that only sends steps to a broker and does none."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker, or a dispatcher, that announced itself. Times are seconds since 1970 UTC."""

    id: str
    engine: str
    names: tuple[str, ...] = field(default=())
    started_at: float = 0.0
    seen_at: float = 0.0


def to_text(value: Json) -> str:
    """Canonical JSON: sorted keys, ASCII only, so that equal content has equal text in any database.

    Raises:
        BadSubmission: The value is not JSON.
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadSubmission(reason=f"{error}; only plain JSON values can be kept") from error


def from_text(text: str | None) -> Json:
    """The value that was written as `text`; None for none."""
    value: Json = None if text is None else json.loads(text)
    return value


def derived(*parts: Json) -> str:
    """An id that follows from its parts alone, so that doing something again makes the same one."""
    return hashlib.sha256(to_text(list(parts)).encode()).hexdigest()[:32]


def plain(text: str, limit: int = 4000) -> str:
    """`text` as both databases can hold it: no NUL, no lone surrogates, not endless."""
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
