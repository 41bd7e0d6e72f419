"""The log outlives damage to any one of its files: what one copy lost is read, and repaired, from the other."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive import Archive
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.log import EventLog
from muniment.archive.eventlog.mirror import merged
from muniment.content.events import UNREADABLE, Event, Head
from muniment.errors.content import BadHead

WORM = pytest.mark.parametrize("worm", [False, True], ids=["appending", "worm"])


def log_of(root: Path, *, worm: bool = False) -> EventLog:
    return EventLog(ArchiveLayout(root, root), worm=worm)


def filled(root: Path, count: int = 5, *, worm: bool = False) -> EventLog:
    log = log_of(root, worm=worm)
    for number in range(count):
        log.append([Event("fixity check", "me", resource=f"r{number}")])
    return log


def told(log: EventLog) -> list[tuple[int, str]]:
    return [(event.seq, event.resource or event.event) for event in log.read()]


def is_chained(log: EventLog) -> bool:
    previous = "0" * 64
    for event, (_, line) in zip(log.read(), log.lines(), strict=True):
        if event.previous != previous:
            return False
        previous = line_hash(line)
    return True


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x14
    path.write_bytes(data)


@WORM
@pytest.mark.parametrize("place", [-1, -2, -40, -150])
def test_a_bit_in_the_last_line_stops_nothing(tmp_path: Path, place: int, worm: bool) -> None:
    log = filled(tmp_path, worm=worm)
    flip(log.files()[-1], place)
    again = log_of(tmp_path, worm=worm)
    again.recover()
    assert again.head().seq >= 5
    again.append([Event("fixity check", "me", resource="after")])
    found = told(again)
    assert [name for _, name in found if name != "recovery"] == ["r0", "r1", "r2", "r3", "r4", "after"]
    assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
    if not worm:
        assert is_chained(again)
        assert list(again.differences()) == []


@WORM
def test_a_line_that_is_damaged_in_both_copies_keeps_its_number_and_is_named(tmp_path: Path, worm: bool) -> None:
    log = filled(tmp_path, worm=worm)
    last = log.files()[-1]
    for path in (last, tmp_path / "parity" / last.relative_to(tmp_path)):
        flip(path, -30)
        flip(path, -110)
        flip(path, 2 if worm else -140)
    again = log_of(tmp_path, worm=worm)
    again.append([Event("fixity check", "me", resource="after")])
    assert told(again)[3:] == [(4, "r3"), (5, UNREADABLE), (6, "after")]
    assert [event.outcome for event in again.read(4)] == ["failure", "success"]


@pytest.mark.parametrize("keep", [1, 4])
def test_events_cut_off_at_the_end_come_back(tmp_path: Path, keep: int) -> None:
    log = filled(tmp_path)
    path = log.files()[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:keep]))
    again = log_of(tmp_path)
    again.recover()
    assert [name for _, name in told(again)] == ["r0", "r1", "r2", "r3", "r4", "recovery"]
    assert is_chained(again)


@WORM
def test_files_that_are_gone_come_back(tmp_path: Path, worm: bool) -> None:
    log = filled(tmp_path, worm=worm)
    before = told(log)
    log.files()[-1].unlink()
    again = log_of(tmp_path, worm=worm)
    again.recover()
    assert told(again) == before


@WORM
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_something_else_in_a_files_place_stops_nothing(tmp_path: Path, kind: str, worm: bool) -> None:
    log = filled(tmp_path, worm=worm)
    path = log.files()[-1]
    path.unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda at: os.symlink("/etc/passwd", at)}[kind](path)
    again = log_of(tmp_path, worm=worm)
    again.append([Event("fixity check", "me", resource="after")])
    assert [name for _, name in told(again) if name != "recovery"] == ["r0", "r1", "r2", "r3", "r4", "after"]


@WORM
def test_a_mirror_that_is_behind_or_gone_is_caught_up(tmp_path: Path, worm: bool) -> None:
    log = filled(tmp_path, worm=worm)
    mirror = tmp_path / "parity" / log.files()[-1].relative_to(tmp_path)
    mirror.unlink()
    again = log_of(tmp_path, worm=worm)
    again.recover()
    assert told(again) == told(log)
    assert list(again.differences()) == []
    mirror.write_bytes(mirror.read_bytes()[:20])
    log_of(tmp_path, worm=worm).append([Event("fixity check", "me", resource="after")])
    assert list(again.differences()) == []


@WORM
def test_an_archive_from_before_there_were_mirrors_gets_one_by_repair(tmp_path: Path, worm: bool) -> None:
    log = filled(tmp_path, worm=worm)
    shutil.rmtree(tmp_path / "parity")
    assert {how for _, how in log.differences()} == {"the mirror lacks it"}
    assert {how for _, how in log.repair()} == {"copied to its mirror"}
    assert list(log.differences()) == []


def test_repair_brings_a_line_in_the_middle_back_and_keeps_the_damaged_file(tmp_path: Path) -> None:
    log = filled(tmp_path)
    (path,) = log.files()
    whole = path.read_bytes()
    flip(path, len(whole) // 2)
    assert [how for _, how in log.differences()] == ["log and mirror differ from event 3 on"]
    assert [how for _, how in log.repair()] == ["repaired from its mirror"]
    assert path.read_bytes() == whole
    assert len(list((tmp_path / "staging" / "quarantine").iterdir())) == 1


def test_repair_replaces_nothing_of_the_log_in_worm_mode(tmp_path: Path) -> None:
    log = filled(tmp_path, worm=True)
    path = log.files()[2]
    flip(path, 30)
    damaged = path.read_bytes()
    assert list(log.repair()) == []
    assert path.read_bytes() == damaged
    assert told(log) == [(number + 1, f"r{number}") for number in range(5)], "but it is read from its mirror"


@pytest.mark.parametrize("length", [5, 6])
def test_of_two_whole_chains_that_differ_neither_is_replaced(tmp_path: Path, length: int) -> None:
    log = filled(tmp_path)
    (path,) = log.files()
    mirror = tmp_path / "parity" / path.relative_to(tmp_path)
    forged = filled(tmp_path / "other", length)
    path.write_bytes(forged.files()[0].read_bytes())
    kept = (path.read_bytes(), mirror.read_bytes())
    log = log_of(tmp_path)
    list(log.repair())
    assert len(list(log.differences())) == 1
    assert mirror.read_bytes() == kept[1], "the only witness of what was there stays"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_one_copy_lost_the_other_gives(tmp_path: Path, data: st.DataObject) -> None:
    log = log_of(tmp_path)
    whole = (log.files() or filled(tmp_path, 6).files())[0].read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        end = data.draw(st.integers(start, min(len(damaged), start + 400)))
        damaged[start:end] = data.draw(st.binary(max_size=400))
    assert merged(whole, bytes(damaged), 1) == whole
    found = merged(bytes(damaged), whole, 1)
    # Of a newest line that is an event in both, nothing tells which is right. Rubbish behind the end may have
    # been an event that the mirror does not have yet. Both stay.
    sure = whole[: whole[:-1].rfind(b"\n") + 1]
    assert found.startswith(sure)
    newest, *behind = found[len(sure) :].split(b"\n")
    assert newest + b"\n" == whole[len(sure) :] or (event_of(newest + b"\n") and newest + b"\n" in damaged)
    assert not any(event_of(line + b"\n") for line in behind)


def test_after_a_clock_was_ahead_times_are_true_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(tmp_path)
    hours = ["2026-03-01T08", "2027-03-01T08", "2026-03-01T09", "2026-03-01T10"]
    for hour in hours:
        monkeypatch.setattr("muniment.archive.eventlog.log.now", lambda hour=hour: f"{hour}:00:00.000000Z")
        log.append([Event("fixity check", "me", detail={"pad": "x" * 70_000})])
    events = list(log.read())
    assert [event.timestamp[:13] for event in events] == hours
    assert [event.latest[:4] for event in events] == ["", "", "2027", "2027"]
    assert [event.seq for event in log.read("2026-03-01T08:30:00.000000Z")] == [2, 3, 4]
    assert [event.seq for event in log.read("2026-03-01T09:30:00.000000Z")] == [2, 4]
    assert [event.seq for event in log.read("2026-12-01T00:00:00.000000Z")] == [2]
    assert [event.seq for event in log.read("2027-12-01T00:00:00.000000Z")] == []


def test_each_instance_names_the_head_of_the_log_at_its_commit(archive: Archive) -> None:
    for content in (b"one", b"two"):
        with archive.get("r", "a") if "r" in archive else archive.new("r") as transaction:
            transaction.add(content, "file")
    log = archive.context.log
    for instance in archive.history("r"):
        named = instance.record["log"]
        assert named["seq"] == instance.number
        assert log.hash_at(named["seq"]) == named["hash"]
    assert log.hash_at(archive.head().seq) == archive.head().hash
    assert log.hash_at(archive.head().seq + 1) is None


def test_a_head_is_read_as_it_was_printed(archive: Archive) -> None:
    head = archive.head()
    assert Head.parse(f" {head}\n") == head
    for text in ("", "1", "1:", f"١:{'0' * 64}", f"-1:{'0' * 64}", f"1:{'0' * 63}g", f"{'9' * 5000}:{'0' * 64}"):
        with pytest.raises(BadHead):
            Head.parse(text)


@pytest.mark.parametrize("indexed", [False, True])
def test_an_index_beside_a_damaged_line_still_lists_everything(archive: Archive, indexed: bool) -> None:
    assert not indexed or archive.count() == 0
    for name in "abc":
        with archive.new(name) as transaction:
            transaction.add(b"x", "file")
    (path,) = archive.context.log.files()
    for copy in (path, archive.path / "parity" / path.relative_to(archive.path)):
        lines = copy.read_bytes().splitlines(keepends=True)
        lines[2] = b"?" + lines[2][1:]
        copy.write_bytes(b"".join(lines))
    with Archive(archive.path, workers=0) as again:
        assert list(again) == ["a", "b", "c"]
        assert [event.event for event in again.events()] == ["creation", "ingestion", UNREADABLE, "ingestion"]
        with again.new("d") as transaction:
            transaction.add(b"x", "file")
        assert list(again) == ["a", "b", "c", "d"]
        assert datetime.fromisoformat(next(again.events(4)).timestamp).tzinfo == UTC
