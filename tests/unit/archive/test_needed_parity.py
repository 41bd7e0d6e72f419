"""A check measures how many blocks of parity the damage needs, and says it in its event."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive, Event
from muniment.archive.parity.blocks import ParityBlocks, blocks_of
from tests.crash.scenes import AGENT

LARGE = 400_000


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", agent=AGENT, workers=0, redundancy=5) as archive:
        with archive.new("maps") as made:
            made.add(os.urandom(LARGE), "sheet.tif")
            for number in range(30):
                made.add(b"x" + os.urandom(3000), f"letters/{number}.txt")
        yield archive


def checked(archive: Archive, *, fast: bool = False) -> Event:
    assert list(archive.audit("maps", fast=fast))
    return list(archive.events())[-1]


def struck(archive: Archive, path: str, change: Callable[[bytearray], object]) -> str:
    place = archive.instance("maps").location(path)
    data = bytearray(place.read_bytes())
    change(data)
    place.chmod(0o600)
    place.write_bytes(data)
    return archive.instance("maps").place(path)


def _three(data: bytearray) -> None:
    for at in (7, 100_007, 300_007):
        data[at] ^= 1


def test_a_check_says_how_many_blocks_are_lost_and_how_many_can_be_made_again(archive: Archive) -> None:
    where = struck(archive, "sheet.tif", _three)
    assert checked(archive).detail["parity needed"] == [{"places": [where], "lost": 3, "spare": 4}]
    (done,) = archive.repair("maps")
    assert done.repaired


def test_what_is_gone_needs_all_its_blocks(archive: Archive) -> None:
    where = archive.instance("maps").place("sheet.tif")
    archive.instance("maps").location("sheet.tif").unlink()
    assert checked(archive).detail["parity needed"] == [{"places": [where], "lost": 80, "spare": 4}]


def test_more_than_the_parity_can_do_is_said(archive: Archive) -> None:
    where = struck(archive, "sheet.tif", lambda data: data.__delitem__(slice(100_000, None)))
    (needed,) = checked(archive).detail["parity needed"]
    assert (needed["places"], needed["lost"], needed["spare"]) == ([where], 60, 4)


def test_small_files_are_measured_together(archive: Archive) -> None:
    places = [struck(archive, f"letters/{number}.txt", lambda data: data.__setitem__(0, 0)) for number in (3, 20)]
    (needed,) = checked(archive).detail["parity needed"]
    assert (sorted(needed["places"]), needed["lost"], needed["spare"]) == (sorted(places), 2, 3)


def test_a_quick_check_measures_nothing(archive: Archive) -> None:
    archive.instance("maps").location("sheet.tif").unlink()
    assert "parity needed" not in checked(archive, fast=True).detail


def test_a_set_says_its_blocks_by_the_names_of_its_files(archive: Archive) -> None:
    assert blocks_of(archive, archive.instance("maps")) == ParityBlocks(80, 4, shared=False)
    with archive.new("notes") as made:
        made.add(b"one\n" * 900, "one.txt")
    assert blocks_of(archive, archive.instance("notes")) == ParityBlocks(16, 2, shared=True)


def test_an_archive_without_parity_has_no_blocks(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", agent=AGENT, workers=0, redundancy=0) as archive:
        with archive.new("maps") as made:
            made.add(b"one\n", "one.txt")
        archive.instance("maps").location("one.txt").unlink()
        assert blocks_of(archive, archive.instance("maps")) is None
        assert "parity needed" not in checked(archive).detail
