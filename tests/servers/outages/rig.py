"""An archive behind a server, two workers, and what they need; each part of it can fail and come back."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx

from muniment.archive import Archive
from muniment.database import Database
from muniment.database.transfer import copy_all
from muniment.errors.base import MunimentError
from muniment.jobs import Keyring, Ledger
from muniment.testing.services import OwnServer, own
from tests.servers.native.running import free_port, make_archive, wait_for
from tests.servers.osf.house import KEY, Sink
from tests.timing import eventually

MACHINE = Path(__file__).with_name("machine.py")
LEASE = 5.0
SETUPS = ("embedded", "postgresql", "redis", "rabbitmq")
"""Where the ledger is and who does the work: threads over a file or PostgreSQL, or Celery over one of the brokers."""


class Rig:
    """Use it in a `with`. `ledger` is the tests' own view of it."""

    def __init__(self, setup: str, folder: Path, sink: Sink) -> None:
        self.setup = setup
        self.folder = folder
        self.archive = folder / "archive"
        self.store = folder / "store"
        self.log = folder / "log"
        self._sink = sink
        self._open = contextlib.ExitStack()
        self.postgresql: OwnServer | None = None
        self.broker: OwnServer | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._ahead = 0.0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            opening.push(self._end)
            self._begin()
            opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end()
        if kind is not None:
            print(self.said()[-8000:])

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store.mkdir()
        self.key = make_archive(self.archive, workers=0)
        Keyring.create(self.folder / "keys")
        place: str = str(self.folder / "ledger.db")
        if self.setup != "embedded":
            self.postgresql = self._open.enter_context(own("postgresql", self.folder / "postgresql"))
            place = self.postgresql.url
        if self.setup in {"redis", "rabbitmq"}:
            self.broker = self._open.enter_context(own(self.setup, self.folder / self.setup))
        # The keys of the archive move with its ledger.
        with Database.open(self.archive / "control.db") as here, Database.open(place, migrate=True) as there:
            copy_all(here, there)
        self.ledger = self._open.enter_context(Ledger.open(place, clock=self._now if not self.postgresql else None))
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._environment = {
            **os.environ,
            "MUNIMENT_LEDGER": place,
            "MUNIMENT_SECRETS_FILE": str(self.folder / "keys"),
            "MUNIMENT_REGISTRATION_STORES": str(self.store),
            "MUNIMENT_SCRATCH": str(self.folder / "scratch"),
            "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
            "MUNIMENT_CALLBACK_ADDRESSES": self._sink.url,
            "MUNIMENT_HMAC_KEY": KEY,
            "MUNIMENT_WORK_LEASE": str(LEASE),
            "MUNIMENT_DIGEST_PROCESSES": "0",
            "MUNIMENT_SERVE_WORK": "false",
            "MUNIMENT_KEY": self.key,
            "MUNIMENT_FETCH_STREAMS": "2",
            **({"MUNIMENT_BROKER": self.broker.url} if self.broker else {}),
        }
        self.start_server()
        for _ in range(2):
            self._workers.append(self._run("--archive", self.url, "work", "--concurrency", "2"))
        eventually(lambda: self.ledger.control.workers_alive() >= 2, every=0.2, told=self.said)

    def _now(self) -> float:
        return time.time() + self._ahead

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(MACHINE), str(self.folder), *words]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def _end(self, *_: object) -> None:
        for process in [*self._workers, *([self._server] if self._server else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        self._open.close()

    def start_server(self) -> None:
        self._server = self._run("--archive", str(self.archive), "serve", "--port", str(self._port))
        wait_for(self._port, self._server, self.log)

    def said(self) -> str:
        """What server and workers wrote, without the lines of requests."""
        lines = self.log.read_text(errors="replace").splitlines(keepends=True)
        return "".join(line for line in lines if '"event": "request"' not in line)

    def submit(self, body: object) -> None:
        place = f"{self.url}api/v1/archives/"
        answer = httpx.post(place, json=body, auth=(self.key, ""), timeout=60)
        assert answer.status_code == 201, answer.text

    def move_clock(self, seconds: float) -> None:
        """Let so much time pass, for the ledger and all who work by its clock."""
        self._ahead += seconds
        new = self.folder / "clock.new"
        new.write_text(str(self._ahead))
        new.rename(self.folder / "clock")

    def looking(self) -> dict[str, str]:
        """Outages by name, with their reasons; none while the ledger cannot be asked."""
        try:
            return {each.name: each.reason for each in self.ledger.control.outages()}
        except MunimentError:
            return {}

    def checked(self, ids: list[str]) -> None:
        """Whole in the archive, which has nothing to complain of."""
        with Archive(self.archive, workers=0) as archive:
            for each in ids:
                assert archive.exists(each, "osf/registrations")
            assert [finding for finding in archive.audit() if finding.failed] == []

    # --- outages

    @contextlib.contextmanager
    def without(self, what: str) -> Iterator[None]:
        """One part of it is away for the length of a block."""
        with getattr(self, f"_without_{what.replace(' ', '_')}")():
            yield

    @contextlib.contextmanager
    def _without_archive_server(self) -> Iterator[None]:
        assert self._server is not None
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait(10)
        yield
        self.start_server()

    @contextlib.contextmanager
    def _without_store(self) -> Iterator[None]:
        """It is no folder any more, as a mount that is broken."""
        aside = self.store.with_name("aside")
        self.store.rename(aside)
        self.store.write_text("not mounted")
        yield
        self.store.unlink()
        aside.rename(self.store)

    @contextlib.contextmanager
    def _without_ledger(self) -> Iterator[None]:
        """PostgreSQL is stopped; a file is locked by somebody who does not let go."""
        if self.postgresql is not None:
            self.postgresql.stop()
            yield
            self.postgresql.start()
            return
        locking = sqlite3.connect(self.folder / "ledger.db", isolation_level=None, timeout=30)
        locking.execute("BEGIN IMMEDIATE")
        yield
        locking.rollback()
        locking.close()

    @contextlib.contextmanager
    def _without_broker(self) -> Iterator[None]:
        assert self.broker is not None
        self.broker.stop()
        yield
        self.broker.start()

    @contextlib.contextmanager
    def _without_room(self) -> Iterator[None]:
        """The disk is full."""
        (self.folder / "full").touch()
        yield
        (self.folder / "full").unlink()
