"""What only waits for somebody else keeps none of a Celery worker's processes from other steps."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.jobs import Call, Job, JobState, Ledger, State
from muniment.testing.services import Service
from tests.servers.jobs.crew import Crew, begun, children_of, until_ended
from tests.timing import eventually


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with Ledger.open(place, migrate=True) as ledger:
        yield ledger


def ask(ledger: Ledger, name: str, count: int) -> list[Job]:
    return [ledger.submit("test", Call(name, number), requester="ada") for number in range(count)]


def leaves(ledger: Ledger, count: int) -> list[Job]:
    calls = [Call("leaf", {"n": number, "seconds": 0.0}) for number in range(count)]
    return [ledger.submit("test", call, requester="ada") for call in calls]


def log(folder: Path, name: str) -> int:
    return begun(folder, name) if (folder / "log").exists() else 0


@pytest.mark.parametrize("kind", ["redis", pytest.param("rabbitmq", marks=pytest.mark.nightly)])
def test_steps_that_only_wait_are_left_to_threads_of_their_own(
    ledger: Ledger, place: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Six on two processes: what is asked for later is done, and each goes on where it was when it gets its answer."""
    broker: Service = request.getfixturevalue(kind)
    with Crew(place, tmp_path, broker.url, size=1):
        waiting = ask(ledger, "waiting", 6)
        eventually(lambda: log(tmp_path, "waiting") == 6)
        for job in leaves(ledger, 20):
            assert until_ended(ledger, job.id, 60).state is JobState.DONE
        assert not any(ledger.job(job.id).ended for job in waiting)
        (tmp_path / "answer").touch()
        for job in waiting:
            assert until_ended(ledger, job.id, 60).state is JobState.DONE
    steps = [step for job in waiting for step in ledger.steps(job.id, name="waiting")]
    assert {(step.attempt, step.failures, step.losses) for step in steps} == {(1, 0, 0)}
    assert log(tmp_path, "waiting") == 6
    assert log(tmp_path, "leaf") == 26


def test_a_stopped_worker_gives_back_what_it_left_to_threads(
    ledger: Ledger, place: str, redis: Service, tmp_path: Path
) -> None:
    with Crew(place, tmp_path, redis.url, size=1) as crew:
        waiting = ask(ledger, "waiting", 4)
        eventually(lambda: log(tmp_path, "waiting") == 4)
        assert until_ended(ledger, leaves(ledger, 1)[0].id, 60).state is JobState.DONE
        crew.stop(crew.workers[0])
    steps = [step for job in waiting for step in ledger.steps(job.id)]
    assert [(step.state, step.attempt, step.losses) for step in steps] == [(State.READY, 0, 0)] * 4
    assert {step.reason for step in steps} == {"its worker was stopped"}
    (tmp_path / "answer").touch()
    with Crew(place, tmp_path, redis.url, size=1):
        for job in waiting:
            assert until_ended(ledger, job.id, 60).state is JobState.DONE


def test_what_was_left_to_a_thread_and_is_over_its_deadline_counts_as_tried_in_vain(
    ledger: Ledger, place: str, redis: Service, tmp_path: Path
) -> None:
    """And its process goes on with what else it has."""
    with Crew(place, tmp_path, redis.url, size=1) as crew:
        waiting = ask(ledger, "waiting", 2)
        eventually(lambda: log(tmp_path, "waiting") == 2)
        processes = set(children_of(crew.workers[0].pid))
        [hanging] = ask(ledger, "hanging", 1)
        ended = until_ended(ledger, hanging.id, 60)
        assert ended.state is JobState.FAILED
        assert "made no progress" in ended.reason
        assert set(children_of(crew.workers[0].pid)) == processes
        (tmp_path / "answer").touch()
        for job in waiting:
            assert until_ended(ledger, job.id, 60).state is JobState.DONE
    assert {step.losses for job in waiting for step in ledger.steps(job.id)} == {0}


def test_a_process_that_is_killed_loses_what_it_left_to_threads_to_others(
    ledger: Ledger, place: str, redis: Service, tmp_path: Path
) -> None:
    with Crew(place, tmp_path, redis.url, size=1) as crew:
        waiting = ask(ledger, "waiting", 4)
        eventually(lambda: log(tmp_path, "waiting") == 4)
        for process in children_of(crew.workers[0].pid):
            os.kill(process, signal.SIGKILL)
        eventually(lambda: log(tmp_path, "waiting") == 8)
        (tmp_path / "answer").touch()
        for job in waiting:
            assert until_ended(ledger, job.id, 60).state is JobState.DONE
    assert log(tmp_path, "leaf") == 4
