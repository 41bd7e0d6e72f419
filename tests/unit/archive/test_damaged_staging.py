"""A damaged record in the staging area stops nobody, and nothing is committed by its word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.ingest.staging import StagingArea
from muniment.content.identity import new_uuid
from muniment.errors.archive import DamagedRecord, LeftoverNotFound

JUNK = [
    b"",
    b"\0" * 100 + b"\n",
    b"not json\n",
    b"[]\n",
    b"{}\n",
    b'{"add":5}\n',
    b'{"add":"x"}\n',
    b"\xff\xfe\n",
    b'{"inventory":5}\n',
    b"[" * 5000 + b"\n",
    b'{"delete":[]}\n',
    b'{"metadata":5,"provenance":5}\n',
    b'{"links":3,"folders":4}\n',
    b'{"parts":5}\n',
]
NO_LINES = [
    each for each in JUNK if each.endswith(b"\n") and not each.startswith((b"{}", b"[]", b'{"inventory', b'{"parts'))
]
"""What a journal may not hold; the others say nothing that it knows, and are passed over."""
IDS = [repr(each)[:30] for each in JUNK]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", workers=0, redundancy=0) as found:
        yield found


def left(archive: Archive) -> tuple[str, Path]:
    transaction = archive.new("r")
    transaction.add(b"x", "file")
    transaction.leave()
    return transaction.transaction, archive.path / "staging" / "open" / transaction.transaction


@pytest.mark.parametrize("junk", NO_LINES)
def test_a_line_that_says_what_cannot_be_is_damage_or_nothing(archive: Archive, junk: bytes) -> None:
    transaction, folder = left(archive)
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + junk)
    for attempt in (archive.replay, archive.resume):
        with pytest.raises((DamagedRecord, LeftoverNotFound)):
            attempt(transaction)
        archive.recover()
    for item in archive.leftovers():
        archive.roll_back(item.transaction)
    assert list(archive) == []
    assert archive.leftovers() == []


@pytest.mark.parametrize("junk", JUNK, ids=IDS)
def test_a_decision_that_cannot_be_read_commits_nothing_and_waits(archive: Archive, junk: bytes) -> None:
    group, transaction = new_uuid(), archive.new("r")
    transaction.add(b"x", "file")
    transaction.prepare(group, archive.config.id)
    transaction.leave()
    archive.decide(group, [])
    assert [(item.group, item.decided_at) for item in archive.leftovers()] == [(group, archive.config.id)]
    (archive.path / "staging" / "groups" / f"{group}.json").write_bytes(junk)
    archive.recover()
    with pytest.raises(DamagedRecord):
        archive.decision(group)
    assert "r" not in archive
    assert [item.transaction for item in archive.leftovers()] == [transaction.transaction]


@pytest.mark.parametrize("name", ["lease", "seal.json", "journal.jsonl", "transaction.json"])
def test_a_pipe_in_the_place_of_a_record_makes_nobody_wait(archive: Archive, name: str) -> None:
    transaction, folder = left(archive)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    archive.recover()
    archive.leftovers()
    for attempt in (archive.roll_back, archive.resume):
        try:
            attempt(transaction)
        except (LeftoverNotFound, DamagedRecord):
            continue
        break
    assert list(archive) == []


def test_a_lease_that_is_no_time_is_none(archive: Archive) -> None:
    _, folder = left(archive)
    (folder / "lease").write_bytes(b"until the cows come home")
    archive.recover()
    assert len(archive.leftovers()) == 1


def test_a_transaction_whose_note_cannot_be_read_goes_to_quarantine_and_the_log_says_so(archive: Archive) -> None:
    transaction, folder = left(archive)
    (folder / "transaction.json").write_bytes(b"?")
    archive.recover()
    assert archive.leftovers() == []
    assert not folder.exists()
    assert (archive.path / "staging/quarantine" / transaction / "journal.jsonl").is_file()
    (event,) = (event for event in archive.events() if event.event == "quarantine")
    assert (event.agent, event.resource, event.instance) == ("muniment", "", 0)
    assert event.detail["quarantine"] == transaction
    assert "transaction.json" in event.detail["note"]


def test_a_version_that_was_sealed_whole_is_published(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("muniment.archive.ingest.transaction.publish", die)
    monkeypatch.setattr("muniment.archive.ingest.transaction.abandon", StagingArea.release)
    transaction = archive.new("r")
    transaction.add(b"x", "file")
    with pytest.raises(KeyboardInterrupt):
        transaction.commit()
    assert not archive.exists("r")
    [event] = archive.recover()
    assert (event.event, event.detail["note"]) == ("recovery", "a complete instance was published")
    assert archive.get("r").read("file") == b"x"
    assert not (archive.path / "staging" / "quarantine").exists() or not os.listdir(
        archive.path / "staging" / "quarantine"
    )
