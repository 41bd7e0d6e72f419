"""A ledger knows its archive and its stores, and a worker that comes before the server waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.app.ledger_identity import change, check
from muniment.archive import Archive
from muniment.database import Database
from muniment.errors.jobs import WrongArchive, WrongStores
from muniment.jobs import Keyring
from tests.servers.native.running import free_port, make_archive, serving


def environment(folder: Path, **more: str) -> dict[str, str]:
    given = {
        "MUNIMENT_REGISTRATION_STORES": str(folder / "store"),
        "MUNIMENT_LEDGER": str(folder / "ledger.db"),
        "MUNIMENT_SECRETS_FILE": str(folder / "keys"),
        "MUNIMENT_SCRATCH": str(folder / "scratch"),
        "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
        "MUNIMENT_DIGEST_PROCESSES": "0",
    }
    return {**os.environ, **given, **more}


def run(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "muniment", *words]
    return subprocess.run(command, env=environment(folder, **more), capture_output=True, text=True, check=False)


def test_the_first_says_whose_it_is_and_others_are_refused(tmp_path: Path) -> None:
    with Database.open(tmp_path / "control.db") as database:
        check(database, "one", ["/not/used/yet"], used=False)
        check(database, "one", ["/store", "s3://copies"], used=True)
        check(database, "one", ["/store", "s3://copies"], used=True)
        check(database, "one", [], used=False)  # it knows of none
        with pytest.raises(WrongArchive):
            check(database, "two", ["/store", "s3://copies"], used=True)
        for others in (["s3://copies", "/store"], ["/store"]):
            with pytest.raises(WrongStores, match="ledger assign"):
                check(database, "one", others, used=False)
        change(database, "two", ["/store"])
        check(database, "two", ["/store"], used=True)


def test_a_worker_with_another_archive_or_other_stores_is_refused_at_start(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "keys")
    for name in ("one", "two"):
        Archive.init(tmp_path / name, workers=0).close()
    assert run(tmp_path, "--archive", str(tmp_path / "one"), "ledger", "assign").returncode == 0
    other = run(tmp_path, "--archive", str(tmp_path / "two"), "work")
    assert (other.returncode, "belongs to the archive" in other.stderr) == (5, True), other.stderr
    stores = {"MUNIMENT_REGISTRATION_STORES": str(tmp_path / "other")}
    other = run(tmp_path, "--archive", str(tmp_path / "one"), "work", **stores)
    assert (other.returncode, "works with the stores" in other.stderr) == (5, True), other.stderr


def test_a_worker_that_comes_before_the_server_waits_for_it(tmp_path: Path) -> None:
    key = make_archive(tmp_path / "archive")
    Keyring.create(tmp_path / "keys")
    port = free_port()
    command = [sys.executable, "-m", "muniment", "--archive", f"http://127.0.0.1:{port}/", "work"]
    worker = subprocess.Popen(command, env=environment(tmp_path, MUNIMENT_KEY=key), stderr=subprocess.PIPE, text=True)
    assert worker.stderr is not None
    try:
        assert "waiting: The archive at" in worker.stderr.readline()
        with serving(tmp_path / "archive", key=key, serve_port=port, serve_work=False):
            assert "working" in worker.stderr.readline()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
        worker.stderr.close()
