"""A server with Nexus' projects, resources and users, and a client that sends addresses exactly as written."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import socket
import tarfile
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from muniment.access import EVERY_PERMISSION, AccessStore, Identity
from muniment.app import App
from muniment.app.bucket import BucketArchive
from muniment.archive import Archive
from muniment.archive.bucket.keys import Keys
from muniment.server import create_app
from muniment.settings import Settings
from tests.servers.native.running import BucketApp
from tests.timing import eventually

P = "https://dev.nexus.test.com/simplified-resource/"
NXV = "https://bluebrain.github.io/nexus/vocabulary/"
ENC = "https:%2F%2Fdev.nexus.test.com%2Fsimplified-resource%2F"
ERROR_CONTEXT = "https://bluebrain.github.io/nexus/contexts/error.json"
LOGO = hashlib.sha512(b"logo").digest() * 300
BOUNDARY = "the-boundary"


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The error's `@type`."""
        return str(self.json["@type"])

    @property
    def reason(self) -> str:
        """The error's reason."""
        return str(self.json["reason"])

    def tar(self) -> dict[str, bytes]:
        """The members of a tar."""
        with tarfile.open(fileobj=io.BytesIO(self.body)) as archive:
            return {each.name: file.read() for each in archive if (file := archive.extractfile(each)) is not None}

    def zip(self) -> dict[str, bytes]:
        """The members of a zip."""
        with zipfile.ZipFile(io.BytesIO(self.body)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}


class Client:
    """Somebody with a key, or with none."""

    def __init__(self, port: int, key: str | None) -> None:
        self.port = port
        self.key = key

    @property
    def root(self) -> str:
        """The public base."""
        return f"http://127.0.0.1:{self.port}/v1"

    def send(
        self,
        method: str,
        path: str,
        payload: object = None,
        *,
        accept: str | None = "application/json",
        body: bytes | None = None,
        **headers: str,
    ) -> Reply:
        """Send one request; `path` begins after /v1 and goes out as it is."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            sent["Accept"] = accept
        if self.key and "Authorization" not in sent:
            sent["Authorization"] = f"bearer {self.key}"
        if payload is not None:
            body = json.dumps(payload).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, f"/v1{path}", skip_host="Host" in sent, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, path: str, accept: str | None = "application/json", **headers: str) -> Reply:
        """GET."""
        return self.send("GET", path, None, accept=accept, body=None, **headers)

    def post(self, path: str, payload: object, accept: str | None = "application/json", **headers: str) -> Reply:
        """POST JSON."""
        return self.send("POST", path, payload, accept=accept, body=None, **headers)

    def put(self, path: str, payload: object, accept: str | None = "application/json", **headers: str) -> Reply:
        """PUT JSON."""
        return self.send("PUT", path, payload, accept=accept, body=None, **headers)

    def upload(
        self, path: str, filename: str, data: bytes, media_type: str = "image/png", *, method: str = "POST"
    ) -> Reply:
        """Send a file as a browser's form does."""
        body = form(filename, data, media_type)
        return self.send(method, path, body=body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")


def form(filename: str, data: bytes, media_type: str, name: str = "file") -> bytes:
    """A form with one file."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


class Site:
    """A running server and its users."""

    def __init__(self, folder: Path, *, root_path: str = "", bucket: Keys | None = None, **settings: Any) -> None:
        """A server on an archive in `folder`, or in `bucket` with its state in `folder`."""
        self.folder = folder
        self.bucket = bucket
        self.root_path = root_path
        self.settings = settings
        if bucket is not None and bucket.stat("muniment.json") is None:
            BucketArchive.make(bucket, folder).close()
        elif bucket is None and not (folder / "muniment.json").exists():
            Archive.init(folder).close()
        self.store = AccessStore.open(folder / "control.db")
        self.keys: dict[str, str] = {}
        self._start()

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", self.settings.get("serve_port", 0)))
            self.port = probe.getsockname()[1]
        settings = {"serve_failures": 10_000, **self.settings}
        if self.bucket is not None:
            self.app = create_app(BucketApp(self.bucket, self.folder, **settings))
        else:
            self.app = create_app(App(Settings(archive=str(self.folder), **settings)))
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, log_config=None, lifespan="on", root_path=self.root_path
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        eventually(lambda: self._server.started or not self._thread.is_alive(), every=0.01)
        assert self._server.started

    def stop(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def restart(self) -> None:
        """Stop the server and start another on the same archive and port."""
        self.stop()
        self.settings["serve_port"] = self.port
        self._start()

    def user(self, name: str, **rights: set[str]) -> Client:
        """Somebody with rights: `o__p1={"resources/read"}` for /o/p1, `o=...` for /o, `root=...` for /."""
        self.keys[name] = self.store.keys.create(name).text
        for place, names in rights.items():
            address = "/" if place == "root" else "/" + place.replace("__", "/")
            self.store.rules.append(address, {Identity.user("keys", name): frozenset(names)})
        return Client(self.port, self.keys[name])

    def grant(self, name: str, address: str, names: set[str]) -> None:
        """Give somebody more rights."""
        self.store.rules.append(address, {Identity.user("keys", name): frozenset(names)})

    def deny(self, name: str, address: str, names: set[str]) -> None:
        """Take rights away."""
        self.store.rules.subtract(address, {Identity.user("keys", name): frozenset(names)})

    def close(self) -> None:
        """Stop everything."""
        self.stop()
        self.store.close()


EVERYTHING = set(EVERY_PERMISSION) - {"admin"}


def resource(number: int) -> dict[str, Any]:
    """R1 or R2."""
    return {
        "@context": {"nxv": NXV, "other": "https://some.other.prefix.com/"},
        "@id": f"{P}{number}",
        "@type": "nxv:TestResource",
        "other:priority": 4 + number,
        "other:projects": ["testProject", "testProject2"],
    }


def archive_1() -> dict[str, Any]:
    """A1."""
    return {
        "resources": [
            {"@type": "Resource", "resourceId": f"{P}1", "rev": 1},
            {"@type": "File", "resourceId": f"{P}logo", "path": "/some/other/nexus-logo.png"},
            {"@type": "Resource", "project": "o/p2", "resourceId": f"{P}2"},
        ]
    }


def furnish(admin: Client) -> None:
    """Make organisation, projects, resources and the file."""
    mappings = [{"prefix": "test-resource", "namespace": P}, {"prefix": "nxv", "namespace": NXV}]
    assert admin.put("/orgs/o", {"description": None}).status == 201
    for name, payload in (
        ("p1", {"apiMappings": mappings}),
        ("p2", {"apiMappings": mappings}),
        ("short", {"base": "http://localhost/base/"}),
        ("dep", {}),
    ):
        made = admin.put(f"/projects/o/{name}", payload)
        assert made.status == 201, made.body
    assert admin.send("DELETE", "/projects/o/dep?rev=1").status == 200
    assert admin.post("/resources/o/p1", resource(1)).status == 201
    assert admin.post("/resources/o/p2", resource(2)).status == 201
    made = admin.upload("/files/o/p1/test-resource:logo", "logo.png", LOGO, method="PUT")
    assert made.status == 201, made.body
