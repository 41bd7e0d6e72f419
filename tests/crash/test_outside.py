"""Failures that come from outside: a real kill, a cut of power, a disk that is really full, many at once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.errors.archive import DiskFull
from muniment.testing import faults
from muniment.testing.faults import Fault
from tests.crash.judging import assert_whole, copy_archive, state_of
from tests.crash.scenes import AGENT, SCENES, open_archive, prepare, workshop

MUNIMENT = [str(Path(sys.executable).with_name("muniment"))]


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("mode", ["preservation", "worm"])
@pytest.mark.parametrize("scene", ["new", "next"])
@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.nightly), pytest.param(3, marks=pytest.mark.nightly)]
)
def test_a_power_cut_takes_no_part_of_what_was_committed(mode: str, scene: str, seed: int) -> None:
    choose = random.Random(seed).randrange
    with workshop() as folder:
        prepare(folder / "prepared", mode)
        with open_archive(folder / "prepared") as archive:
            before = state_of(archive)

        def strike(root: Path, fault: Fault) -> faults.Outcome:
            def task(counting: faults.Counting) -> None:
                with open_archive(root) as archive, counting():
                    SCENES[scene].change(archive)

            return faults.run(task, str(root), fault)

        clean = strike(copy_archive(folder / "prepared", folder / "clean"), Fault())
        with open_archive(folder / "clean") as archive:
            after = state_of(archive)
        lost = 0
        for at in range(1, len(clean.calls) + 1, 2):
            root = copy_archive(folder / "prepared", folder / f"cut-{at}")
            took = faults.lose_power(str(root), strike(root, Fault(at)), choose)
            lost += len(took)
            try:
                assert_whole(root, before, after)
            except Exception as error:
                raise AssertionError(f"cut at {clean.calls[at - 1]}, which took {took}") from error
        assert lost > len(clean.calls) // 4


def add_files(root: Path, source: Path, id: str) -> subprocess.Popen[bytes]:
    command = [*MUNIMENT, "--archive", str(root), "-q", "add", str(source), "--id", id, "--no-parity"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def kill_at_random(rounds: int) -> None:
    chance = random.Random(7)
    with workshop() as folder:
        prepare(folder / "archive", "preservation")
        source = folder / "source"
        source.mkdir()
        for number in range(400):
            (source / f"{number}.bin").write_bytes(chance.randbytes(chance.randrange(8000)))
        whole = {path.name: path.read_bytes() for path in source.iterdir()}
        begun = time.monotonic()
        assert add_files(folder / "archive", source, "whole").wait(60) == 0
        took = time.monotonic() - begun
        with open_archive(folder / "archive") as archive:
            state = state_of(archive)
        assert state["whole"][0][0] == whole
        for number in range(rounds):
            process = add_files(folder / "archive", source, f"r{number}")
            time.sleep(chance.random() * took * 1.1)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            new = {**state, f"r{number}": state["whole"]}
            state = assert_whole(folder / "archive", state, new)


def test_killed_from_outside_an_added_folder_is_there_or_not() -> None:
    kill_at_random(5)


@pytest.mark.nightly
def test_killed_from_outside_very_often_an_added_folder_is_there_or_not() -> None:
    kill_at_random(40)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 4 MB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only who may mount can make a disk of 4 MB")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_on_a_disk_that_is_really_full_what_was_committed_stays_and_the_rest_is_undone(tiny_disk: Path) -> None:
    root = tiny_disk / "archive"
    filler = tiny_disk / "filler"
    filler.write_bytes(bytes(150_000))
    with Archive.init(root, agent=AGENT, workers=0, redundancy=0) as archive:
        stored = 0
        with contextlib.suppress(DiskFull):
            while stored < 100:
                with archive.new(f"r{stored:03}") as transaction:
                    transaction.add(bytes([stored]) * 150_000, "file.bin")
                stored += 1
        filler.unlink()
        assert 10 < stored < 30
        assert list(archive) == [f"r{number:03}" for number in range(stored)]
        assert os.listdir(root / "staging/open") == os.listdir(root / "staging/scratch") == []
        assert list(archive.audit()) == []
        with archive.get("r000", "a") as transaction:
            transaction.add(b"small still fits", "small.txt")
    with open_archive(root) as archive:
        assert archive.recovered == []
        assert archive.get("r000").read("small.txt") == b"small still fits"


WRITER = """
import sys
from muniment.archive import Archive
with Archive(sys.argv[1], workers=0) as archive:
    for number in range(6):
        with archive.new(f"{sys.argv[2]}-{number}") as transaction:
            transaction.add(sys.argv[2].encode(), "a.txt")
        archive.record_event("capture")
"""
RIVAL = """
import sys
from muniment.archive import Archive
from muniment.errors.archive import StaleTransaction
done = 0
with Archive(sys.argv[1], workers=0) as archive:
    while done < 5:
        try:
            with archive.get("shared", "a") as transaction:
                transaction.add(sys.argv[2].encode(), f"{sys.argv[2]}-{done}.txt")
            done += 1
        except StaleTransaction:
            print("conflict")
"""


@pytest.mark.parametrize("mode", ["preservation", "worm"])
def test_processes_that_write_at_once_lose_nothing(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "archive"
    with (
        Archive.init(root, mode=mode, agent=AGENT, redundancy=0, workers=0) as archive,
        archive.new("shared") as transaction,
    ):
        transaction.add(b"begin", "begin.txt")
    running = [run_python(WRITER, root, f"w{number}") for number in range(3)]
    running += [run_python(RIVAL, root, f"rival{number}") for number in range(2)]
    with ThreadPoolExecutor() as pool:
        for process, (_, said) in zip(running, pool.map(lambda one: one.communicate(timeout=90), running), strict=True):
            assert process.returncode == 0, said
    with open_archive(root) as archive:
        names = {f"w{writer}-{number}" for writer in range(3) for number in range(6)}
        assert set(archive) == {"shared", *names}
        assert archive.get("shared").number == 11
        assert len(archive.get("shared")) == 11
        assert [event.seq for event in archive.events()] == list(range(1, 1 + 1 + 1 + 18 * 2 + 10))
        assert list(archive.audit()) == []
