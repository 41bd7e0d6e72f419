"""Two machines that share a ledger and reach the archive by its address: one dies, the other goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from muniment.archive import Archive
from muniment.database import Database
from muniment.database.transfer import copy_all
from muniment.jobs import Keyring
from muniment.settings import Secret, Settings
from tests.servers.native.running import make_archive, serving
from tests.servers.osf.crew import Crew
from tests.servers.osf.house import KEY, PROJECT, Sink, container, http
from tests.servers.osf.test_killed import SlowSite
from tests.timing import eventually

LEASE = 3.0


def test_when_one_machine_dies_the_other_takes_over_within_a_lease(tmp_path: Path, database: str) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    # The keys of the archive move with its ledger.
    with Database.open(place / "control.db") as here, Database.open(database, migrate=True) as there:
        copy_all(here, there)
    keys = tmp_path / "secrets.key"
    Keyring.create(keys)
    shared: dict[str, Any] = {
        "ledger": database,
        "secrets_file": keys,
        "registration_stores": str(tmp_path / "store"),
        "work_lease": LEASE,
    }
    with SlowSite(style="json") as site, Sink() as sink:
        shared["callback_addresses"] = Secret(sink.url)
        shared["hmac_key"] = Secret(KEY)
        site.files = {f"d/{n:03}": b"%d" % n * 700 for n in range(80)}
        with serving(place, key=key, serve_work=False, **shared) as running:
            settings = Settings(archive=running.url, **shared)
            machines = [machine(settings, tmp_path / name, key) for name in ("one", "two")]
            with machines[0] as first, machines[1] as second:
                client = httpx.Client(base_url=running.url.rstrip("/") + "/api/v1/archives", auth=(key, ""))
                assert client.post("/", json=container("far", [http(site, "d/")])).status_code == 201
                began = worker_of(client, "far")
                died = next(each for each in (first, second) if str(each.workers[0].pid) in began)
                died.kill(died.workers[0])
                fetched = len(site.requests)
                eventually(lambda: len(site.requests) > fetched, told=lambda: "nobody took over")
                eventually(
                    lambda: sink.requests and client.get("/far/status").json()["status"] != "STARTED",
                    every=0.1,
                    told=lambda: client.get("/far/status").json(),
                )
                assert client.get("/far/status").json()["status"] == "SUCCESS"
                client.close()
        assert [payload["status"] for payload in sink.payloads()] == ["success"]
    with Archive(place, workers=0) as archive:
        assert len(archive.get("far", project=PROJECT)) == 80
        assert list(archive.audit()) == []


def machine(settings: Settings, folder: Path, key: str) -> Crew:
    """A worker with folders of its own that knows the archive by its address."""
    state = folder / "state"
    state.mkdir(parents=True)
    return Crew(settings, folder, size=1, MUNIMENT_KEY=key, MUNIMENT_STATE=str(state), MUNIMENT_FETCH_STREAMS="2")


def worker_of(client: httpx.Client, id: str) -> str:
    """Who fetches at this moment, as soon as some of it is stored."""
    until = time.monotonic() + 40
    while True:
        for step in client.get(f"/{id}/status").json()["running"]:
            if step["step"] == "osf.service" and step["done"] > 5:
                return str(step["worker"])
        assert time.monotonic() < until, client.get(f"/{id}/status").json()
        time.sleep(0.05)
