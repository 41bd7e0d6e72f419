"""A harvester with a stand-in portal and a web server its links lead to; its clock moves when it is told to."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.database import Database
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.harvest import steps, sweep
from muniment.doors.ckan.portals import Portal, PortalSettings
from muniment.doors.ckan.report import Reports
from muniment.doors.ckan.statuses import Status
from muniment.jobs import JobState, Keyring, Ledger, LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.session import Guard, Session
from muniment.testing.servers.ckan import Ckan, LinkOrigin
from muniment.workflows.signing import Signer
from tests.timing import PATIENCE, eventually


def to_loopback(host: str, port: int, **how: Any) -> Sequence[tuple[Any, ...]]:
    """Names below `example` lead here, so that a portal can have many hosts."""
    return socket.getaddrinfo("127.0.0.1" if host.endswith(".example") else host, port, **how)


QUICK = {"host_delay": 0.0, "retry_after": 0.0, "timeout": 2.0, "total_time": 5.0, "host_connections": 8}


@dataclass
class MovedClock:
    """The machine's time, and how far it was moved on."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Harvester:
    """A portal `p`, what harvests it, and what came of it."""

    folder: Path
    portal_server: Ckan
    origin: LinkOrigin
    archive: Archive
    ledger: Ledger
    given: CkanContext
    clock: MovedClock
    settings: dict[str, Any] = field(default_factory=dict)

    def portal(self, token: str | None = "T", **settings: Any) -> Portal:
        """Know the portal."""
        self.settings = {**QUICK, "cache_url_root": "https://archive.example.org", **settings}
        return self.given.portals.add("p", self.portal_server.url, PortalSettings.of("p", self.settings), token)

    def change(self, **settings: Any) -> None:
        """Change the portal's settings."""
        self.settings |= settings
        self.given.portals.change("p", PortalSettings.of("p", self.settings))

    def harvest(self, *, wait: float = PATIENCE, **scope: Any) -> Mapping[str, Any]:
        """Harvest once; the result of each dataset that was looked at, by its id."""
        return self.run(sweep(self.given, self.given.portals.get("p"), **scope), wait)

    def run(self, job: str, wait: float = PATIENCE) -> Mapping[str, Any]:
        """Work until a job has ended well; the results of its datasets."""
        engine = LocalEngine(self.ledger, Registry(steps(self.given)), threads=6, pace=Pace(lease=20.0, sweep=0.2))
        engine.start()
        try:
            eventually(
                lambda: self.ledger.job(job).ended, every=0.02, told=lambda: str(self.progress(job)), patience=wait
            )
        finally:
            engine.stop()
        found = self.ledger.job(job)
        assert found.state is JobState.DONE, (found.reason, self.progress(job))
        ends = [step for step in self.ledger.steps(job) if step.name == "ckan.dataset-end"]
        return {str(step.given["id"]): step.result for step in ends if isinstance(step.given, Mapping)}

    def progress(self, job: str) -> list[str]:
        return [f"{step.name} {step.state} {step.reason} {step.given}" for step in self.ledger.steps(job)]

    def row(self, resource: str) -> Mapping[Any, Any]:
        return self.given.links.get("p", resource)

    def status(self, resource: str) -> Status:
        return Status(self.row(resource)["status"])

    def notes(self, resource: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.row(resource)["notes"])
        return found

    @property
    def reports(self) -> Reports:
        return Reports(self.ledger)


@pytest.fixture
def harvester(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harvester]:
    monkeypatch.setattr("muniment.doors.ckan.slots._FIRST_CLOSED", 0.05)
    clock = MovedClock()
    keyring = Keyring.create(tmp_path / "control.key")
    sessions: list[Session] = []

    def open_session(settings: PortalSettings) -> Session:
        made = Session(
            Guard(allow_private_addresses=True, resolve=to_loopback),
            timeout=settings.timeout,
            attempts=1,
            agent=settings.user_agent,
            lenient=True,
        )
        sessions.append(made)
        return made

    def scratch(*names: str) -> Path:
        made = tmp_path.joinpath("scratch", *names)
        made.mkdir(parents=True, exist_ok=True)
        return made

    with (
        Ckan() as portal,
        LinkOrigin() as origin,
        Archive.init(tmp_path / "archive", mode="dynamic", workers=0, parity=False) as archive,
        Database.open(tmp_path / "control.db", clock=clock) as database,
    ):
        ledger = Ledger(database, keyring)
        portal.sysadmins = {"T"}
        given = CkanContext(
            lambda: archive,
            lambda: ledger,
            lambda: keyring,
            open_session,
            scratch=scratch,
            signer=Signer("the key"),
        )
        yield Harvester(tmp_path, portal, origin, archive, ledger, given, clock)
        given.close()
