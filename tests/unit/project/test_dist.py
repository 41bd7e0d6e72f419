"""Packages are the same bytes whoever builds them, and hold what a user needs and nothing of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def build(folder: Path, output: Path, umask: int) -> dict[str, bytes]:
    command = [sys.executable, "scripts/dist.py", "--output", str(output)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120, umask=umask)
    return {path.name: path.read_bytes() for path in output.iterdir()}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The newest commit, checked out elsewhere at another time by somebody with other rights."""
    place = tmp_path / "elsewhere" / "clone"
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(place)], check=True, umask=0o077)
    for path in (place / "src").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return place


def test_two_builders_make_the_same_packages(clone: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    subprocess.run(["git", "clone", "-q", "--no-local", str(clone), str(again)], check=True)
    one = build(clone, tmp_path / "one", 0o077)
    assert one == build(again, tmp_path / "two", 0o022)
    wheel = next(name for name in one if name.endswith(".whl"))
    with zipfile.ZipFile(tmp_path / "one" / wheel) as file:
        names = file.namelist()
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert b"muniment = muniment.app.filesystem.MunimentFileSystem" in file.read(entry)
    assert {"muniment/py.typed", "muniment/archive/exitkit/muniment_exit.py"} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", ".db"))]
    source = next(name for name in one if name.endswith(".tar.gz"))
    with tarfile.open(tmp_path / "one" / source) as tar:
        assert {member.uid for member in tar} == {0}
    assert sorted(one["SHA256SUMS"].decode().split()[1::2]) == sorted([wheel, source])
