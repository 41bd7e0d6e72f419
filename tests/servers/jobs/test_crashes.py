"""Kill -9 at random while a job runs: every effect once, every join once, nothing stuck."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from muniment.jobs import Call, JobState, Ledger, State
from muniment.testing.services import Service
from tests.servers.jobs.crew import Crew, begun, marks, until_ended
from tests.timing import eventually

QUICK = (150, 4)
LONG = (1000, 50)


def survives(place: str | Path, folder: Path, broker: str, steps: int, kills: int) -> None:
    """A job of many small steps comes to its end however often its workers are killed."""
    # So long a step that the kills hit many of them, and the job lasts until the last kill.
    seconds = 0.1 if kills <= 5 else 0.2
    pause = (0.3, 1.0)
    with Ledger.open(place, migrate=True) as ledger:
        call = Call("fan", {"count": steps, "seconds": seconds})
        job = ledger.submit("test", call, requester="ada", key="once").id
        with Crew(place, folder, broker) as crew:
            crew.harass(ledger, job, kills=kills, pause=pause)
            ended = until_ended(ledger, job, 300)
        assert ended.state is JobState.DONE, ended.reason
        assert ended.result == sum(range(steps))
        assert (ended.steps, ended.steps_done) == (steps + 2, steps + 2)
        assert [len(marks(folder, name)) for name in ("fan", "leaf", "join")] == [1, steps, 1]
        assert all(step.state is State.DONE for step in ledger.steps(job))
        assert ledger.owed() == {}
        assert sum(step.losses for step in ledger.steps(job)) > 0, "no kill hit a step that ran"
        print(f"{crew.kills} kills, {begun(folder, 'leaf')} leaves begun for {steps}")


def test_embedded_workers_may_be_killed_at_any_time(tmp_path: Path) -> None:
    survives(tmp_path / "control.db", tmp_path, "", *QUICK)


def test_workers_on_postgresql_may_be_killed_at_any_time(place: str, tmp_path: Path) -> None:
    survives(place, tmp_path, "", *QUICK)


def test_celery_workers_on_redis_may_be_killed_at_any_time(place: str, redis: Service, tmp_path: Path) -> None:
    survives(place, tmp_path, redis.url, *QUICK)


def test_celery_workers_on_rabbitmq_may_be_killed_at_any_time(place: str, rabbitmq: Service, tmp_path: Path) -> None:
    survives(place, tmp_path, rabbitmq.url, *QUICK)


@pytest.mark.nightly
@pytest.mark.timeout(900)
class TestFiftyKills:
    def test_embedded(self, tmp_path: Path) -> None:
        survives(tmp_path / "control.db", tmp_path, "", *LONG)

    def test_postgresql(self, place: str, tmp_path: Path) -> None:
        survives(place, tmp_path, "", *LONG)

    def test_celery_on_redis(self, place: str, redis: Service, tmp_path: Path) -> None:
        survives(place, tmp_path, redis.url, *LONG)

    def test_celery_on_rabbitmq(self, place: str, rabbitmq: Service, tmp_path: Path) -> None:
        survives(place, tmp_path, rabbitmq.url, *LONG)


def test_another_machine_takes_over_when_the_lease_has_ended(place: str, tmp_path: Path) -> None:
    """Two workers that share only the ledger; the one that holds the step dies."""
    with Ledger.open(place, migrate=True) as ledger, Crew(place, tmp_path, size=1) as crew:
        job = ledger.submit("test", Call("patient"), requester="ada").id
        first = crew.workers[0]
        while not ledger.progress(job).running:
            time.sleep(0.02)
        crew.hire()
        time.sleep(1)
        crew.kill(first)
        [held] = ledger.steps(job)
        assert held.lease_until is not None
        eventually(lambda: next(ledger.steps(job)).lease_owner not in {held.lease_owner, None})
        assert time.time() >= held.lease_until, "it was taken from somebody who still held it"
        assert next(ledger.steps(job)).losses == 1
        ledger.cancel(job)
        assert until_ended(ledger, job, 10).state is JobState.CANCELLED


@pytest.mark.parametrize("engine", ["local", "celery"])
def test_a_step_that_kills_its_worker_fails_with_that_reason(
    place: str, redis: Service, tmp_path: Path, engine: str
) -> None:
    with Ledger.open(place, migrate=True) as ledger:
        job = ledger.submit("test", Call("deadly", losses=2), requester="ada").id
        with Crew(place, tmp_path, redis.url if engine == "celery" else "", size=1) as crew:
            until = time.monotonic() + 40
            while not ledger.job(job).ended:
                assert time.monotonic() < until, list(ledger.steps(job))
                for worker in [worker for worker in crew.workers if worker.poll() is not None]:
                    crew.workers.remove(worker)
                    crew.hire()
                time.sleep(0.1)
        ended = ledger.job(job)
        assert ended.state is JobState.FAILED
        assert "not heard of any more; that happened 2 times" in ended.reason
        assert begun(tmp_path, "deadly") == 2
