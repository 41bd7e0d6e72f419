"""What is undone when a commit fails, what cannot be, and that nothing undone comes back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.content.identity import new_uuid
from muniment.errors.archive import WriteFailed

REAL_FSYNC = os.fsync


@contextmanager
def unable_to_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A line is written to the log and cannot be synced; it is taken back."""

    def fails(descriptor: int, *_: object) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(".jsonl"):
            raise OSError(5, "Input/output error")
        REAL_FSYNC(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("muniment.archive.eventlog.log.os.fsync", fails)
        yield


@contextmanager
def unable_to_log_for_good(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A line is written to the log, but can be neither synced nor taken back."""

    def fails(descriptor: int, *_: object) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(".jsonl"):
            raise OSError(5, "Input/output error")
        REAL_FSYNC(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("muniment.archive.eventlog.log.os.fsync", fails)
        patch.setattr("muniment.archive.eventlog.log.os.ftruncate", fails)
        yield


@contextmanager
def unable_to_clear(archive: Archive) -> Iterator[None]:
    """A transaction's folder cannot be moved away: what it would go to is no folder."""
    scratch = archive.path / "staging" / "scratch"
    scratch.rename(scratch.with_name("aside"))
    scratch.write_bytes(b"")
    try:
        yield
    finally:
        scratch.unlink()
        scratch.with_name("aside").rename(scratch)


def first(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(b"one", "a")


def ingestions(archive: Archive) -> list[int]:
    return [event.instance for event in archive.events() if event.event == "ingestion"]


def test_what_its_caller_was_told_had_failed_is_never_published_later(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    first(archive)
    transaction = archive.get("r", "a")
    transaction.add(b"two", "b")
    with unable_to_log(monkeypatch), unable_to_clear(archive), pytest.raises(WriteFailed):
        transaction.commit()
    assert archive.get("r").number == 1
    with Archive(archive.path, workers=0) as again:
        assert again.recovered == []
        assert again.get("r").number == 1
        assert {finding.code for finding in again.audit()} <= {"M501"}


def test_a_version_stays_whose_event_cannot_be_taken_back(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    first(archive)
    transaction = archive.get("r", "a")
    transaction.add(b"two", "b")
    with unable_to_log_for_good(monkeypatch), pytest.raises(WriteFailed):
        transaction.commit()
    assert archive.get("r").number == 2
    with Archive(archive.path, workers=0) as again:
        assert ingestions(again) == [1, 2]
        assert list(again.audit()) == []


def test_a_replay_that_failed_can_be_done_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    first(archive)
    transaction = archive.get("r", "a")
    transaction.add(b"two", "b")
    transaction.leave()
    with unable_to_log(monkeypatch), pytest.raises(WriteFailed):
        archive.replay(transaction.transaction)
    with Archive(archive.path, workers=0) as again:
        assert again.recovered == []
        assert [left.transaction for left in again.leftovers()] == [transaction.transaction]
        assert again.replay(transaction.transaction).read("b") == b"two"
        assert ingestions(again) == [1, 2]
        assert list(again.audit()) == []


def test_what_could_not_be_prepared_can_be_committed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path, **_: object) -> None:
        raise WriteFailed(path=path, reason="no promise can be made")

    transaction = archive.new("r")
    transaction.add(b"one", "a")
    with monkeypatch.context() as patch:
        patch.setattr("muniment.archive.ingest.commit.sync_trees", refuses)
        with pytest.raises(WriteFailed):
            transaction.prepare(new_uuid(), "another archive")
    assert transaction.commit().read("a") == b"one"
    assert list(archive.audit()) == []


def test_a_link_that_took_a_files_place_has_it_in_a_replay_too(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").symlink_to("b")
    with archive.new("r") as transaction:
        transaction.add(b"one", "a")
        transaction.add(b"kept", "c")
    transaction = archive.get("r", "a")
    transaction.add(tmp_path / "folder")
    transaction.leave()
    replayed = archive.replay(transaction.transaction)
    assert list(replayed) == ["c"]
    assert replayed.record["links"] == {"a": "b"}


def test_a_file_that_was_stored_and_never_noted_is_not_published(archive: Archive) -> None:
    transaction = archive.new("thing")
    transaction.add(b"1", "one")
    transaction.park(lease=60.0)
    content = next((archive.path / "staging" / "open").glob("*/build/**/content"))
    (content / "data" / "deep").mkdir()
    (content / "data" / "deep" / "two").write_bytes(b"of a process that was killed here")
    taken_up = archive.resume(transaction.transaction)
    taken_up.add(b"2", "deep/two")
    taken_up.commit()
    assert archive.get("thing").read("deep/two") == b"2"
    assert [finding.code for finding in archive.audit()] == []
