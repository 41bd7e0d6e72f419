"""A house for the tests: archive, ledger, workers, stores and foreman as the application puts them together."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.content.archive import Archive as AnyArchive
from muniment.doors.osf import Accepted, Signer
from muniment.errors.registration import NotSigned
from muniment.jobs import Job
from muniment.settings import Secret, Settings
from muniment.testing.servers import Loopback, Reply, Request

KEY = "CHANGEME"
PROJECT = "osf/registrations"


class Sink(Loopback):
    """Takes callbacks, and checks the signature of each."""

    name: ClassVar[str] = "sink"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.signer = Signer(KEY)
        self.unsigned: list[str] = []
        self.came = threading.Condition()

    def answer(self, request: Request) -> Reply:
        try:
            self.signer.check(request.headers, request.body, json.loads(request.body), ("id",))
        except NotSigned as error:
            self.unsigned.append(error.message)
        return Reply(200)

    def payloads(self, where: str = "") -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.asked(where or "/")]

    def of(self, id: str) -> list[dict[str, Any]]:
        return [payload for payload in self.payloads() if payload["id"] == id]


class House:
    """Everything in one folder; use it in a `with`."""

    def __init__(self, folder: Path, *, work: bool = True, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        place = folder / "archive"
        if not place.exists():
            Archive.init(place, workers=0).close()
        given: dict[str, Any] = {
            "archive": str(place),
            "digest_processes": 0,
            "allow_private_addresses": True,
            "registration_stores": str(folder / "store"),
            "scratch": folder / "scratch",
            "hmac_key": Secret(KEY),
        }
        self.settings = Settings(**{**given, **settings})
        self.working = BackgroundServices(App(self.settings))
        self.foreman = self.working.foreman()
        self.store = folder / "store"
        self._work = work
        self._engine = None if not work else self.working.local_engine()

    def __enter__(self) -> Self:
        if self._engine is not None:
            self._engine.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._engine is not None:
            self._engine.stop(5)
        self.working.registration_context.close()

    @property
    def archive(self) -> AnyArchive:
        return self.working.registration_context.archive

    @property
    def ledger(self) -> Any:
        return self.working.registration_context.ledger

    def submit(self, body: Any) -> Accepted:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.foreman.submit(data, requester="tests")

    def finish(self, body: Any, *, seconds: float = 60) -> Job:
        """Submit a container and wait until it and its callbacks have ended."""
        return self.wait(self.submit(body).job, seconds)

    def wait(self, job: str, seconds: float = 60) -> Job:
        until = time.monotonic() + seconds
        while True:
            running = self.ledger.jobs(state="running")
            if not running:
                return self.ledger.job(job)  # type: ignore[no-any-return]  # a Job
            assert time.monotonic() < until, f"still running: {running}, {list(self.ledger.steps(job))}"
            time.sleep(0.02)

    def document(self, key: str) -> Any:
        return json.loads((self.store / key).read_bytes())

    def stored(self, folder: str = "") -> set[str]:
        found = (path for path in (self.store / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(self.store)) for path in found} - {""}


def container(
    id: str = "abc12",
    services: Sequence[Mapping[str, Any]] | None = None,
    children: Sequence[Mapping[str, Any]] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    about = {"id": id, "title": f"The project {id}", "description": None, "contributors": ["A. Writer"], **metadata}
    return {"container": {"metadata": about, "services": list(services or []), "children": list(children or [])}}


def http(site: Any, path: str = "", **further: Any) -> dict[str, Any]:
    return {"http": {"url": f"{site.url}/{path}", **further}}
