"""Many small files: few requests for whoever reads them in order, and each checked all the same."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muniment import Archive
from muniment.errors.archive import DamagedFile
from muniment.errors.base import MunimentError
from muniment.errors.remote import TransferCut
from tests.servers.native.running import Running, serving

COUNT = 700
BATCH = "/archive/v1/resources/many/instances/1/read"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "archive") as running, Archive(running.url, key=running.key) as archive:
        with archive.new("many") as transaction:
            for number in range(COUNT):
                transaction.add(f"content {number}".encode(), f"folder é/{number:04}")
            transaction.add(bytes(1 << 20), "folder é/0350 large")
        yield running


def contents(found: Any) -> dict[str, bytes]:
    read = {}
    for path in found:
        with found.open(path) as file:
            read[path] = file.read()
    return read


def asked(server: Running, method: str, path: str, given: Any = None) -> tuple[int, bytes]:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if given is None else json.dumps(given), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def requests(server: Running, route: str) -> int:
    text = asked(server, "GET", "/metrics")[1].decode()
    return sum(int(float(count)) for count in re.findall(rf'http_requests_total{{.*route="{route}".*}} (\S+)', text))


def test_files_read_in_order_come_many_at_a_time(server: Running) -> None:
    with Archive(server.url, key=server.key) as archive:
        read = contents(archive.get("many"))
    assert read["folder é/0350 large"] == bytes(1 << 20)
    assert [read[f"folder é/{number:04}"] for number in range(COUNT)] == [
        f"content {number}".encode() for number in range(COUNT)
    ]
    assert 1 <= requests(server, "read_files") <= 4
    assert requests(server, "read_file") <= 4


def test_files_read_in_any_other_order_are_the_same(server: Running) -> None:
    with Archive(server.url, key=server.key) as archive:
        found = archive.get("many")
        for number in (5, 6, 7, 3, 4, 699, 0, 1, 5, 6):
            assert found.read(f"folder é/{number:04}") == f"content {number}".encode()


def test_a_damaged_file_among_many_is_named_and_the_others_come(server: Running) -> None:
    (stored,) = (server.place / "objects").rglob("0005")
    stored.chmod(0o644)
    stored.write_bytes(b"CONTENT 5")
    with Archive(server.url, key=server.key) as archive:
        found = archive.get("many")
        first = list(found)[:20]
        assert any(path.endswith("0005") for path in first)
        for path in first:
            if path.endswith("0005"):
                with pytest.raises(MunimentError) as told:
                    found.read(path)
                assert isinstance(told.value, DamagedFile | TransferCut), told.value
            else:
                assert found.read(path) == f"content {int(path[-4:])}".encode()


def test_after_a_damaged_file_the_others_of_its_run_are_asked_for_once(server: Running) -> None:
    (stored,) = (server.place / "objects").rglob("0040")
    stored.chmod(0o644)
    stored.write_bytes(b"CONTENT 40")
    with Archive(server.url, key=server.key) as archive:
        found = archive.get("many")
        for path in list(found)[:40]:
            assert found.read(path) == f"content {int(path[-4:])}".encode()
    assert requests(server, "read_files") == 1


def test_a_stranger_learns_nothing_from_a_list_that_cannot_be_read(server: Running) -> None:
    place = "/archive/v1/resources/many/instances/1"
    assert asked(server, "GET", f"{place}/inventory?project=main/main")[0] == 200
    for stored in (server.place / "objects").rglob("files.jsonl"):
        stored.chmod(0o644)
        stored.write_bytes(b"damaged")
    stranger = Running(server.url, server.place, "mun_nobody")
    code, body = asked(stranger, "GET", f"{place}/files/x?project=main/main")
    assert (code, b"jsonl" in body) == (401, False)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"paths": ["folder é/0001", "none"]}, 404),
        ({"paths": ["../../etc/passwd"]}, 422),
        ({"paths": ["/etc/passwd"]}, 422),
        ({"paths": ["folder é/0001\u0000"]}, 422),
        ({"paths": []}, 422),
        ({"paths": ["x"] * 1001}, 422),
        ({"paths": ["folder é/0350 large"] * 9}, 422),
        ({"paths": "folder é/0001"}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_what_cannot_be_given_is_refused(server: Running, given: Any, status: int) -> None:
    code, body = asked(server, "POST", BATCH, given)
    assert code == status, body
    assert json.loads(body)["status"] == status


def test_the_answer_is_a_line_and_the_bytes(server: Running) -> None:
    code, body = asked(server, "POST", BATCH, {"paths": ["folder é/0002", "folder é/0001"]})
    line, _, rest = body.partition(b"\n")
    assert code == 200
    assert [record["path"] for record in json.loads(line)] == ["folder é/0002", "folder é/0001"]
    assert rest == b"content 2content 1"
