"""The field's conformance suites, each bag and each object of them, where `published` finds a copy.

The suites are not part of this project. Without a copy this module is not collected (`tests/conftest.py`), and the
project's own examples (`bags`, `objects`) are the proof.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from muniment.validation import validate_path
from tests.published import published

BAGS = sorted(path.parent for path in (published("bagit") or Path()).glob("v*/*/*/data"))
OBJECTS = sorted(path for path in (published("ocfl") or Path()).glob("*/*-objects/*") if path.is_dir())
WHOLE = {"bags": 55, "objects": 80}
"""How many there are in the suites: what a checkout lost would else be judged by nobody."""
VALID = {"valid", "warning"}


LOST = {
    "duplicate-file-with-different-case": ("data/HELLO.txt", "data/hello.txt"),
    "special-system-files": ("data/.DS_Store", "data/Thumbs.db"),
}
"""Bags of the suite that lost a file where the suite was checked out: what is gone, and a file of the same content."""


def _with_lost_files(bag: Path, folder: Path) -> Path:
    gone, same = LOST.get(bag.name, ("", ""))
    if not gone or (bag / gone).exists():
        return bag
    whole = Path(shutil.copytree(bag, folder / bag.name))
    (whole / "data").chmod(0o755)
    shutil.copyfile(whole / same, whole / gone)
    if (whole / same).stat().st_size:
        # Its Payload-Oxum was counted where both names were one file.
        for name in ("bag-info.txt", "tagmanifest-sha512.txt"):
            (whole / name).chmod(0o644)
            kept = [line for line in (whole / name).read_text().splitlines(True) if not line.startswith("Payload-Oxum")]
            (whole / name).write_text("".join(line for line in kept if "bag-info.txt" not in line))
    return whole


def _name(path: Path) -> str:
    return "/".join(path.parts[-3:])


def test_the_suites_are_whole() -> None:
    assert {"bags": len(BAGS), "objects": len(OBJECTS)} == WHOLE


@pytest.mark.parametrize("bag", BAGS, ids=_name)
def test_each_bag_of_the_suite_gets_the_verdict_of_its_folder(bag: Path, tmp_path: Path) -> None:
    findings = list(validate_path(_with_lost_files(bag, tmp_path)))
    failed = [finding.message for finding in findings if finding.failed]
    assert bool(failed) == (bag.parent.name not in VALID), findings
    if bag.parent.name == "warning":
        assert findings


@pytest.mark.parametrize("made", OBJECTS, ids=_name)
def test_each_object_of_the_suite_gets_the_codes_of_its_name(made: Path) -> None:
    codes = {finding.code for finding in validate_path(made)}
    named = set(re.findall(r"[EW]\d{3}", made.name))
    if made.parent.name == "bad-objects":
        assert named <= codes
    else:
        assert named == codes
