"""Damage to whatever in an archive is no content: each is named by the audit, and fails the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk.layout import LAYOUT
from muniment.archive.disk.root_files import PLACES, ROOT_FILES
from muniment.cli.main import run
from tests.crash.scenes import AGENT, open_archive

Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with everything in it that an archive can have."""
    root = tmp_path_factory.mktemp("sound") / "archive"
    with Archive.init(root, mode="dynamic", agent=AGENT, workers=0) as archive:
        for name in ("r", "s"):
            with archive.new(name) as transaction:
                transaction.add(f"large {name}\n".encode() * 20_000, "large.bin")
                transaction.add(b"alpha\n", "a.txt")
        with archive.new("gone") as transaction:
            transaction.add(b"beta\n", "b.txt")
        archive.purge("gone", "for the test")
        assert len(list(archive)) == 2
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "archive", symlinks=True))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rubbish(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"and more\n")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    """The right bytes, but somewhere else."""
    elsewhere = Path(str(path).partition("/archive/")[0]) / f"moved-{path.name}"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS: list[Spoil] = [flip, rubbish, append, cut, empty, remove, link, pipe, folder]
SEVERAL = pytest.mark.parametrize("harm", HARMS, ids=[harm.__name__ for harm in HARMS])

PATTERNS = [
    "tombstones/*/*.json",
    "parity/files/*/*/*.par2.json",
    "parity/files/*/*/*[0-9a-f].par2",
    "parity/files/*/*/*.vol*.par2",
    "parity/packs/*/*/*/v1/pack.index",
    "parity/packs/*/*/*/v1/pack.index.copy",
    "parity/packs/*/*/*/v1/pack.par2.json",
    "parity/packs/*/*/*/v1/pack.vol*.par2",
    "events/*/*.jsonl",
    "parity/events/*/*.jsonl",
    "objects/*/*/*/0=ocfl_object_1.1",
    "objects/*/*/*/inventory.json",
    "objects/*/*/*/inventory.json.sha512",
    "objects/*/*/*/v1/inventory.json",
    "objects/*/*/*/v1/inventory.json.sha512",
]
STRANGERS = [
    "zz.txt",
    "objects/zz.txt",
    "objects/abc/zz",
    f"objects/extensions/{LAYOUT}/zz",
    "objects/extensions/zz",
    "parity/zz",
    "parity/files/zz",
    "parity/files/zz/00/zz",
    "parity/files/00/00/zz.par2",
    "parity/files/00/11/" + "0" * 64 + ".par2",
    "parity/packs/zz",
    "events/zz",
    "events/00000000/zz.jsonl",
    "events/00000000/000000000001.jsonl.bak",
    "parity/events/00000000/zz",
    "tombstones/zz",
    "tombstones/00/" + "0" * 64 + ".json",
    "repaired/zz",
    "repaired/1/objects/zz",
]


def altered(root: Path, sound: Path) -> Iterator[str]:
    """What is not in `root` as in `sound`, so that a test can say that it did harm."""
    for path in sound.rglob("*"):
        other = root / path.relative_to(sound)
        if path.is_file() and (other.is_symlink() or not other.is_file() or other.read_bytes() != path.read_bytes()):
            yield str(path.relative_to(sound))


def found_by_audit(root: Path) -> list[str]:
    with open_archive(root) as archive:
        return [f"{finding.code} {finding.where}" for finding in archive.audit() if finding.failed]


def assert_named(root: Path, place: str) -> None:
    named = found_by_audit(root)
    above = [str(folder) for folder in Path(place).parents]
    assert any(place in line or line.partition(" ")[2] in above for line in named), named
    assert run(["--archive", str(root), "audit"]) == 1


@SEVERAL
@pytest.mark.parametrize("place", [*ROOT_FILES, *PLACES])
def test_each_damage_to_the_archives_own_files_is_named_and_repaired(
    root: Path, sound: Path, place: str, harm: Spoil
) -> None:
    harm(root / place)
    assert place in set(altered(root, sound))
    assert_named(root, place)
    with open_archive(root) as archive:
        done = {repair.where: repair for repair in archive.repair()}
        assert done[place].repaired, done
        assert [finding for finding in archive.audit() if finding.failed] == []
    assert (root / place).read_bytes() == (sound / place).read_bytes()


@SEVERAL
@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_damage_to_records_and_parity_is_named_and_repaired(
    root: Path, sound: Path, pattern: str, harm: Spoil
) -> None:
    path = min(root.glob(pattern))
    place = str(path.relative_to(root))
    with open_archive(root) as archive:
        # Opened before: an opening puts the log right by itself.
        harm(path)
        assert place in set(altered(root, sound))
        found = list(archive.audit())
        if harm in {remove, link, pipe, folder} and place.endswith(".par2.json"):
            # A set without its sidecar is none, as after `--no-parity`: that alone is a warning.
            assert "M401" in {finding.code for finding in found}
        else:
            named = [f"{finding.code} {finding.where}" for finding in found if finding.failed]
            mirrored = place.removeprefix("parity/events/")
            assert any(place.removesuffix(".sha512") in line or mirrored in line for line in named), named
        if harm is append and pattern == "events/*/*.jsonl":
            # A line that is no event keeps its number, for one that was may have stood there.
            assert not all(repair.repaired for repair in archive.repair())
            return
        assert all(repair.repaired for repair in archive.repair())
        assert [finding for finding in archive.audit() if finding.code != "M502"] == []


@pytest.mark.parametrize("place", STRANGERS)
def test_each_stranger_is_named(root: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_bytes(b"?")
    assert_named(root, place)


@pytest.mark.parametrize("place", ["zz", "objects/zz", "parity/zz", "events/zz", "repaired/zz"])
def test_a_link_that_is_a_stranger_is_named(root: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(root / "objects")
    assert_named(root, place)


def test_the_record_of_the_archives_own_files_is_made_anew_when_both_copies_are_lost(root: Path) -> None:
    for place in PLACES:
        (root / place).unlink()
    assert len(found_by_audit(root)) == 2
    with open_archive(root) as archive:
        assert all(repair.repaired for repair in archive.repair())
    assert found_by_audit(root) == []


def test_in_worm_mode_an_altered_exit_kit_stays_and_the_right_one_stands_beside(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with Archive.init(root, mode="worm", agent=AGENT, workers=0) as archive:
        right = (root / "muniment_exit.py").read_bytes()
        append(root / "muniment_exit.py")
        for _ in range(2):
            (done,) = archive.repair()
            assert not done.repaired
            assert "repaired/1/muniment_exit.py" in done.how
        assert (root / "repaired/1/muniment_exit.py").read_bytes() == right


@SEVERAL
def test_an_archive_opens_without_its_settings_by_their_record(root: Path, harm: Spoil) -> None:
    with open_archive(root) as archive:
        settings = archive.config
    harm(root / "muniment.json")
    with open_archive(root) as archive:
        assert archive.config.id == settings.id
        assert archive.get("r").read("a.txt") == b"alpha\n"
