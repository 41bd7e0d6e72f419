"""A version with very many small files has several packs, and each is found, checked, used and made anew by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive, blocks_of
from muniment.archive.parity import ToPack, ahead, several_packs
from muniment.archive.parity.protect import pack_folder
from muniment.archive.parity.several_packs import pack_names, shared_out
from muniment.errors.parity import ParityToolFailed

SIZE = 30_000
COUNT = 24
FILES = {f"folder/{number:02}.bin": bytes([number]) * 8 + os.urandom(SIZE - 8) for number in range(COUNT)}
NAMES = ("pack", "pack_2", "pack_3")


@pytest.fixture(autouse=True)
def _small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_packs, "PACK_BYTES", COUNT * SIZE // len(NAMES))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", workers=2) as archive:
        add(archive)
        yield archive


def add(archive: Archive) -> None:
    with archive.new("thing") as transaction:
        for name, data in FILES.items():
            transaction.add(data, name)
    assert transaction.unprotected == ""


def packs(archive: Archive) -> Path:
    layout = archive.context.layout
    return pack_folder(layout, layout.object(archive.get("thing").project, "thing"), 1)


def said(archive: Archive) -> list[tuple[str, str]]:
    """What an audit finds; what repairs set aside is no fault."""
    return sorted((finding.code, finding.expected) for finding in archive.audit() if finding.code != "M502")


def damage(path: Path, *, start: int = 2_000, count: int = 500) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    for place in range(start, start + count):
        data[place] ^= 0xFF
    path.write_bytes(data)


def volume(archive: Archive, name: str) -> Path:
    (found,) = packs(archive).glob(f"{name}.vol*.par2")
    return found


def test_files_are_shared_out_and_found_whole(archive: Archive) -> None:
    assert pack_names(packs(archive)) == NAMES
    assert sorted(path.name for path in packs(archive).glob("*.par2.json")) == [f"{name}.par2.json" for name in NAMES]
    assert said(archive) == []
    assert list(archive.repair()) == []
    assert not list((archive.path / "staging" / "open").iterdir())


def test_in_worm_mode_too(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", mode="worm") as archive:
        add(archive)
        assert said(archive) == []
        for path in packs(archive).glob("pack_2.*"):
            path.unlink()
        assert [code for code, _ in said(archive)] == ["M401"]
        list(archive.repair())
        assert said(archive) == []


def test_a_damaged_file_of_each_is_repaired(archive: Archive) -> None:
    found = archive.get("thing")
    broken = ["folder/00.bin", "folder/11.bin", "folder/23.bin"]
    for name in broken:
        damage(found.location(name))
    assert [code for code, _ in said(archive)] == ["M101"] * 3
    assert all(done.repaired for done in archive.repair())
    assert {name: archive.get("thing").read(name) for name in broken} == {name: FILES[name] for name in broken}
    assert said(archive) == []


def test_a_damaged_inventory_comes_back_from_the_first(archive: Archive) -> None:
    found = archive.get("thing")
    place = archive.context.layout.object(found.project, "thing")
    before = (place / "v1" / "inventory.json").read_bytes()
    for record in (place / "v1" / "inventory.json", place / "inventory.json"):
        damage(record)
    assert all(done.repaired for done in archive.repair())
    assert (place / "v1" / "inventory.json").read_bytes() == before
    assert said(archive) == []


@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_lost_is_named_and_made_again_and_the_others_stay(archive: Archive, name: str) -> None:
    before = {path.name: path.stat().st_ino for path in packs(archive).iterdir()}
    for path in packs(archive).iterdir():
        if path.name.startswith(f"{name}."):
            path.unlink()
    place = str(packs(archive).relative_to(archive.path) / f"{name}.par2")
    assert said(archive) == [("M401", place)]
    assert [(finding.code, finding.expected) for finding in archive.audit(fast=True)] == [("M401", place)]
    assert all(done.repaired for done in archive.repair())
    after = {path.name: path.stat().st_ino for path in packs(archive).iterdir()}
    assert after.keys() == before.keys()
    assert {each for each in after if after[each] == before[each]} >= {
        each for each in before if not each.startswith(f"{name}.")
    }
    assert said(archive) == []


@pytest.mark.parametrize("name", ["pack", "pack_3"])
def test_one_that_is_damaged_is_made_anew(archive: Archive, name: str) -> None:
    damage(volume(archive, name))
    assert [code for code, _ in said(archive)] == ["M402"]
    assert all(done.repaired for done in archive.repair())
    assert [code for code, _ in said(archive)] == []


def test_any_index_tells_how_many_there_are(archive: Archive) -> None:
    for path in packs(archive).iterdir():
        if path.name.startswith(("pack.index", "pack_3.index")):
            path.write_bytes(b"rot")
    assert pack_names(packs(archive)) == NAMES
    for path in packs(archive).glob("pack_2.index*"):
        path.write_bytes(b"rot")
    assert pack_names(packs(archive)) == NAMES


def test_a_single_one_of_earlier_times_serves_and_becomes_several_when_it_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive.init(tmp_path / "archive") as archive:
        with monkeypatch.context() as earlier:
            earlier.setattr(several_packs, "PACK_BYTES", 1 << 30)
            add(archive)
        assert pack_names(packs(archive)) == ("pack",)
        damage(archive.get("thing").location("folder/20.bin"))
        assert all(done.repaired for done in archive.repair())
        assert said(archive) == []
        damage(volume(archive, "pack"))
        assert all(done.repaired for done in archive.repair())
        assert said(archive) == []
        assert pack_names(packs(archive)) == NAMES


def test_what_is_lost_is_measured_by_the_pack_that_holds_it(archive: Archive) -> None:
    blocks = blocks_of(archive, archive.get("thing"))
    assert blocks is not None
    assert (blocks.blocks, blocks.spare, blocks.shared) == (3 * 80, 3 * 4, True)
    damage(archive.get("thing").location("folder/11.bin"))
    list(archive.audit())
    (needed,) = list(archive.events())[-1].detail["parity needed"]
    assert (needed["lost"], needed["spare"]) == (1, 4)


def test_packs_that_could_not_be_begun_are_made_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ParityToolFailed(action="create", path="x", status=9, reason="broken")

    with Archive.init(tmp_path / "archive") as archive:
        monkeypatch.setattr(ahead, "packs_of", fail)
        add(archive)
        assert pack_names(packs(archive)) == NAMES
        assert said(archive) == []


def test_a_file_that_changes_before_the_commit_gets_no_parity(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive") as archive:
        transaction = archive.new("thing")
        for name, data in FILES.items():
            transaction.add(data, name)
        (rotten,) = transaction.area.folder.rglob("23.bin")
        damage(rotten)
        transaction.commit()
        assert "it is not as it was recorded" in transaction.unprotected or "sha256" in transaction.unprotected


def test_records_are_all_in_the_first() -> None:
    def file(name: str, size: int) -> ToPack:
        return ToPack(name, Path(name), size)

    payload = [file(f"v1/content/data/{number}", SIZE) for number in (5, 3, 9, 1)]
    records = [file("v1/inventory.json", SIZE * COUNT), file("v1/content/bagit.txt", 0)]
    shared = shared_out(payload, records)
    assert {name: len(files) for name, files in shared.items()} == {"pack": 6}
    assert [item.name for item in shared["pack"]] == [
        *(f"v1/content/data/{number}" for number in (1, 3, 5, 9)),
        *(item.name for item in records),
    ]
    assert [len(files) for files in shared_out(payload * 6, records).values()] == [8 + 2, 8, 8]
    assert list(shared_out([], [])) == ["pack"]
