"""The exit kit checks and extracts an archive on a bare interpreter, without Muniment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bagit
import pytest

from muniment.archive import Archive

# A name BagIt's tools disagree on, one with a line break, and one that is a twin of a stand-in.
ODD = {"plain.txt": b"plain", "odd %0A name": b"odd", "line\nbreak": b"broken", "=m=twin": b"twin", "empty": b""}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    with Archive.init(root) as archive:
        with archive.new("thing") as transaction:
            for name, data in ODD.items():
                transaction.add(data, name)
        with archive.get("thing", "a") as transaction:
            transaction.delete("plain.txt")
            transaction.add(os.urandom(200_000), "later/large.bin")
        with archive.new("https://example.org/other?x=1", project="org/project") as transaction:
            transaction.add(b"other", "other.txt")
    return root


def run(archive: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the file that lies in the archive, on an interpreter that knows nothing but its own library."""
    command = [sys.executable, "-I", "-S", str(archive / "muniment_exit.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_it_verifies_an_archive_that_is_whole(archive: Path) -> None:
    done = run(archive, "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 objects" in done.stdout
    assert "0 problems" in done.stdout


def test_it_finds_a_flipped_bit_a_stray_file_and_a_changed_log(archive: Path) -> None:
    with Archive(archive) as opened:
        damaged = opened.get("thing").location("later/large.bin")
    data = bytearray(damaged.read_bytes())
    data[100_000] ^= 1
    damaged.write_bytes(data)
    (damaged.parent / "stray").write_bytes(b"")
    log = next((archive / "events").rglob("*.jsonl"))
    log.write_bytes(log.read_bytes().replace(b'"instance":1', b'"instance":7', 1))
    done = run(archive, "verify")
    assert done.returncode == 1
    assert "large.bin: damaged" in done.stdout
    assert "stray: nothing records it" in done.stdout
    assert "does not follow" in done.stdout


def test_it_lists_what_is_kept(archive: Path) -> None:
    lines = run(archive, "list").stdout.splitlines()
    assert sorted(line.split("\t")[:3] for line in lines) == [
        ["main/main", "thing", "v2"],
        ["org/project", "https://example.org/other?x=1", "v1"],
    ]


def test_it_extracts_every_file_under_its_true_name(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(archive, "extract", str(out), "--id", "thing", "--version", "1")
    assert done.returncode == 0, done.stdout
    (folder,) = out.iterdir()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == ODD


def test_it_extracts_bags_that_others_accept(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(archive, "extract", str(out), "--all-versions", "--bags").returncode == 0
    folders = [folder for resource in out.iterdir() for folder in resource.iterdir()]
    assert len(folders) == 3
    for folder in folders:
        assert bagit.Bag(str(folder)).is_valid()


def test_it_leaves_a_damaged_file_out_and_says_so(archive: Path, tmp_path: Path) -> None:
    with Archive(archive) as opened:
        damaged = opened.get("thing").location("later/large.bin")
    damaged.write_bytes(b"rot")
    done = run(archive, "extract", str(tmp_path / "out"), "--id", "thing")
    assert done.returncode == 1
    assert "damaged, not extracted" in done.stdout
    assert not list((tmp_path / "out").rglob("large.bin"))


@pytest.mark.parametrize("arguments", [["extract", "{out}", "--id", "nothing"], ["extract", "{archive}"], []])
def test_a_mistake_gets_a_sentence_and_not_a_traceback(archive: Path, tmp_path: Path, arguments: list[str]) -> None:
    given = [word.format(out=tmp_path / "out", archive=archive) for word in arguments]
    done = run(archive, *given)
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert done.stdout


def test_it_reads_the_newest_version_when_only_the_root_copy_is_whole(archive: Path, tmp_path: Path) -> None:
    with Archive(archive) as opened:
        root = opened.get("thing").root
    (root / "v2" / "inventory.json").write_bytes(b"rot")
    done = run(archive, "extract", str(tmp_path / "out"), "--id", "thing")
    assert done.returncode == 0, done.stdout
    assert (next((tmp_path / "out").iterdir()) / "later" / "large.bin").stat().st_size == 200_000


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_it_runs_on_other_pythons_that_are_here(archive: Path, version: str) -> None:
    # Debian has one Python; where more are installed, the promise "3.8 or later" is tried on them too.
    found = shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        found = sys.executable
    done = subprocess.run(
        [found, "-I", "-S", str(archive / "muniment_exit.py"), "verify"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
