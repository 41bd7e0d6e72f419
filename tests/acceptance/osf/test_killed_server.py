"""The server itself is killed while it archives; started again, it goes on where it was."""

from __future__ import annotations

import collections
import os
import signal
import time
from pathlib import Path

import httpx

from muniment.archive import Archive
from tests.acceptance.osf.conftest import PREFIX
from tests.servers.native.running import make_archive, served_by_command
from tests.servers.osf.house import KEY, PROJECT, Sink, container, http
from tests.servers.osf.test_killed import SlowSite


def test_a_killed_server_goes_on_where_it_was(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    with SlowSite(style="json") as site, Sink() as sink:
        site.files = {f"d/{number:03}": b"%d" % number for number in range(60)}
        environment = {
            "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
            "MUNIMENT_CALLBACK_ADDRESSES": sink.url,
            "MUNIMENT_HMAC_KEY": KEY,
            "MUNIMENT_WORK_LEASE": "2",
            "MUNIMENT_FETCH_STREAMS": "2",
            "MUNIMENT_SCRATCH": str(tmp_path / "scratch"),
        }
        for turn in range(3):
            with served_by_command(place, key=key, **environment) as running:
                client = httpx.Client(base_url=running.url.rstrip("/"), auth=(key, ""), timeout=30)
                if turn == 0:
                    assert client.post(PREFIX, json=container("abc", [http(site, "d/")])).status_code == 201
                if turn < 2:
                    asked = len(site.requests)
                    until = time.monotonic() + 40
                    while len(site.requests) < asked + 15:
                        assert time.monotonic() < until, client.get(f"{PREFIX}abc/status").text
                        time.sleep(0.02)
                    assert running.process is not None
                    os.kill(running.process.pid, signal.SIGKILL)
                    running.process.wait(10)
                else:
                    until = time.monotonic() + 60
                    while not sink.requests:
                        assert time.monotonic() < until, client.get(f"{PREFIX}abc/status").text
                        time.sleep(0.05)
                    assert client.get(f"{PREFIX}abc/status").json()["status"] == "SUCCESS"
                client.close()
        assert [payload["status"] for payload in sink.payloads()] == ["success"]
        fetched = collections.Counter(request.path for request in site.asked(r"/d/\d+"))
        assert set(fetched) == {f"/{path}" for path in site.files}
        assert sum(fetched.values()) < 60 * 2
    with Archive(place, workers=0) as archive:
        instance = archive.get("abc", project=PROJECT)
        assert {path: instance.read(path) for path in instance} == {f"http/{p}": data for p, data in site.files.items()}
        assert list(archive.audit()) == []
