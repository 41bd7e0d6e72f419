"""Worm mode, watched from outside: what was published is never opened for writing, renamed over or removed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.crash.judging import assert_judges_agree
from tests.crash.scenes import AGENT, open_archive

STEPS = """
import sys
from muniment.archive import Archive
def step(change):
    with Archive(sys.argv[1], workers=0) as archive:
        change(archive)
        list(archive)
    print("step", flush=True)
def first(archive):
    with archive.new("r") as transaction:
        transaction.add(b"one", "a")
        transaction.add(b"x" * 200_000, "large")
def second(archive):
    with archive.get("r", "a") as transaction:
        transaction.replace(b"two", "a")
def third(archive):
    with archive.new("s") as transaction:
        transaction.add(b"three", "b")
    with archive.get("r", "a") as transaction:
        transaction.delete("a")
for change in (first, second, third):
    step(change)
"""
CALLS = "open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,truncate,ftruncate,link,linkat,write"
PUBLISHED = ("objects/", "events/", "parity/", "muniment.json", "README.txt", "muniment_exit.py", "bagit-profile.json")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def trace(root: Path, output: Path) -> list[str]:
    strace = ["strace", "-f", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(output)]
    subprocess.run([*strace, sys.executable, "-c", STEPS, str(root)], check=True, timeout=120, capture_output=True)
    return output.read_text("utf-8", "replace").splitlines()


def changed_paths(line: str, root: str) -> list[tuple[str, str]]:
    """What a traced call does to which path below the root: (verb, path)."""
    call = line.split(maxsplit=1)[1].split("(", 1)[0]
    paths = [path.removeprefix(root + "/") for path in QUOTED.findall(line) if path.startswith(root + "/")]
    if "= -1 " in line or not paths:
        return []
    if call.startswith(("open", "creat")):
        writes = re.search(r"O_WRONLY|O_RDWR|O_TRUNC|O_APPEND", line)
        return [("made" if "O_EXCL" in line else "written", paths[0])] if writes else []
    if call.startswith("rename"):
        return [("gone", paths[0]), ("placed", paths[-1])]
    if call.startswith("link"):
        return [("made", paths[-1])]
    return [("gone", paths[0])] if call.startswith(("unlink", "rmdir", "truncate")) else []


def test_no_call_touches_what_was_published(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    Archive.init(root, mode="worm", agent=AGENT).close()
    existing = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    placed = 0
    for line in trace(root, tmp_path / "trace"):
        for verb, path in changed_paths(line, str(root)):
            if not path.startswith(PUBLISHED):
                continue
            if verb == "placed":
                placed += 1
                assert path not in existing, f"renamed over what is there: {line}"
                existing.add(path)
            else:
                assert verb == "made", f"{verb}: {line}"
                assert path not in existing, line
    # Two objects, two later versions, four files of events, and parity: had the trace seen nothing, it would show.
    assert placed >= 8
    with open_archive(root) as archive:
        assert [instance.number for instance in archive.history("r")] == [1, 2, 3]
        assert list(archive.audit()) == []
        assert_judges_agree(archive)


def freeze(root: Path, flag: str) -> None:
    """Make every published file immutable."""
    for part in ("objects", "events", "parity", "muniment.json"):
        for path in [root / part, *(root / part).rglob("*")]:
            if path.is_file() and path.stat().st_mode & 0o222:
                path.chmod(0o444)
                if flag:
                    subprocess.run(["chattr", flag, str(path)], check=True, capture_output=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file immutable")
def test_commits_go_on_although_every_published_file_is_immutable(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    Archive.init(root, mode="worm", agent=AGENT, workers=0).close()
    probe = tmp_path / "probe"
    probe.write_bytes(b"")
    flags = subprocess.run(["chattr", "+i", str(probe)], check=False, capture_output=True).returncode == 0
    if flags:
        subprocess.run(["chattr", "-i", str(probe)], check=True)
    try:
        for number in range(4):
            freeze(root, "+i" if flags else "")
            with open_archive(root) as archive:
                with archive.get("r", "a") if number else archive.new("r") as transaction:
                    transaction.add(f"{number}".encode(), f"{number}.txt")
                assert archive.get("r").number == number + 1
        with open_archive(root) as archive:
            assert list(archive.get("r")) == ["0.txt", "1.txt", "2.txt", "3.txt"]
            assert list(archive.audit()) == []
    finally:
        subprocess.run(["chattr", "-R", "-i", str(root)], check=False, capture_output=True)
