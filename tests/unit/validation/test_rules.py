"""The parts below the rules: names, paths, times, digests of many files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from muniment.validation.bagit.paths import leads_out, leads_out_elsewhere, plain, unportable
from muniment.validation.findings import LONGEST, printable
from muniment.validation.fixity import KNOWN, FileToDigest, read_many
from muniment.validation.ocfl.inventory import read_inventory
from muniment.validation.ocfl.names import check_sequence, version_name
from muniment.validation.ocfl.versions_block import is_time
from tests.format.objects import make_object


@pytest.mark.parametrize("name", ["v1", "v10", "v01", "v0010"])
def test_a_version_name_is_v_and_a_number(name: str) -> None:
    found = version_name(name)
    assert found is not None
    assert found.number == int(name[1:])


@pytest.mark.parametrize("name", ["v0", "v00", "1", "V1", "v1a", "v", "", "v-1", "v\u0661", None, 1, "v1\n"])
def test_anything_else_is_no_version_name(name: object) -> None:
    assert version_name(name) is None


def test_a_gap_of_any_size_is_one_finding() -> None:
    names = [version_name("v1"), version_name("v999999999999999999")]
    findings = list(check_sequence([name for name in names if name], ""))
    assert [(finding.code, finding.expected) for finding in findings] == [("E010", "2 to 999999999999999998")]


@pytest.mark.parametrize(
    "time", ["2024-02-29T23:59:60Z", "2024-01-01t00:00:00.123456789z", "2024-01-01T00:00:00-05:30"]
)
def test_a_time_of_rfc_3339_is_a_time(time: str) -> None:
    assert is_time(time)


@pytest.mark.parametrize(
    "time",
    ["2024-01-01T00:00Z", "2024-01-01T00:00:00", "2023-02-29T00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T24:00:00Z",
     "2024-01-01T00:00:61Z", "2024-01-01T00:00:00+25:00", 5, None],
)  # fmt: skip
def test_anything_else_is_no_time(time: object) -> None:
    assert not is_time(time)


@pytest.mark.parametrize(
    "path", ["/a", "~", "~root/a", "../a", "data/../../a", "C:\\a", "c:/a", "\\\\server\\a", "%HOME%\\a", "a\0", ""]
)
def test_a_path_that_could_leave_the_bag_is_seen_on_every_system(path: str) -> None:
    assert leads_out(path) or leads_out_elsewhere(path)


@pytest.mark.parametrize("path", ["data/a", "./data/a", "data/~a", "data/a..b", "data/100%/a", "data/C:/a"])
def test_a_path_inside_the_bag_is_let_pass(path: str) -> None:
    assert not leads_out(path)
    assert not leads_out_elsewhere(path)


def test_a_path_is_made_plain() -> None:
    assert plain("./data//a/./b") == "data/a/b"


@pytest.mark.parametrize("name", ["data/con", "data/LPT1.txt", "data/a.", "data/a /b", "data/a:b", "data/\x01"])
def test_names_some_systems_cannot_hold_are_told(name: str) -> None:
    assert unportable(name)


def test_names_all_systems_can_hold_are_let_pass() -> None:
    assert not unportable("data/console/a.b c.txt")


def test_text_for_a_report_is_printable_and_bounded() -> None:
    assert printable("a\x1b[31m\udcff\n") == "a\\x1b[31m\\udcff\\n"
    assert len(printable("x" * 10_000)) == LONGEST + 1


@pytest.mark.parametrize("algorithm", sorted(KNOWN))
def test_each_known_algorithm_gives_a_digest_of_its_length(tmp_path: Path, algorithm: str) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1_000_000)
    (result,) = read_many([FileToDigest("file", [algorithm], 1_000_000)], str(tmp_path))
    length, maker = KNOWN[algorithm]
    hasher = maker()
    hasher.update(b"x" * 1_000_000)
    assert result.digests == {algorithm: hasher.hexdigest()}
    assert len(result.digests[algorithm]) == length


def test_many_files_come_back_in_order_and_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    names = [f"{number:04}" for number in range(300)]
    for name in names:
        (tmp_path / name).write_text(name)
    (tmp_path / names[7]).unlink()
    results = list(read_many((FileToDigest(name, ["md5", "sha1"], 4) for name in names), str(tmp_path), jobs=3))
    assert [result.path for result in results] == names
    assert results[7].trouble == "No such file or directory"
    assert results[8].digests["md5"] == hashlib.md5(b"0008", usedforsecurity=False).hexdigest()


def test_a_reader_that_stops_early_leaves_no_threads_waiting(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    results = read_many((FileToDigest("a", ["md5"], 1) for _ in range(10_000)), str(tmp_path), jobs=2)
    assert next(results).size == 1
    results.close()  # type: ignore[attr-defined] # it is a generator


def test_an_inventory_is_read_into_plain_values(tmp_path: Path) -> None:
    made = make_object(tmp_path / "object")
    inventory, findings = read_inventory(str(made), "inventory.json", spec="1.1", is_root=True)
    assert inventory is not None
    assert findings == []
    assert inventory.head_keys.head == "v2"
    assert sorted(inventory.content_paths) == ["v1/content/a.txt", "v2/content/folder/b.txt"]
    assert inventory.versions is not None
    assert sorted(path for paths in (inventory.versions["v2"].state or {}).values() for path in paths) == [
        "a.txt",
        "folder/b.txt",
    ]
