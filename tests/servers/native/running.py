"""A server in front of an archive for tests: in a thread of this process, or as the command people start."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from muniment.access import Authority
from muniment.access.authority import LOOK_SECONDS
from muniment.app import App
from muniment.app.bucket import BucketArchive
from muniment.app.protocol import LimitedProtocol
from muniment.archive import Archive as LocalArchive
from muniment.archive.bucket.keys import Keys
from muniment.server import create_app
from muniment.settings import Settings
from tests.timing import eventually


@dataclass
class Running:
    """A server, its archive's folder, and a key that may do everything."""

    url: str
    place: Path
    key: str
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    def new_key(self, name: str, **grants: set[str]) -> str:
        """A key with rights: address (with `_` for `/`) to permissions."""
        made = make_key(self.place, name, {place.replace("_", "/"): rights for place, rights in grants.items()})
        time.sleep(2 * LOOK_SECONDS)  # until the server has looked what others changed
        return made


def make_archive(place: Path, **settings: Any) -> str:
    """A new archive and a key that may do everything in it."""
    LocalArchive.init(place, **settings).close()
    return make_key(place, "keeper", {"/": {"admin"}})


def make_key(place: Path, name: str, grants: dict[str, set[str]]) -> str:
    with Authority.open(place / "control.db") as authority:
        made = authority.store.keys.create(name, grants={where: frozenset(what) for where, what in grants.items()})
        return made.text


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serving(place: Path, **settings: Any) -> Iterator[Running]:
    """A server in a thread."""
    key = settings.pop("key", None) or make_archive(place, **settings.pop("init", {}))
    app = App(Settings(archive=str(place), **{"digest_processes": 0, **settings}))
    with serving_app(app, settings.get("serve_port", 0)) as url:
        yield Running(url, place, key)


@contextlib.contextmanager
def serving_bucket(keys: Keys, state: Path, **settings: Any) -> Iterator[Running]:
    """A server in a thread, in front of a new archive whose only home is a bucket."""
    BucketArchive.make(keys, state, workers=0).close()
    key = make_key(state, "keeper", {"/": {"admin"}})
    with serving_app(BucketApp(keys, state, **settings)) as url:
        yield Running(url, state, key)


class BucketApp(App):
    """The application of an archive whose only home are these keys."""

    def __init__(self, keys: Keys, state: Path, **settings: Any) -> None:
        super().__init__(Settings(archive="s3://bucket/archive", state=state, **settings))
        self._keys, self._place = keys, state

    def open_bucket(self, place: str) -> BucketArchive:
        """What `app.bucket.open_bucket` does with an address."""
        assert place == "s3://bucket/archive"
        opened = BucketArchive(self._keys, self._place, agent=self.agent(), workers=0, checks=self.checks)
        opened.control = self._place / "control.db"
        return opened


@contextlib.contextmanager
def serving_app(app: App, port: int = 0) -> Iterator[str]:
    """A server in a thread, and its address."""
    application = create_app(app)
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive(), every=0.01)
    assert server.started, "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(20)


@contextlib.contextmanager
def served_by_command(
    place: Path, *options: str, key: str = "", archive: str = "", **environment: str
) -> Iterator[Running]:
    """A server as people start it: `muniment serve` in a process of its own; `--port` may be among the options.

    `archive` is its archive's address, if that is no folder.
    """
    key = key or make_archive(place)
    named = ("--archive", archive or str(place))
    port = int(options[options.index("--port") + 1]) if "--port" in options else free_port()
    log = place.parent / f"{place.name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "muniment", *named, "serve", "--port", str(port), *options],
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )
    running = Running(f"http://127.0.0.1:{port}/", place, key, process, log)
    try:
        wait_for(port, process, log)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    eventually(answers, every=0.05, told=log.read_text)
