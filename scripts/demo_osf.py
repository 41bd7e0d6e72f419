"""A chapter of the demonstration: a container of a research platform, from its submission to a frozen registration."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, Protocol

from muniment.doors.osf import Signer
from muniment.errors.registration import NotSigned
from muniment.testing.servers import Loopback, Reply, Request
from muniment.testing.servers.gitserver import GitServer
from muniment.testing.servers.web import WebServer

BIN = Path(sys.executable).parent
PATIENCE = 120.0
SHOWN = 30


class Demo(Protocol):
    """What a chapter needs of the demonstration."""

    work: Path
    archive: Path

    def run(self, *command: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run a command in sight of the user."""

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands."""

    def say(self, title: str) -> None:
        """Begin a chapter."""

    def note(self, what: str, result: str) -> None:
        """Keep a line for the closing summary."""


class Platform(Loopback):
    """The research platform, which waits for callbacks and checks who sent them."""

    name: ClassVar[str] = "platform"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []
        self._signer = Signer(key)

    def answer(self, request: Request) -> Reply:
        """Take a callback whose signature is right."""
        try:
            self._signer.check(request.headers, request.body, json.loads(request.body), ("id",))
        except NotSigned as error:
            return Reply.json({"message": error.message}, 401)
        self.told.append(json.loads(request.body))
        return Reply(200)


def chapter(demo: Demo) -> None:
    """Submit a container with a git repository, a web folder and a child, and watch it become a registration."""
    demo.say("A project of a research platform, frozen: the OSF interface")
    home = demo.work / "osf"
    home.mkdir()
    word = secrets.token_urlsafe(18)
    with GitServer(home / "git") as git, WebServer() as site, Platform(word) as platform:
        _fill(git, site)
        key = home / "key.txt"
        made = demo.muniment("key", "create", "demo-osf", "--admin", show=False).strip()
        key.write_text(f'user = "{made}:"\n', "utf-8")
        key.chmod(0o600)
        port = _free_port()
        environment = {
            **os.environ,
            "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",  # everything here is on this machine
            "MUNIMENT_CALLBACK_ADDRESSES": f"{platform.url}/api/v1/registration/finished/",
            "MUNIMENT_HMAC_KEY": word,
            "MUNIMENT_REGISTRATION_STORES": str(home / "registrations"),
            "MUNIMENT_MAX_FILE_SIZE": "1000000",
        }
        command = [str(BIN / "muniment"), "--archive", str(demo.archive), "serve", "--port", str(port)]
        with (
            (home / "server.log").open("wb") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,
        ):
            try:
                _wait(port)
                _Visit(demo, f"http://127.0.0.1:{port}/api/v1/archives", key, home, platform).all(git, site)
            finally:
                server.terminate()


def _fill(git: GitServer, site: WebServer) -> None:
    """What the project has: a repository with a history, and two folders of measurements."""
    repository = git.repository("analysis")
    files = {"README.md": b"# Tides\n", "src/tides.py": b"print('high')\n"}
    repository.commit(repository.folder_of(files), message="begin")
    repository.commit(repository.folder_of({**files, "src/ebb.py": b"print('low')\n"}), message="the ebb too")
    site.files = {f"tides/{day:02}.csv": b"time,level\n" + b"12:00,%d\n" % day * 8000 for day in range(1, 21)}
    site.files["tides/movie.avi"] = b"\0" * 1_200_000
    site.files["photos/harbour.tif"] = b"II*\0" + bytes(range(256)) * 2000


class _Visit:
    """The platform's side of the conversation, by curl."""

    def __init__(self, demo: Demo, root: str, key: Path, home: Path, platform: Platform) -> None:
        self.demo = demo
        self.root = root
        self.key = key
        self.home = home
        self.platform = platform

    def all(self, git: GitServer, site: WebServer) -> None:
        """Everything, in order."""
        self.submit(git, site)
        self.follow()
        self.show_callbacks()
        self.show_registration()
        self.fetch()

    def submit(self, git: GitServer, site: WebServer) -> None:
        """Post the container."""
        child = self._container("kid42", "Photographs", [{"http": {"url": f"{site.url}/photos/"}}], [])
        services = [{"git": {"url": f"{git.url}/analysis.git"}}, {"http": {"url": f"{site.url}/tides/"}}]
        container = self._container("tide1", "Tides of a harbour", services, [child])
        body = self.home / "container.json"
        body.write_text(json.dumps(container, indent=1), "utf-8")
        self.curl("-X", "POST", "-H", "Content-Type: application/json", "-d", f"@{body}", f"{self.root}/")

    def follow(self) -> None:
        """Ask how far it is until it has ended."""
        until = time.monotonic() + PATIENCE
        last = ""
        while time.monotonic() < until:
            status = json.loads(self.curl(f"{self.root}/tide1/status", show=False))
            progress = status["progress"]
            line = f"  {status['status']}: {progress['done']} of {progress['total']} steps, {progress['bytes']:,} bytes"
            doing = "; ".join(step["what"] for step in status["running"] if step["what"])
            line += f" ({doing})" if doing else ""
            if line != last:
                print(line, flush=True)
                last = line
            if status["job"]["state"] != "running" and len(self.platform.told) == 2:  # noqa: PLR2004 - it and its child
                break
            time.sleep(0.1)
        if status["status"] != "SUCCESS":
            raise SystemExit(f"the container was not registered: {status}")
        self.demo.note("OSF", f"a container and its child registered, {progress['bytes']:,} bytes fetched")

    def show_callbacks(self) -> None:
        """What the platform was told."""
        for told in self.platform.told:
            print(f"  callback, signature checked: {json.dumps(told)[:150]}")
        failures = [each for told in self.platform.told for each in told["failures"]]
        if [each["file"] for each in failures] != ["movie.avi"] or len(self.platform.told) != 2:  # noqa: PLR2004 - as above
            raise SystemExit(f"the platform was told something else: {self.platform.told}")
        self.demo.note("callbacks", f"{len(self.platform.told)}, signed; one file named as too large")

    def show_registration(self) -> None:
        """The tree, as it lies on the disk."""
        store = self.home / "registrations"
        found = sorted(str(path.relative_to(store)) for path in store.rglob("*") if path.is_file())
        for name in [*found[:SHOWN], f"… and {len(found) - SHOWN} more"]:
            print(f"  {name}")
        tops = sorted({name.partition("/")[0] for name in found})
        if tops != ["Directory Structures", "File Metadata", "Files", "Manifests", "Parities"]:
            raise SystemExit(f"the tree is another: {tops}")
        self.demo.note("registration", f"{len(found)} files in {len(tops)} folders")

    def fetch(self) -> None:
        """Download one file by its digest, over a link that ends after five minutes."""
        files = json.loads(self.curl(f"{self.root}/tide1/files/", show=False))["files"]["http"]
        sha256 = files[0]["sha256"]
        target = self.home / "fetched.csv"
        self.curl("-L", "-o", str(target), f"{self.root}/tide1/files/{sha256}?name=first%20day.csv", show=False)
        self.demo.run("sh", "-c", f"echo '{sha256}  {target}' | sha256sum -c -")
        self.demo.note("download by sha256", "the bytes that were archived")

    def curl(self, *words: str, show: bool = True) -> str:
        """Ask the server."""
        return self.demo.run("curl", "-sSf", "-K", self.key, *words, show=show) if show else self._quietly(*words)

    def _quietly(self, *words: str) -> str:
        command = ["curl", "-sSf", "-K", str(self.key), *words]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    @staticmethod
    def _container(id: str, title: str, services: list[Any], children: list[Any]) -> dict[str, Any]:
        about = {"id": id, "title": title, "description": None, "contributors": ["A. Writer"]}
        return {"container": {"metadata": about, "services": services, "children": children}}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise SystemExit("the server did not start") from None
            time.sleep(0.1)
        else:
            return
