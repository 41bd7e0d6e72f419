"""What a walk over the archive costs: calls of the system for each object, counted, and memory that stays."""

from __future__ import annotations

import io
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, FrameType
from typing import Any

import pytest

from muniment.archive import Archive

FEW, MANY = 8, 28


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    made = {}
    for count in (FEW, MANY):
        place = made[count] = tmp_path_factory.mktemp("walked") / "archive"
        with Archive.init(place, redundancy=0, workers=0) as archive:
            for number in range(count):
                with archive.new(f"r{number}") as transaction:
                    transaction.add(b"%d" % number, "f")
    return made


def calls(work: Callable[[], object]) -> Counter[str]:
    """How often the system was called while `work` ran, by the name of the call."""
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and isinstance(called, BuiltinFunctionType):
            of_system = called.__module__ == "posix" and called.__name__ not in {"fspath", "fsencode"}
            if of_system or isinstance(called.__self__, io.FileIO | os.DirEntry):
                found[called.__name__] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def each(archives: dict[int, Path], work: Callable[[Archive], object]) -> Counter[str]:
    """The calls for each further object."""
    counted = []
    for count in (FEW, MANY):
        with Archive(archives[count], workers=0) as archive:
            archive.count()
            counted.append(calls(partial(work, archive)))
    few, many = counted
    return Counter({name: round((many[name] - few[name]) / (MANY - FEW)) for name in many})


def test_an_index_is_built_with_few_calls_for_each_object(archives: dict[int, Path]) -> None:
    found = each(archives, lambda archive: archive.reindex())
    assert found["scandir"] + found["listdir"] <= 3  # two folders above it, and its own
    assert found["open"] <= 3  # its inventory, the sidecar, and the bag's description of itself
    assert found["stat"] + found["lstat"] <= 2
    assert found["read"] <= 3


def test_a_fast_audit_asks_for_nothing_that_a_listing_tells(archives: dict[int, Path]) -> None:
    found = each(archives, lambda archive: list(archive.audit(fast=True)))
    assert found["scandir"] + found["listdir"] <= 8  # each folder once, and the object's twice
    assert found["open"] <= 8
    assert found["read"] <= 9
    # A size is asked for where one is recorded, of what may have parity: files and tag files.
    assert found["stat"] + found["lstat"] <= 14


def test_memory_of_a_walk_does_not_grow_with_the_archive(archives: dict[int, Path]) -> None:
    peaks = []
    for count in (FEW, MANY):
        with Archive(archives[count], workers=0) as archive:
            list(archive.audit(fast=True))
            tracemalloc.start()
            archive.reindex()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_both_say_how_far_they_are(archives: dict[int, Path]) -> None:
    told: list[tuple[str, int]] = []
    with Archive(archives[MANY], workers=0) as archive:
        archive.reindex(lambda step, done, *_, **__: told.append((step, done)))
        list(archive.audit(fast=True, progress=lambda step, done, *_, **__: told.append((step, done))))
    assert told[0] == ("indexing", MANY)
    assert ("auditing", MANY) in told


def test_a_damaged_list_of_files_keeps_nothing_out_of_the_index(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", redundancy=0, workers=0) as archive:
        for name in "ab":
            with archive.new(name) as transaction:
                transaction.add(b"123", "f")
        content = archive.get("a").root / "v1" / "content"
        for name in ("metadata/files.jsonl", "bag-info.txt"):
            place = content / name
            place.chmod(0o644)
            place.write_bytes(b"x" + place.read_bytes())
            archive.reindex()
            expected = ["a", "b"] if name == "metadata/files.jsonl" else ["b"]
            assert [(item.id, item.bytes, item.files) for item in archive.resources()] == [
                (name, 3, 1) for name in expected
            ]


def test_an_instance_costs_the_records_that_the_page_on_growth_says(tmp_path: Path) -> None:
    sizes = []
    with Archive.init(tmp_path / "archive", redundancy=0, workers=0) as archive:
        for number in range(6):
            with archive.get("r", "a") if number else archive.new("r") as transaction:
                transaction.replace(b"%d" % number, "f") if number else transaction.add(b"0", "f")
            sizes.append((archive.get("r").root / "inventory.json").stat().st_size)
    assert 2400 < (sizes[5] - sizes[2]) / 3 < 2900
