"""ArchivesSpace as its client meets it: case, locks, ended sessions, refusals, and fields that vanish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.errors.catalogues import (
    AmbiguousInCatalogue,
    CatalogueRefused,
    CatalogueRefusedUser,
    CatalogueUnreachable,
    FieldsLost,
    NotInCatalogue,
    RecordBusy,
)
from muniment.session import Guard, Session
from muniment.testing.clock import FakeClock
from muniment.testing.servers.archivesspace import ArchivesSpaceServer


@pytest.fixture
def server() -> Iterator[ArchivesSpaceServer]:
    with ArchivesSpaceServer() as running:
        yield running
    assert running.dropped == [], "the client sends what ArchivesSpace does not know, and would lose it silently"


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock(), attempts=3) as made:
        yield made


def client(server: ArchivesSpaceServer, session: Session, **given: str) -> ArchivesSpace:
    known = {"user": "admin", "password": "secret word", "repository": "ARCH", **given}
    return ArchivesSpace(session, server.url, **known)


def digital_object(**more: Any) -> dict[str, Any]:
    return {"title": "Annual meetings", "digital_object_id": "HBF_001_05", **more}


def test_it_signs_in_once_and_finds_its_repository_by_code(server: ArchivesSpaceServer, session: Session) -> None:
    found = client(server, session)
    assert found.repository == "/repositories/2"
    found.enumeration("container_type")
    assert len(server.asked("/login")) == 1
    with pytest.raises(NotInCatalogue, match="OTHER"):
        _ = client(server, session, repository="OTHER").repository


def test_a_wrong_password_is_told_and_never_shown(server: ArchivesSpaceServer, session: Session) -> None:
    with pytest.raises(CatalogueRefusedUser) as caught:
        _ = client(server, session, password="hunter2 hunter2").repository
    assert "hunter2" not in str(caught.value)


def test_an_ended_session_is_begun_again(server: ArchivesSpaceServer, session: Session) -> None:
    found = client(server, session)
    assert found.repository
    server.sessions.clear()
    assert found.enumeration("container_type") == {"box", "Tape"}
    assert len(server.asked("/login")) == 2


def test_ids_are_compared_letter_for_letter(server: ArchivesSpaceServer, session: Session) -> None:
    server.put("resources", id_0="HBF", title="The collection")
    assert client(server, session).collection("HBF").record["title"] == "The collection"
    with pytest.raises(NotInCatalogue, match="Near it: HBF"):
        client(server, session).collection("hbf")


def test_there_must_be_exactly_one_archival_object(server: ArchivesSpaceServer, session: Session) -> None:
    found = client(server, session)
    with pytest.raises(NotInCatalogue):
        found.archival_object("HBF_001_05")
    uri = server.put("archival_objects", component_id="HBF_001_05", title="x")
    server.put("archival_objects", component_id="hbf_001_05", title="another")
    assert found.archival_object("HBF_001_05").uri == uri
    server.put("archival_objects", component_id="HBF_001_05", title="twice")
    with pytest.raises(AmbiguousInCatalogue, match=uri):
        found.archival_object("HBF_001_05")


def test_top_containers_are_found_by_indicator_and_type(server: ArchivesSpaceServer, session: Session) -> None:
    server.put("top_containers", indicator="20260101_01", type="box")
    tape = server.put("top_containers", indicator="20260101_01", type="Tape")
    assert [each.uri for each in client(server, session).top_containers("20260101_01", "Tape")] == [tape]


def test_what_is_made_is_read_back(server: ArchivesSpaceServer, session: Session) -> None:
    version = {"file_uri": "s3://bucket/key", "checksum": "0" * 32, "checksum_method": "md5", "file_size_bytes": 5}
    made = client(server, session).create("digital_objects", digital_object(file_versions=[version]))
    assert server.records[made.uri]["file_versions"][0]["file_uri"] == "s3://bucket/key"
    with pytest.raises(CatalogueRefused, match="Must be unique"):
        client(server, session).create("digital_objects", digital_object())


def test_a_field_the_server_drops_is_noticed(server: ArchivesSpaceServer, session: Session) -> None:
    with pytest.raises(FieldsLost, match="digital_object_kind"):
        client(server, session).create("digital_objects", digital_object(digital_object_kind="still"))
    version = {"file_uri": "s3://bucket/key", "checksums": "0"}
    with pytest.raises(FieldsLost, match=r"file_versions/0\.checksums"):
        client(server, session).create(
            "digital_objects", digital_object(digital_object_id="other", file_versions=[version])
        )
    assert server.dropped
    server.dropped.clear()


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"title": "x"}, "digital_object_id: Property is required"),
        (digital_object(file_versions=[{"caption": "x"}]), "file_versions/0/file_uri"),
        (digital_object(file_versions=[{"file_uri": "x", "file_format_name": "BMP"}]), "Invalid value 'BMP'"),
        (digital_object(instances=[{"ref": "/repositories/2/resources/999"}]), "non-existent record"),
    ],
)
def test_refusals_name_the_field(
    server: ArchivesSpaceServer, session: Session, record: dict[str, Any], told: str
) -> None:
    with pytest.raises(CatalogueRefused, match=told):
        client(server, session).create("digital_objects", record)


def test_a_change_by_somebody_else_is_kept(server: ArchivesSpaceServer, session: Session) -> None:
    uri = server.put("archival_objects", component_id="a", title="of old", instances=[])
    calls: list[str] = []

    def merge(record: dict[str, Any]) -> dict[str, Any]:
        if not calls:
            server.edit(uri, title="by staff")
        calls.append(record["title"])
        return {**record, "level": "file"}

    client(server, session).update(uri, merge)
    assert calls == ["of old", "by staff"]
    assert (server.records[uri]["title"], server.records[uri]["level"]) == ("by staff", "file")


def test_a_record_that_others_never_let_go_of_is_given_up(server: ArchivesSpaceServer, session: Session) -> None:
    uri = server.put("archival_objects", component_id="a", title="x")

    def merge(record: dict[str, Any]) -> dict[str, Any]:
        server.edit(uri, title=record["title"] + "x")
        return {**record, "level": "file"}

    with pytest.raises(RecordBusy):
        client(server, session).update(uri, merge)


def test_nothing_is_written_where_nothing_changes(server: ArchivesSpaceServer, session: Session) -> None:
    uri = server.put("archival_objects", component_id="a", title="x")
    client(server, session).update(uri, lambda record: record)
    assert server.writes == []


def test_a_server_that_fails_for_a_while_is_asked_again(server: ArchivesSpaceServer, session: Session) -> None:
    server.put("resources", id_0="HBF", title="x")
    server.fail("find_by_id", times=2, status=503)
    assert client(server, session).collection("HBF").record["title"] == "x"
    server.fail("find_by_id", times=50, status=500, body=b'{"error": "NoMethodError: backtrace"}')
    with pytest.raises(CatalogueUnreachable) as caught:
        client(server, session).collection("HBF")
    assert caught.value.outage
