"""The event log and the archive's own files: repaired from copies where the chain of hashes proves them, else named."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.archive import log_lines
from muniment.settings import Settings
from muniment.workflows.copies.own_files import repair_log_and_files, repair_stores
from tests.acceptance.copies.conftest import POLICY, Kept


def log_files(root: Path) -> list[Path]:
    """The files of the log and of its mirror."""
    return sorted([*(root / "events").rglob("*.jsonl"), *(root / "parity/events").rglob("*.jsonl")])


def lines_of(root: Path) -> list[bytes]:
    return b"".join(path.read_bytes() for path in sorted((root / "events").rglob("*.jsonl"))).splitlines(keepends=True)


def change(root: Path, number: int, line: bytes) -> None:
    """Let a line of the log and of its mirror be another; empty to lose it."""
    for path in log_files(root):
        lines = path.read_bytes().splitlines(keepends=True)
        if number < len(lines):
            lines[number] = line
            path.write_bytes(b"".join(lines))


def whole(kept: Kept) -> bool:
    return not [each for each in kept.service.archive.audit() if each.failed]


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("what", ["lost", "garbage", "altered"])
def test_a_line_that_log_and_mirror_lost_comes_from_a_copy(kept: Kept, number: int, what: str) -> None:
    before = lines_of(kept.root)
    altered = before[number].replace(b'"outcome":"success"', b'"outcome":"failure"')
    change(kept.root, number, {"lost": b"", "garbage": b"\xff" * 30 + b"\n", "altered": altered}[what])
    assert not whole(kept)
    done = repair_log_and_files(kept.service)
    assert done.left == {}
    assert any("copy in" in how for how in done.repaired.values())
    assert lines_of(kept.root)[: len(before)] == before
    assert whole(kept)


def test_all_of_the_log_but_its_end_comes_from_a_copy(kept: Kept) -> None:
    before = lines_of(kept.root)
    for path in log_files(kept.root):
        path.write_bytes(before[-1])
    done = repair_log_and_files(kept.service)
    assert done.left == {}
    assert lines_of(kept.root)[: len(before)] == before
    assert whole(kept)


def test_the_end_of_a_log_comes_from_the_store_that_this_archive_put_it_into(kept: Kept) -> None:
    before = lines_of(kept.root)
    reaches = max(each.logged for each in kept.service.registry.all())
    for path in log_files(kept.root):
        path.write_bytes(b"".join(before[: reaches - 4]))
    done = repair_log_and_files(kept.service)
    assert done.left == {}
    assert lines_of(kept.root)[:reaches] == before[:reaches]


def test_a_copy_of_the_log_that_lies_is_not_believed(kept: Kept) -> None:
    before = lines_of(kept.root)
    for name in ("vault", "shelf"):
        for path in sorted((kept.store(name) / "events").rglob("*.jsonl")):
            path.write_bytes(path.read_bytes().replace(b'"event":"ingestion"', b'"event":"deletion"'))
    number = next(place for place, line in enumerate(before) if b'"ingestion"' in line)
    change(kept.root, number, b"")
    damaged = lines_of(kept.root)
    done = repair_log_and_files(kept.service)
    assert lines_of(kept.root)[: len(damaged)] == damaged
    assert any("event" in where for where in done.left)


@pytest.fixture
def worm(tmp_path: Path) -> Iterator[Kept]:
    """An archive in worm mode with copies in one store: each commit's events are a file of their own."""
    with Archive.init(tmp_path / "archive", mode="worm", workers=1) as archive:
        for number in range(4):
            with archive.new(f"r{number}") as new:
                new.add(io.BytesIO(b"x"), "x.bin")
    working = BackgroundServices(App(Settings({}, archive=str(tmp_path / "archive"), digest_processes=1)))
    try:
        kept = Kept(tmp_path, working, working.copy_service())
        kept.service.registry.add("vault", str(kept.store("vault")))
        kept.service.policies.set(kept.service.archive, "*", POLICY.partition('[[copies]]\nstore = "shelf"')[0])
        kept.service.plan_all()
        kept.replicate()
        yield kept
    finally:
        working.close()


def test_in_worm_mode_lost_files_of_the_log_are_put_back_and_none_is_replaced(worm: Kept) -> None:
    before = lines_of(worm.root)
    files = sorted((worm.root / "events").rglob("*.jsonl"))
    for path in files[1:3]:
        path.unlink()
        (worm.root / "parity/events" / path.relative_to(worm.root / "events")).unlink()
    kept_as_is = {path: path.read_bytes() for path in (worm.root / "events").rglob("*.jsonl")}
    assert repair_log_and_files(worm.service).left == {}
    assert lines_of(worm.root)[: len(before)] == before
    assert all(path.read_bytes() == data for path, data in kept_as_is.items())
    assert whole(worm)


@pytest.mark.parametrize("in_mirror", [True, False])
def test_in_worm_mode_an_altered_line_stays_and_the_right_one_of_a_copy_is_read(worm: Kept, *, in_mirror: bool) -> None:
    before = lines_of(worm.root)
    path = sorted((worm.root / "events").rglob("*.jsonl"))[2]
    mirror = worm.root / "parity/events" / path.relative_to(worm.root / "events")
    altered = path.read_bytes().replace(b'"outcome":"success"', b'"outcome":"failure"', 1)
    for each in (path, mirror) if in_mirror else (path,):
        each.unlink()
        each.write_bytes(altered)
    assert not whole(worm)
    done = repair_log_and_files(worm.service)
    assert path.read_bytes() == altered
    assert any("copy in vault" in how for how in done.repaired.values()) == in_mirror
    assert list(done.left) == [f"events/{path.parent.name}/{path.name}"]
    assert "its mirror has the right lines, which are read" in done.left[f"events/{path.parent.name}/{path.name}"]
    read = [line for _, line in log_lines(worm.service.archive, 0)]
    assert read[: len(before)] == before
    assert {each.code for each in worm.service.archive.audit() if each.failed} == {"M306"}
    assert repair_stores(worm.service).repaired == {}


def test_the_command_repairs_the_log_and_says_so(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    change(kept.root, 2, b"")
    assert kept.cli("audit") == 1
    capsys.readouterr()
    assert kept.cli("repair") == 0
    assert "taken from the copy in" in capsys.readouterr().out
    assert kept.cli("audit") == 0


@pytest.mark.parametrize("name", ["README.txt", "objects/0=ocfl_1.1", "muniment.json", "root-files.json"])
@pytest.mark.parametrize("lost", [True, False])
def test_own_files_in_stores_are_read_back_and_put_again(kept: Kept, name: str, *, lost: bool) -> None:
    place = kept.store("vault") / name
    data = place.read_bytes()
    place.unlink()
    if not lost:
        place.write_bytes(data + b"X")
    done = repair_stores(kept.service)
    assert (done.left, list(done.repaired)) == ({}, [f"{name} in vault"])
    assert place.read_bytes() == data


@pytest.mark.parametrize("lost", [True, False])
def test_the_log_in_a_store_is_read_back_and_put_again(kept: Kept, *, lost: bool) -> None:
    logs = sorted((kept.store("vault") / "events").rglob("*.jsonl"))
    data = logs[0].read_bytes()
    logs[0].unlink()
    if not lost:
        logs[0].write_bytes(data.replace(b"i", b"j", 1))
    assert repair_stores(kept.service).left == {}
    assert logs[0].read_bytes() == data
    assert repair_stores(kept.service).repaired == {}


def test_an_archive_comes_back_with_its_own_files_whole_although_the_stores_are_damaged(kept: Kept) -> None:
    for name in ("README.txt", "objects/ocfl_layout.json", "muniment.json"):
        place = kept.store("shelf") / name
        place.unlink()
        place.write_bytes(b"rot")
    own = (kept.root / "muniment.json").read_bytes()
    kept.working.close()
    shutil.rmtree(kept.root)
    assert kept.cli("restore", "--from", kept.store("shelf"), "-o", kept.folder / "again") == 0
    assert (kept.folder / "again/muniment.json").read_bytes() == own
    with Archive(kept.folder / "again", workers=1) as archive:
        assert not [each for each in archive.audit() if each.failed]
