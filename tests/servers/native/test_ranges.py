"""Ranges of a large file: each is proven by the pieces of 64 MiB it lies in, and by no more of the file."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import quote, urlsplit

import pytest

from muniment.archive import Archive as LocalArchive
from muniment.archive.copying.copier import FEW
from muniment.content.archive import PackageForm
from muniment.content.pieces import PIECE
from muniment.layouts.streams.segments import Framing, Slice
from muniment.workflows.export import plan_package
from tests.acceptance.nexus.site import Site
from tests.timing import eventually

SIZE = 2 * PIECE + 1000


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


def request(
    site: Site, path: str, *, method: str = "GET", body: object = None, **headers: str
) -> tuple[int, bytes | None, dict[str, str]]:
    """Status, body and headers; None for a body that was broken off."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {site.keys['root']}", **named})  # type: ignore[arg-type] # what it takes is not written down
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        try:
            return reply.status, reply.read(), found
        except http.client.IncompleteRead:
            return reply.status, None, found
    finally:
        connection.close()


@pytest.mark.parametrize(
    "door", ["native", "nexus tar", "nexus zip", "bag tar", "bag zip", "ocfl tar", "instances zip"]
)
def test_a_range_costs_its_pieces_and_is_proven_by_them(site: Site, door: str) -> None:
    # Nobody has read the file since it came: what is known of its pieces was found then.
    with LocalArchive(site.folder, parity=False) as archive:
        instance = archive.instance("large", project="o/p")
        place, sha256 = Path(instance.location("large.bin")), instance["large.bin"].digests["sha256"]
        assert len(archive.context.pieces.known(sha256) or ()) == 3
        address, accept, head = asked(site, archive, door)

    def fetch(start: int, stop: int) -> tuple[int, bytes | None]:
        status, body, _ = request(site, address, Range=f"bytes={head + start}-{head + stop - 1}", Accept=accept)
        return status, body

    first = (206, block(0)[:100])
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


def asked(site: Site, archive: LocalArchive, door: str) -> tuple[str, str, int]:
    """Where a door has the file, which media type is asked for, and the bytes before the file's first."""
    project = f"project={quote('o/p', safe='')}"
    if door == "native":
        return f"/archive/v1/resources/large/instances/1/files/large.bin?{project}", "*/*", 0
    kind, form = door.split()
    if kind == "nexus":
        payload = b'{"resources":[{"@type":"File","resourceId":"large","path":"large"}]}'
        media = {"tar": "application/x-tar", "zip": "application/zip"}[form]
        # A local header, the name, and the extended timestamp; or one block.
        return selection(site, payload), media, 512 if form == "tar" else 30 + len("large/large.bin") + 9
    plan = plan_package(archive, "large", kind, project="o/p", form=cast("PackageForm", form))
    head = 0
    for part in plan.segments():
        if isinstance(part, Slice) and part.member.size == SIZE:
            break
        head += len(part.data) if isinstance(part, Framing) else part.member.size
    return f"/archive/v1/resources/large/export?layout={kind}&form={form}&{project}", "*/*", head


@pytest.mark.parametrize("way", ["file", "files", "stream", "put", "upload"])
def test_the_pieces_are_found_whichever_way_a_file_comes_in(site: Site, tmp_path: Path, way: str) -> None:
    data = b"".join(block(number) for number in range(65)) + way.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    transactions = "/archive/v1/transactions"
    if way in {"put", "upload"}:
        given = json.dumps({"id": way, "project": "o/p"}).encode()
        status, body, _ = request(site, transactions, method="POST", body=given, Content_Type="application/json")
        assert status == 201
        at = f"{transactions}/{json.loads(body or b'')['transaction']}"
        if way == "put":
            assert request(site, f"{at}/files/large.bin", method="PUT", body=data)[0] == 201
        else:
            asks = json.dumps({"path": "large.bin"}).encode()
            begun = request(site, f"{at}/uploads", method="POST", body=asks, Content_Type="application/json")[1]
            upload = f"{at}/uploads/{json.loads(begun or b'')['upload']}"
            for start in range(0, len(data), 40 << 20):
                piece = data[start : start + (40 << 20)]
                assert request(site, upload, method="PATCH", body=piece, Upload_Offset=str(start))[0] == 204
            finished = request(site, upload, method="POST", body=b"{}", Content_Type="application/json")
            assert finished[0] == 201
            assert finished[2]["repr-digest"].endswith(f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:")
        assert request(site, f"{at}/commit", method="POST")[0] == 200
    with LocalArchive(site.folder, parity=False) as archive:
        if way in {"file", "files", "stream"}:
            (tmp_path / "large.bin").write_bytes(data)
            for number in range(FEW if way == "files" else 0):
                (tmp_path / f"{number}").write_bytes(str(number).encode())
            with archive.new(way, "o/p") as transaction:
                if way == "stream":
                    transaction.add(iter([data]), "large.bin")
                else:
                    transaction.add(tmp_path if way == "files" else tmp_path / "large.bin")
        expected = (hashlib.sha256(data[: 64 << 20]).hexdigest(), hashlib.sha256(data[64 << 20 :]).hexdigest())
        assert archive.context.pieces.known(sha256) == expected


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_the_digests_of_an_export_are_exact(site: Site, form: str) -> None:
    with LocalArchive(site.folder, parity=False) as archive, archive.new(f"small {form}", "o/p") as transaction:
        transaction.add(b"0123456789", "file.txt")
    address = f"/archive/v1/resources/small%20{form}/export?form={form}&project={quote('o/p', safe='')}"
    whole = request(site, address, Want_Repr_Digest="sha-256=1")
    digest = base64.b64encode(hashlib.sha256(whole[1] or b"").digest()).decode()
    assert whole[2]["repr-digest"] == whole[2]["content-digest"] == f"sha-256=:{digest}:"
    part = request(site, address, Range="bytes=100-199")
    assert (part[0], part[2]["repr-digest"]) == (206, f"sha-256=:{digest}:")
    assert (part[1], "content-digest" in part[2]) == ((whole[1] or b"")[100:200], False)


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
        archive.context.layout.pieces.unlink()
        assert archive.context.pieces.known(sha256) is None
        for _ in range(2):
            assert not [each for each in archive.audit() if each.code.startswith("M1")]
            assert len(archive.context.pieces.known(sha256) or ()) == 2
