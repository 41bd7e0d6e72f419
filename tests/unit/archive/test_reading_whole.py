"""Reading a whole file: checked, and a damaged one that has grown does not fill the memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.errors.archive import DamagedFile


def stored(archive: Archive, data: bytes) -> Path:
    with archive.new("r") as transaction:
        transaction.add(data, "file")
    location = archive.get("r").location("file")
    location.chmod(0o644)
    return location


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_file_is_read_as_it_came(archive: Archive, size: int) -> None:
    data = os.urandom(size)
    stored(archive, data)
    assert archive.get("r").read("file") == data


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_file_that_has_grown_is_damaged_and_not_kept_in_memory(archive: Archive, size: int) -> None:
    with stored(archive, os.urandom(size)).open("ab") as file:
        file.truncate(size + (16 << 20))
    instance = archive.get("r")
    tracemalloc.start()
    try:
        with pytest.raises(DamagedFile):
            instance.read("file")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_was_cut_is_damaged(archive: Archive) -> None:
    os.truncate(stored(archive, os.urandom(70_000)), 69_999)
    with pytest.raises(DamagedFile):
        archive.get("r").read("file")
