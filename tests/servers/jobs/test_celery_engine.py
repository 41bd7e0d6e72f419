"""Celery on real brokers: messages that are lost, doubled, or cannot be sent, and what they carry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis as redis_client
from sqlalchemy import create_engine, text

from muniment.errors.jobs import BrokerUnavailable
from muniment.jobs import Call, CeleryEngine, JobState, Keyring, Ledger, LocalEngine, Priority, State
from muniment.testing.services import Service, free_port
from tests.servers.jobs.crew import Crew, begun, marks, until_ended
from tests.servers.jobs.workshop import PACE, registry
from tests.timing import eventually


@pytest.fixture
def ledger(place: str, tmp_path: Path) -> Iterator[Ledger]:
    keyring = Keyring.create(tmp_path / "keys")
    with Ledger.open(place, keyring=keyring, migrate=True) as ledger:
        yield ledger


@contextmanager
def engine(place: str, folder: Path, broker: str, resend: float = 2.0) -> Iterator[CeleryEngine]:
    engine = CeleryEngine(broker, lambda: Ledger.open(place), registry(folder), pace=PACE, resend=resend)
    yield engine
    engine.close()


@pytest.fixture
def queues(redis: Service) -> Iterator[redis_client.Redis]:
    """The broker's own client; the broker is empty before and after."""
    client = redis_client.Redis.from_url(redis.url)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


def test_a_message_carries_ids_and_nothing_else(
    place: str, redis: Service, queues: redis_client.Redis, ledger: Ledger, tmp_path: Path
) -> None:
    secrets = {"token": "ghp_verysecret1"}
    given = {"where": "https://example.org/private"}
    job = ledger.submit("test", Call("leaf", given, secrets=("token",)), requester="ada", secrets=secrets)
    urgent = ledger.submit("test", Call("leaf", given), requester="ada", priority=Priority.PRIORITY)
    with engine(place, tmp_path, redis.url) as sender:
        assert sender.dispatch() == 2
        assert sender.dispatch() == 0
    [bulk] = queues.lrange("muniment.bulk", 0, -1)
    [priority] = queues.lrange("muniment.priority", 0, -1)
    for raw, wanted in ((bulk, job), (priority, urgent)):
        message = json.loads(raw)
        assert message["content-type"] == "application/json"
        step = next(ledger.steps(wanted.id)).id
        assert message["headers"]["argsrepr"] == f"(['{step}'],)"
    everything = b"".join(queues.dump(key) or b"" for key in queues.scan_iter())
    assert b"verysecret" not in everything
    assert b"example.org" not in everything
    ledger.cancel(job.id)
    ledger.cancel(urgent.id)


def test_a_lost_message_loses_nothing_and_a_doubled_one_doubles_nothing(
    place: str, redis: Service, queues: redis_client.Redis, ledger: Ledger, tmp_path: Path
) -> None:
    lost = ledger.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada")
    with engine(place, tmp_path, redis.url) as sender:
        assert sender.dispatch() == 1
        queues.flushdb()
        doubled = ledger.submit("test", Call("leaf", {"n": 2, "seconds": 0.2}), requester="ada")
        [step] = ledger.steps(doubled.id)
        for _ in range(5):
            assert sender.dispatch() >= 1
            ledger.leases.unsend([step.id])
    assert queues.llen("muniment.bulk") >= 5
    with Crew(place, tmp_path, redis.url, size=1):
        assert until_ended(ledger, lost.id, 30).state is JobState.DONE
        assert until_ended(ledger, doubled.id, 30).state is JobState.DONE
        eventually(lambda: not queues.llen("muniment.bulk"))
    assert begun(tmp_path, "leaf") == 2


def test_a_message_that_died_with_its_worker_is_sent_anew_soon(
    place: str,
    redis: Service,
    queues: redis_client.Redis,
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Redis keeps it for the dead worker for a week; an empty queue tells that it is not merely waiting."""
    monkeypatch.setattr("muniment.jobs.celery._LOST", 0.2)
    job = ledger.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada")
    with engine(place, tmp_path, redis.url, resend=3600) as sender:
        assert sender.dispatch() == 1
        time.sleep(0.3)
        assert sender.dispatch() == 0, "it waits in its queue"
        assert queues.rpop("muniment.bulk")
        assert sender.dispatch() == 1
        assert sender.dispatch() == 0
    ledger.cancel(job.id)


def test_without_a_broker_the_ledger_keeps_what_is_owed(place: str, ledger: Ledger, tmp_path: Path) -> None:
    job = ledger.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada")
    nobody = f"redis://:pass@127.0.0.1:{free_port()}/0"
    with engine(place, tmp_path, nobody) as sender, pytest.raises(BrokerUnavailable) as caught:
        sender.dispatch()
    assert "pass" not in str(caught.value)
    assert next(ledger.steps(job.id)).state is State.READY


def test_a_cancelled_step_stops_and_a_credential_is_told_nowhere(
    place: str, rabbitmq: Service, ledger: Ledger, tmp_path: Path
) -> None:
    patient = ledger.submit("test", Call("patient"), requester="ada")
    call = Call("confiding", secrets=("token",), failures=1)
    confiding = ledger.submit("test", call, requester="ada", secrets={"token": "ghp_verysecret1"})
    with Crew(place, tmp_path, rabbitmq.url, size=1) as crew:
        ended = until_ended(ledger, confiding.id, 40)
        eventually(lambda: any(step.done for step in ledger.progress(patient.id).running))
        ledger.cancel(patient.id)
        assert until_ended(ledger, patient.id, 10).state is JobState.CANCELLED
        crew.stop(crew.workers[0])
    assert (ended.state, ended.reason) == (JobState.FAILED, "confiding: OSError: the service refused [secret]")
    [mark] = marks(tmp_path, "confiding")
    assert mark.read_text() == str(len("ghp_verysecret1"))
    assert "verysecret" not in (tmp_path / "output").read_text()


def test_a_stopped_worker_gives_back_a_long_step(place: str, redis: Service, ledger: Ledger, tmp_path: Path) -> None:
    job = ledger.submit("test", Call("patient"), requester="ada")
    with Crew(place, tmp_path, redis.url, size=1) as crew:
        eventually(lambda: ledger.progress(job.id).running)
        crew.stop(crew.workers[0])
    [step] = ledger.steps(job.id)
    assert (step.state, step.losses, step.failures) == (State.READY, 0, 0)
    assert step.reason == "the worker is being stopped"


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_long_backlog_is_not_piled_up_at_the_broker(
    place: str, kind: str, request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path
) -> None:
    """Though every message counts as lost at once, the queue stays bounded."""
    broker: Service = request.getfixturevalue(kind)
    job = ledger.submit("test", Call("fan"), requester="ada")
    [root] = ledger.leases.exchange("one", (), (0, 1), ["fan"]).claims
    ledger.leases.spawn(root, [Call("leaf", n) for n in range(2500)])
    sender = CeleryEngine(broker.url, lambda: Ledger.open(place), registry(tmp_path), resend=0.0, prefix=f"t{root.id}")
    rounds = 0
    while sender.dispatch():
        rounds += 1
        assert rounds < 100
    with sender.app.connection_for_read() as connection, connection.channel() as channel:
        depth = channel.queue_declare(f"t{root.id}.bulk", passive=True).message_count
        channel.queue_delete(f"t{root.id}.bulk")
    sender.close()
    assert 1000 <= depth < 1100
    ledger.cancel(job.id)


def test_a_database_that_goes_away_for_a_while_loses_nothing(place: str, ledger: Ledger, tmp_path: Path) -> None:
    name = place.rsplit("/", 1)[1]
    engine = create_engine(place.rsplit("/", 1)[0].replace("postgresql:", "postgresql+psycopg:") + "/postgres", isolation_level="AUTOCOMMIT")  # noqa: E501  # fmt: skip
    job = ledger.submit("test", Call("fan", {"count": 60, "seconds": 0.05}), requester="ada")
    with LocalEngine(ledger, registry(tmp_path), pace=replace(PACE, lease=20.0)):
        eventually(lambda: ledger.job(job.id).steps_done >= 5)
        with engine.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
            time.sleep(2)
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        assert until_ended(ledger, job.id, 30).state is JobState.DONE
    engine.dispose()
    assert begun(tmp_path, "leaf") <= 62
    assert len(marks(tmp_path, "leaf")) == 60
