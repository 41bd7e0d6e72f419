"""Many files get their sets side by side, and a failure or a caller who stops leaves nothing running or half done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muniment.archive.parity import check_set, make_many
from muniment.errors.parity import ParityNotMade
from tests.unit.parity.making import folders, random_file


def sources(folder: Path, count: int) -> list[tuple[Path, str]]:
    folder.mkdir()
    return [(folder / str(number), random_file(folder / str(number), 102_400, seed=number)) for number in range(count)]


class Watch:
    def __init__(self) -> None:
        self.said: list[tuple[str, int, int | None, int]] = []

    def __call__(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        self.said.append((step, done, total, size))


def test_every_file_has_its_own_set_in_the_order_given(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    files = sources(tmp_path / "files", 25)
    watch = Watch()
    made = list(make_many(files, parity, 5, progress=watch, total=25))
    assert [item.name for item in made] == [digest for _, digest in files]
    assert [fault for _, digest in files for fault in check_set(parity, digest)] == []
    assert watch.said == [("parity", done, 25, done * 102_400) for done in range(1, 26)]
    assert len(os.listdir(parity)) == 25 * 3


def test_equal_content_is_done_once_and_empty_files_not_at_all(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    ((file, digest),) = sources(tmp_path / "files", 1)
    empty = random_file(tmp_path / "empty", 0)
    made = list(make_many([(file, digest), (tmp_path / "empty", empty), (file, digest)], parity, 5))
    assert [item.name for item in made] == [digest]


def test_one_bad_file_stops_the_rest_and_leaves_whole_sets_only(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    files = sources(tmp_path / "files", 20)
    files[5] = (files[5][0], "0" * 64)
    with pytest.raises(ParityNotMade):
        list(make_many(files, parity, 5))
    left = os.listdir(parity)
    assert not [name for name in left if name.startswith("parity-")], "no work folder stays"
    assert [fault for _, digest in files[:5] for fault in check_set(parity, digest)] == []
    assert f"{files[19][1]}.par2" not in left


def test_a_caller_who_stops_ends_the_work(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    many = make_many(sources(tmp_path / "files", 40), parity, 5, workers=2)
    next(many)
    many.close()  # type: ignore[attr-defined]  # a generator, though promised as an iterator
    left = os.listdir(parity)
    assert len(left) < 40 * 3
    assert not [name for name in left if name.startswith("parity-")]
