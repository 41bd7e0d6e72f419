"""Steps done by one thread, which can be left to itself with one of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from muniment.jobs.batch import Batch
from muniment.jobs.execution import StepContext
from muniment.jobs.model import Outcome
from tests.timing import PATIENCE, eventually


@dataclass
class Doing:
    """Does words in place of steps; `slow` waits until it is let go."""

    go: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)
    late: list[tuple[str, str]] = field(default_factory=list)

    def do(self, step: Any) -> Any:
        self.begun.append(step)
        if step == "slow":
            assert self.go.wait(PATIENCE)
        return f"{step} done"

    def came_late(self, step: Any, outcome: Any) -> None:
        self.late.append((step, outcome))

    def batch(self, *steps: str) -> Batch:
        return Batch(cast("tuple[StepContext, ...]", steps), self.do, self.came_late)


def in_a_thread(batch: Batch) -> tuple[threading.Thread, list[Outcome]]:
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.extend(batch.run()), daemon=True)
    thread.start()
    return thread, found


def test_steps_are_done_one_after_the_other_and_told_in_their_order() -> None:
    doing = Doing()
    assert cast("object", doing.batch("a", "b", "c").run()) == ["a done", "b done", "c done"]
    assert (doing.begun, doing.late) == (["a", "b", "c"], [])


def test_a_thread_that_is_left_with_a_step_does_no_other_and_tells_late() -> None:
    doing = Doing()
    batch = doing.batch("a", "slow", "b")
    thread, found = in_a_thread(batch)
    eventually(lambda: doing.begun == ["a", "slow"])
    assert batch.leave(cast("StepContext", "slow"))
    thread.join(PATIENCE)
    assert cast("object", found) == ["a done"]
    assert cast("object", batch.take_back()) == ["b"]
    doing.go.set()
    eventually(lambda: doing.late == [("slow", "slow done")])
    assert doing.begun == ["a", "slow"]


def test_a_step_that_has_ended_meanwhile_is_not_left() -> None:
    doing = Doing()
    doing.go.set()
    batch = doing.batch("slow")
    batch.run()
    assert batch.now() is None
    assert not batch.leave(cast("StepContext", "slow"))


def test_what_was_taken_back_is_not_begun() -> None:
    doing = Doing()
    batch = doing.batch("slow", "b")
    thread, found = in_a_thread(batch)
    eventually(lambda: batch.now() is not None)
    assert cast("object", batch.take_back()) == ["b"]
    doing.go.set()
    thread.join(PATIENCE)
    assert cast("object", found) == ["slow done"]


def test_without_another_thread_the_caller_does_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert cast("object", Doing().batch("a", "b").run()) == ["a done", "b done"]
