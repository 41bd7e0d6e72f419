"""Repair puts right what the audit finds, from parity, and leaves alone what it cannot repair."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive

LARGE = 300_000


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive") as archive:
        with archive.new("thing") as transaction:
            transaction.add(os.urandom(LARGE), "large.bin")
            for number in range(40):
                transaction.add(os.urandom(4096), f"small/{number}")
        yield archive


def flip(path: Path, *, count: int = 1, start: int = 0) -> None:
    data = bytearray(path.read_bytes())
    for place in range(start, start + count):
        data[place] ^= 0xFF
    path.write_bytes(data)


def codes(archive: Archive) -> list[str]:
    return sorted(finding.code for finding in archive.audit() if finding.failed)


def test_an_intact_archive_has_nothing_to_repair(archive: Archive) -> None:
    assert codes(archive) == []
    assert list(archive.repair()) == []


@pytest.mark.parametrize("name", ["large.bin", "small/7"])
def test_a_damaged_file_is_repaired_and_the_rotten_bytes_are_kept_aside(archive: Archive, name: str) -> None:
    instance = archive.get("thing")
    before = instance.read(name)
    flip(instance.location(name), count=500, start=1000)
    assert codes(archive) == ["M101"]
    (done,) = archive.repair()
    assert done.repaired
    assert archive.get("thing").read(name) == before
    assert codes(archive) == []
    assert list((archive.path / "staging" / "quarantine").iterdir())
    assert [event.event for event in archive.events() if event.event != "fixity check"][-1] == "repair"


@pytest.mark.parametrize("name", ["large.bin", "small/7"])
def test_a_file_cut_short_is_repaired(archive: Archive, name: str) -> None:
    instance = archive.get("thing")
    before = instance.read(name)
    location = instance.location(name)
    os.truncate(location, location.stat().st_size - 100)
    assert set(codes(archive)) == {"M101", "M103"}
    assert all(done.repaired for done in archive.repair())
    assert archive.get("thing").read(name) == before


def test_a_lost_small_file_comes_back(archive: Archive) -> None:
    instance = archive.get("thing")
    before = instance.read("small/3")
    instance.location("small/3").unlink()
    assert codes(archive) == ["M102"]
    assert [done.repaired for done in archive.repair()] == [True]
    assert archive.get("thing").read("small/3") == before


@pytest.mark.parametrize("record", ["inventory.json", "inventory.json.sha512", "v1/inventory.json"])
def test_a_damaged_record_comes_back_from_its_other_copy_or_parity(archive: Archive, record: str) -> None:
    path = archive.get("thing").root / record
    before = path.read_bytes()
    flip(path, count=3, start=5)
    assert codes(archive)
    assert all(done.repaired for done in archive.repair())
    assert path.read_bytes() == before
    assert codes(archive) == []


def test_an_inventory_damaged_in_both_copies_comes_back_from_parity(archive: Archive) -> None:
    root = archive.get("thing").root
    before = (root / "v1" / "inventory.json").read_bytes()
    flip(root / "v1" / "inventory.json", count=30, start=200)
    flip(root / "inventory.json", count=30, start=100)
    assert "M104" in codes(archive)
    assert all(done.repaired for done in archive.repair())
    assert (root / "inventory.json").read_bytes() == before
    assert codes(archive) == []


def test_what_is_too_damaged_is_named_and_left_as_it_is(archive: Archive) -> None:
    location = archive.get("thing").location("large.bin")
    flip(location, count=LARGE // 3)
    ruined = location.read_bytes()
    (done,) = archive.repair()
    assert not done.repaired
    assert "large.bin" in done.where
    assert "cannot be repaired" in done.how
    assert location.read_bytes() == ruined


def test_missing_and_damaged_parity_is_made_anew(archive: Archive) -> None:
    sets = sorted((archive.path / "parity").rglob("*.par2"))
    sets[0].unlink()
    flip(sets[-1], count=10)
    assert codes(archive)
    for done in archive.repair():
        assert done.repaired
        assert "parity sets made" in done.how, "it says what was done, not only that it is right again"
    assert [finding.code for finding in archive.audit() if finding.code.startswith("M4")] == []


def test_what_stands_in_the_place_of_parity_makes_room_for_it(archive: Archive) -> None:
    places = sorted((archive.path / "parity").rglob("*.par2"))
    for place in (places[0], places[-1]):
        place.unlink()
        os.mkfifo(place)
    done = list(archive.repair())
    assert done
    assert all(each.repaired for each in done)
    assert codes(archive) == []
    assert all(place.is_file() for place in places)


def test_a_parity_file_that_no_longer_belongs_to_its_set_is_kept_aside(archive: Archive) -> None:
    volume = next(path for path in (archive.path / "parity/packs").rglob("*.par2") if ".vol" in path.name)
    stale = volume.with_name("pack.vol007+99.par2")
    rotten = bytes(len(volume.read_bytes()))
    volume.unlink()
    stale.write_bytes(rotten)
    assert codes(archive)
    assert all(done.repaired for done in archive.repair())
    assert not stale.exists()
    assert rotten in [path.read_bytes() for path in (archive.path / "staging/quarantine").iterdir()]
    assert codes(archive) == []


def test_parity_left_out_at_commit_is_only_a_warning_and_repair_makes_it(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        with archive.new("thing") as transaction:
            transaction.add(b"x" * 5000, "file")
        assert [finding.code for finding in archive.audit()] == ["M401"]
        assert codes(archive) == []
        assert [(done.repaired, done.how) for done in archive.repair()] == [(True, "1 parity set made")]
        assert list(archive.audit()) == []


def test_in_worm_mode_nothing_published_is_touched(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", mode="worm") as archive:
        with archive.new("thing") as transaction:
            transaction.add(os.urandom(LARGE), "large.bin")
        location = archive.get("thing").location("large.bin")
        before = location.read_bytes()
        flip(location)
        ruined = location.read_bytes()
        for _ in range(2):
            (done,) = archive.repair()
            assert not done.repaired
            assert "worm" in done.how
            assert location.read_bytes() == ruined
            (copy,) = (path for path in (archive.path / "repaired").rglob("*") if path.is_file())
            assert copy.read_bytes() == before
            assert archive.get("thing").read("large.bin") == before


def test_parity_of_a_purged_resource_goes_with_the_next_repair(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", mode="dynamic") as archive:
        with archive.new("thing") as transaction:
            transaction.add(os.urandom(LARGE), "large.bin")
        archive.purge("thing", "asked for by its owner")
        assert {finding.code for finding in archive.audit()} == {"M403"}
        assert all(done.repaired for done in archive.repair())
        assert list(archive.audit()) == []


def test_parity_of_an_empty_file_is_no_error(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive") as archive:
        with archive.new("thing") as transaction:
            transaction.add(b"", "empty")
        assert list(archive.audit()) == []


def test_parity_is_never_called_idle_while_some_records_cannot_be_read(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", mode="dynamic") as archive:
        with archive.new("thing") as transaction:
            transaction.add(os.urandom(LARGE), "large.bin")
        root = archive.get("thing").root
        (root / "v1" / "inventory.json").write_bytes(b"")
        (root / "inventory.json").write_bytes(b"")
        before = sorted((archive.path / "parity").rglob("*"))
        assert not any(done.repaired for done in archive.repair())
        assert sorted((archive.path / "parity").rglob("*")) == before


def test_parity_costs_at_most_twelve_percent(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive") as archive:
        with archive.new("thing") as transaction:
            for number in range(1000):
                transaction.add(os.urandom(4096), f"{number:04d}")
        parity = sum(path.stat().st_size for path in (archive.path / "parity").rglob("*") if path.is_file())
        assert parity <= 0.12 * 1000 * 4096
