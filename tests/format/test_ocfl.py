"""OCFL objects and roots, right and wrong: each code has its example, and what is right has no finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.content.findings.ocfl import OCFL
from muniment.validation import recognise, validate_object, validate_path, validate_root
from tests.format.objects import CODES, OBJECTS, ROOTS, VERSIONS, bad_ocfl, edit, load, make_object, make_root, save


@pytest.mark.parametrize("spec", ["1.0", "1.1"])
def test_a_valid_object_of_every_version_has_no_finding(tmp_path: Path, spec: str) -> None:
    made = make_object(tmp_path / "object", spec=spec)
    assert recognise(made) == "ocfl-object"
    assert list(validate_path(made)) == []


@pytest.mark.parametrize("spec", ["1.0", "1.1"])
def test_a_valid_root_of_every_version_has_no_finding(tmp_path: Path, spec: str) -> None:
    made = make_root(tmp_path / "root", spec)
    assert recognise(made) == "ocfl-root"
    assert list(validate_path(made)) == []


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_each_code_has_that_finding(tmp_path: Path, code: str) -> None:
    made = bad_ocfl(code, tmp_path)
    findings = list(validate_root(made) if code in ROOTS else validate_object(made))
    assert code in {finding.code for finding in findings}, findings
    for finding in findings:
        assert finding.message
        assert finding.as_json()


def test_every_code_of_the_table_has_an_example() -> None:
    assert {kind.code for kind in OCFL} == set(CODES), "add the missing example to tests/format/objects.py"


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("W")])
def test_a_warning_alone_does_not_fail_an_object(tmp_path: Path, code: str) -> None:
    assert {finding.code for finding in validate_path(bad_ocfl(code, tmp_path))} <= {code, "W001", "W007", "O802"}


@pytest.mark.parametrize(
    "code", ["E001", "E007", "E015", "E023", "E024", "E037", "E049", "E060", "E066", "E067", "E090", "E092", "E093"]
)
def test_one_fault_is_told_once_and_under_one_code(tmp_path: Path, code: str) -> None:
    assert {finding.code for finding in validate_object(OBJECTS[code](make_object(tmp_path / "object")))} == {code}


def test_findings_in_a_root_name_the_object_they_belong_to(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    (root / "000/000/001/1/v1/content/a.txt").write_bytes(b"Alpha\n")
    (finding,) = validate_root(root)
    assert (finding.code, finding.resource) == ("E092", "000/000/001/1")
    assert finding.where == "000/000/001/1/v1/content/a.txt"


def test_a_change_of_algorithm_between_versions_is_history_unchanged(tmp_path: Path) -> None:
    made = make_object(tmp_path / "object", [VERSIONS[1], VERSIONS[1]], algorithm="sha512")
    other = make_object(tmp_path / "other", [VERSIONS[1], VERSIONS[1]], algorithm="sha256")
    (made / "inventory.json.sha512").unlink()
    (made / "v2/inventory.json.sha512").unlink()
    save(made, load(other))
    save(made / "v2", load(other))
    assert {finding.code for finding in validate_object(made)} == {"W004"}
    edit(made, lambda inventory: _swap(inventory["versions"]["v1"]["state"]))
    assert {finding.code for finding in validate_object(made)} == {"W004", "E066"}


def _swap(state: dict[str, list[str]]) -> None:
    one, two = state
    state[one], state[two] = state[two], state[one]


def test_two_names_of_one_inode_are_a_hard_link(tmp_path: Path) -> None:
    made = make_object(tmp_path / "object")
    (made / "v1/content/again").hardlink_to(made / "v1/content/a.txt")
    assert {finding.code for finding in validate_object(made)} == {"E090", "E023"}


def test_progress_is_told_of_every_file(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None, int]] = []

    def progress(step: str, done: int, total: int | None, *, size: int = 0) -> None:
        told.append((step, done, total, size))

    made = make_object(tmp_path / "object")
    assert list(validate_object(made, progress=progress, jobs=2)) == []
    assert told[-1] == ("verify", 2, 2, 11)


@pytest.mark.parametrize(("folder", "code"), [("", "E063"), ("v1/", "W010")])
def test_a_sidecar_without_its_inventory_is_said(tmp_path: Path, folder: str, code: str) -> None:
    made = make_object(tmp_path / "object")
    (made / f"{folder}inventory.json").unlink()
    (finding,) = validate_path(made)
    assert finding.code == code
    assert f"{folder}inventory.json.sha512 is there" in finding.message
    (made / f"{folder}inventory.json.sha512").unlink()
    assert [each.message for each in validate_path(made)] == [f"{folder}inventory.json is missing."]
