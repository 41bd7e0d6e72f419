"""Small files share one set over their packed bytes; its index survives the loss of a copy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muniment.archive.parity import Outcome, check_set, make_for_pack, pack_members, repair_pack, verify_pack
from muniment.errors.archive import ReadFailed, SourceChanged
from muniment.errors.base import BadInput
from muniment.errors.parity import CannotRepair
from tests.unit.parity.making import damage, folders, random_file, sha256

Files = list[tuple[str, Path, int]]


def small_files(folder: Path, count: int, size: int = 4096) -> Files:
    folder.mkdir()
    for number in range(count):
        random_file(folder / str(number), size, seed=number)
    return [(f"data/some folder/file-{number:05}.txt", folder / str(number), size) for number in range(count)]


def layout(files: Files) -> dict[str, Path]:
    return {name: path for name, path, _ in files}


def test_a_thousand_files_of_4_kib_cost_at_most_twelve_percent(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    made = make_for_pack(small_files(tmp_path / "files", 1000), parity, 5)
    assert made is not None
    assert made.protected == 1000 * 4096
    assert sum(path.stat().st_size for path in parity.iterdir()) <= 0.12 * made.protected


def test_lost_short_long_and_damaged_files_are_repaired_together(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    files = small_files(tmp_path / "files", 300)
    right = {name: sha256(path) for name, path, _ in files}
    make_for_pack(files, parity, 5, scratch=scratch)
    names = [name for name, _, _ in files]
    present = layout(files)
    present[names[7]].unlink()
    present[names[80]].write_bytes(present[names[80]].read_bytes()[:100])
    with present[names[150]].open("ab") as stream:
        stream.write(b"more")
    damage(present[names[299]], 4_000, 5)
    del present[names[200]]
    verdict = verify_pack(parity, present, scratch)
    assert verdict.outcome is Outcome.REPAIRABLE
    wanted = {names[number]: scratch / f"repaired-{number}" for number in (7, 80, 150, 200, 299)}
    written = repair_pack(parity, present, wanted, scratch)
    assert sorted(written) == sorted(wanted.values())
    assert {name: sha256(path) for name, path in wanted.items()} == {name: right[name] for name in wanted}
    assert sorted(os.listdir(scratch)) == sorted(path.name for path in written)
    assert present[names[80]].stat().st_size == 100, "what is damaged is the caller's to replace"


def test_more_than_the_parity_reaches_is_refused(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    files = small_files(tmp_path / "files", 100)
    make_for_pack(files, parity, 5)
    present = layout(files)
    for name, _, _ in files[40:48]:
        del present[name]
    with pytest.raises(CannotRepair, match=r"\d+ of its \d+ blocks are lost"):
        repair_pack(parity, present, {files[40][0]: scratch / "repaired"}, scratch)
    assert os.listdir(scratch) == []


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_few_files_make_a_pack(tmp_path: Path, count: int) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    files = small_files(tmp_path / "files", count, size=1_000)
    right = sha256(files[0][1])
    make_for_pack(files, parity, 5)
    assert [member.name for member in pack_members(parity)] == [name for name, _, _ in files]
    damage(files[0][1], 500, 20)
    repair_pack(parity, layout(files), {files[0][0]: scratch / "repaired"}, scratch)
    assert sha256(scratch / "repaired") == right


def test_empty_files_and_any_names_find_their_place(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    names = ["-", "a\nb", "ü/ü", 'q"uote', "0 0", " ", "last"]
    files: Files = []
    for number, name in enumerate(names):
        size = 0 if number in {0, 3, 6} else 700 + number
        random_file(tmp_path / str(number), size, seed=number)
        files.append((name, tmp_path / str(number), size))
    make_for_pack(files, parity, 20)
    assert [(member.name, member.size) for member in pack_members(parity)] == [(name, size) for name, _, size in files]
    wanted = {name: scratch / str(number) for number, name in enumerate(names)}
    repair_pack(parity, layout(files), wanted, scratch)
    assert [path.read_bytes() for path in wanted.values()] == [path.read_bytes() for _, path, _ in files]


@pytest.mark.parametrize("sizes", [[], [0, 0]])
def test_no_bytes_need_no_parity(tmp_path: Path, sizes: list[int]) -> None:
    (parity,) = folders(tmp_path, "parity")
    files = [(str(number), tmp_path / str(number), size) for number, size in enumerate(sizes)]
    for _, path, size in files:
        random_file(path, size)
    assert make_for_pack(files, parity, 5) is None
    assert os.listdir(parity) == []


@pytest.mark.parametrize("copy", ["pack.index", "pack.index.copy"])
@pytest.mark.parametrize("harm", ["gone", "torn", "garbage"])
def test_the_index_survives_in_either_copy(tmp_path: Path, copy: str, harm: str) -> None:
    (parity,) = folders(tmp_path, "parity")
    make_for_pack(small_files(tmp_path / "files", 20), parity, 5)
    before = pack_members(parity)
    if harm == "gone":
        (parity / copy).unlink()
    elif harm == "torn":
        (parity / copy).write_bytes((parity / copy).read_bytes()[:333])
    else:
        random_file(parity / copy, 3_000)
    assert pack_members(parity) == before
    assert [fault.path.name for fault in check_set(parity, "pack")] == [copy]


def test_the_index_survives_damage_of_both_copies_in_different_lines(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    make_for_pack(small_files(tmp_path / "files", 20), parity, 5)
    before = pack_members(parity)
    damage(parity / "pack.index", 0, 300)
    damage(parity / "pack.index.copy", 500, 300)
    assert pack_members(parity) == before
    damage(parity / "pack.index.copy", 0, 300)
    with pytest.raises(CannotRepair, match="lines of its index are lost in both copies"):
        pack_members(parity)


@pytest.mark.parametrize("size", [4_095, 4_097])
def test_a_file_of_another_size_than_said_is_refused(tmp_path: Path, size: int) -> None:
    (parity,) = folders(tmp_path, "parity")
    files = small_files(tmp_path / "files", 3)
    files[1] = (files[1][0], files[1][1], size)
    with pytest.raises(SourceChanged):
        make_for_pack(files, parity, 5)
    assert os.listdir(parity) == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    with pytest.raises(ReadFailed):
        make_for_pack([("a", tmp_path / "absent", 5)], parity, 5)
    assert os.listdir(parity) == []


def test_twin_and_unknown_names_are_refused(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    files = small_files(tmp_path / "files", 3)
    with pytest.raises(BadInput, match="two files"):
        make_for_pack([*files, files[0]], parity, 5)
    make_for_pack(files, parity, 5)
    with pytest.raises(BadInput, match="is not in the pack"):
        repair_pack(parity, layout(files), {"other": scratch / "repaired"}, scratch)
