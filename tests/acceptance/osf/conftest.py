"""A served foreman with a key of its own, a site to archive and a sink for callbacks."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from muniment.settings import Secret
from muniment.testing.servers.web import WebServer
from tests.servers.native.running import Running, serving
from tests.servers.osf.house import KEY, Sink

PREFIX = "/api/v1/archives/"


@dataclass
class OpenTransactions:
    """A client of a served foreman."""

    running: Running
    folder: Path
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.running.url.rstrip("/"), auth=(self.running.key, ""), timeout=30)

    def get(self, path: str = "", **given: Any) -> httpx.Response:
        return self.client.get(PREFIX + path, **given)

    def post(self, body: Any, **given: Any) -> httpx.Response:
        if isinstance(body, bytes):
            return self.client.post(PREFIX, content=body, **given)
        return self.client.post(PREFIX, json=body, **given)

    def until_told(self, id: str, seconds: float = 60) -> dict[str, Any]:
        """The status of a container that has ended and of which everybody was told."""
        until = time.monotonic() + seconds
        while True:
            status: dict[str, Any] = self.get(f"{id}/status").json()
            told = all(each["state"] == "delivered" for each in status.get("callbacks", []))
            if status["status"] in {"SUCCESS", "FAILED", "CANCELLED"} and told:
                return status
            assert time.monotonic() < until, status
            time.sleep(0.05)


ArchiveOpener = Callable[..., OpenTransactions]


@pytest.fixture
def site() -> Iterator[WebServer]:
    with WebServer(style="json") as server:
        server.files = {"data/a.txt": b"alpha", "data/b.bin": b"\x00" * 3000, "data/empty": b""}
        yield server


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


@pytest.fixture
def opening(tmp_path: Path, sink: Sink) -> Iterator[ArchiveOpener]:
    """Open a served foreman with settings of one's own."""
    import contextlib

    with contextlib.ExitStack() as stack:

        def open_one(**settings: Any) -> OpenTransactions:
            given: dict[str, Any] = {
                "allow_private_addresses": True,
                "scratch": tmp_path / "scratch",
                "hmac_key": Secret(KEY),
                "callback_addresses": Secret(sink.url + "/told"),
                **settings,
            }
            running = stack.enter_context(serving(tmp_path / "archive", **given))
            open_transactions = OpenTransactions(running, tmp_path)
            stack.callback(open_transactions.client.close)
            return open_transactions

        yield open_one


@pytest.fixture
def open_transactions(opening: ArchiveOpener) -> OpenTransactions:
    return opening()


def basic(user: str, password: str = "") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
