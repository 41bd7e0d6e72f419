"""A purge that was decided is finished, by its note or by its tombstone alone, and whoever began it is told so."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.ingest.purge import _entomb, finish_from_tombstones
from muniment.archive.ingest.staging import DELETION, StagingArea, TransactionRecord
from muniment.content.identity import new_uuid
from muniment.content.times import now
from muniment.errors.archive import DiskFull, ResourceNotFound, ResourcePurged
from muniment.testing import faults
from muniment.testing.faults import Fault, Outcome
from tests.crash.scenes import AGENT, open_archive


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    with Archive.init(root, mode="dynamic", agent=AGENT, workers=0) as archive:
        for id in ("gone", "stays"):
            with archive.new(id) as transaction:
                transaction.add(b"content of " + id.encode(), "file")
        assert list(archive) == ["gone", "stays"]
    return root


def purge(root: Path, fault: Fault) -> Outcome:
    def task(counting: faults.Counting) -> None:
        with open_archive(root) as archive, counting():
            archive.purge("gone", "it was asked for")

    return faults.run(task, str(root), fault)


def call_of(root: Path, tmp_path: Path, begin: str) -> int:
    """The number of the first call of a purge that begins so, counted from 1."""
    copy = tmp_path / "counted"
    shutil.copytree(root, copy, symlinks=True)
    calls = purge(copy, Fault()).calls
    return next(number for number, call in enumerate(calls, 1) if call.startswith(begin))


def assert_gone(root: Path) -> None:
    with open_archive(root) as archive:
        assert list(archive) == ["stays"]
        with pytest.raises(ResourcePurged, match="it was asked for"):
            archive.get("gone")
        (event,) = [event for event in archive.events() if event.event == "deletion"]
        assert (event.resource, event.agent) == ("gone", f"{AGENT.name} <{AGENT.address}>")
        assert [finding for finding in archive.audit() if finding.failed] == []
    places = [path for path in root.rglob("*") if path.is_file() and b"content of gone" in path.read_bytes()]
    assert places == [], "the bytes are gone too"


def empty(note: Path) -> None:
    note.write_bytes(b"")


def rotten(note: Path) -> None:
    note.write_bytes(b'{"transaction": 1}')


def no_file(note: Path) -> None:
    note.unlink()
    os.mkfifo(note)


def no_lock(note: Path) -> None:
    note.write_bytes(b"")
    (note.parent / "lock").unlink()
    os.mkfifo(note.parent / "lock")


@pytest.mark.parametrize("spoil", [empty, rotten, no_file, no_lock])
@pytest.mark.parametrize("point", ["rename staging/open", "rmdir objects", "write events"])
def test_without_its_note_the_tombstone_finishes_a_purge(
    root: Path, tmp_path: Path, point: str, spoil: Callable[[Path], None]
) -> None:
    at = call_of(root, tmp_path, point)
    if point.startswith("rename"):
        at = next_rename(root, tmp_path)
    assert purge(root, Fault(at, "kill")).killed
    (note,) = (root / "staging/open").glob("*/transaction.json")
    spoil(note)
    assert_gone(root)


def next_rename(root: Path, tmp_path: Path) -> int:
    """The call that takes the object out of its place."""
    shutil.rmtree(tmp_path / "counted", ignore_errors=True)
    copy = tmp_path / "counted"
    shutil.copytree(root, copy, symlinks=True)
    calls = purge(copy, Fault()).calls
    return next(number for number, call in enumerate(calls, 1) if call.endswith("/purged"))


def test_a_tombstone_that_is_all_that_is_left_of_a_purge_is_named_and_repaired(root: Path, tmp_path: Path) -> None:
    assert purge(root, Fault(call_of(root, tmp_path, "write events"), "kill")).killed
    (left,) = (root / "staging/open").iterdir()
    shutil.rmtree(left)
    with open_archive(root) as archive:
        assert {finding.code for finding in archive.audit() if finding.failed} >= {"M105"}
        assert all(done.repaired for done in archive.repair())
    assert_gone(root)


def test_what_fails_behind_the_tombstone_is_not_said_to_be_undone(root: Path, tmp_path: Path) -> None:
    outcome = purge(root, Fault(call_of(root, tmp_path, "write events"), "once", errno.ENOSPC))
    assert outcome.error == "Unfinished"
    assert "The next opening of the archive goes on with it" in outcome.trace
    assert_gone(root)


def test_what_fails_before_the_tombstone_has_not_happened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DiskFull(path="tombstones")

    monkeypatch.setattr("muniment.archive.ingest.purge._entomb", refuse)
    with open_archive(root) as archive:
        with pytest.raises(DiskFull):
            archive.purge("gone", "it was asked for")
        assert list(archive) == ["gone", "stays"]
        assert os.listdir(archive.context.layout.transactions) == []


def test_the_note_is_on_the_disk_before_the_tombstone_has_its_name(root: Path) -> None:
    calls = purge(root, Fault()).calls
    decided = next(number for number, call in enumerate(calls) if call.startswith("replace tombstones/"))
    before = calls[:decided]
    assert any(call.startswith("fsync") and call.endswith("transaction.json") for call in before)
    assert "fsync staging/open" in before


def test_no_fixed_text_promises_what_nobody_did() -> None:
    assert "undone" not in DiskFull(path="x").message


def test_a_purge_that_somebody_else_is_finishing_is_left_to_them(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert purge(root, Fault(next_rename(root, tmp_path), "kill")).killed
    shutil.rmtree(next((root / "staging/open").iterdir()))

    def taken(*_: object, **__: object) -> StagingArea:
        raise FileExistsError

    with open_archive(root) as archive:
        context = archive._context
        with monkeypatch.context() as patched:
            patched.setattr(StagingArea, "begin", taken)
            assert finish_from_tombstones(context) == []


def test_what_is_purged_already_is_not_purged_twice(root: Path) -> None:
    with open_archive(root) as archive:
        context = archive._context
        record = TransactionRecord(new_uuid(), "main/main", "gone", 1, now(), "a", "b", "why", DELETION)
        _entomb(context, record)
        with pytest.raises(ResourceNotFound):
            _entomb(context, record)
        with pytest.raises(ResourceNotFound):
            _entomb(context, replace(record, id="never there"))
