"""Deadlines of attempts: what hangs is given back, and harms only itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.jobs import Call, Context, Deadlines, Done, Job, JobState, Json, Ledger, LocalEngine, Registry
from muniment.jobs.local import Pace
from tests.timing import PATIENCE, eventually

PACE = Pace(lease=30.0, poll=0.05, pulse=0.05, sweep=0.1, grace=0.1)
Work = Callable[[Json, Context], Done]


class Step:
    """A step made of a function, with deadlines."""

    failures = 2

    def __init__(self, name: str, work: Work, deadlines: Deadlines | None = None) -> None:
        self.name = name
        self.work = work
        if deadlines is not None:
            self.deadlines = deadlines

    def run(self, given: Json, context: Context) -> Done:
        return self.work(given, context)


class Seen(Step):
    """One that says nothing, and is seen to work."""

    def __init__(self, name: str, work: Work, deadlines: Deadlines, seen: Callable[[], object]) -> None:
        super().__init__(name, work, deadlines)
        self.seen = seen

    def work_seen(self, given: Json, context: Context) -> object:
        return self.seen()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "control.db") as ledger:
        yield ledger


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What ends all that hangs, at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def ended(ledger: Ledger, job: Job) -> Job:
    eventually(lambda: ledger.job(job.id).ended)
    return ledger.job(job.id)


def told(ledger: Ledger, job: Job) -> list[str]:
    return [line.what for line in ledger.history(job.id)]


def test_a_step_that_hangs_is_given_back_and_its_only_thread_replaced(ledger: Ledger, release: threading.Event) -> None:
    """And what it says when it comes back at last is not heard."""

    def work(given: Json, context: Context) -> Done:
        if context.attempt == 1:
            release.wait(PATIENCE)
        return Done(context.attempt)

    steps = Registry([Step("it", work, Deadlines(silence=0.2))])
    with LocalEngine(ledger, steps, threads=1, reserve=0, pace=PACE):
        job = ended(ledger, ledger.submit("test", Call("it"), requester="ada"))
        assert (job.state, job.result) == (JobState.DONE, 2)
        assert [(step.failures, step.losses) for step in ledger.steps(job.id)] == [(1, 0)]
        assert told(ledger, job) == ["submitted", "tried in vain", "done"]
        release.set()
        assert ended(ledger, ledger.submit("test", Call("it", "more"), requester="ada")).state is JobState.DONE
    assert ledger.job(job.id).result == 2


def test_what_always_hangs_at_a_service_fails_as_its_failure(ledger: Ledger, release: threading.Event) -> None:
    def work(given: Json, context: Context) -> Done:
        release.wait(PATIENCE)
        return Done()

    steps = Registry([Step("it", work, Deadlines(silence=0.1))])
    with LocalEngine(ledger, steps, threads=1, reserve=0, pace=PACE):
        job = ended(ledger, ledger.submit("test", Call("it"), requester="ada"))
    assert job.state is JobState.FAILED
    assert "made no progress" in job.reason


def test_what_hangs_and_asks_only_our_own_means_is_waited_out(ledger: Ledger, release: threading.Event) -> None:
    """A mount that hangs fails nobody."""

    def work(given: Json, context: Context) -> Done:
        if context.attempt < 4:
            release.wait(PATIENCE)
        return Done(context.attempt)

    steps = Registry([Step("it", work, Deadlines(silence=0.1, ours=True))])
    with LocalEngine(ledger, steps, threads=1, reserve=0, pace=PACE):
        job = ledger.submit("test", Call("it"), requester="ada")
        eventually(lambda: bool(ledger.control.outages()))
        for _ in range(3):
            eventually(lambda: next(ledger.steps(job.id)).waits_for is not None)
            ledger.control.retry(job.id)
        assert ended(ledger, job).result == 4
    assert [step.failures for step in ledger.steps(job.id)] == [0]
    assert ledger.control.outages() == []


def test_a_step_that_hears_of_its_deadline_ends_itself(ledger: Ledger) -> None:
    """Its thread is kept."""
    threads: list[int] = []

    def work(given: Json, context: Context) -> Done:
        threads.append(threading.get_ident())
        while context.attempt == 1:
            context.check()
            threading.Event().wait(0.01)
        return Done()

    pace = Pace(lease=30.0, poll=0.05, pulse=0.05, sweep=0.1, grace=PATIENCE)
    with LocalEngine(ledger, Registry([Step("it", work, Deadlines(silence=0.2))]), threads=1, reserve=0, pace=pace):
        job = ended(ledger, ledger.submit("test", Call("it"), requester="ada"))
    assert job.state is JobState.DONE
    assert threads[0] == threads[1]


def test_a_step_over_its_total_time_that_makes_progress_lets_others_go_first(ledger: Ledger) -> None:
    """That is no failure, and it goes on after them."""
    order: list[object] = []

    def work(given: Json, context: Context) -> Done:
        order.append(given)
        count = 0
        while given == "long" and context.attempt == 1:
            count += 1
            context.progress("going on", count, None)
            threading.Event().wait(0.01)
        return Done()

    steps = Registry([Step("it", work, Deadlines(total=0.5, silence=PATIENCE))])
    with LocalEngine(ledger, steps, threads=1, reserve=0, pace=PACE):
        long = ledger.submit("test", Call("it", "long"), requester="ada")
        eventually(lambda: bool(order))
        short = ledger.submit("test", Call("it", "short"), requester="ada")
        assert ended(ledger, long).state is JobState.DONE
        assert ended(ledger, short).state is JobState.DONE
    assert order == ["long", "short", "long"]
    assert [step.failures for step in ledger.steps(long.id)] == [0]


def test_a_step_that_says_nothing_but_is_seen_to_work_is_not_silent(ledger: Ledger) -> None:
    """As git, which says nothing while it clones; its folder grows."""
    looked: list[int] = []

    def seen() -> object:
        looked.append(1)
        return len(looked)

    def work(given: Json, context: Context) -> Done:
        eventually(lambda: len(looked) > 5)
        return Done(context.attempt)

    with LocalEngine(ledger, Registry([Seen("it", work, Deadlines(silence=0.1), seen)]), pace=PACE):
        assert ended(ledger, ledger.submit("test", Call("it"), requester="ada")).result == 1


def test_steps_that_wait_behind_one_that_hangs_are_given_to_another_process(
    ledger: Ledger, release: threading.Event
) -> None:
    """One engine whose every thread hangs holds nothing that the other could do."""
    held: list[object] = []

    def hang(given: Json, context: Context) -> Done:
        held.append(given)
        release.wait(PATIENCE)
        return Done()

    steps = Registry([Step("hang", hang), Step("it", lambda given, _: Done(given))])
    with LocalEngine(ledger, steps, threads=4, reserve=0, pace=PACE):
        for number in range(4):
            ledger.submit("test", Call("hang", number), requester="ada")
        eventually(lambda: len(held) == 4)
        with LocalEngine(ledger, steps, pace=PACE):
            jobs = [ledger.submit("test", Call("it", number), requester="ada") for number in range(40)]
            assert [ended(ledger, job).result for job in jobs] == list(range(40))
        release.set()


def test_steps_that_only_wait_for_others_get_stand_ins(ledger: Ledger, release: threading.Event) -> None:
    """However many hang, what was asked for later is done; and when they come back they count as before."""
    hanging: list[object] = []

    def hang(given: Json, context: Context) -> Done:
        hanging.append(given)
        release.wait(PATIENCE)
        return Done(given)

    def work(given: Json, context: Context) -> Done:
        return Done(given)

    steps = Registry([Step("hang", hang, Deadlines(silence=PATIENCE)), Step("it", work)])
    pace = Pace(lease=30.0, poll=0.05, pulse=0.05, sweep=0.1, quiet=0.2)
    with LocalEngine(ledger, steps, threads=2, reserve=0, pace=pace):
        stuck = [ledger.submit("test", Call("hang", number), requester="ada") for number in range(5)]
        quick = [ledger.submit("test", Call("it", number), requester="ada") for number in range(5)]
        assert [ended(ledger, job).result for job in quick] == list(range(5))
        eventually(lambda: len(hanging) == 5)
        release.set()
        assert [ended(ledger, job).result for job in stuck] == list(range(5))
        more = [ledger.submit("test", Call("it", number + 5), requester="ada") for number in range(5)]
        assert [ended(ledger, job).result for job in more] == list(range(5, 10))
    assert {step.attempt for job in stuck for step in ledger.steps(job.id)} == {1}


def test_a_step_that_works_for_long_without_a_word_gets_no_stand_in(ledger: Ledger, release: threading.Event) -> None:
    """It asks nobody but this machine, which has no more processors for another."""
    begun: list[object] = []

    def work(given: Json, context: Context) -> Done:
        begun.append(given)
        release.wait(PATIENCE)
        return Done(given)

    pace = Pace(lease=30.0, poll=0.05, pulse=0.05, sweep=0.1, quiet=0.1)
    steps = Registry([Step("it", work, Deadlines(ours=True))])
    with LocalEngine(ledger, steps, threads=1, reserve=0, pace=pace):
        jobs = [ledger.submit("test", Call("it", number), requester="ada") for number in range(2)]
        eventually(lambda: bool(begun))
        for _ in range(20):
            threading.Event().wait(0.05)
        assert len(begun) == 1
        release.set()
        assert [ended(ledger, job).result for job in jobs] == [0, 1]
