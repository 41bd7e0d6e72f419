"""The commands about jobs and the ledger, as a keeper types them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import House, container, http


def muniment(house: House, *words: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "muniment", "--archive", str(house.settings.archive), *words]
    environment = {
        **os.environ,
        "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
        "MUNIMENT_REGISTRATION_STORES": house.settings.registration_stores,
        "MUNIMENT_SCRATCH": str(house.folder / "scratch"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_jobs_are_listed_shown_and_cancelled(tmp_path: Path) -> None:
    with House(tmp_path, work=False) as house:
        job = house.submit(container("abc12", [{"http": {"url": "http://127.0.0.1:9/"}}])).job
        assert "abc12" in muniment(house, "job", "ls")
        (listed,) = json.loads(muniment(house, "job", "ls", "--state", "running", "--json"))
        assert (listed["id"], listed["key"], listed["state"]) == (job, "abc12", "running")
        assert json.loads(muniment(house, "job", "ls", "--state", "done", "--json")) == []
        for name in (job, "abc12"):
            assert json.loads(muniment(house, "job", "show", name, "--json"))["id"] == job
        muniment(house, "job", "cancel", "abc12")
        assert "cancelled" in muniment(house, "job", "show", "abc12")
        assert "submitted" in muniment(house, "job", "show", job)
        muniment(house, "job", "show", "nobody", status=3)
        muniment(house, "job", "ls", "--state", "odd", status=4)


def test_a_job_is_followed_until_it_has_ended(tmp_path: Path) -> None:
    with WebServer(style="json") as site, House(tmp_path) as house:
        site.files = {"d/a": b"1"}
        house.submit(container("abc12", [http(site, "d/")]))
        shown = muniment(house, "job", "show", "abc12", "--follow")
        assert "running" not in shown.splitlines()[-1]
        assert " done " in shown


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--engine", "steam"), "steam"),
        (("--queues", "express"), "express"),
        (("--engine", "celery"), "MUNIMENT_BROKER"),
    ],
)
def test_a_worker_that_cannot_be_is_told_why(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    with House(tmp_path, work=False) as house:
        said = muniment(house, "work", *words, status=4)
        assert named in said


def test_a_worker_stops_when_told_and_gives_back_what_it_had(tmp_path: Path) -> None:
    with House(tmp_path, work=False) as house:
        command = [sys.executable, "-m", "muniment", "--archive", str(house.settings.archive), "work"]
        worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert worker.stderr is not None
        assert "working" in worker.stderr.readline()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        worker.stderr.close()


def test_the_ledger_is_made_moved_and_its_keys_are_changed(tmp_path: Path) -> None:
    with House(tmp_path, work=False) as house:
        body = container("abc", [{"http": {"url": "http://127.0.0.1:9/", "password": "hidden-word"}}])
        house.submit(body)
        assert "up to date" in muniment(house, "ledger", "migrate")
        keys = tmp_path / "archive" / "control.key"
        from muniment.jobs import Keyring

        fresh = tmp_path / "fresh.key"
        Keyring.create(fresh)
        keys.write_text(fresh.read_text() + keys.read_text())
        assert "1 credentials" in muniment(house, "ledger", "rotate-keys")
        assert "0 credentials" in muniment(house, "ledger", "rotate-keys")
        other = House(tmp_path / "other", work=False)
        assert "copied" in muniment(other, "ledger", "migrate", "--from", str(tmp_path / "archive" / "control.db"))
        assert json.loads(muniment(other, "job", "show", "abc", "--json"))["state"] == "running"
        muniment(other, "ledger", "migrate", "--from", str(tmp_path / "archive" / "control.db"), status=5)


def test_a_damaged_file_of_a_registration_is_found_and_repaired_from_the_archive(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2000
    sha256 = hashlib.sha256(data).hexdigest()
    with WebServer(style="json") as site, House(tmp_path) as house:
        site.files = {"d/a": data, "d/small": b"s"}
        house.finish(container("abc", [http(site, "d/")]))
        assert "as it was recorded" in muniment(house, "registration", "verify")
        place = house.store / "Files" / sha256
        place.write_bytes(data[:999] + b"\xaa\xbb\xcc\xdd" + data[1003:])
        assert sha256 in muniment(house, "registration", "verify", status=1)
        assert "repaired" in muniment(house, "registration", "repair")
        assert place.read_bytes() == data
        assert "as it was recorded" in muniment(house, "registration", "verify")
        place.unlink()
        assert "from the archive" in muniment(house, "registration", "repair")
        assert place.read_bytes() == data


def test_looking_at_registrations_makes_nothing(tmp_path: Path) -> None:
    with House(tmp_path, work=False) as house:
        place = house.settings.archive
        assert place is not None
        before = sorted(tmp_path.rglob("*"))
        assert "no such folder" in muniment(house, "registration", "verify", status=4)
        assert "no such folder" in muniment(house, "registration", "repair", status=4)
        assert sorted(tmp_path.rglob("*")) == before
        house.store.mkdir()
        assert "as it was recorded" in muniment(house, "registration", "verify")
        assert list(house.store.iterdir()) == []
