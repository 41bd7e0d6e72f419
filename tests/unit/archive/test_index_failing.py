"""An index that is damaged, or does not go on from where the log is, costs nothing but the time to build it anew."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.crash.scenes import AGENT, open_archive

IDS = [f"r{number:02}" for number in range(40)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    with Archive.init(root, agent=AGENT, workers=0, redundancy=0) as archive:
        for id in IDS:
            with archive.new(id) as transaction:
                transaction.add(b"content", "file")
        assert list(archive) == IDS
    return root


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_index_is_built_anew(root: Path, seed: int) -> None:
    dice = random.Random(seed)
    path = root / "index.db"
    data = bytearray(path.read_bytes())
    for _ in range(400):
        data[dice.randrange(100 * (seed % 2), len(data))] = dice.randrange(256)
    path.write_bytes(data)
    with open_archive(root) as archive:
        assert list(archive) == IDS
        assert archive.count() == len(IDS)
        assert [finding for finding in archive.audit() if finding.failed] == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE resources SET files = 'many'",
        "UPDATE resources SET created = CAST(x'ff00' AS TEXT)",
        "UPDATE progress SET value = 'x' WHERE name = 'seq'",
        "DELETE FROM progress",
    ],
)
def test_an_index_that_holds_what_was_never_written_is_built_anew(root: Path, change: str) -> None:
    with sqlite3.connect(root / "index.db") as database:
        database.execute(change)
    database.close()
    with open_archive(root) as archive:
        assert [summary.files for summary in archive.resources()] == [1] * len(IDS)


def test_an_index_that_is_damaged_while_it_is_open_is_built_anew(root: Path) -> None:
    with open_archive(root) as archive:
        assert archive.count() == len(IDS)
        (root / "index.db").write_bytes(b"x" * 50_000)
        with archive.new("later") as transaction:
            transaction.add(b"content", "file")
        assert list(archive) == sorted([*IDS, "later"])


def test_events_that_took_the_numbers_of_lost_ones_are_not_taken_for_them(root: Path) -> None:
    """What a cut of power can leave: the index knows an event that the log lost, and another has its number."""
    (newest,) = (root / "events").rglob("*.jsonl")
    (mirror,) = (root / "parity/events").rglob("*.jsonl")
    before = newest.read_bytes()
    with open_archive(root) as archive:
        archive.record_event("capture")
        assert list(archive) == IDS
    for path in (newest, mirror):
        path.write_bytes(before)
    with open_archive(root) as archive, archive.new("other") as transaction:
        transaction.add(b"content", "file")
    with open_archive(root) as archive:
        assert list(archive) == sorted([*IDS, "other"])
