"""Logs and copies of batches, alike in SQLite and PostgreSQL, with many who write at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from muniment.database import Database
from muniment.doors.distillery.batches import AccessCopy, Batches, VerifiedCopy

COPY = VerifiedCopy("cloud", "HBF/a.tif", "HBF_001_05", "a.tif", 1, 7, "0" * 32, "0" * 64, "", "s3://b/HBF/a.tif", 1.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def batches(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Batches]:
    where = tmp_path / "control.db" if request.param == "sqlite" else request.getfixturevalue("place")
    with Database.open(where, migrate=True) as database:
        yield Batches(database)


def test_lines_written_at_once_are_numbered_without_gaps(batches: Batches) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: batches.say("b" * 32, f"line {number}"), range(60)))
        list(pool.map(lambda number: batches.say("c" * 32, f"line {number}"), range(10)))
    lines = list(batches.log("b" * 32))
    assert [each.number for each in lines] == list(range(1, 61))
    assert {each.text for each in lines} == {f"line {number}" for number in range(60)}
    assert len(list(batches.log("b" * 32, after=50))) == 10
    assert len(list(batches.log("c" * 32))) == 10


def test_a_line_that_is_wanted_once_is_not_said_again(batches: Batches) -> None:
    for said in ("full", "full", "empty", "full"):
        batches.say("b" * 32, said, folder="f", kind="waiting", once=True)
    assert [each.text for each in batches.log("b" * 32)] == ["full", "empty", "full"]


def test_what_no_database_can_hold_is_made_holdable(batches: Batches) -> None:
    batches.say("b" * 32, "a\0b\udc80" + "x" * 5000)
    (line,) = batches.log("b" * 32)
    assert line.text.startswith("ab?")
    assert len(line.text) <= 2000


def test_a_copy_is_remembered_once_for_its_key(batches: Batches) -> None:
    batches.record([COPY])
    batches.record([replace(COPY, sha256="1" * 64), replace(COPY, destination="onsite", place="AB0001")])
    found = batches.copies("HBF_001_05")
    seen = [(each.destination, each.sha256[0], each.place) for each in found]
    assert seen == [("cloud", "1", ""), ("onsite", "0", "AB0001")]


def test_a_name_is_held_by_one_at_a_time_and_is_free_afterwards(batches: Batches) -> None:
    with batches.alone("tape AB0001", "first") as wait:
        assert wait == 0
        with batches.alone("tape AB0001", "second") as other:
            assert 0 < other <= 600
        with batches.alone("tape AB0002", "second") as free:
            assert free == 0
    with batches.alone("tape AB0001", "second") as wait:
        assert wait == 0


def test_publishers_remember_the_newest(batches: Batches) -> None:
    assert batches.get("node x") == ""
    batches.put("node x", "1")
    batches.put("node x", "2")
    assert batches.get("node x") == "2"


def test_where_a_resource_is_seen_is_kept_by_project_and_id(batches: Batches) -> None:
    assert batches.shown("a/b", "maps") is None
    batches.show("a/b", "maps", AccessCopy("http://seen.example/1", "http://seen.example/1/manifest.json"))
    batches.show("a/b", "maps", AccessCopy("http://seen.example/2"))
    assert batches.shown("a/b", "maps") == AccessCopy("http://seen.example/2", "")
    assert batches.shown("b/a", "maps") is None
