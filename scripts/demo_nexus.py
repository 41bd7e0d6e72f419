"""A chapter of the demonstration: the Nexus API, from two projects to a download that is cut and goes on."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

BIN = Path(sys.executable).parent
PHOTOS = "https://museum.example.org/photos/"


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


def chapter(demo: Demo) -> None:
    """Serve the archive, put things in, and take many of them out at once."""
    demo.say("Many things in one download: the Nexus API")
    home = demo.work / "nexus"
    home.mkdir()
    key = home / "key.txt"
    key.write_text(
        f"Authorization: Bearer {demo.muniment('key', 'create', 'demo-nexus', '--admin', show=False)}", "utf-8"
    )
    port = _free_port()
    command = [str(BIN / "muniment"), "--archive", str(demo.archive), "serve", "--port", str(port)]
    with (home / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _wait(port)
            _Visit(demo, f"http://127.0.0.1:{port}/v1", key, home).all()
        finally:
            server.terminate()


class _Visit:
    """One user with curl."""

    def __init__(self, demo: Demo, root: str, key: Path, home: Path) -> None:
        self.demo = demo
        self.root = root
        self.key = key
        self.home = home

    def all(self) -> None:
        """Everything, in order."""
        self.make()
        location = self.select()
        self.resume(location)

    def make(self) -> None:
        """Two projects, a document with two revisions and a tag, and a file."""
        mappings = {"apiMappings": [{"prefix": "photo", "namespace": PHOTOS}]}
        self.send("PUT", "/orgs/museum", {})
        self.send("PUT", "/projects/museum/photos", mappings)
        self.send("PUT", "/projects/museum/letters", mappings)
        document = {"@context": {"@vocab": "https://schema.example.org/"}, "@type": "Photograph", "title": "The harbor"}
        self.send("PUT", "/resources/museum/photos/_/photo:1", document)
        self.send("PUT", "/resources/museum/photos/_/photo:1?rev=1", {**document, "title": "The harbour"})
        tagged = self.send("POST", "/resources/museum/photos/_/photo:1/tags?rev=2", {"tag": "v1", "rev": 1})
        image = self.home / "harbour.tif"
        image.write_bytes(b"II*\0" + bytes(range(256)) * 4000)
        self.curl("-X", "PUT", "-F", f"file=@{image};type=image/tiff", f"{self.root}/files/museum/letters/photo:1.tif")
        self.demo.note("Nexus", f"two projects, a document at revision {tagged['_rev']} with a tag, a file")

    def select(self) -> str:
        """Describe what is wanted, and follow the redirect to a tar."""
        entries = [
            {"@type": "Resource", "resourceId": f"{PHOTOS}1"},
            {"@type": "Resource", "resourceId": f"{PHOTOS}1", "tag": "v1", "path": "first/1.json"},
            {"@type": "File", "project": "museum/letters", "resourceId": f"{PHOTOS}1.tif"},
        ]
        wanted = self.home / "wanted.json"
        wanted.write_text(json.dumps({"@id": f"{PHOTOS}selection", "resources": entries}), "utf-8")
        whole = self.home / "whole.tar"
        address = f"{self.root}/archives/museum/photos"
        self.curl("-L", "-H", "Content-Type: application/json", "-d", f"@{wanted}", "-o", whole, address)
        listed = self.demo.run("tar", "-tvf", whole)
        self.demo.note("selection", f"{len(listed.splitlines())} members by POST and its redirect, listed by tar")
        return f"{address}/{quote(f'{PHOTOS}selection', safe=':')}"

    def resume(self, location: str) -> None:
        """The same download in two pieces, as after a cut."""
        pieces = self.home / "pieces.tar"
        half = (self.home / "whole.tar").stat().st_size // 2
        self.curl("-r", f"0-{half - 1}", "-o", pieces, location)
        self.curl("-C", "-", "-o", pieces, location)
        self.demo.run("cmp", self.home / "whole.tar", pieces)
        self.demo.note("resumed download", "two ranges give the very bytes of the whole")

    def send(self, method: str, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send JSON, and read the answer."""
        said = self.curl(
            "-X", method, "-H", "Content-Type: application/json", "-H", "Accept: application/json",
            "-d", json.dumps(payload), self.root + path,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(said)
        return answer

    def curl(self, *words: str | Path) -> str:
        """Run curl with the key out of a file, where no list of processes shows it."""
        return self.demo.run("curl", "-sS", "--fail-with-body", "-H", f"@{self.key}", *words, show=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
