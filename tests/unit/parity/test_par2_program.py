"""par2 is the one of its package, is bounded, and never outlives the work it was started for."""

from __future__ import annotations

import importlib.util
import os
import threading
from pathlib import Path

import pytest

from muniment.archive.parity.geometry import geometry
from muniment.archive.parity.par2 import Par2, find_program
from muniment.archive.parity.salvage import salvage
from muniment.errors.archive import DiskFull
from muniment.errors.parity import ParityToolFailed, ParityToolMissing
from tests.timing import PATIENCE, eventually
from tests.unit.parity.making import random_file


def test_the_program_is_the_packages_own_and_not_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = tmp_path / "par2"
    impostor.write_text("#!/bin/sh\nexit 0\n")
    impostor.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    package = importlib.util.find_spec("par2")
    assert package is not None
    assert package.origin is None or Path(package.origin).parent in find_program().parents
    assert find_program() != impostor


def test_a_missing_program_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ParityToolMissing, match="Install"):
        Par2()


def test_what_par2_says_of_a_failure_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ParityToolFailed, match="You must specify a list of files") as caught:
        Par2().create(tmp_path, "absent", geometry(1_000, 5))
    assert caught.value.details["status"] == 3


@pytest.mark.parametrize("action", ["create", "verify", "repair"])
def test_a_full_disk_is_called_a_full_disk(tmp_path: Path, action: str) -> None:
    tool = Par2()
    tool.program = tmp_path / "par2"
    tool.program.write_text("#!/bin/sh\necho 'Could not write 4 bytes to x: No space left on device' >&2\nexit 6\n")
    tool.program.chmod(0o755)
    arguments = (tmp_path, "x", geometry(1_000, 5)) if action == "create" else (tmp_path, "x")
    with pytest.raises(DiskFull):
        getattr(tool, action)(*arguments)


def test_stopping_ends_a_running_process_at_once(tmp_path: Path) -> None:
    random_file(tmp_path / "big", 40_000_000)
    tool = Par2(threads=1)
    failures: list[ParityToolFailed] = []

    def work() -> None:
        try:
            # Half the blocks again as parity, on one thread: long enough to be stopped in.
            tool.create(tmp_path, "big", geometry(40_000_000, 100)._replace(block_size=2_000, spare=12_000))
        except ParityToolFailed as error:
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    eventually(lambda: tool._running)
    tool.stop()
    worker.join(PATIENCE)
    # It was killed where it was: its own status would be 0, had it come to its end.
    assert [error.details["status"] for error in failures] == [-9]
    with pytest.raises(ParityToolFailed, match="stopped"):
        tool.create(tmp_path, "big", geometry(40_000_000, 5))


def test_unreadable_stretches_become_zeros() -> None:
    # The first pages of a process's memory are never mapped: the kernel answers EIO, as a dying disk does.
    assert b"".join(salvage("/proc/self/mem", 10_000)) == bytes(10_000)


def test_what_is_readable_beside_an_unreadable_stretch_is_kept() -> None:
    with open("/proc/self/maps", encoding="ascii") as maps:
        first = int(maps.readline().split("-")[0], 16)
    descriptor = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        readable = os.pread(descriptor, 4096, first)
    finally:
        os.close(descriptor)
    assert readable.startswith(b"\x7fELF")
    pieces = list(salvage("/proc/self/mem", first + 4096, start=first - 8192))
    assert b"".join(pieces) == bytes(8192) + readable


@pytest.mark.parametrize("size", [0, 1, 4_096, 1_048_576, 3_000_001])
def test_a_readable_file_is_salvaged_whole_cut_or_filled(tmp_path: Path, size: int) -> None:
    random_file(tmp_path / "file", 1_500_000)
    data = (tmp_path / "file").read_bytes()
    assert b"".join(salvage(tmp_path / "file", size)) == data[:size].ljust(size, b"\0")
    assert b"".join(salvage(tmp_path / "absent", size)) == bytes(size)
    assert b"".join(salvage(None, size)) == bytes(size)
