"""Ranges of a large file: each is proven by the pieces of 64 MiB it lies in, and by no more of the file."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from muniment.archive import Archive as LocalArchive
from muniment.content.pieces import PIECE
from tests.acceptance.nexus.site import Site
from tests.timing import eventually

SIZE = 2 * PIECE + 1000
Fetch = Callable[[int, int], bytes | None]


def block(number: int) -> bytes:
    """A MiB that is like no other."""
    return number.to_bytes(4, "big") * (1 << 18)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with a file of three pieces, made through the archive and through Nexus."""
    folder = tmp_path_factory.mktemp("ranges") / "archive"
    with LocalArchive.init(folder, parity=False) as archive, archive.new("large", "o/p") as transaction:
        transaction.add((block(number)[: SIZE - (number << 20)] for number in range(129)), "large.bin")
    made = Site(folder)
    made.user("root", root={"admin"})
    eventually(lambda: request(made, "/v1/identities")[0] == 200, every=0.05)
    try:
        yield made
    finally:
        made.close()


def request(site: Site, path: str, **headers: str) -> tuple[int, bytes | None, dict[str, str]]:
    """Status, body and headers; None for a body that was broken off."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {site.keys['root']}", **headers})
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        try:
            return reply.status, reply.read(), found
        except http.client.IncompleteRead:
            return reply.status, None, found
    finally:
        connection.close()


@pytest.mark.parametrize("door", ["native", "nexus"])
def test_a_range_costs_its_pieces_and_is_proven_by_them(site: Site, door: str) -> None:
    if door == "native":
        address = f"/archive/v1/resources/large/instances/1/files/large.bin?project={quote('o/p', safe='')}"
    else:
        payload = b'{"resources":[{"@type":"File","resourceId":"large","path":"large"}]}'
        address = selection(site, payload)
    head = 512 if door == "nexus" else 0
    with LocalArchive(site.folder, parity=False) as archive:
        instance = archive.instance("large", project="o/p")
        place, sha256 = Path(instance.location("large.bin")), instance["large.bin"].digests["sha256"]

    def fetch(start: int, stop: int) -> tuple[int, bytes | None]:
        status, body, _ = request(site, address, Range=f"bytes={head + start}-{head + stop - 1}", Accept="*/*")
        return status, body

    first = (206, block(0)[:100])
    assert fetch(0, 100) == first
    assert fetch(SIZE - 100, SIZE) == (206, block(128)[900:1000])
    with LocalArchive(site.folder, parity=False) as archive:
        assert len(archive.context.pieces.known(sha256) or ()) == 3
    original = place.stat().st_mode
    place.chmod(0o600)
    try:
        flip(place, PIECE + 5)
        # Outside of the damaged piece nothing is noticed: it is not read.
        assert fetch(0, 100) == first
        assert fetch(SIZE - 100, SIZE) == (206, block(128)[900:1000])
        # Inside of it no byte is given out as whole, wherever in it the damage is.
        status, body = fetch(PIECE + (1 << 20), PIECE + (1 << 20) + 100)
        assert status == 500 or body is None
        status, body = fetch(PIECE - 10, PIECE + 10)
        assert status == 500 or body is None
    finally:
        flip(place, PIECE + 5)
        place.chmod(original)
    assert fetch(PIECE + (1 << 20), PIECE + (1 << 20) + 100) == (206, block(65)[:100])


def selection(site: Site, payload: bytes) -> str:
    """Make a selection; the path of its download."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    headers = {"Authorization": f"Bearer {site.keys['root']}", "Content-Type": "application/json", "Accept": "*/*"}
    connection.request("POST", "/v1/archives/o/p", payload, headers)
    reply = connection.getresponse()
    assert reply.status == 303, reply.read()
    reply.read()
    connection.close()
    return urlsplit(reply.headers["Location"]).path


def flip(place: Path, at: int) -> None:
    """Change one bit of a file, or change it back."""
    with place.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_an_audit_learns_the_pieces_of_what_is_there(tmp_path: Path) -> None:
    with LocalArchive.init(tmp_path / "archive", parity=False) as archive:
        with archive.new("large") as transaction:
            transaction.add((block(number) for number in range(65)), "large.bin")
        sha256 = archive.instance("large")["large.bin"].digests["sha256"]
        assert archive.context.pieces.known(sha256) is None
        for _ in range(2):
            assert not [each for each in archive.audit() if each.code.startswith("M1")]
            assert len(archive.context.pieces.known(sha256) or ()) == 2
