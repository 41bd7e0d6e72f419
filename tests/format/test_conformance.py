"""The field's conformance suites, where a copy of them lies beside the checkout (`../shared/fixtures`).

The suites are not part of this project; without them these tests run over nothing and the project's
own examples (`bags`, `objects`) are the proof.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from muniment.validation import validate_path

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
BAGS = sorted(path.parent for path in FIXTURES.glob("bagit/v*/*/*/data"))
OBJECTS = sorted(path for path in FIXTURES.glob("ocfl/*/*-objects/*") if path.is_dir())
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


@pytest.mark.parametrize("bag", BAGS or [None], ids=lambda bag: _name(bag) if bag else "no suite here")
def test_each_bag_of_the_suite_gets_the_verdict_of_its_folder(bag: Path | None, tmp_path: Path) -> None:
    if bag is None:
        assert not FIXTURES.joinpath("bagit").exists()
        return
    findings = list(validate_path(_with_lost_files(bag, tmp_path)))
    failed = [finding.message for finding in findings if finding.failed]
    assert bool(failed) == (bag.parent.name not in VALID), findings
    if bag.parent.name == "warning":
        assert findings


@pytest.mark.parametrize("made", OBJECTS or [None], ids=lambda made: _name(made) if made else "no suite here")
def test_each_object_of_the_suite_gets_the_codes_of_its_name(made: Path | None) -> None:
    if made is None:
        assert not FIXTURES.joinpath("ocfl").exists()
        return
    codes = {finding.code for finding in validate_path(made)}
    named = set(re.findall(r"[EW]\d{3}", made.name))
    if made.parent.name == "bad-objects":
        assert named <= codes
    else:
        assert named == codes
