"""Many resources, and a resource of many files: opening and listing stay quick, memory stays bounded.

Every step runs in a process of its own, which says how long it took and how much memory at most;
`-rP` shows that for each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scenes import workshop

# The peak is read from /proc: what getrusage says includes the process this one was forked from.
FRAME = """
import json, sys, time
from pathlib import Path
from muniment.archive import Archive
root, count = Path(sys.argv[1]), int(sys.argv[2])
source = root.parent / "source"
{before}
begun = time.perf_counter()
with Archive{opening} as archive:
    answer = None
{step}
took = time.perf_counter() - begun
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024
print(json.dumps({{"answer": answer, "took": took, "peak": peak}}))
"""
SOURCE = """
for number in range(count):
    path = source / f"{number // 1000}" / f"{number}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%d" % number)
"""
COMMIT_EACH = """
    for number in range(count):
        with archive.new(f"r{number:06}") as transaction:
            transaction.add(b"%d" % number, "a.txt")
"""
INDEX = """
    answer = archive.reindex()
"""
PAGE = """
    page = [item.id for item in archive.resources(after=f"r{count // 2:06}", limit=50)]
    answer = page, archive.get(page[0]).read("a.txt").decode()
"""
INDEX_AGAIN = """
    def told():
        state = 0
        for item in archive.resources():
            state = hash((state, item.project, item.id, item.head, item.files, item.bytes))
        return state
    before = told()
    answer = archive.reindex(), told() == before
"""
LIST = """
    answer = sum(1 for _ in archive.resources()), archive.count()
"""
COMMIT_ONE = """
    with archive.new("z") as transaction:
        transaction.add(b"z", "a.txt")
    answer = archive.count()
"""
FAST = """
    answer = [finding.as_json() for finding in archive.audit(fast=True)]
"""
AUDIT = """
    answer = [finding.as_json() for finding in archive.audit()]
"""
ADD_FOLDER = """
    with archive.new("large") as transaction:
        transaction.add(source)
"""
READ_ONE = """
    answer = archive.get("large").read("0/8.txt").decode()
"""
CHANGE_ONE = """
    with archive.get("large", "a") as transaction:
        transaction.replace(b"changed", "0/7.txt")
"""
READ_BOTH = """
    newest = archive.get("large")
    files = newest.read("0/7.txt"), newest.read("0/8.txt"), newest.earlier(1).read("0/7.txt")
    answer = len(newest), [data.decode() for data in files]
"""


@dataclass(frozen=True, slots=True)
class Course:
    """An archive and how many things go into it."""

    root: Path
    count: int
    megabytes: int

    def run(self, name: str, step: str, *, before: str = "", new: bool = False, within: float = 3000) -> Any:
        """Do one step in a new process, and hold it to its memory and time in seconds."""
        opening = ".init(root, redundancy=0, workers=0)" if new else "(root, workers=0)"
        code = FRAME.format(before=before, opening=opening, step=step)
        command = [sys.executable, "-c", code, str(self.root), str(self.count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        print(f"{name}: {told['took']:.2f} s, {told['peak']} MB")
        assert told["peak"] < self.megabytes, name
        assert told["took"] < within, name
        return told["answer"]


def list_many(course: Course) -> None:
    count = course.count
    course.run("commit each", COMMIT_EACH, new=True)
    assert course.run("reindex", INDEX) == count
    expected = [f"r{number:06}" for number in range(count // 2 + 1, count // 2 + 51)]
    assert course.run("open, and a page of 50", PAGE, within=0.5) == [expected, str(count // 2 + 1)]
    assert course.run("list all", LIST) == [count, count]
    assert course.run("commit one more, and count", COMMIT_ONE, within=1) == count + 1
    assert course.run("list all, reindex, list all", INDEX_AGAIN) == [count + 1, True]
    assert course.run("fast audit", FAST) == []
    assert course.run("full audit", AUDIT) == []


def hold_many(course: Course) -> None:
    course.run("add a folder", ADD_FOLDER, before=SOURCE, new=True)
    assert course.run("read one file", READ_ONE) == "8"
    course.run("change one file", CHANGE_ONE)
    assert course.run("read from both", READ_BOTH) == [course.count, ["changed", "8", "7"]]
    assert course.run("fast audit", FAST) == []
    assert course.run("full audit", AUDIT) == []


def test_an_archive_of_two_thousand_resources_opens_and_lists_at_once() -> None:
    with workshop() as folder:
        list_many(Course(folder / "archive", 2_000, megabytes=60))


def test_a_resource_of_five_thousand_files_is_kept_and_audited() -> None:
    with workshop() as folder:
        hold_many(Course(folder / "archive", 5_000, megabytes=80))


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_an_archive_of_a_hundred_thousand_resources_opens_and_lists_at_once(tmp_path: Path) -> None:
    list_many(Course(tmp_path / "archive", 100_000, megabytes=120))


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_a_resource_of_a_hundred_thousand_files_is_kept_and_audited(tmp_path: Path) -> None:
    hold_many(Course(tmp_path / "archive", 100_000, megabytes=450))
