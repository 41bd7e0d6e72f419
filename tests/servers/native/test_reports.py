"""The preservation metadata of a resource over HTTP: to whom it is told, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from muniment import Archive
from muniment.errors.base import MunimentError
from muniment.errors.remote import TransferCut
from tests.servers.native.running import Running, serving
from tests.timing import eventually

P = "{http://www.loc.gov/premis/v3}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "archive", init={"mode": "dynamic"}) as running:
        with Archive(running.url, key=running.key) as archive:
            with archive.new("letters") as transaction:
                transaction.add(b"hello", "one.txt")
            list(archive.audit())
        yield running


def premis(server: Running, key: str, id: str = "letters") -> ET.Element:
    written: list[bytes] = []
    with Archive(server.url, key=key) as archive:
        archive.premis(id, written.append)
    return ET.fromstring(b"".join(written))


def texts(found: ET.Element, name: str) -> list[str | None]:
    return [each.text for each in found.iter(f"{P}{name}")]


def test_an_administrator_is_told_who_may_do_what_and_of_checks_of_the_whole(server: Running) -> None:
    found = premis(server, server.key)
    assert texts(found, "rightsGrantedNote") == ["to keys/users/keeper"]
    assert texts(found, "eventType") == ["ingestion", "fixity check"]


def test_who_may_read_one_project_is_told_of_nobody_and_of_nothing_beyond(server: Running) -> None:
    key = server.new_key("reader", _main_main={"resources/read", "events/read"})
    found = premis(server, key)
    assert texts(found, "rightsGrantedNote") == []
    assert texts(found, "eventType") == ["ingestion"]


@pytest.mark.parametrize("rights", [{"resources/read"}, {"events/read"}])
def test_who_may_not_read_both_resources_and_events_is_refused(server: Running, rights: set[str]) -> None:
    key = server.new_key("half", _main_main=rights)
    with pytest.raises(MunimentError) as refused:
        premis(server, key)
    assert refused.value.http_status in {403, 404}


def test_of_a_purged_resource_the_events_are_told(server: Running) -> None:
    with Archive(server.url, key=server.key) as archive:
        archive.purge("letters", "on request")
    assert "deletion" in texts(premis(server, server.key), "eventType")


def test_a_damaged_record_breaks_the_document_off(server: Running) -> None:
    (record,) = (server.place / "objects").rglob("files.jsonl")
    record.chmod(0o644)
    record.write_bytes(record.read_bytes().replace(b"one", b"two"))
    with pytest.raises((TransferCut, MunimentError)):
        premis(server, server.key)


def get(server: Running, key: str, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.request(method, f"{server.url}archive/v1/{path}", headers=headers, timeout=30)
    return answer.status_code, answer.json()


def test_a_report_is_computed_by_a_job_and_then_answered_at_once_by_project_and_whole(server: Running) -> None:
    missing, problem = get(server, server.key, "reports/ndsa")
    assert (missing, "not computed" in problem["detail"]) == (404, True)
    for kind in ("ndsa", "formats"):
        status, job = get(server, server.key, f"reports/{kind}", "POST")
        assert status == 202
        place = f"jobs/{job['id']}"
        eventually(lambda: get(server, server.key, place)[1]["state"] == "done", every=0.1)  # noqa: B023 - asked here
    for query in ("", "?project=main/main"):
        _, found = get(server, server.key, f"reports/ndsa{query}")
        cells = {(area["area"], each["level"]) for area in found["report"]["areas"] for each in area["criteria"]}
        assert len(cells) == 20
        assert all(each["fact"] for area in found["report"]["areas"] for each in area["criteria"])
        assert found["made"].endswith("Z")
    _, found = get(server, server.key, "reports/formats?project=main/main")
    assert found["report"]["not identified"] == 1


def test_levels_are_told_to_administrators_and_formats_to_readers_of_the_project(server: Running) -> None:
    key = server.new_key("reader", _main_main={"resources/read"})
    assert get(server, key, "reports/ndsa?project=main/main")[0] == 403
    assert get(server, key, "reports/formats")[0] == 403
    assert get(server, key, "reports/formats?project=main/main")[0] == 404
    assert get(server, key, "reports/formats", "POST")[0] == 403
    assert get(server, server.key, "reports/nothing")[0] == 422
