"""Hostile input: whatever is done to a package, judging it ends in findings and never in an exception."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.content.findings import Finding
from muniment.validation import recognise, validate_bag, validate_object, validate_path, validate_root
from tests.format.bags import make_bag, make_profile, seal
from tests.format.objects import load, make_object, make_root, save

FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["v1", "v2", "sha512"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _judged(
    judge: Callable[[Path], Iterator[Finding]],
    make: Callable[[Path], Path],
    spoil: Callable[[Path], None],
    owes: Callable[[set[str]], bool],
) -> None:
    """Make a package, spoil it, have every finding said in every form.

    A finding must be there when `owes` says so of the paths at which something has changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder) / "made")
        before = _picture(made)
        assert [finding for finding in judge(made) if finding.failed] == []
        spoil(made)
        findings = list(judge(made))
        for finding in findings:
            json.dumps(finding.as_json()).encode("ascii")
            finding.message.encode("utf-8")
        after = _picture(made)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        if changed and owes(changed):
            assert any(finding.failed for finding in findings), sorted(changed)


def _picture(made: Path) -> dict[str, object]:
    """What is at each path: the bytes of a file, the target of a link, a word for a folder."""
    found: dict[str, object] = {}
    for path in made.rglob("*"):
        name = str(path.relative_to(made))
        found[name] = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
    return found


def _files(made: Path) -> list[Path]:
    return sorted(path for path in made.rglob("*") if path.is_file())


def _spoil_bytes(made: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(_files(made)))
    old = path.read_bytes()
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, min(len(old), start + 20)))
    path.write_bytes(old[:start] + data.draw(st.binary(max_size=20)) + old[end:])


def _spoil_tree(made: Path, data: st.DataObject) -> None:
    everything = sorted(made.rglob("*"))
    path = data.draw(st.sampled_from(everything))
    how = data.draw(st.sampled_from(["drop", "link", "move", "add"]))
    if how == "move":
        new = path.with_name(data.draw(NAMES.filter(lambda name: name not in {".", ".."})))
        if len(new.name.encode()) < 200 and not new.exists():
            path.rename(new)
        return
    if how == "add" and path.is_dir():
        target = path / "made by chance"
        target.write_bytes(data.draw(st.binary(max_size=10)))
        return
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if how == "link":
        path.symlink_to(data.draw(st.sampled_from(["..", ".", "/", path.name, "/dev/zero", "bagit.txt"])))


def _in_a_bag(changed: set[str]) -> bool:
    """Whether a manifest speaks of one of them; the tag manifest itself is optional, and its spaces are free."""
    return any(
        path.split("/")[0] == "data" or path in {"bagit.txt", "bag-info.txt", "manifest-sha512.txt"} for path in changed
    )


def _in_an_object(changed: set[str]) -> bool:
    """Whether the object's records fix the bytes of one of them; a sidecar may have other spaces."""
    return any(not path.rpartition("/")[2].startswith("inventory.json.") for path in changed)


def _in_a_root(changed: set[str]) -> bool:
    """Whether the declaration or the inside of an object has changed.

    Where a whole object lies is free, and only a warning comes where a version lacks its inventory (W010).
    """
    optional = {f"000/000/001/1/{version}/inventory.json" for version in ("v1", "v2")}
    inside = any(path.startswith("000/000/001/1/") for path in changed - optional)
    return "0=ocfl_1.1" in changed or (inside and not changed & {"000", "000/000", "000/000/001", "000/000/001/1"})


@FAST
@given(st.data())
def test_any_change_of_bytes_in_a_bag_ends_in_findings(data: st.DataObject) -> None:
    _judged(validate_bag, make_bag, lambda made: _spoil_bytes(made, data), _in_a_bag)


@FAST
@given(st.data())
def test_a_bag_that_was_changed_and_sealed_again_is_judged_and_its_payload_still_counts(data: st.DataObject) -> None:
    def spoil(made: Path) -> None:
        _spoil_bytes(made, data)
        seal(made)

    _judged(validate_bag, make_bag, spoil, lambda changed: any(path.startswith("data/") for path in changed))


@FAST
@given(st.data())
def test_any_change_of_the_tree_of_a_bag_ends_in_findings(data: st.DataObject) -> None:
    _judged(validate_path, make_bag, lambda made: _spoil_tree(made, data), _in_a_bag)


@FAST
@given(st.data())
def test_any_change_of_bytes_in_an_object_ends_in_findings(data: st.DataObject) -> None:
    _judged(validate_object, make_object, lambda made: _spoil_bytes(made, data), _in_an_object)


@FAST
@given(st.data())
def test_any_change_of_the_tree_of_a_root_ends_in_findings(data: st.DataObject) -> None:
    _judged(validate_root, make_root, lambda made: _spoil_tree(made, data), _in_a_root)


def _spoil_value(value: Any, data: st.DataObject) -> Any:
    """Somewhere in a JSON value, put another in its place."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 5)):
            return {**value, key: _spoil_value(value[key], data)}
        return {(data.draw(st.text(max_size=8)) if each == key else each): item for each, item in value.items()}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [_spoil_value(value[0], data), *value[1:]]
    return data.draw(JSON)


@FAST
@given(st.data())
def test_any_inventory_is_judged_and_one_that_is_not_its_versions_own_ends_in_findings(data: st.DataObject) -> None:
    def spoil(made: Path) -> None:
        where = made if data.draw(st.booleans()) else made / "v1"
        inventory = load(where)
        for _ in range(data.draw(st.integers(1, 3))):
            inventory = _spoil_value(inventory, data)
        try:
            raw = json.dumps(inventory).encode()
        except UnicodeEncodeError:
            return
        save(where, raw)
        if where == made and data.draw(st.booleans()):
            save(made / "v2", raw)
            twins.append(True)

    twins: list[bool] = []
    # An inventory may say something else and be right; that of the root must be that of its newest version.
    _judged(validate_object, make_object, spoil, lambda changed: "inventory.json" in changed and not twins)


@FAST
@given(JSON)
def test_any_profile_is_judged_and_demands_that_are_none_end_in_findings(demands: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bag = make_bag(Path(folder) / "bag")
        profile = make_profile(Path(folder), demands if isinstance(demands, dict) else {"Bag-Info": demands})
        findings = list(validate_bag(bag, profile=profile))
        assert all(finding.message for finding in findings)
        if not isinstance(demands, dict):
            assert findings


@FAST
@given(st.binary(max_size=600))
def test_any_file_is_no_bag_or_ends_in_findings(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("bag.tar", "bag.zip"):
            packed = Path(folder) / name
            packed.write_bytes(content)
            assert any(finding.failed for finding in validate_path(packed))
            assert any(finding.failed for finding in validate_bag(packed))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 100_000,
        '{"id": 1' + "0" * 10_000 + "}",
        '{"id": "\\ud800", "head": "\\udc80"}',
        "\ufeff{}",
        "NaN",
        "",
        "null",
        "\0",
        '{"versions": {"v' + "9" * 5000 + '": {}}}',
        '{"versions": {"v1": {}, "v999999999999999999": {}}}',
    ],
    ids=["lists", "objects", "number", "surrogates", "mark", "nan", "empty", "null", "nul", "digits", "gap"],
)
def test_an_inventory_meant_to_harm_ends_in_findings(tmp_path: Path, text: str) -> None:
    made = make_object(tmp_path / "object")
    save(made, text.encode())
    findings = list(validate_object(made))
    assert any(finding.failed for finding in findings)
    for finding in findings:
        finding.message.encode("utf-8")


def test_names_that_are_not_utf_8_are_told_in_escapes(tmp_path: Path) -> None:
    for made in (make_bag(tmp_path / "bag"), make_object(tmp_path / "object")):
        folder = made / ("data" if (made / "data").exists() else "v1/content")
        with open(bytes(folder) + b"/\xff\n", "wb") as file:
            file.write(b"x")
        findings = list(validate_path(made))
        assert findings
        assert any("\\udcff" in finding.where and "\n" not in finding.message for finding in findings)


def test_a_pipe_or_a_device_in_a_files_place_hangs_nothing(tmp_path: Path) -> None:
    import os

    bag = make_bag(tmp_path / "bag")
    for name in ("bagit.txt", "manifest-sha512.txt", "data/a.txt"):
        (bag / name).unlink()
        os.mkfifo(bag / name)
    assert any(finding.failed for finding in validate_path(bag))
    made = make_object(tmp_path / "object")
    for name in ("inventory.json", "0=ocfl_object_1.1", "v1/content/a.txt"):
        (made / name).unlink()
        os.mkfifo(made / name)
    assert any(finding.failed for finding in validate_path(made))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert recognise(pipe) is None
    assert any(finding.failed for finding in validate_path(pipe))


@pytest.mark.parametrize(
    "encoding", ["rot13", "zlib", "hex", "punycode", "undefined", "unicode_escape", "base64", "x\0"]
)
def test_an_encoding_that_is_none_is_told(tmp_path: Path, encoding: str) -> None:
    bag = make_bag(tmp_path / "bag")
    (bag / "bagit.txt").write_text(f"BagIt-Version: 1.0\nTag-File-Character-Encoding: {encoding}\n")
    assert "B902" in {finding.code for finding in validate_bag(seal(bag))}
