"""Storage classes that have to be restored before they are read, as Amazon describes them (S3 API: RestoreObject).

No S3 that runs here has them, so a server of our own answers: it keeps objects in memory, refuses to read what lies in
a cold class, and lets a test say when a restore is done.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.errors.stores import StoreNotReady
from muniment.settings import Settings
from muniment.stores import PutOptions, put_bytes, read_bytes
from muniment.stores.s3 import S3Store
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.verification import Verification

_KEYS = {"access_key": "anybody", "secret_key": "anything"}


@dataclass
class Held:
    """One object: its bytes, storage class, and how far its restore is ('', 'begun', 'done')."""

    data: bytes
    storage: str
    restore: str = ""


@dataclass
class Cloud:
    """What the server holds, and what it was asked to restore."""

    port: int = 0
    objects: dict[str, Held] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def finish(self) -> None:
        """Everything that was asked for can be read now."""
        for held in self.objects.values():
            held.restore = "done" if held.restore else ""

    @property
    def cold(self) -> set[str]:
        """The keys that lie in a cold class."""
        return {key for key, held in self.objects.items() if held.storage}


class Answering(BaseHTTPRequestHandler):
    """The few requests a store makes."""

    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("If-None-Match") and self._key in self.cloud.objects:
            self._answer(412, _error("PreconditionFailed"))
            return
        self.cloud.objects[self._key] = Held(data, self.headers.get("x-amz-storage-class", ""))
        self._answer(200)

    def do_HEAD(self) -> None:
        self._give(body=False)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if "list-type=2" not in parts.query:
            self._give(body=True)
            return
        prefix = unquote(next((each[7:] for each in parts.query.split("&") if each.startswith("prefix=")), ""))
        found = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(held.data)}</Size>"
            "<LastModified>2026-11-29T00:00:00.000Z</LastModified></Contents>"
            for key, held in sorted(self.cloud.objects.items())
            if key.startswith(prefix)
        )
        self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert urlsplit(self.path).query == "restore"
        tier, days = re.search(r"<Tier>(\w+)</Tier>", asked), re.search(r"<Days>(\d+)</Days>", asked)
        assert tier is not None
        assert days is not None
        self.cloud.asked.append((self._key, f"{tier[1]} {days[1]}"))
        self.cloud.objects[self._key].restore = "begun"
        self._answer(202)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/bucket/")

    def _give(self, *, body: bool) -> None:
        held = self.cloud.objects.get(self._key)
        if held is None:
            found = self._key in {"", "/bucket"}  # the bucket itself
            self._answer(200 if found else 404, b"" if found or not body else _error("NoSuchKey"))
            return
        headers = {"Last-Modified": "Sun, 29 Nov 2026 00:00:00 GMT"}
        if held.storage:
            headers["x-amz-storage-class"] = held.storage
        if held.restore:
            under_way = str(held.restore == "begun").lower()
            headers["x-amz-restore"] = f'ongoing-request="{under_way}"'
        if body and held.storage and held.restore != "done":
            self._answer(403, _error("InvalidObjectState"))
            return
        self._answer(200, held.data, headers, body=body)

    def _answer(
        self, status: int, data: bytes = b"", headers: dict[str, str] | None = None, *, body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    held = Cloud()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Answering,), {"cloud": held}))
    held.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield held
    server.shutdown()
    server.server_close()


def address(cloud: Cloud, **fields: str) -> str:
    return f"s3://bucket/?endpoint=http://127.0.0.1:{cloud.port}" + "".join(f"&{k}={v}" for k, v in fields.items())


@pytest.mark.parametrize(("storage", "tier", "hours"), [("GLACIER", "Bulk", 12), ("DEEP_ARCHIVE", "Standard", 12)])
def test_what_is_cold_is_asked_for_once_and_read_when_it_is_there(
    cloud: Cloud, storage: str, tier: str, hours: int
) -> None:
    endpoint = f"http://127.0.0.1:{cloud.port}"
    store = S3Store("bucket", keys=_KEYS, endpoint=endpoint, storage_class=storage, tier=tier, days=3)
    receipt = put_bytes(store, "k", b"abc")
    put_bytes(store, "now", b"at once", PutOptions(warm=True))
    assert cloud.cold == {"k"}
    assert read_bytes(store, "now", 100) == b"at once"
    for _ in range(2):
        with pytest.raises(StoreNotReady) as caught:
            store.check(receipt)
    expected = datetime.fromisoformat(str(caught.value.details["until"])) - datetime.now(UTC)
    assert timedelta(hours=hours - 1) < expected <= timedelta(hours=hours)
    assert cloud.asked == [("k", f"{tier} 3")]
    cloud.finish()
    assert not store.recall("k")
    store.check(receipt)
    assert len(cloud.asked) == 1


@pytest.fixture
def service(cloud: Cloud, tmp_path: pytest.TempPathFactory) -> Iterator[CopyService]:
    root = f"{tmp_path}/archive"
    with Archive.init(root, workers=1) as archive, archive.new("one") as new:
        new.add(b"abc", "abc.txt")
    working = BackgroundServices(App(Settings({}, archive=root, digest_processes=1)))
    found = working.copy_service()
    found.registry.add("cold", address(cloud, **{"class": "DEEP_ARCHIVE"}), _KEYS)
    rule = '[[copies]]\nstore = "cold"\nlayout = "bag"\nredundancy = 20\n'
    found.policies.set(found.archive, "*", rule)
    found.plan_all()
    yield found
    working.close()


def test_a_copy_in_a_cold_class_waits_to_be_read_back_and_holds_up_no_other(cloud: Cloud, service: CopyService) -> None:
    assert service.replicate("cold", force=True).waiting == 1
    assert cloud.cold
    assert all(key.startswith("bags/") for key in cloud.cold)
    assert {key for key, _ in cloud.asked} == cloud.cold  # every key of it at once, or it would take as many nights
    (row,) = service.table.each(store="cold")
    assert "it lies in a cold storage class" in row.reason
    assert service.registry.get("cold").logged == service.archive.head().seq - 1  # but for the seal of the day
    assert service.replicate("cold").waiting == 0  # nobody asks at each look
    cloud.finish()
    done = service.replicate("cold", force=True)
    assert (done.made, done.waiting, done.failed, done.reason) == (1, 0, 0, "")
    assert any(key.startswith("copies/") for key in cloud.objects.keys() - cloud.cold)  # it says what there is, at once


def test_a_verification_asks_for_what_is_cold_and_judges_it_when_it_is_there(
    cloud: Cloud, service: CopyService
) -> None:
    service.replicate("cold", force=True)
    cloud.finish()
    service.replicate("cold", force=True)
    for held in cloud.objects.values():
        held.restore = ""
    cloud.asked.clear()
    verification = Verification(service)
    said = verification.run(list(verification.rows()), Budget())
    assert said.damaged == []
    assert "it lies in a cold storage class" in said.unusable["cold"]
    assert {key for key, _ in cloud.asked} == cloud.cold
    cloud.finish()
    assert verification.run(list(verification.rows()), Budget()).unusable == {}
    tar = next(key for key in cloud.cold if key.endswith(".tar"))
    cloud.objects[tar].data = cloud.objects[tar].data.replace(b"abc", b"abd", 1)
    assert [row.store for row in verification.run(list(verification.rows()), Budget()).damaged] == ["cold"]
