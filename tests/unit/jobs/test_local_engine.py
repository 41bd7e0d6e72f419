"""Threads that do what the ledger owes: retries, cancels, credentials, stopping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.errors.base import BadInput, RemoteError
from muniment.jobs import (
    Again,
    Call,
    Context,
    Done,
    Job,
    JobState,
    Json,
    Keyring,
    Ledger,
    LocalEngine,
    Period,
    Priority,
    Registry,
    State,
)
from muniment.jobs.local import Pace
from muniment.jobs.model import Outcome
from tests.timing import PATIENCE, eventually

PACE = Pace(lease=2.0, poll=0.05, pulse=0.05, sweep=0.1)
Work = Callable[[Json, Context], Done | Again]


class Doing:
    """A step made of a function."""

    def __init__(self, name: str, work: Work, failures: int | None = None) -> None:
        self.name = name
        self.work = work
        self.failures = failures

    def run(self, given: Json, context: Context) -> Done | Again:
        return self.work(given, context)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "control.db", keyring=Keyring.create(tmp_path / "keys")) as ledger:
        yield ledger


def finish(ledger: Ledger, job: Job, seconds: float = PATIENCE) -> Job:
    for progress in ledger.watch(job.id, every=0.02, timeout=seconds):
        if progress.job.ended:
            return progress.job
    raise AssertionError(f"{ledger.job(job.id)} {list(ledger.steps(job.id))}")


def do(ledger: Ledger, work: Work, call: Call | None = None, **options: object) -> Job:
    """Run one step called `it` to its job's end."""
    failures = options.pop("failures", None)
    assert failures is None or isinstance(failures, int)
    with LocalEngine(ledger, Registry([Doing("it", work, failures)]), pace=PACE):
        return finish(ledger, ledger.submit("test", call or Call("it"), requester="ada", **options))  # type: ignore[arg-type]  # passed on


def test_a_step_is_given_what_was_asked_and_its_answer_is_kept(ledger: Ledger) -> None:
    job = do(ledger, lambda given, context: Done([given, context.attempt, context.key]), Call("it", {"a": 1}))
    [step] = ledger.steps(job.id)
    assert job.result == [{"a": 1}, 1, step.id]


def test_an_error_is_tried_again_and_forgotten_when_it_goes_well(ledger: Ledger) -> None:
    tries = []

    def work(given: Json, context: Context) -> Done:
        tries.append(context.attempt)
        if len(tries) < 2:
            raise OSError("the network is down")
        return Done("up")

    job = do(ledger, work)
    assert (job.state, job.result, tries) == (JobState.DONE, "up", [1, 2])
    [step] = ledger.steps(job.id)
    assert (step.failures, step.reason) == (1, "")
    assert [(line.what, line.detail) for line in ledger.history(job.id)][1] == (
        "tried in vain",
        "OSError: the network is down",
    )


def test_too_many_errors_fail_the_step_with_the_last_reason(ledger: Ledger) -> None:
    def work(given: Json, context: Context) -> Done:
        raise ZeroDivisionError(f"attempt {context.attempt}")

    job = do(ledger, work, failures=2)
    assert (job.state, job.reason) == (JobState.FAILED, "it: ZeroDivisionError: attempt 2")


def test_an_error_that_trying_again_cannot_repair_fails_at_once(ledger: Ledger) -> None:
    def work(given: Json, context: Context) -> Done:
        raise BadInput(reason="the token is wrong")

    job = do(ledger, work)
    assert job.state is JobState.FAILED
    assert "the token is wrong" in job.reason
    assert [step.attempt for step in ledger.steps(job.id)] == [1]


def test_a_service_that_says_when_is_asked_no_earlier(ledger: Ledger) -> None:
    times = []

    def work(given: Json, context: Context) -> Done:
        times.append(time.time())
        if len(times) == 1:
            raise RemoteError(reason="429", retry_after=1.5)
        return Done()

    do(ledger, work)
    assert times[1] - times[0] >= 1.5


def test_again_is_no_failure_and_has_no_limit_of_its_own(ledger: Ledger) -> None:
    def work(given: Json, context: Context) -> Done | Again:
        return Done(context.attempt) if context.attempt > 12 else Again(time.time(), "the tape is being fetched")

    job = do(ledger, work)
    assert (job.state, job.result) == (JobState.DONE, 13)
    assert [step.failures for step in ledger.steps(job.id)] == [0]


def test_again_for_ever_ends_as_failed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.jobs.execution.PATIENCE", 0.3)
    job = do(ledger, lambda _given, _context: Again(time.time() + 0.1, "still not there"))
    assert job.state is JobState.FAILED
    assert "still not there" in job.reason


@pytest.mark.parametrize("answer", [None, "done", Done(b"bytes"), Done({1: 2}.keys())])  # type: ignore[arg-type]  # the point
def test_an_answer_that_is_none_fails_the_step(ledger: Ledger, answer: Done) -> None:
    job = do(ledger, lambda _given, _context: answer, failures=1)
    assert job.state is JobState.FAILED


def test_a_tree_of_steps_is_done_and_joined(ledger: Ledger) -> None:
    def fan(given: Json, context: Context) -> Done:
        assert context.spawn(Call("leaf", 0), Call("leaf", 1)) == 2
        return Done(None, [Call("leaf", n) for n in range(50)], Call("join"))

    def leaf(given: Json, context: Context) -> Done:
        assert isinstance(given, int)
        if given == 7:
            raise BadInput(reason="seven")
        return Done(given)

    def join(given: Json, context: Context) -> Done:
        children = list(context.children())
        return Done(
            [sum(c.result for c in children if isinstance(c.result, int)), [c.reason for c in children if c.reason]]
        )

    steps = Registry([Doing("fan", fan), Doing("leaf", leaf), Doing("join", join)])
    with LocalEngine(ledger, steps, pace=PACE):
        job = finish(ledger, ledger.submit("test", Call("fan"), requester="ada"))
    assert job.result == [sum(range(50)) - 7, ["What was given cannot be used: seven."]]
    assert (job.state, job.steps, job.steps_failed) == (JobState.DONE, 52, 1)


def test_a_running_step_hears_that_it_is_cancelled(ledger: Ledger) -> None:
    begun = threading.Event()

    def work(given: Json, context: Context) -> Done:
        begun.set()
        for number in range(100_000):
            context.progress("counting", number, 100_000, size=number)
            time.sleep(0.02)
        return Done()

    with LocalEngine(ledger, Registry([Doing("it", work)]), pace=PACE):
        job = ledger.submit("test", Call("it"), requester="ada")
        assert begun.wait(PATIENCE)
        eventually(lambda: any(step.done for step in ledger.progress(job.id).running))
        [running] = ledger.progress(job.id).running
        assert running.what == "counting"
        assert running.done > 0
        assert running.size == running.done
        ledger.cancel(job.id, by="ada")
        ended = finish(ledger, job)
    assert ended.state is JobState.CANCELLED
    assert next(ledger.steps(job.id)).state is State.CANCELLED


def test_stopping_lets_short_steps_end_and_gives_long_ones_back(ledger: Ledger) -> None:
    begun, release = threading.Barrier(3), threading.Event()

    def work(given: Json, context: Context) -> Done:
        begun.wait(10)
        if given == "short":
            time.sleep(0.3)
        else:
            release.wait(10)
        return Done(given)

    engine = LocalEngine(ledger, Registry([Doing("it", work)]), threads=2, reserve=0, pace=PACE)
    engine.start()
    short = ledger.submit("test", Call("it", "short"), requester="ada")
    long = ledger.submit("test", Call("it", "long"), requester="ada")
    begun.wait(10)
    engine.stop(grace=1.0)
    release.set()
    assert ledger.job(short.id).result == "short"
    [back] = ledger.steps(long.id)
    assert (back.state, back.attempt, back.lease_owner) == (State.READY, 0, None)
    assert ledger.workers() == []
    with LocalEngine(ledger, Registry([Doing("it", lambda _g, c: Done(c.attempt))]), pace=PACE):
        assert finish(ledger, long).result == 1


def test_a_long_bulk_job_makes_nobody_wait(ledger: Ledger) -> None:
    release = threading.Event()

    def work(given: Json, context: Context) -> Done:
        if given == "urgent":
            return Done("now")
        assert release.wait(PATIENCE)
        return Done()

    with LocalEngine(ledger, Registry([Doing("it", work)]), threads=3, reserve=1, pace=PACE):
        bulk = [ledger.submit("test", Call("it", n), requester="ada") for n in range(6)]
        eventually(lambda: sum(bool(ledger.progress(job.id).running) for job in bulk) == 2)
        urgent = ledger.submit("test", Call("it", "urgent"), requester="ada", priority=Priority.PRIORITY)
        # The others hold all that bulk may have until they are released, which is after this.
        assert finish(ledger, urgent).result == "now"
        release.set()
        for job in bulk:
            finish(ledger, job)


def test_periodic_jobs_are_run(ledger: Ledger) -> None:
    ledger.schedule(Period("tick", "1", "audit", Call("it")))
    with LocalEngine(ledger, Registry([Doing("it", lambda _given, _context: Done("tock"))]), pace=PACE):
        jobs = eventually(lambda: ledger.jobs(kind="audit", state=JobState.DONE))
    assert jobs[0].result == "tock"


def test_a_credential_is_told_nowhere(ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def work(given: Json, context: Context) -> Done:
        seen.append(context.secrets["token"])
        context.progress("using ghp_verysecret1", 1, 2)
        time.sleep(0.2)
        raise OSError("https://user:ghp_verysecret1@host/ said no")

    call = Call("it", secrets=("token",))
    job = do(ledger, work, call, failures=2, secrets={"token": "ghp_verysecret1"})
    assert seen == ["ghp_verysecret1"] * 2
    assert job.reason == "it: OSError: https://user:[secret]@host/ said no"
    assert "verysecret" not in caplog.text
    ledger.close()
    assert not [path for path in tmp_path.glob("control.db*") if b"verysecret" in path.read_bytes()]


@pytest.mark.parametrize(
    "answer",
    [
        Done({"url": "https://t0ken-abcdefghijklm@h"}),
        Done(None, [Call("it", "t0ken-abcdefghijklm")]),
        Done(None, (), Call("it", ["t0ken-abcdefghijklm"])),
    ],
)
def test_a_step_that_would_write_a_credential_fails(ledger: Ledger, answer: Done) -> None:
    job = do(ledger, lambda _given, _context: answer, Call("it", secrets=("t",)), secrets={"t": "t0ken-abcdefghijklm"})
    assert job.state is JobState.FAILED
    assert "would have written a credential" in job.reason
    assert "t0ken" not in job.reason


def test_a_full_or_locked_ledger_stops_nothing_for_good(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first three writes of outcomes fail; they are told again, and the step is not done twice."""
    from muniment.errors.database import DatabaseUnavailable

    runs: list[int] = []
    refusals: list[int] = []
    exchange = ledger.leases.exchange

    def flaky(owner: str, outcomes: object = (), *rest: object) -> object:
        if outcomes and len(refusals) < 3:
            refusals.append(1)
            raise DatabaseUnavailable(place="here", reason="database or disk is full")
        return exchange(owner, outcomes, *rest)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(ledger.leases, "exchange", flaky)

    def work(given: Json, context: Context) -> Done:
        runs.append(1)
        return Done()

    job = do(ledger, work)
    assert (job.state, runs, len(refusals)) == (JobState.DONE, [1], 3)


def test_an_outcome_that_cannot_be_recorded_spoils_no_other(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from muniment.errors.database import DatabaseBroken

    exchange = ledger.leases.exchange

    def picky(owner: str, outcomes: tuple[Outcome, ...] = (), *rest: object) -> object:
        if any(outcome.result == "bad" for outcome in outcomes):
            raise DatabaseBroken(place="here", reason="value out of range")
        return exchange(owner, outcomes, *rest)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(ledger.leases, "exchange", picky)
    with LocalEngine(ledger, Registry([Doing("it", lambda given, _context: Done(given))]), pace=PACE):
        jobs = {given: ledger.submit("test", Call("it", given), requester="ada") for given in ("good", "bad", "fine")}
        ended = {given: finish(ledger, job).state for given, job in jobs.items()}
    assert ended == {"good": JobState.DONE, "bad": JobState.FAILED, "fine": JobState.DONE}
