"""Streams under strain: damaged files, clients that go away, many downloads at once, and other people's readers."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import resource as limits
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.acceptance.nexus.site import EVERYTHING, Client, Site
from tests.timing import eventually

MIB = 1 << 20


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("streams") / "archive")
    made.user("root", root={"admin"})
    made.user("T", o=EVERYTHING)
    root = Client(made.port, made.keys["root"])
    assert root.put("/orgs/o", {}).status == 201
    assert root.put("/projects/o/p", {"base": "http://x/"}).status == 201
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def t(site: Site) -> Client:
    return Client(site.port, site.keys["T"])


def content(seed: int, size: int) -> bytes:
    block = hashlib.sha256(str(seed).encode()).digest() * 1024
    return (block * (size // len(block) + 1))[:size]


def select(t: Client, *names: str) -> str:
    entries = [{"@type": "File", "resourceId": name} for name in names]
    made = t.post("/archives/o/p", {"resources": entries}, "*/*")
    assert made.status == 303, made.body
    return made.headers["location"].partition("/v1")[2]


def location(site: Site, name: str) -> Path:
    with Archive(site.folder) as archive:
        instance = archive.get(f"http://x/{name}", project="o/p")
        [path] = list(instance)
        return instance.location(path)


@pytest.mark.parametrize("kind", ["application/x-tar", "application/zip"])
@pytest.mark.parametrize("damage", ["flipped", "shortened", "lengthened", "gone"])
def test_a_damaged_file_breaks_the_transfer(site: Site, t: Client, damage: str, kind: str) -> None:
    name = f"{damage}-{kind[-3:]}"
    assert t.upload(f"/files/o/p/{name}", "a.bin", content(1, 3 * MIB), method="PUT").status == 201
    t.upload(f"/files/o/p/after-{name}", "z.bin", b"after", method="PUT")
    path = select(t, name, f"after-{name}")
    whole = t.get(path, kind)
    assert whole.status == 200
    stored = location(site, name)
    stored.chmod(0o644)
    if damage == "gone":
        stored.unlink()
    else:
        with stored.open("r+b") as file:
            if damage == "flipped":
                file.seek(MIB)
                file.write(b"\0")
            elif damage == "shortened":
                file.truncate(2 * MIB)
            else:
                file.seek(0, os.SEEK_END)
                file.write(b"more")
    if damage == "gone":
        # Not a byte could be sent, so there is still a status to say it with.
        found = t.get(path, kind)
        assert (found.status, found.kind) == (500, "UnexpectedError")
        assert "a.bin could not be read" in found.reason
        return
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as broken:
        t.get(path, kind)
    if isinstance(broken.value, http.client.IncompleteRead):
        assert len(broken.value.partial) < len(whole.body)


def test_a_resumed_download_of_a_damaged_file_is_broken_as_well(site: Site, t: Client) -> None:
    t.upload("/files/o/p/resumed", "r.bin", content(2, 2 * MIB), method="PUT")
    path = select(t, "resumed")
    etag = t.get(path, "*/*", Range="bytes=0-999999").headers["etag"]
    stored = location(site, "resumed")
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.write(b"\0\0\0\0")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        t.get(path, "*/*", Range="bytes=1000000-", If_Range=etag)


def test_a_damaged_document_is_an_error_not_a_document(site: Site, t: Client) -> None:
    t.put("/resources/o/p/_/spoilt", {"a": 1})
    with Archive(site.folder) as archive:
        stored = archive.get("http://x/spoilt", project="o/p").location("compacted.json")
    stored.chmod(0o644)
    stored.write_bytes(b'{"a":2}')
    found = t.get("/resources/o/p/_/spoilt")
    assert (found.status, found.kind) == (500, "UnexpectedError")
    assert str(site.folder) not in found.body.decode()


def test_other_peoples_readers_agree(t: Client, tmp_path: Path) -> None:
    names = ["plain.txt", "ümläut.txt", "l" * 120 + ".bin", "space in name", "日本.txt"]
    sizes = [0, 1, 511, 512, 70_000]
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        made = t.upload(f"/files/o/p/reader-{number}", name, content(number, size), method="PUT")
        assert made.status == 201, made.body
    t.put("/resources/o/p/_/reader-doc", {"a": 1})
    entries: list[dict[str, str]] = [{"@type": "File", "resourceId": f"reader-{number}"} for number in range(5)]
    entries.append({"@type": "Resource", "resourceId": "reader-doc"})
    made = t.post("/archives/o/p", {"resources": entries}, "*/*")
    path = made.headers["location"].partition("/v1")[2]
    (tmp_path / "a.tar").write_bytes(t.get(path, "application/x-tar").body)
    (tmp_path / "a.zip").write_bytes(t.get(path, "application/zip").body)
    with tarfile.open(tmp_path / "a.tar") as archive:
        archive.extractall(tmp_path / "python", filter="data")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    for name, command in {
        "tar": ["tar", "-xf", "a.tar", "-C", "tar"],
        "bsdtar": ["bsdtar", "-xf", "a.tar", "-C", "bsdtar"],
        "bsdtar-zip": ["bsdtar", "-xf", "a.zip", "-C", "bsdtar-zip"],
        "unzip": ["unzip", "-q", "a.zip", "-d", "unzip"],
        "7z-tar": ["7z", "x", "-bd", "a.tar", "-o7z-tar"],
        "7z-zip": ["7z", "x", "-bd", "a.zip", "-o7z-zip"],
    }.items():
        (tmp_path / name).mkdir(exist_ok=True)
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment)
        assert below(tmp_path / name) == below(tmp_path / "python"), name
    assert len(below(tmp_path / "python")) == 6


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fifty_downloads_at_once_are_whole_and_memory_is_bounded(t: Client) -> None:
    size, count = 24 * MIB, 50
    t.upload("/files/o/p/large", "large.bin", content(3, size), method="PUT")
    path = select(t, "large")
    expected = hashlib.sha256(t.get(path, "*/*").body).hexdigest()
    before = limits.getrusage(limits.RUSAGE_SELF).ru_maxrss
    found: list[str] = []
    ended: list[float] = []

    def download() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", t.port, timeout=120)
        connection.request("GET", f"/v1{path}", headers={"Accept": "*/*", "Authorization": f"Bearer {t.key}"})
        reply = connection.getresponse()
        hasher = hashlib.sha256()
        while piece := reply.read(256 * 1024):
            hasher.update(piece)
        found.append(hasher.hexdigest())
        ended.append(time.monotonic())
        connection.close()

    threads = [threading.Thread(target=download) for _ in range(count)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [expected] * count
    # Fair: nobody waits for all others to be done first.
    assert (min(ended) - began) > 0.2 * (max(ended) - began)
    # The whole of it is 1.2 GB; server and clients are one process here.
    grown = (limits.getrusage(limits.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 200 * MIB


def test_a_client_that_goes_away_leaves_nothing_running(t: Client) -> None:
    t.upload("/files/o/p/left", "left.bin", content(4, 24 * MIB), method="PUT")
    path = select(t, "left")
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", t.port)) as connection:
            head = f"GET /v1{path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAuthorization: Bearer {t.key}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert t.get("/identities").status == 200
    assert open_here("/"), "this process sees its own open files"
    eventually(lambda: not open_here("left.bin"), told=lambda: open_here("left.bin"))


def test_an_upload_that_is_cut_leaves_nothing(site: Site, t: Client) -> None:
    with socket.create_connection(("127.0.0.1", t.port)) as connection:
        head = (
            "PUT /v1/files/o/p/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
            f"Authorization: Bearer {t.key}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        )
        connection.sendall(head.encode() + content(5, MIB))
    eventually(lambda: list((site.folder / "staging" / "open").iterdir()) == [])
    assert t.get("/files/o/p/cut", "*/*").status == 404


def test_slow_uploads_hold_nobody_up(t: Client) -> None:
    head = (
        "PUT /v1/files/o/p/slow-{} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
        f"Authorization: Bearer {t.key}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nxx'
    )
    slow = [socket.create_connection(("127.0.0.1", t.port)) for _ in range(60)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(head.format(number).encode())
        for _ in range(5):
            assert t.get("/identities").status == 200
        # They were answered while all the others were still waited for, not once those were given up.
        assert [connection for connection in slow if answered(connection)] == []
    finally:
        for connection in slow:
            connection.close()


def test_an_upload_without_the_right_is_refused_and_the_connection_lives(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    for _ in range(3):
        body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + bytes(MIB) + b"\r\n--b--\r\n"
        connection.request("PUT", "/v1/files/o/p/x", body, {"Content-Type": "multipart/form-data; boundary=b"})
        reply = connection.getresponse()
        assert (reply.status, b"AuthorizationFailed" in reply.read()) == (403, True)
    connection.close()


def test_a_large_upload_takes_little_memory(t: Client) -> None:
    before = limits.getrusage(limits.RUSAGE_SELF).ru_maxrss
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="big"\r\n\r\n'
    tail = b"\r\n--b--\r\n"
    block, count = content(6, MIB), 300
    connection = http.client.HTTPConnection("127.0.0.1", t.port, timeout=120)
    connection.putrequest("PUT", "/v1/files/o/p/big")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Authorization", f"Bearer {t.key}")
    connection.putheader("Content-Length", str(len(head) + count * MIB + len(tail)))
    connection.endheaders(head)
    for _ in range(count):
        connection.send(block)
    connection.send(tail)
    reply = connection.getresponse()
    assert reply.status == 201, reply.read()
    connection.close()
    assert (limits.getrusage(limits.RUSAGE_SELF).ru_maxrss - before) * 1024 < 100 * MIB


def open_here(name: str) -> list[str]:
    """The files open in this process that have `name` in their path."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in found if name in path]


def answered(connection: socket.socket) -> bool:
    """Whether something came for this connection, be it its end."""
    connection.setblocking(False)
    try:
        connection.recv(1)
    except BlockingIOError:
        return False
    return True
