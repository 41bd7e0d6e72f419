"""Many resources, and a resource of many files: opening and listing stay quick, memory stays bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from tests.crash.scenes import workshop

MAKE = """
import sys
from muniment.archive import Archive
count = int(sys.argv[2])
with Archive.init(sys.argv[1], redundancy=0, workers=0) as archive:
    for number in range(count):
        with archive.new(f"r{number:06}") as transaction:
            transaction.add(b"%d" % number, "a.txt")
"""
FILES = """
import sys
from pathlib import Path
from muniment.archive import Archive
count = int(sys.argv[2])
source = Path(sys.argv[1]).parent / "source"
for number in range(count):
    path = source / f"{number // 1000}" / f"{number}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%d" % number)
with Archive.init(sys.argv[1], redundancy=0) as archive:
    with archive.new("large") as transaction:
        transaction.add(source)
"""
# The peak is read from /proc: what getrusage says includes the process this one was forked from.
LOOK = """
import json, sys, time
from muniment.archive import Archive
begun = time.perf_counter()
with Archive(sys.argv[1], workers=0) as archive:
    page = [item.id for item in archive.resources(after=sys.argv[2], limit=50)]
    newest = archive.get(page[0]).read("a.txt").decode()
    took = time.perf_counter() - begun
    listed = archive.count()
    before = [item for item in archive.resources()]
    same = archive.reindex() == listed and [item for item in archive.resources()] == before
peak = int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024
print(json.dumps({"page": page, "newest": newest, "took": took, "listed": listed, "same": same, "peak": peak}))
"""
AUDIT = """
import json, sys
from muniment.archive import Archive
with Archive(sys.argv[1], workers=0) as archive:
    count = len(archive.get("large"))
    findings = [finding.as_json() for finding in archive.audit()]
peak = int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024
print(json.dumps({"count": count, "findings": findings, "peak": peak}))
"""


def run(code: str, *arguments: object) -> Any:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


def list_many(root: Path, count: int, *, megabytes: int) -> None:
    run(MAKE, root, count)
    with Archive(root, workers=0) as archive:
        assert archive.count() == count  # so that the index is there, as in an archive in use
    after = f"r{count // 2:06}"
    seen = run(LOOK, root, after)
    assert seen["page"] == [f"r{number:06}" for number in range(count // 2 + 1, count // 2 + 51)]
    assert seen["newest"] == str(count // 2 + 1)
    assert seen["listed"] == count
    assert seen["same"], "an index built from disk alone says what the old one said"
    assert seen["took"] < 0.5, "opening and a page of fifty do not depend on the count"
    assert seen["peak"] < megabytes


def hold_many(root: Path, count: int, *, megabytes: int) -> None:
    run(FILES, root, count)
    seen = run(AUDIT, root)
    assert (seen["count"], seen["findings"]) == (count, [])
    assert seen["peak"] < megabytes


def test_an_archive_of_two_thousand_resources_opens_and_lists_at_once() -> None:
    with workshop() as folder:
        list_many(folder / "archive", 2_000, megabytes=100)


def test_a_resource_of_five_thousand_files_is_kept_and_audited() -> None:
    with workshop() as folder:
        hold_many(folder / "archive", 5_000, megabytes=150)


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_an_archive_of_a_hundred_thousand_resources_opens_and_lists_at_once(tmp_path: Path) -> None:
    list_many(tmp_path / "archive", 100_000, megabytes=300)


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_a_resource_of_a_hundred_thousand_files_is_kept_and_audited(tmp_path: Path) -> None:
    hold_many(tmp_path / "archive", 100_000, megabytes=700)
