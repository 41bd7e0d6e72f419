"""A file of 100 KiB and up has a set of its own: small, named by its sha256, and able to repair it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from muniment.archive.parity import Outcome, check_set, make_for_file, make_for_pack, repair_file, verify_file
from muniment.archive.parity.par2 import find_program
from muniment.errors.archive import ReadFailed
from muniment.errors.base import BadInput
from muniment.errors.parity import CannotRepair, ParityNotMade
from tests.unit.parity.making import damage, folders, random_file, sha256

EDGES = (102_400, 110_000, 159_999, 160_000, 199_999, 200_000, 499_999, 500_000, 999_999, 1_000_000, 4_000_000)


@pytest.mark.parametrize("size", [*EDGES, 10_000_000])
def test_a_set_at_five_percent_takes_at_most_twelve_percent_of_the_file(tmp_path: Path, size: int) -> None:
    (parity,) = folders(tmp_path, "parity")
    digest = random_file(tmp_path / "file", size)
    made = make_for_file(tmp_path / "file", digest, parity, 5)
    assert made is not None
    on_disk = sum(path.stat().st_size for path in parity.iterdir())
    assert made.size == on_disk
    assert on_disk <= 0.12 * size


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("start", [0.0, 0.333, 0.97])
def test_three_percent_lost_in_one_place_is_repaired(tmp_path: Path, size: int, start: float) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, size)
    make_for_file(file, digest, parity, 5)
    damage(file, int(size * start), int(size * 0.03))
    damaged = sha256(file)
    assert damaged != digest
    repaired = repair_file(file, digest, parity, scratch, scratch / "repaired")
    assert sha256(repaired) == digest
    assert sha256(file) == damaged, "the original is the caller's to replace"
    assert os.listdir(scratch) == ["repaired"]


@pytest.mark.parametrize("size", EDGES)
def test_eight_percent_lost_is_refused_and_nothing_changes(tmp_path: Path, size: int) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, size)
    make_for_file(file, digest, parity, 5)
    damage(file, size // 3, int(size * 0.08))
    before = (sha256(file), file.stat().st_mtime_ns, file.stat().st_ino)
    with pytest.raises(CannotRepair, match=r"\d+ of its \d+ blocks are lost and the parity can stand in for \d+"):
        repair_file(file, digest, parity, scratch, scratch / "repaired")
    assert (sha256(file), file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert os.listdir(scratch) == []
    assert check_set(parity, digest) == []


@pytest.mark.parametrize("name", ["-n1", "--", "x", "*", "a?[b]*", "ä 'quoted\" \n", "-", "a.par2"])
def test_no_name_of_a_file_or_folder_confuses_par2(tmp_path: Path, name: str) -> None:
    outer = tmp_path / name
    outer.mkdir()
    parity, scratch = folders(outer, "parity", "scratch")
    file = outer / name
    digest = random_file(file, 102_400)
    make_for_file(file, digest, parity, 5)
    damage(file, 1_000, 10)
    assert verify_file(file, digest, parity, scratch).outcome is Outcome.REPAIRABLE
    assert sha256(repair_file(file, digest, parity, scratch, scratch / "repaired")) == digest


def test_a_relative_path_means_the_file_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    digest = random_file(tmp_path / "file", 102_400)
    monkeypatch.chdir(tmp_path)
    make_for_file(Path("file"), digest, Path("parity"), 5)
    damage(tmp_path / "file", 1_000, 10)
    repair_file(Path("file"), digest, Path("parity"), Path("scratch"), Path("scratch/repaired"))
    assert sha256(scratch / "repaired") == digest
    assert check_set(parity, digest) == []


def test_par2_itself_accepts_the_set_beside_a_file_named_by_its_sha256(tmp_path: Path) -> None:
    parity, exported = folders(tmp_path, "parity", "exported")
    digest = random_file(tmp_path / "some name.bin", 300_000)
    make_for_file(tmp_path / "some name.bin", digest, parity, 5)
    shutil.copy(tmp_path / "some name.bin", exported / digest)
    for path in parity.glob("*.par2"):
        shutil.copy(path, exported)
    done = subprocess.run(
        [find_program(), "verify", "-q", f"{digest}.par2"], cwd=exported, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stdout
    assert sorted(path.name.partition(".")[2].partition("+")[0] for path in parity.glob("*.par2")) == ["par2", "vol0"]


def test_the_set_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    first, second = folders(tmp_path, "first", "second")
    digest = random_file(tmp_path / "file", 150_000)
    one = make_for_file(tmp_path / "file", digest, first, 5)
    shutil.copy(tmp_path / "file", tmp_path / "twin")
    two = make_for_file(tmp_path / "twin", digest, second, 5)
    assert one is not None
    assert two is not None
    assert [file.digests for file in one.files[:-1]] == [file.digests for file in two.files[:-1]]


def test_an_empty_file_needs_no_parity(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    digest = random_file(tmp_path / "empty", 0)
    assert make_for_file(tmp_path / "empty", digest, parity, 5) is None
    assert os.listdir(parity) == []


def test_zero_percent_is_no_parity(tmp_path: Path) -> None:
    (parity,) = folders(tmp_path, "parity")
    digest = random_file(tmp_path / "file", 102_400)
    assert make_for_file(tmp_path / "file", digest, parity, 0) is None
    assert make_for_pack([("file", tmp_path / "file", 102_400)], parity, 0) is None
    assert os.listdir(parity) == []


@pytest.mark.parametrize("size", [1, 3, 4, 5, 100, 4_097, 102_399])
def test_a_small_file_can_have_a_set_too(tmp_path: Path, size: int) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, size)
    make_for_file(file, digest, parity, 5)
    damage(file, size // 2, 1)
    assert sha256(repair_file(file, digest, parity, scratch, scratch / "repaired")) == digest


@pytest.mark.parametrize("size", [150_000, 5_000_000])
def test_a_file_that_is_not_what_its_digest_says_gets_no_parity(tmp_path: Path, size: int) -> None:
    (parity,) = folders(tmp_path, "parity")
    digest = random_file(tmp_path / "file", size)
    damage(tmp_path / "file", 5, 1)
    with pytest.raises(ParityNotMade, match="sha256"):
        make_for_file(tmp_path / "file", digest, parity, 5)
    assert os.listdir(parity) == []


def test_a_file_that_is_not_there_gets_no_parity(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed):
        make_for_file(tmp_path / "absent", "0" * 64, tmp_path, 5)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "-n1", "../x", "a b", "a.b", "*"])
def test_a_set_is_never_named_by_anything_but_plain_letters_and_digits(tmp_path: Path, name: str) -> None:
    random_file(tmp_path / "file", 1_000)
    with pytest.raises(BadInput, match="cannot name a parity set"):
        make_for_file(tmp_path / "file", name, tmp_path, 5)


@pytest.mark.parametrize("change", ["cut", "grown", "shifted", "intact"])
def test_a_file_cut_grown_or_shifted_is_repaired(tmp_path: Path, change: str) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, 500_000)
    make_for_file(file, digest, parity, 5)
    data = file.read_bytes()
    changed = {"cut": data[:-9_000], "grown": data + b"x" * 50_000, "shifted": b"abc" + data, "intact": data}[change]
    file.write_bytes(changed)
    assert sha256(repair_file(file, digest, parity, scratch, scratch / "repaired")) == digest
    assert file.read_bytes() == changed


def test_a_lost_file_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, 102_400)
    make_for_file(file, digest, parity, 5)
    file.unlink()
    with pytest.raises(CannotRepair, match="nothing of it is left, and the parity is 47 blocks short"):
        repair_file(file, digest, parity, scratch, scratch / "repaired")
    assert os.listdir(scratch) == []


@pytest.mark.parametrize("kind", ["index gone", "index garbage", "volume torn"])
def test_a_set_that_is_itself_damaged_still_repairs(tmp_path: Path, kind: str) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, 1_000_000)
    make_for_file(file, digest, parity, 5)
    index, (volume,) = parity / f"{digest}.par2", parity.glob("*.vol*.par2")
    if kind == "index gone":
        index.unlink()
    elif kind == "index garbage":
        random_file(index, index.stat().st_size, seed=9)
    else:
        damage(volume, 1_000, 12_000)
    damage(file, 7_000, 6_000)
    assert sha256(repair_file(file, digest, parity, scratch, scratch / "repaired")) == digest


def test_an_index_alone_still_tells_intact_from_damaged(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, 200_000)
    make_for_file(file, digest, parity, 5)
    (volume,) = parity.glob("*.vol*.par2")
    random_file(volume, volume.stat().st_size, seed=9)
    assert verify_file(file, digest, parity, scratch).outcome is Outcome.INTACT
    damage(file, 7_000, 6)
    verdict = verify_file(file, digest, parity, scratch)
    assert (verdict.outcome, verdict.lost, verdict.short) == (Outcome.BEYOND_REPAIR, 1, 1)
    with pytest.raises(CannotRepair, match="1 of its 80 blocks are lost and the parity can stand in for 0"):
        repair_file(file, digest, parity, scratch, scratch / "repaired")


@pytest.mark.parametrize("left", ["nothing", "garbage"])
def test_without_a_set_nothing_is_repaired(tmp_path: Path, left: str) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    digest = random_file(tmp_path / "file", 102_400)
    make_for_file(tmp_path / "file", digest, parity, 5)
    damage(tmp_path / "file", 1_000, 1)
    for path in parity.glob("*.par2"):
        if left == "nothing":
            path.unlink()
        else:
            random_file(path, path.stat().st_size, seed=9)
    with pytest.raises(CannotRepair):
        repair_file(tmp_path / "file", digest, parity, scratch, scratch / "repaired")
    assert os.listdir(scratch) == []


def test_parity_of_other_bytes_never_passes_for_the_file(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    random_file(tmp_path / "other", 200_000, seed=2)
    digest = random_file(tmp_path / "file", 200_000)
    make_for_file(tmp_path / "other", digest, parity, 5, check_source=False)
    with pytest.raises(CannotRepair, match="sha256"):
        repair_file(tmp_path / "other", digest, parity, scratch, scratch / "repaired")
    assert os.listdir(scratch) == []


def test_more_redundancy_repairs_more(tmp_path: Path) -> None:
    parity, scratch = folders(tmp_path, "parity", "scratch")
    file = tmp_path / "file"
    digest = random_file(file, 400_000)
    make_for_file(file, digest, parity, 30)
    damage(file, 50_000, 100_000)
    assert sha256(repair_file(file, digest, parity, scratch, scratch / "repaired")) == digest
