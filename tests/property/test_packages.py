"""Whatever goes in is exported in every layout and form, is valid there, and comes in again as the same resource."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive.package.names import LONGEST_SEGMENT
from muniment.content import Severity
from muniment.errors.base import BadInput
from muniment.validation import validate_path
from muniment.workflows.export import LAYOUTS, export
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import new_archive, views

EXAMPLES = int(os.environ.get("LAW_EXAMPLES", "12"))


def collides(tree: dict[str, bytes]) -> bool:
    return any(other.startswith(f"{path}/") for path in tree for other in tree)


OURS = [
    "resource.json", "instance.json", "instances", "metadata", "files.jsonl", "inventory.json", "inventory.json.sha512",
    "0=ocfl_object_1.1", "0=ocfl_1.1", "v1", "content", "data", "bagit.txt", "bag-info.txt", "manifest-sha512.txt",
    "tagmanifest-sha512.txt", "fetch.txt", "extensions", "logs", "__MACOSX", "._a", "._data", ".DS_Store",
    "bag-tag-files", "ro-crate-metadata.json",
    "=m=a", "..\\x", "a\\..\\b", "..\\..\\x", "C:\\x", "~", "~root", "%HOME%", "%2e%2e", "100%25 done", "50%", "a%0Ab",
]  # fmt: skip
ALPHABET = st.text(st.sampled_from("ab\\./%=\r\n\x1b~ _A\u00e9e\u0301\u0308\u212b"), min_size=1, max_size=8)
SEGMENTS = (st.sampled_from(OURS) | ALPHABET.map(lambda text: text.replace("/", "-"))).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) <= LONGEST_SEGMENT
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
INSTANCES = (
    b'{"format": "muniment-instances 1.0", "id": "stolen", "project": "theirs", "head": 1, '
    b'"instances": [{"number": 1, "instance": "x"}]}'
)
CONTENTS = st.sampled_from([b"", b"a", b"[]", b"1", b"\0\5\x16\7", INSTANCES]) | st.binary(max_size=20)
TREES = st.dictionaries(PATHS, CONTENTS, max_size=6).filter(lambda tree: not collides(tree))
WORDS = st.dictionaries(
    st.sampled_from(["title", "description", "creator", "license", "date", "parts", "bag", "External-Identifier"]),
    ALPHABET
    | st.lists(ALPHABET, max_size=2)
    | st.sampled_from([0, None, {}, {"info": "none"}, "a: b\n c", "2024-05-01"]),
    max_size=2,
)
HISTORIES = st.lists(st.tuples(TREES, WORDS), min_size=1, max_size=2)
IDS = st.sampled_from(["plain", "a/b", "..", "~x", "caf\u00e9", "100%", "urn:x:1"])


History = list[tuple[dict[str, bytes], dict[str, Any]]]
"""Of each instance its files, and what is said of it."""


def beside_its_number(seen: dict[str, Any]) -> dict[str, Any]:
    """An instance whatever number it has: the message made up where none was given tells the number, too."""
    record = {name: value for name, value in seen["record"].items() if name != "number"}
    return {name: value for name, value in seen.items() if name not in {"number", "message"}} | {"record": record}


def check_the_law(folder: Path, id: str, history: History) -> None:
    with new_archive(folder / "archive") as archive:
        for number, (tree, words) in enumerate(history):
            with archive.get(id, "a") if number else archive.new(id) as transaction:
                for path in list(transaction) if number else ():
                    transaction.delete(path)
                for path, content in tree.items():
                    transaction.add(content, path)
                transaction.metadata.update(words, turn=number)
        before = views(archive, id)
        for layout in LAYOUTS:
            if layout == "ro-crate" and any(path.startswith("ro-crate-metadata.json/") for path in history[-1][0]):
                # Where a crate has its description there is a folder: said, and nothing written.
                with pytest.raises(BadInput):
                    export(archive, id, layout, folder / layout)
                continue
            for form in ("", ".tar", ".zip"):
                package = folder / f"{layout}{form}"
                export(archive, id, layout, package)
                findings = list(validate_path(package))
                # Not even strict validation finds fault with what we write.
                faults = [each.message for each in findings if each.failed or each.severity is Severity.DEVIATION]
                assert faults == []
                with new_archive(folder / f"to-{layout}{form}") as other:
                    assert import_package(other, package) == [id]
                    after = views(other, id)
                if layout in {"bag", "ro-crate"}:
                    assert list(map(beside_its_number, after)) == [beside_its_number(before[-1])]
                else:
                    assert after == before


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("law")


def run_once(place: Path, id: str, history: History) -> None:
    folder = place / os.urandom(6).hex()
    folder.mkdir()
    try:
        check_the_law(folder, id, history)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(IDS, HISTORIES)
def test_whatever_goes_in_comes_out_valid_and_in_again_the_same(place: Path, id: str, history: History) -> None:
    run_once(place, id, history)


@pytest.mark.nightly
@settings(max_examples=50_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(IDS, HISTORIES)
def test_the_law_holds_for_many_more(place: Path, id: str, history: History) -> None:
    run_once(place, id, history)


@pytest.mark.parametrize(
    "tree",
    [
        {"a\\..\\b": b"1", "..\\..\\x": b"2"},
        {"resource.json": b"[]"},
        {"resource.json": INSTANCES, "instances/x/instance.json": b"{}"},
        {"a": b"1", "._a": b"\0\5\x16\7"},
        {"ro-crate-metadata.json/a": b"1"},
    ],
    ids=["backslashes", "no object", "somebody's resource", "as macOS leaves it", "a folder named as a crate's file"],
)
def test_what_broke_the_law_once_holds_now(tmp_path: Path, tree: dict[str, bytes]) -> None:
    check_the_law(tmp_path, "it", [(tree, {})])


def test_a_deviation_is_all_that_our_packages_are_told(tmp_path: Path) -> None:
    with new_archive(tmp_path / "archive") as archive:
        with archive.new("it") as transaction:
            transaction.add(b"x", "plain")
        export(archive, "it", "bag", tmp_path / "it.zip")
    assert [finding for finding in validate_path(tmp_path / "it.zip") if finding.severity is not Severity.NOTE] == []
