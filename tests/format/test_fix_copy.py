"""A copy without deviations: valid by strict rules and by bagit.py, with every file of the original."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muniment.content.findings import FINDINGS, Severity
from muniment.errors.archive import OutputExists
from muniment.errors.base import BadInput
from muniment.validation import validate_path
from muniment.workflows.fix_bag import fix_copy
from tests.acceptance.exchange.making import judged_by_bagit
from tests.format.bags import CODES, bad_bag, extra, make_bag, pack, write
from tests.format.objects import make_object

DEVIATIONS = [code for code in CODES if FINDINGS[code].severity is Severity.DEVIATION and code != "B514"]


def payload(bag: Path) -> dict[str, bytes]:
    return {os.path.relpath(path, bag): path.read_bytes() for path in (bag / "data").rglob("*") if path.is_file()}


@pytest.mark.parametrize("code", [*DEVIATIONS, "B503", "B509"])
def test_what_deviates_is_put_right_in_the_copy(tmp_path: Path, code: str) -> None:
    bag = bad_bag(code, tmp_path / "case").path
    fix_copy(bag, tmp_path / "fixed")
    left = [finding for finding in validate_path(tmp_path / "fixed") if finding.severity is not Severity.WARNING]
    assert left == []
    assert code not in {finding.code for finding in validate_path(tmp_path / "fixed")}
    assert payload(tmp_path / "fixed") == payload(bag)


@pytest.mark.parametrize("code", ["B501", "B510", "B518", "B503"])
def test_others_find_no_fault_with_the_copy(tmp_path: Path, code: str) -> None:
    fix_copy(bad_bag(code, tmp_path / "case").path, tmp_path / "fixed")
    assert judged_by_bagit(tmp_path / "fixed") == ""


@pytest.mark.parametrize("mark", ["utf-16", "utf-8-sig"])
def test_what_is_to_be_fetched_is_written_anew_as_well(tmp_path: Path, mark: str) -> None:
    bag = extra(make_bag(tmp_path / "bag"), "data/\u00e9%25", b"x")
    write(bag, "manifest-sha512.txt", (bag / "manifest-sha512.txt").read_text("utf-8").replace("%25", "%2525"))
    declared = mark.removesuffix("-sig").upper()
    write(bag, "bagit.txt", f"BagIt-Version: 1.0\nTag-File-Character-Encoding: {declared}\n")
    (bag / "tagmanifest-sha512.txt").unlink()
    (bag / "fetch.txt").write_bytes("https://example.org/%25 1 data/\u00e9%2525\n".encode(mark))
    for name in ("bag-info.txt", "manifest-sha512.txt"):
        (bag / name).write_bytes((bag / name).read_text("utf-8").encode(mark))
    fix_copy(bag, tmp_path / "fixed")
    assert list(validate_path(tmp_path / "fixed")) == []
    assert (tmp_path / "fixed/fetch.txt").read_text("utf-8") == "https://example.org/%25 1 data/\u00e9%2525\n"


@pytest.mark.parametrize("name", ["bag.tar", "bag.tar.gz"])
def test_a_packed_bag_is_corrected_into_a_folder(tmp_path: Path, name: str) -> None:
    bag = bad_bag("B501", tmp_path / "case").path
    fix_copy(pack(bag, name, compress=name[8:]), tmp_path / "fixed")
    assert [finding for finding in validate_path(tmp_path / "fixed") if finding.severity is Severity.DEVIATION] == []
    assert payload(tmp_path / "fixed") == payload(bag)


def test_what_is_no_bag_is_not_corrected(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    for path in (tmp_path / "letters", make_object(tmp_path / "object"), pack(tmp_path / "letters", "letters.tar")):
        with pytest.raises(BadInput, match=f"{path.name} is no"):
            fix_copy(path, tmp_path / "fixed")
        assert not (tmp_path / "fixed").exists()


def test_tag_files_of_ones_own_come_along(tmp_path: Path) -> None:
    bag = write(extra(make_bag(tmp_path / "bag"), "data/50% off", b"x"), "rights.txt", "mine\n")
    fix_copy(bag, tmp_path / "fixed")
    assert (tmp_path / "fixed/rights.txt").read_text() == "mine\n"
    assert "data/50%25 off" in (tmp_path / "fixed/manifest-sha512.txt").read_text()


def test_what_is_damaged_is_not_corrected(tmp_path: Path) -> None:
    bag = bad_bag("B024", tmp_path / "case").path
    with pytest.raises(BadInput, match="B024"):
        fix_copy(bag, tmp_path / "fixed")
    assert not (tmp_path / "fixed").exists()
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputExists):
        fix_copy(make_bag(tmp_path / "bag"), tmp_path / "there")
