"""Repair says that something is repaired only when it is, makes nothing worse, and names what it has no remedy for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.fixity.repair.records import is_record
from muniment.archive.package.inventory import sidecar
from muniment.archive.parity import ToPack, make_for_pack
from muniment.cli.main import run
from muniment.errors.archive import DamagedFile
from tests.crash.scenes import AGENT, open_archive

LARGE = os.urandom(200_000)
SMALL = b"small\n" * 100


@pytest.fixture(params=["preservation"])
def archive(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", mode=request.param, agent=AGENT, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(LARGE, "large.bin")
            transaction.add(SMALL, "small.txt")
        yield archive


WORM = pytest.mark.parametrize("archive", ["worm"], indirect=True)


def flip(path: Path, *places: int) -> None:
    data = bytearray(path.read_bytes())
    for place in places or (0,):
        data[place] ^= 0xFF
    path.write_bytes(data)


def failed(archive: Archive) -> set[str]:
    return {finding.code for finding in archive.audit() if finding.failed}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_parity_stays_when_the_file_cannot_be_repaired_and_one_byte_of_it_is_bad(archive: Archive) -> None:
    flip(archive.get("r").location("large.bin"), *range(0, 150_000, 10))
    flip(max((archive.path / "parity/files").rglob("*.par2"), key=lambda path: path.stat().st_size), 700)
    before = snapshot(archive.path / "parity")
    done = list(archive.repair())
    assert done
    assert not any(repair.repaired for repair in done)
    assert snapshot(archive.path / "parity") == before


def test_a_file_with_one_bad_byte_is_repaired_although_one_byte_of_its_parity_is_bad(archive: Archive) -> None:
    flip(archive.get("r").location("large.bin"), 5)
    flip(max((archive.path / "parity/files").rglob("*.par2"), key=lambda path: path.stat().st_size), 700)
    assert all(repair.repaired for repair in archive.repair())
    assert failed(archive) == set()
    assert archive.get("r").read("large.bin") == LARGE


@pytest.mark.parametrize("name", ["small.txt", "large.bin"])
def test_no_parity_is_made_of_rotten_bytes(tmp_path: Path, name: str) -> None:
    with Archive.init(tmp_path / "archive", agent=AGENT, workers=0, parity=False) as archive:
        with archive.new("r") as transaction:
            transaction.add(LARGE, "large.bin")
            transaction.add(SMALL, "small.txt")
        location = archive.get("r").location(name)
        right = location.read_bytes()
        flip(location, 3)
        for _ in range(2):
            done = {repair.where: repair.repaired for repair in archive.repair()}
            assert done[str(location.relative_to(archive.path))] is False
            assert failed(archive) == {"M101"}
        protecting = {path.name.split(".")[0] for path in (archive.path / "parity").rglob("*.par2")}
        assert "pack" not in protecting if name == "small.txt" else protecting <= {"pack"}
        location.write_bytes(right)
        assert all(repair.repaired for repair in archive.repair())
        assert list(archive.audit()) == []


def test_what_parity_of_rotten_bytes_gives_is_not_taken_for_the_file(archive: Archive) -> None:
    root = archive.get("r").root
    location = archive.get("r").location("small.txt")
    flip(location, 3)
    pack = next((archive.path / "parity/packs").rglob("pack.par2")).parent
    names = [path for path in root.rglob("v1/**/*") if path.is_file() and path.stat().st_size < 100_000]
    shutil.rmtree(pack)
    pack.mkdir()
    make_for_pack([ToPack(str(path.relative_to(root)), path, path.stat().st_size) for path in names], pack, 5)
    flip(location, 9)
    (done,) = archive.repair()
    assert not done.repaired
    assert "recorded is" in done.how
    assert "M101" in failed(archive)


def test_a_root_inventory_that_is_another_than_its_only_instance_has_is_written_anew(archive: Archive) -> None:
    root = archive.get("r").root
    right = (root / "inventory.json").read_bytes()
    other = right.replace(b"small.txt", b"snall.txt")
    (root / "inventory.json").write_bytes(other)
    (root / "inventory.json.sha512").write_bytes(sidecar(other, "sha512"))
    assert failed(archive) == {"M203"}
    assert [repair.repaired for repair in archive.repair()] == [True]
    assert (root / "inventory.json").read_bytes() == right
    assert failed(archive) == set()


def link_to_the_file_itself(path: Path) -> None:
    elsewhere = path.parents[8] / f"elsewhere-{path.name}"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def link_to_another_file(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["content/data/small.txt", "inventory.json", "content/manifest-sha256.txt"])
@pytest.mark.parametrize("replace", [link_to_the_file_itself, link_to_another_file, a_pipe, a_folder])
def test_what_stands_in_a_files_place_makes_room_for_it(
    archive: Archive, name: str, replace: Callable[[Path], None]
) -> None:
    path = archive.get("r").root / "v1" / name
    right = path.read_bytes()
    replace(path)
    assert failed(archive)
    done = list(archive.repair())
    assert all(repair.repaired for repair in done), done
    assert not path.is_symlink()
    assert path.read_bytes() == right
    assert failed(archive) == set()


def test_a_large_file_that_was_moved_away_and_linked_to_is_copied_back(archive: Archive) -> None:
    path = archive.get("r").location("large.bin")
    link_to_the_file_itself(path)
    assert all(repair.repaired for repair in archive.repair())
    assert not path.is_symlink()
    assert path.read_bytes() == LARGE


def test_what_repair_has_no_remedy_for_is_named_and_fails_the_command(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive.path / "objects/stranger.txt").write_bytes(b"?")
    (done,) = archive.repair()
    assert not done.repaired
    assert run(["--archive", str(archive.path), "repair"]) == 1
    said = capsys.readouterr().out
    assert "objects/stranger.txt" in said
    assert "Nothing" not in said
    assert (archive.path / "objects/stranger.txt").exists()


def test_a_repair_is_among_the_events_of_its_resource(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    flip(archive.get("r").location("small.txt"), 5)
    list(archive.repair())
    (event,) = (event for event in archive.events() if event.event == "repair")
    assert (event.project, event.resource, event.instance, event.outcome) == ("main/main", "r", 1, "success")
    (place,) = event.detail["paths"]
    assert place.endswith("v1/content/data/small.txt")
    assert (archive.path / "staging/quarantine" / event.detail["quarantine"][0]).stat().st_size == len(SMALL)
    assert run(["--archive", str(archive.path), "events", "--resource", "r"]) == 0
    assert "repair" in capsys.readouterr().out


def test_what_is_damaged_differently_each_time_is_kept_each_time(archive: Archive) -> None:
    location = archive.get("r").location("small.txt")
    for place in (1, 2):
        flip(location, place)
        list(archive.repair())
    assert len(list((archive.path / "staging/quarantine").iterdir())) == 2


WORM_FILES = [
    "v1/content/data/small.txt",
    "v1/content/data/large.bin",
    "v1/content/metadata/files.jsonl",
    "v1/inventory.json",
    "v1/inventory.json.sha512",
    "inventory.json",
]


@WORM
@pytest.mark.parametrize("name", WORM_FILES)
def test_in_worm_mode_the_repaired_bytes_stand_beside_and_are_used(archive: Archive, name: str) -> None:
    path = archive.get("r").root / name
    flip(path, 20)
    damaged = snapshot(archive.path / "objects")
    with open_archive(archive.path) as another:
        for _ in range(2):
            done = list(another.repair())
            (left,) = (repair for repair in done if not repair.repaired)
            assert "repaired/1/" in left.how
            assert run(["--archive", str(archive.path), "repair"]) == 1
        assert snapshot(archive.path / "objects") == damaged
        assert another.get("r").read("small.txt") == SMALL
        assert another.get("r").read("large.bin") == LARGE
        with another.get("r").open("large.bin") as file:
            assert file.read() == LARGE
        found = {(finding.code, finding.where) for finding in another.audit()}
        # A sidecar and what it stands beside are damaged together: nobody can tell which it was.
        assert {code for code, _ in found} == {"M101", "M107"}
        with another.get("r", "a") as transaction:
            transaction.add(b"next", "next.txt")
        assert set(another.get("r")) == {"large.bin", "small.txt", "next.txt"}


@WORM
def test_in_worm_mode_a_file_that_is_gone_gets_its_own_place_back(archive: Archive) -> None:
    location = archive.get("r").location("small.txt")
    location.unlink()
    assert [repair.repaired for repair in archive.repair()] == [True]
    assert location.read_bytes() == SMALL
    assert list(archive.audit()) == []


@WORM
def test_in_worm_mode_a_damaged_copy_beside_is_named_and_followed_by_another(archive: Archive) -> None:
    flip(archive.get("r").location("small.txt"), 20)
    list(archive.repair())
    (first,) = (path for path in (archive.path / "repaired").rglob("*") if path.is_file())
    flip(first, 3)
    with pytest.raises(DamagedFile):
        open_archive(archive.path).get("r").read("small.txt")
    list(archive.repair())
    assert archive.get("r").read("small.txt") == SMALL
    assert (archive.path / "repaired/2" / first.relative_to(archive.path / "repaired/1")).read_bytes() == SMALL


@WORM
def test_in_worm_mode_damaged_parity_is_made_anew_beside_and_repairs(archive: Archive) -> None:
    for kind in ("files", "packs"):
        for path in list((archive.path / "parity" / kind).rglob("*.par2")):
            data = path.read_bytes()
            path.write_bytes(bytes(len(data)))
    damaged = [snapshot(archive.path / "parity" / kind) for kind in ("files", "packs")]
    list(archive.repair())
    assert [snapshot(archive.path / "parity" / kind) for kind in ("files", "packs")] == damaged
    flip(archive.get("r").location("small.txt"), 20)
    flip(archive.get("r").location("large.bin"), 20)
    list(archive.repair())
    assert archive.get("r").read("small.txt") == SMALL
    assert archive.get("r").read("large.bin") == LARGE


@WORM
@pytest.mark.parametrize("kind", ["objects", "parity"])
def test_in_worm_mode_a_copy_beside_is_no_stray_when_the_damaged_file_is_lost_too(archive: Archive, kind: str) -> None:
    if kind == "objects":
        flip(archive.get("r").location("small.txt"), 20)
    else:
        for path in (archive.path / "parity/packs").rglob("*.par2"):
            path.write_bytes(bytes(path.stat().st_size))
    list(archive.repair())
    copies = [path for path in (archive.path / "repaired/1" / kind).rglob("*") if path.is_file()]
    assert copies
    for copy in copies:
        (archive.path / copy.relative_to(archive.path / "repaired/1")).unlink(missing_ok=True)
    assert {finding.where for finding in archive.audit() if finding.code == "M105"} == set()
    stranger = archive.path / "repaired/1/objects/zz/yy/stranger/v1/file"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"?")
    assert [finding.where for finding in archive.audit() if finding.code == "M105"] == [
        str(stranger.relative_to(archive.path))
    ]


def test_an_inventory_damaged_in_every_copy_is_accepted_only_as_the_log_has_it(archive: Archive) -> None:
    root = archive.get("r").root
    right = (root / "v1/inventory.json").read_bytes()
    other = right.replace(b"Instance 1:", b"Instance l:")
    for folder in ("v1", "."):
        (root / folder / "inventory.json").write_bytes(other)
        (root / folder / "inventory.json.sha512").write_bytes(sidecar(other, "sha512"))
    assert "M303" in failed(archive)
    assert all(repair.repaired for repair in archive.repair())
    assert (root / "v1/inventory.json").read_bytes() == right
    assert (root / "inventory.json").read_bytes() == right


def test_text_behind_a_sidecars_digest_is_named_and_removed(archive: Archive) -> None:
    path = archive.get("r").root / "v1/inventory.json.sha512"
    right = path.read_bytes()
    path.write_bytes(right.rstrip(b"\n") + b" and more\n")
    assert failed(archive) == {"M101"}
    assert all(repair.repaired for repair in archive.repair())
    assert path.read_bytes() == right


def test_a_declaration_that_is_lost_or_altered_is_written_anew(archive: Archive) -> None:
    path = archive.get("r").root / "0=ocfl_object_1.1"
    for spoil in (lambda: path.write_bytes(b"ocfl_object_1.0\n"), path.unlink):
        spoil()
        assert failed(archive)
        assert all(repair.repaired for repair in archive.repair())
        assert path.read_bytes() == b"ocfl_object_1.1\n"


@pytest.mark.parametrize("name", ["v1/inventory.json", "inventory.json.sha512", "0=ocfl_object_1.1"])
def test_records_are_known_by_their_place(name: str) -> None:
    assert is_record(name)
    assert not is_record(f"v1/content/data/{name}")
