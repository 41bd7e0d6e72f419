"""Operations over HTTP: what is owed and held up, jobs and limits taken in hand, health and metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from muniment.archive import Archive
from muniment.database import Database
from muniment.database.transfer import copy_all
from muniment.errors.access import Forbidden
from muniment.errors.jobs import JobNotFound, NothingToRetry
from muniment.jobs import Call, Ledger, State
from muniment.jobs.model import Outcome
from muniment.remote.operations import RemoteOperations
from tests.servers.native.running import Running, make_archive, serving
from tests.timing import eventually


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A server that leaves the work to others."""
    with serving(tmp_path / "archive", serve_work=False) as running:
        yield running


@pytest.fixture
def ledger(running: Running) -> Iterator[Ledger]:
    with Ledger.open(running.place / "control.db") as ledger:
        yield ledger


@pytest.fixture
def there(running: Running) -> Iterator[RemoteOperations]:
    with RemoteOperations(running.url, key=running.key) as there:
        yield there


def ready(running: Running) -> tuple[int, dict[str, str]]:
    answer = httpx.get(f"{running.url}health/ready", timeout=60)
    return answer.status_code, answer.json()


def metrics(running: Running) -> str:
    answer = httpx.get(f"{running.url}metrics", auth=(running.key, ""), timeout=60)
    assert answer.status_code == 200
    return answer.text


def test_without_a_living_worker_the_server_is_ready_and_warns(running: Running, ledger: Ledger) -> None:
    assert ready(running) == (200, {"status": "ok", "warning": "no worker is alive"})
    assert "\nmuniment_workers 0.0\n" in metrics(running)
    ledger.leases.announce("one", "local", ["fetch"], forget_after=1000)
    eventually(lambda: ready(running) == (200, {"status": "ok"}), every=0.2)
    assert "\nmuniment_workers 1.0\n" in metrics(running)


def test_a_server_that_works_itself_is_its_own_worker(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as running:
        eventually(lambda: ready(running) == (200, {"status": "ok"}), every=0.2)


def test_what_is_owed_and_held_up_is_told(ledger: Ledger, there: RemoteOperations) -> None:
    job = ledger.submit("harvest", Call("fetch"), requester="ada", key="k")
    ledger.leases.announce("one", "local", ["fetch"], forget_after=1000)
    [claim] = ledger.leases.exchange("one", (), (1, 1), ["fetch"]).claims
    found = there.document()
    assert found["ledger"] == {"reached": True, "reason": ""}
    assert found["depths"] == [{"queue": "bulk", "kind": "harvest", "state": "running", "steps": 1}]
    [worker] = found["workers"]
    assert [(held["step"], held["job"], held["key"]) for held in worker["holds"]] == [("fetch", job.id, "k")]
    out = Outcome(claim, State.READY, reason="no route", waits_for="store-unreachable at s3", counts="outages")
    ledger.leases.exchange("one", [out])
    found = there.document()
    assert [(each["name"], each["reason"], each["waiting"]) for each in found["outages"]] == [
        ("store-unreachable at s3", "no route", 1)
    ]
    [waiting] = found["jobs"]
    assert (waiting["id"], waiting["waits_for"]) == (job.id, "store-unreachable at s3")


def test_jobs_are_taken_in_hand(ledger: Ledger, there: RemoteOperations) -> None:
    job = ledger.submit("harvest", Call("fetch", failures=1), requester="ada", key="k")
    assert there.act("pause", job.id)["paused"] is True
    assert ledger.leases.exchange("one", (), (1, 1), ["fetch"]).claims == []
    assert there.act("resume", job.id)["paused"] is False
    [claim] = ledger.leases.exchange("one", (), (1, 1), ["fetch"]).claims
    ledger.leases.exchange("one", [Outcome(claim, State.FAILED, reason="it broke", counts="failures")])
    assert [each["reason"] for each in there.document()["failed"]] == ["fetch: it broke"]
    fresh = there.act("retry", job.id)
    assert (fresh["id"] != job.id, fresh["state"], fresh["key"]) == (True, "running", "k")
    assert there.act("cancel", fresh["id"])["state"] == "cancelled"
    done = ledger.submit("harvest", Call("fetch"), requester="ada")
    [claim] = ledger.leases.exchange("one", (), (1, 1), ["fetch"]).claims
    ledger.leases.exchange("one", [Outcome(claim, State.DONE)])
    with pytest.raises(NothingToRetry):
        there.act("retry", done.id)
    with pytest.raises(JobNotFound):
        there.act("pause", "nobody's")
    assert {line.detail for line in ledger.history(job.id) if line.what == "paused"} == {"by keys/users/keeper"}


def test_jobs_are_listed_page_by_page(running: Running, ledger: Ledger) -> None:
    made = [ledger.submit("harvest", Call("fetch", n), requester="ada").id for n in range(5)]
    client = httpx.Client(base_url=f"{running.url}archive/v1", auth=(running.key, ""))
    found: list[str] = []
    while page := client.get("/jobs", params={"limit": 2, **({"after": found[-1]} if found else {})}).json()["jobs"]:
        found += [each["id"] for each in page]
    assert sorted(found) == sorted(made)
    assert client.get(f"/jobs/{made[0]}").json()["state"] == "running"
    assert client.get("/jobs", params={"state": "failed"}).json() == {"jobs": []}
    assert client.get("/jobs", params={"state": "odd"}).status_code == 422
    assert client.get("/jobs", params={"after": "nobody's"}).status_code == 404
    client.close()


def test_a_closed_limit_is_seen_and_lifted(ledger: Ledger, there: RemoteOperations) -> None:
    ledger.limits.close("GitHub (api.github.com)", 3600, "status 403 to https://api.github.com/user")
    [closed] = there.limits()
    assert (closed["name"], closed["by"]) == ("GitHub (api.github.com)", "status 403 to https://api.github.com/user")
    assert there.lift(closed["name"]) is True
    assert there.limits() == []
    assert there.lift(closed["name"]) is False


def test_only_administrators_see_and_do_this(running: Running, ledger: Ledger) -> None:
    job = ledger.submit("harvest", Call("fetch"), requester="ada")
    with RemoteOperations(running.url, key=running.new_key("reader", _={"resources/read"})) as reader:
        asked: list[Any] = [reader.document, reader.limits, lambda: reader.act("cancel", job.id)]
        for ask in (*asked, lambda: reader.lift("x")):
            with pytest.raises(Forbidden):
                ask()
    assert not ledger.job(job.id).ended


def test_what_the_archive_holds_is_measured(tmp_path: Path) -> None:
    key = make_archive(tmp_path / "archive", workers=0)
    with Archive(tmp_path / "archive", workers=0) as archive, archive.new("a") as transaction:
        transaction.add(b"x" * 5000, "x")
    with Archive(tmp_path / "archive", workers=0, parity=False) as archive:
        with archive.new("b") as transaction:
            transaction.add(b"y" * 100, "y")
        assert not [finding for finding in archive.audit("a") if finding.failed]
    with serving(tmp_path / "archive", key=key, serve_work=False) as running:
        eventually(lambda: "muniment_parity_owed_instances" in metrics(running), every=0.2)
        told = metrics(running)
        assert "\nmuniment_resources 2.0\n" in told
        assert "\nmuniment_resource_bytes 5100.0\n" in told
        assert "\nmuniment_parity_owed_instances 1.0\n" in told
        assert "\nmuniment_last_clean_audit_timestamp_seconds 0.0\n" in told
        assert "\nmuniment_ledger_up 1.0\n" in told


def test_without_its_database_the_server_is_not_ready_and_status_says_why(tmp_path: Path, place: str) -> None:
    """And both are well again when it is back."""
    archive = tmp_path / "archive"
    key = make_archive(archive, workers=0)
    with Database.open(archive / "control.db") as here, Database.open(place, migrate=True) as shared:
        copy_all(here, shared)
    with serving(archive, key=key, serve_work=False, ledger=place) as running:
        assert ready(running)[0] == 200
        with taken_away(place):
            eventually(lambda: ready(running) == (503, {"status": "failed", "failed": "database"}), every=0.5)
            status_of = muniment(archive, "status", MUNIMENT_LEDGER=place)
            assert status_of.returncode == 1
            assert "ledger: cannot be reached" in status_of.stdout
            assert "archive: 0 resources" in status_of.stdout
        eventually(lambda: ready(running)[0] == 200, every=0.5)


class taken_away:  # noqa: N801 - used as a word
    """A PostgreSQL database that lets nobody in."""

    def __init__(self, place: str) -> None:
        server, _, self.name = place.rpartition("/")
        address = f"{server}/postgres".replace("postgresql://", "postgresql+psycopg://")
        self.engine = create_engine(address, isolation_level="AUTOCOMMIT")

    def _say(self, *sentences: str) -> None:
        with self.engine.connect() as connection:
            for sentence in sentences:
                connection.execute(text(sentence))

    def __enter__(self) -> None:
        others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"
        self._say(f"ALTER DATABASE {self.name} WITH ALLOW_CONNECTIONS false", others)

    def __exit__(self, *_: object) -> None:
        self._say(f"ALTER DATABASE {self.name} WITH ALLOW_CONNECTIONS true")
        self.engine.dispose()


def muniment(archive: Path | str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "muniment", "--archive", str(archive), *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def test_the_commands_say_the_same_here_and_at_a_server(running: Running, ledger: Ledger) -> None:
    job = ledger.submit("harvest", Call("fetch"), requester="ada", key="k")
    ledger.limits.close("gitlab", 3600, "status 429")
    for archive, environment in ((running.place, {}), (running.url, {"MUNIMENT_KEY": running.key})):
        done = muniment(archive, "status", **environment)
        assert done.returncode == 1, done.stderr  # something is owed and no worker is alive
        assert "workers: none is alive" in done.stdout
        assert f"job {job.id}  harvest k  0 of 1 steps done; waits for a free worker" in done.stdout
        assert "gitlab, by status 429" in done.stdout
        assert "gitlab  status 429" in muniment(archive, "limit", "ls", **environment).stdout
        assert "paused" in muniment(archive, "job", "pause", job.id, **environment).stderr
        assert ledger.job(job.id).paused
        assert muniment(archive, "job", "resume", job.id, **environment).returncode == 0
        assert not ledger.job(job.id).paused
        assert muniment(archive, "job", "retry", job.id, **environment).returncode == 0
    assert muniment(running.url, "limit", "lift", "gitlab", MUNIMENT_KEY=running.key).returncode == 0
    assert ledger.limits.all_closed() == []
    assert "cancelled" in muniment(running.place, "job", "cancel", job.id).stderr
    assert muniment(running.place, "status").returncode == 0
