"""Whatever goes in, under whatever names and in whatever order, comes out equal at every instance."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive import Archive, Transaction
from muniment.archive.package.names import LONGEST_SEGMENT, stored_path
from muniment.errors.archive import PathCollides
from tests.crash.judging import assert_judges_agree, assert_whole, state_of
from tests.crash.scenes import AGENT, workshop

ODD = [
    "%", "%0A", "%0d", "%25", "%2e", "\n", "\r", "\r\n", "\t", " ", "  ", ".x", "x.", "x ", " x",
    "~", "~user", "=m=", "=m=x",
    "=m=%0A", "*", "*x", "\\", "a\\b", ":", "?", '"', "<>|", "CON", "-rf", "#", "é", "e\u0301",
    "É", "E\u0301", "ß", "SS", "İ",
    "\u2028", "\x85", "\x1c", "\x7f", "\u200b", "\ufeff", "\u00a0", "\u3000x", "🎉", "漢", "..x",
    "...", "manifest-sha512.txt",
    "bagit.txt", "data", "v1", "inventory.json", "a" * 255, "ä" * 127, "\n" * 255, "\U0010fffd",
]  # fmt: skip
ANY = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
SEGMENTS = (st.sampled_from(ODD) | st.sampled_from(["a", "A", "b", "c"]) | ANY).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) <= LONGEST_SEGMENT
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
CONTENTS = st.sampled_from([b"", b"a", b"b", b"\n", b"same\n" * 50]) | st.binary(max_size=40)
OPERATIONS = st.one_of(
    st.tuples(st.just("add"), PATHS, CONTENTS),
    st.tuples(st.just("add"), PATHS, CONTENTS),
    st.tuples(st.just("replace"), st.integers(0, 50), CONTENTS),
    st.tuples(st.just("delete"), st.integers(0, 50), st.none()),
    st.tuples(st.just("rename"), st.integers(0, 50), PATHS),
    st.tuples(st.just("metadata"), st.text(max_size=5).filter(lambda key: not _surrogates(key)), CONTENTS),
)
HISTORIES: st.SearchStrategy[list[list[tuple[str, Any, Any]]]] = st.lists(
    st.lists(OPERATIONS, max_size=8), min_size=1, max_size=4
)


def _surrogates(text: str) -> bool:
    return any(unicodedata.category(character) == "Cs" for character in text)


class Model:
    """What the resource should hold, by the simplest means."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.metadata: dict[str, Any] = {}

    def state(self) -> tuple[dict[str, bytes], dict[str, Any]]:
        return dict(self.files), dict(self.metadata)

    def collides(self, path: str) -> bool:
        return any(other.startswith(path + "/") or path.startswith(other + "/") for other in self.files)

    def apply(self, transaction: Transaction, verb: str, what: Any, value: Any) -> None:
        names = sorted(self.files)
        if verb == "metadata":
            transaction.metadata[what] = self.metadata[what] = value.hex()
        elif verb == "add":
            self.put(transaction, what, value)
        elif names:
            name = names[what % len(names)]
            if verb == "replace":
                transaction.replace(value, name)
                self.files[name] = value
                return
            transaction.delete(name)
            content = self.files.pop(name)
            if verb == "rename":
                self.put(transaction, value, content)

    def put(self, transaction: Transaction, path: str, content: bytes) -> None:
        if self.collides(path):
            with pytest.raises(PathCollides):
                transaction.add(content, path)
        elif path in transaction:
            transaction.replace(content, path)
            self.files[path] = content
        else:
            transaction.add(content, path)
            self.files[path] = content


def live(root: Path, history: list[list[tuple[str, Any, Any]]], mode: str) -> None:
    """Do a history to an archive and to the model, and compare every instance."""
    model, expected = Model(), []
    with Archive.init(root, mode=mode, redundancy=0, agent=AGENT, workers=0) as archive:
        for number, operations in enumerate(history):
            with archive.get("r", "a") if number else archive.new("r") as transaction:
                for verb, what, value in operations:
                    model.apply(transaction, verb, what, value)
                changed = transaction._changed() or not number
            if changed:
                expected.append(model.state())
        found = state_of(archive)
    assert [(files, metadata) for files, metadata, _ in found["r"]] == expected
    assert_whole(root, found)
    with Archive(root, workers=0) as archive:
        assert_judges_agree(archive)


@pytest.mark.parametrize("mode", ["preservation", "worm"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=HISTORIES)
def test_a_history_comes_out_as_it_went_in(mode: str, history: list[list[tuple[str, Any, Any]]]) -> None:
    with workshop() as folder:
        live(folder / "archive", history, mode)


@pytest.mark.nightly
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=HISTORIES)
def test_very_many_histories_come_out_as_they_went_in(history: list[list[tuple[str, Any, Any]]]) -> None:
    with workshop() as folder:
        live(folder / "archive", history, "preservation")


def test_every_odd_name_is_kept_and_read_alike_by_all() -> None:
    names = [*ODD, *(f"below {number}/{name}" for number, name in enumerate(ODD))]
    history: list[list[tuple[str, Any, Any]]] = [
        [("add", name, name.encode()) for name in names],
        [("replace", number, b"2") for number in range(0, 50, 7)],
    ]
    with workshop() as folder:
        live(folder / "archive", history, "preservation")


@settings(max_examples=400, deadline=None)
@given(one=PATHS, other=PATHS)
def test_two_paths_never_share_a_stored_path(one: str, other: str) -> None:
    assert (stored_path(one) == stored_path(other)) == (one == other)
    assert all(len(segment.encode()) <= LONGEST_SEGMENT for segment in stored_path(one).split("/"))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=st.dictionaries(PATHS, CONTENTS, max_size=12))
def test_a_folder_on_disk_comes_out_as_it_went_in(tree: dict[str, bytes]) -> None:
    kept: dict[str, bytes] = {}
    with workshop() as folder:
        source = folder / "source"
        source.mkdir()
        for path, content in tree.items():
            try:
                (source / path).parent.mkdir(parents=True, exist_ok=True)
                (source / path).write_bytes(content)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
            kept[path] = content
        with Archive.init(folder / "archive", redundancy=0, agent=AGENT, workers=0) as archive:
            with archive.new("r") as transaction:
                transaction.add(source)
            shutil.rmtree(source)
            instance = archive.get("r")
            assert {path: instance.read(path) for path in instance} == kept
            assert_judges_agree(archive)
