"""What a step is to the one who writes it: a name, a `run`, and the context it runs in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from muniment.errors.jobs import StepNameTaken, UnknownStep
from muniment.jobs.model import Again, Call, Done, Json, StepRow


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long one attempt at a step may take, in seconds. What is over it is ended and given back.

    `total` is for all of it: a step that does make progress goes on later, after others. `silence` is for the time
    without progress: that is a failed attempt, or with `ours`, for steps that ask nobody but the archive's own means,
    an outage.
    """

    total: float = 7 * 86400.0
    silence: float = 6 * 3600.0
    ours: bool = False


class Context(Protocol):
    """What a running step may ask and say. Usable from any thread of the step."""

    @property
    def job(self) -> str:
        """The job's id."""

    @property
    def key(self) -> str:
        """The step's id. It follows from request and content, so it is the same whenever this step runs again."""

    @property
    def attempt(self) -> int:
        """How often this step was begun, this time included."""

    @property
    def secrets(self) -> Mapping[str, Json]:
        """The credentials this step's call names."""

    @property
    def cancelled(self) -> bool:
        """Whether to stop: the job was cancelled, or this worker's lease is gone."""

    @property
    def stopping(self) -> bool:
        """Whether the worker stops or the job was paused: a long step may answer `Again`, having kept what it has."""

    def check(self) -> None:
        """Stop here if that is wanted.

        Raises:
            StepCancelled: The job was cancelled.
            LeaseLost: Another worker may have taken this step over.
        """

    def progress(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        """Say that `done` of `total` things of `step` are finished, `size` bytes so far. Costs next to nothing.

        Saying something new is what counts as progress for the step's deadlines.

        Raises:
            StepCancelled: The job was cancelled.
            LeaseLost: Another worker may have taken this step over.
        """

    def spawn(self, *calls: Call) -> int:
        """Make children at once, while this step goes on; the number of those that are new.

        Raises:
            LeaseLost: Another worker may have taken this step over.
            SecretInTheOpen: A call repeats a credential instead of naming it.
        """

    def children(self) -> Iterator[StepRow]:
        """For a continuation: the steps it joins, in the order of their making, failed ones too."""


@runtime_checkable
class Step(Protocol):
    """A kind of work. Twice must equal once: `run` may be called again with the same `given` at any time.

    A class may also have `failures: int`, how often it may raise before it ends as failed (otherwise 5), and
    `deadlines: Deadlines`, how long an attempt may take. One that says nothing for long though it works, since another
    program does the work, may have `work_seen(given, context)`: another answer than before counts as progress.
    """

    @property
    def name(self) -> str:
        """Written to disk: never reuse it for something else."""

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it. A raised error is tried again with growing waits, unless its class says `retry = False`.

        One whose class says `outage = True` is waited out: it counts as no failure, however often it comes.
        """


class Registry(Mapping[str, Step]):
    """The steps a worker knows, by name."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        """Begin with `steps`.

        Raises:
            StepNameTaken: Two have the same name.
        """
        self._steps: dict[str, Step] = {}
        for step in steps:
            self.add(step)

    def add(self, step: Step) -> None:
        """Know one step more.

        Raises:
            StepNameTaken: Another has its name.
        """
        if step.name in self._steps:
            raise StepNameTaken(name=step.name)
        self._steps[step.name] = step

    def __getitem__(self, name: str) -> Step:
        try:
            return self._steps[name]
        except KeyError:
            raise UnknownStep(name=name, known=", ".join(sorted(self._steps)) or "none") from None

    def __contains__(self, name: object) -> bool:
        return name in self._steps

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)
