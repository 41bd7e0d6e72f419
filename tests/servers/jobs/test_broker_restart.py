"""A broker that goes away and comes back, with the messages it held or without: nothing owed stands still."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from muniment.jobs import Call, Job, JobState, Ledger
from muniment.testing.services import own
from tests.servers.jobs.crew import Crew, marks, until_ended
from tests.timing import PATIENCE, eventually

RARELY = pytest.mark.nightly


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        pytest.param("redis", False, marks=RARELY, id="redis-that-kept-its-messages"),
        pytest.param("redis", True, id="redis-that-lost-its-messages"),
        pytest.param("rabbitmq", False, id="rabbitmq-that-kept-its-messages"),
        pytest.param("rabbitmq", True, marks=RARELY, id="rabbitmq-that-lost-its-messages"),
    ],
)
def test_workers_go_on_when_their_broker_is_back(place: str, kind: str, lost: bool, tmp_path: Path) -> None:
    with Ledger.open(place, migrate=True) as ledger, own(kind, tmp_path / kind) as broker:
        before = ledger.submit("test", Call("fan", {"count": 40, "seconds": 0.05}), requester="ada")
        with Crew(place, tmp_path, broker.url, size=2):
            while ledger.job(before.id).steps_done < 5:
                time.sleep(0.05)
            broker.stop()
            during = ledger.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada")
            if lost:
                broker.forget()
            broker.start()
            assert until_ended(ledger, before.id, PATIENCE).state is JobState.DONE
            assert until_ended(ledger, during.id, PATIENCE).state is JobState.DONE
            # Each worker takes messages again: as many long steps as there are processes run at once.
            after = _long_steps(ledger, 4)
            # The thread that says that it is over is not the one that takes messages.
            eventually(lambda: _said(tmp_path, "Until it works again") == _said(tmp_path, "over after"))
            for job in after:
                ledger.cancel(job.id)
        assert len(marks(tmp_path, "leaf")) == 41
        said = (tmp_path / "output").read_text()
    assert said.count("Until it works again") == said.count("over after") <= 2, "one line for each worker"
    assert "broker lost" not in said
    assert "Couldn't ack" not in said


def _long_steps(ledger: Ledger, count: int) -> list[Job]:
    """Steps that end when they are cancelled, as soon as all of them run at once."""
    jobs = [ledger.submit("test", Call("patient", n), requester="ada") for n in range(count)]
    eventually(
        lambda: all(ledger.progress(job.id).running for job in jobs),
        every=0.1,
        told=lambda: [list(ledger.steps(job.id)) for job in jobs],
    )
    return jobs


def _said(folder: Path, words: str) -> int:
    return (folder / "output").read_text().count(words)
