"""Workers that are killed at any moment: every file is there once, everybody is told once, the audit is clean."""

from __future__ import annotations

import collections
import random
import time
from pathlib import Path
from typing import Any

import pytest

from muniment.jobs import JobState
from muniment.settings import Secret
from muniment.testing.servers import Reply, Request
from muniment.testing.servers.web import WebServer
from muniment.testing.services import Service
from tests.servers.osf.crew import Crew
from tests.servers.osf.house import PROJECT, House, Sink, container, http

SEED = 20261121


class SlowSite(WebServer):
    """Takes a while for each file, so that there is a middle to be killed in."""

    def answer(self, request: Request) -> Reply:
        if not request.path.endswith("/"):
            time.sleep(self.pause)
        return super().answer(request)

    pause = 0.2


def storm(folder: Path, *, files: int, kills: int, every: float, pause: float = 0.2, **settings: Any) -> None:
    """A container of so many files in three parts, while so many workers are killed; then everything is checked."""
    moments = random.Random(SEED)
    with SlowSite(style="json") as site, Sink() as sink:
        site.pause = pause
        site.files = {
            f"{part}/{n:04}.bin": b"%d %d" % (part, n) * (n % 50) for part in range(3) for n in range(files // 3)
        }
        site.files["0/large"] = random.Random(1).randbytes(300_000)
        tree = container("top", [http(site, "0/"), http(site, "1/")], [container("kid", [http(site, "2/")])])
        given = {"work_lease": 2.0, "callback_addresses": Secret(sink.url), **settings}
        with House(folder / "house", work=False, **given) as house:
            house.ledger  # noqa: B018 - its tables are made here, once
            job = house.submit(tree).job
            with Crew(house.settings, folder / "crew", MUNIMENT_FETCH_STREAMS="2") as crew:
                for _ in range(kills):
                    time.sleep(moments.uniform(0.2, 1.8) * every)
                    assert not house.ledger.job(job).ended, "the container was too small to be killed so often"
                    crew.kill(moments.choice(crew.workers))
                    crew.hire()
                done = house.wait(job, seconds=60 + files * 0.5)
            assert done.state is JobState.DONE, done.reason
            check(house, site, sink, kills)


def check(house: House, site: WebServer, sink: Sink, kills: int) -> None:
    stored = {
        f"{part}/{path.rpartition('/')[2]}": instance.read(path)
        for id, parts in (("top", {"http/0": 0, "http-2/1": 1}), ("kid", {"http/2": 2}))
        for instance in [house.archive.get(id, project=PROJECT)]
        for prefix, part in parts.items()
        for path in instance
        if path.startswith(f"{prefix}/")
    }
    assert stored == site.files
    assert list(house.archive.audit()) == []
    assert len(house.archive.history("top", project=PROJECT)) == 1
    fetched = collections.Counter(request.path for request in site.asked(r"(bin|large)$"))
    # What was stored is not fetched again; what was under way at a kill is.
    assert sum(fetched.values()) <= len(site.files) + 40 * (1 + kills)
    listed = house.document("Manifests/top.manifest.json")
    assert sum(len(service["files"]) for service in listed["services"].values()) == len(site.files) * 2 // 3 + 1
    deliveries = collections.Counter(request.headers["x-muniment-delivery"] for request in sink.requests)
    assert {payload["id"]: payload["status"] for payload in sink.payloads()} == {"top": "success", "kid": "success"}
    assert len(deliveries) == 2
    assert sink.unsigned == []


def test_killed_workers_of_one_machine(tmp_path: Path) -> None:
    storm(tmp_path, files=150, kills=5, every=0.8)


def test_killed_celery_workers(tmp_path: Path, database: str, redis: Service) -> None:
    ready(database)
    storm(tmp_path, files=90, kills=2, every=2, ledger=database, broker=Secret(redis.url))


def ready(database: str) -> None:
    from muniment.jobs import Ledger

    Ledger.open(database, migrate=True).close()


@pytest.mark.nightly
class TestFiftyKills:
    """A container of a thousand files and fifty kills, on everything that can do the work."""

    def test_embedded(self, tmp_path: Path) -> None:
        storm(tmp_path, files=1000, kills=50, every=1.2, pause=0.4)

    def test_postgresql(self, tmp_path: Path, database: str) -> None:
        ready(database)
        storm(tmp_path, files=1000, kills=50, every=1.2, pause=0.4, ledger=database)

    def test_celery_on_redis(self, tmp_path: Path, database: str, redis: Service) -> None:
        ready(database)
        storm(tmp_path, files=1000, kills=50, every=2.5, pause=0.8, ledger=database, broker=Secret(redis.url))

    def test_celery_on_rabbitmq(self, tmp_path: Path, database: str, rabbitmq: Service) -> None:
        ready(database)
        storm(tmp_path, files=1000, kills=50, every=2.5, pause=0.8, ledger=database, broker=Secret(rabbitmq.url))
