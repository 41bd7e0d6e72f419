"""The preservation metadata of a resource over HTTP: to whom it is told, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from muniment import Archive
from muniment.errors.base import MunimentError
from muniment.errors.remote import TransferCut
from tests.servers.native.running import Running, serving

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
