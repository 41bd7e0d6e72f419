"""What can be asked of an archive, in a folder and behind a server alike."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.archive import Archive as LocalArchive
from muniment.errors.archive import (
    DamagedFile,
    FileNotInInstance,
    LeftoverNotFound,
    NotAllowedInMode,
    ResourcePurged,
    TransactionClosed,
)
from muniment.errors.content import BadTime
from tests.servers.native.running import serving


def snapshot(tree: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in tree.rglob("*") if path.is_file()}


def put(archive: Any, id: str, **files: bytes) -> Any:
    with archive.new(id) as transaction:
        for name, data in files.items():
            transaction.add(data, name)
    return archive.get(id)


def test_a_file_is_read_from_any_offset(archive: Any) -> None:
    data = bytes(range(256)) * 10_000
    found = put(archive, "car", file=data)
    with found.open("file", 1000) as file:
        assert file.read(10) == data[1000:1010]
        assert file.read() == data[1010:]
    with found.open("file") as file:
        assert file.read(3) == data[:3]
    with found.open("file", len(data)) as file:
        assert file.read() == b""
    with pytest.raises(FileNotInInstance):
        found.open("other")


def test_what_is_said_about_an_instance_is_kept(archive: Any) -> None:
    with archive.new("car") as transaction:
        transaction.metadata["title"] = "Auto"
        transaction.metadata["deep"] = {"list": [1, 2.5, None, "ü"]}
        transaction.provenance.append({"from": "elsewhere"})
        transaction.add(b"1", "one")
    found = archive.get("car")
    assert found.metadata == {"title": "Auto", "deep": {"list": [1, 2.5, None, "ü"]}}
    assert found.provenance == [{"from": "elsewhere"}]


def test_events_come_in_order_and_only_later_ones(archive: Any) -> None:
    put(archive, "one", file=b"1")
    middle = list(archive.events())[-1]
    time.sleep(0.01)
    moment = time.time()
    put(archive, "two", file=b"2")
    every = list(archive.events())
    assert [event.seq for event in every] == list(range(1, len(every) + 1))
    later = [event for event in every if event.seq > middle.seq]
    assert later[0].resource == "two"
    assert [event.seq for event in archive.events(middle.seq)] == [event.seq for event in later]
    assert [event.seq for event in archive.events(middle.timestamp)] == [event.seq for event in later]
    assert [event.seq for event in archive.events(moment)] == [event.seq for event in later]
    with pytest.raises(BadTime):
        list(archive.events("yesterday"))


def test_the_log_can_be_followed(archive: Any) -> None:
    put(archive, "one", file=b"1")
    following = archive.events(0, live=True)
    known = [next(following).seq for _ in archive.events()]
    put(archive, "two", file=b"2")
    assert next(following).resource == "two"
    assert known == list(range(1, len(known) + 1))
    following.close()


def test_lists_come_in_pages_without_gaps(archive: Any) -> None:
    for number in range(25):
        put(archive, f"r{number:02}", file=b"1")
    assert list(archive) == [f"r{number:02}" for number in range(25)]
    assert [item.id for item in archive.resources(after="r20", limit=3)] == ["r21", "r22", "r23"]
    assert [item.id for item in archive.resources(after="r20", limit=2, skip=2)] == ["r23", "r24"]
    assert [item.id for item in archive.resources(after="r20", skip=3)] == ["r24"]
    assert archive.count() == 25


def test_an_audit_finds_a_flipped_byte(archive: Any, tmp_path: Path) -> None:
    put(archive, "car", file=b"hello world")
    assert list(archive.audit()) == []
    stored = [path for name in ("objects", "keys") for path in (tmp_path / "archive" / name).rglob("file")]
    for path in stored:
        path.chmod(0o644)
        path.write_bytes(b"hello World")
    found = list(archive.audit("car"))
    assert [item.where.rpartition("/")[2] for item in found if item.failed] == ["file"]
    with pytest.raises(DamagedFile):
        archive.get("car").read("file")


def test_only_a_dynamic_archive_is_purged(archive: Any) -> None:
    put(archive, "car", file=b"1")
    with pytest.raises(NotAllowedInMode):
        archive.purge("car", "because")


def test_a_transaction_can_be_left_and_resumed(archive: Any) -> None:
    transaction = archive.new("car")
    transaction.add(b"1", "one")
    transaction.metadata["title"] = "Auto"
    transaction.leave()
    again = archive.resume(transaction.transaction)
    assert list(again) == ["one"]
    again.add(b"2", "two")
    done = again.commit()
    assert list(done) == ["one", "two"]
    assert done.metadata == {"title": "Auto"}
    with pytest.raises(LeftoverNotFound):
        archive.resume(transaction.transaction)


def test_prepared_transactions_wait_for_their_decision(archive: Any) -> None:
    group = "01a1fd6a-5dd9-7796-a45c-03a5a3599d2a"
    transaction = archive.new("car")
    transaction.add(b"1", "one")
    transaction.prepare(group, archive.config.id)
    with pytest.raises(TransactionClosed):
        transaction.add(b"2", "two")
    assert archive.decision(group) is None
    archive.decide(group, [{"archive": archive.config.id, "transaction": transaction.transaction}])
    assert archive.decision(group)["parts"][0]["transaction"] == transaction.transaction
    transaction.commit()
    archive.forget(group)
    assert archive.decision(group) is None
    assert list(archive) == ["car"]


def test_a_purged_resource_says_so(tmp_path: Path) -> None:
    dynamic = {"mode": "dynamic"}
    with serving(tmp_path / "archive", init=dynamic) as server, Archive(server.url, key=server.key) as found:
        put(found, "car", file=b"1")
        event = found.purge("car", "asked by the owner")
        assert (event.event, event.resource) == ("deletion", "car")
        with pytest.raises(ResourcePurged, match="asked by the owner"):
            found.get("car")
        with pytest.raises(ResourcePurged):
            found.new("car")


def test_what_a_server_stored_is_a_valid_archive(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    with serving(place) as server, Archive(server.url, key=server.key) as found:
        put(found, "car", one=b"1", two=b"2")
    with LocalArchive(place, workers=0) as local:
        assert list(local.audit()) == []
        assert local.get("car").agent["name"] == "keeper"
