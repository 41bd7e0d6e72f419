"""Projects, the log, and purging."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.eventlog.log import EventLog
from muniment.content.events import Event
from muniment.errors.archive import AmbiguousId, NotAllowedInMode, ReasonNeeded, ResourcePurged, WriteFailed
from muniment.errors.base import Conflict
from muniment.errors.content import BadTime
from tests.crash.scenes import AGENT


def add(archive: Archive, id: str, data: bytes = b"x", project: str | None = None) -> None:
    with archive.new(id, project) as transaction:
        transaction.add(data, "a.txt")


def test_one_id_in_two_projects_is_two_resources(archive: Archive) -> None:
    add(archive, "r", b"one", "a/one")
    add(archive, "r", b"two", "b/two")
    assert archive.projects() == ["a/one", "b/two"]
    assert archive.get("r", project="a/one").read("a.txt") == b"one"
    assert archive.get("r", project="b/two").read("a.txt") == b"two"
    with pytest.raises(AmbiguousId):
        archive.get("r")


def test_events_come_after_a_number_a_time_and_a_unix_time(archive: Archive) -> None:
    add(archive, "before")
    time.sleep(0.01)
    between = time.time()
    time.sleep(0.01)
    add(archive, "after")
    numbered = list(archive.events())
    assert [event.seq for event in numbered] == [1, 2, 3]
    assert [event.event for event in numbered] == ["creation", "ingestion", "ingestion"]
    moment = datetime.fromtimestamp(between, UTC)
    for start in (2, "2", between, str(between), moment, moment.isoformat()):
        assert [event.resource for event in archive.events(start)] == ["after"]
    assert list(archive.events(3)) == []
    with pytest.raises(BadTime):
        list(archive.events("yesterday-ish"))


def test_a_torn_last_line_is_ignored_then_repaired_and_never_doubled(archive: Archive) -> None:
    add(archive, "r")
    (log,) = (archive.path / "events").rglob("*.jsonl")
    with log.open("ab") as file:
        file.write(b'{"seq":3,"event":"ing')
    assert [event.seq for event in archive.events()] == [1, 2]
    with Archive(archive.path, workers=0) as again:
        events = list(again.events())
        assert [event.event for event in events] == ["creation", "ingestion", "recovery"]
        assert {finding.code for finding in again.audit()} == {"M502"}
        add(again, "later")
        assert [event.seq for event in again.events()] == [1, 2, 3, 4, 5]


def texts(log: EventLog, start: int | str) -> list[int]:
    return [event.seq for event in log.read(start)]


@pytest.mark.parametrize("worm", [False, True], ids=["one file", "a file each time"])
@pytest.mark.parametrize("bucket", [10, 10_000])
def test_the_log_is_read_from_any_number_and_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: int, worm: bool
) -> None:
    monkeypatch.setattr("muniment.archive.eventlog.files.BUCKET", bucket)
    log = EventLog(ArchiveLayout(tmp_path, tmp_path), worm=worm)
    # Some at once, so that they reach over a bucket's end, and long enough that the reader has to search.
    for count in (1, 7, 25, 1, 1, 30, 3, 80):
        log.append([Event("fixity check", "me", detail={"pad": "x" * 3000})] * count)
    events = list(log.read())
    assert [event.seq for event in events] == list(range(1, 149))
    for event in events:
        assert texts(log, event.seq) == list(range(event.seq + 1, 149))
        later = [other.seq for other in events if other.timestamp > event.timestamp]
        assert texts(log, event.timestamp) == later
    assert texts(log, 200) == texts(log, "9999") == []


def test_an_event_is_found_by_its_transaction_wherever_the_search_begins(tmp_path: Path) -> None:
    log = EventLog(ArchiveLayout(tmp_path, tmp_path), worm=False)
    log.append([Event("ingestion", "me", transaction=name, detail={"of": "other"}) for name in ("a", "b", "c")])
    assert log.mentions("b", 0)
    assert log.mentions("b", 1)
    assert not log.mentions("d", 1)
    assert log.mentions("b", 9), "the log was begun anew since"
    assert not log.mentions("other", 0), "only the event's own transaction counts"
    with log.files()[0].open("ab") as file:
        file.write(b'{"seq":4,"event":"ingestion","agent":"me","transaction":"torn"}')
    assert not log.mentions("torn", 0), "a line without its end is no event"


def test_a_clock_set_back_makes_no_event_twice(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise WriteFailed(path="inventory.json", reason="the process ends here")

    add(archive, "r")
    with monkeypatch.context() as patch:
        patch.setattr("muniment.archive.ingest.commit.finish_root", dies)
        with archive.get("r", "a") as transaction:
            transaction.add(b"2", "b.txt")
    monkeypatch.setattr("muniment.content.times.time.time_ns", lambda: 1_000_000_000_000_000_000)
    with Archive(archive.path, workers=0) as again:
        assert [event.instance for event in again.events() if event.event == "ingestion"] == [1, 2]
        assert list(again.audit()) == []


def test_without_index_and_log_everything_is_still_there(archive: Archive) -> None:
    for number in range(5):
        add(archive, f"r{number}")
    assert archive.count() == 5
    archive.close()
    shutil.rmtree(archive.path / "events/00000000")
    shutil.rmtree(archive.path / "parity/events")
    with Archive(archive.path, workers=0) as again:
        add(again, "new")
        assert list(again) == ["new", "r0", "r1", "r2", "r3", "r4"]
        assert {finding.code for finding in again.audit()} == {"M305", "M307"}
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (archive.path / name).unlink(missing_ok=True)
    with Archive(archive.path, workers=0) as again:
        assert list(again) == ["new", "r0", "r1", "r2", "r3", "r4"]


def test_a_changed_event_breaks_the_chain(archive: Archive) -> None:
    add(archive, "r")
    add(archive, "s")
    (log,) = (archive.path / "events").rglob("*.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"resource":"r"', b'"resource":"q"'))
    assert "M301" in {finding.code for finding in archive.audit()}


def test_a_purge_leaves_a_tombstone_an_event_and_no_way_back(dynamic: Archive) -> None:
    add(dynamic, "r", b"secret" * 100)
    add(dynamic, "stays")
    with pytest.raises(ReasonNeeded):
        dynamic.purge("r", "  ")
    dynamic.purge("r", "ordered by the court")
    assert list(dynamic) == ["stays"]
    assert "r" not in dynamic
    for way in (lambda: dynamic.get("r"), lambda: dynamic.get("r", "a"), lambda: dynamic.new("r")):
        with pytest.raises(ResourcePurged, match="ordered by the court"):
            way()
    last = list(dynamic.events())[-1]
    assert (last.event, last.resource, last.detail["reason"]) == ("deletion", "r", "ordered by the court")
    left = b"".join(path.read_bytes() for path in dynamic.path.rglob("*") if path.is_file() and "objects" in path.parts)
    assert b"secret" not in left
    assert list(dynamic.audit()) == [], "a purge leaves nothing that belongs to nothing, parity included"
    assert dynamic.reindex() == 1


def test_a_transaction_on_a_resource_that_is_purged_meanwhile_fails(dynamic: Archive) -> None:
    add(dynamic, "r")
    transaction = dynamic.get("r", "a")
    transaction.add(b"y", "b.txt")
    fresh = dynamic.new("s")
    fresh.add(b"z", "c.txt")
    add(dynamic, "s")
    dynamic.purge("s", "why not")
    dynamic.purge("r", "why not")
    for late in (transaction, fresh):
        with pytest.raises(Conflict):
            late.commit()
    assert list(dynamic) == []
    assert list(dynamic.audit()) == []


@pytest.mark.parametrize("mode", ["preservation", "worm"])
def test_purging_is_for_dynamic_archives(tmp_path: Path, mode: str) -> None:
    with Archive.init(tmp_path / "archive", mode=mode, agent=AGENT, workers=0, redundancy=0) as archive:
        add(archive, "r")
        with pytest.raises(NotAllowedInMode):
            archive.purge("r", "please")
        assert archive.get("r").read("a.txt") == b"x"


def test_the_mode_is_what_the_archive_says_and_no_argument_changes_it(tmp_path: Path) -> None:
    Archive.init(tmp_path / "archive", mode="worm", workers=0).close()
    assert Archive(tmp_path / "archive").config.mode == "worm"
    with pytest.raises(TypeError):
        Archive(tmp_path / "archive", mode="dynamic")  # type: ignore[call-arg] # on purpose


def test_the_id_of_a_purged_resource_in_the_middle_keeps_the_log_countable(dynamic: Archive) -> None:
    add(dynamic, "r")
    with dynamic.get("r", "a") as transaction:
        transaction.add(b"2", "b")
    dynamic.purge("r", "gone")
    with Archive(dynamic.path, workers=0) as again:
        assert again.recovered == []
        assert list(again.audit()) == []


def test_scratch_is_cleared_when_nothing_in_it_changed_for_a_day(archive: Archive) -> None:
    scratch = archive.path / "staging/scratch"
    for name in ("parity-live", "parity-dead"):
        (scratch / name / "files").mkdir(parents=True)
        (scratch / name / "files/part").write_bytes(b"x")
    (scratch / "single").write_bytes(b"x")
    long_ago = time.time() - 90_000
    for path in (
        "parity-live",
        "parity-live/files",
        "parity-dead/files/part",
        "parity-dead/files",
        "parity-dead",
        "single",
    ):
        os.utime(scratch / path, (long_ago, long_ago))
    archive.recover()
    assert os.listdir(scratch) == ["parity-live"]


def test_an_event_that_was_cut_out_with_the_chain_joined_again_is_missed(archive: Archive) -> None:
    for id in ("r", "s", "t"):
        add(archive, id)
    for folder in ("events", "parity/events"):
        (log,) = (archive.path / folder).rglob("*.jsonl")
        lines = log.read_bytes().splitlines(keepends=True)
        number = len(lines) - 2
        joined = json.loads(lines[number + 1])
        joined["previous"] = json.loads(lines[number])["previous"]
        log.write_bytes(b"".join([*lines[:number], json.dumps(joined, separators=(",", ":")).encode() + b"\n"]))
    gap = [finding for finding in archive.audit() if finding.code == "M301" and finding.expected.startswith("event ")]
    assert [(finding.expected, finding.found) for finding in gap] == [(f"event {number + 1}", f"event {number + 2}")]
