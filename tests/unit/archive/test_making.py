"""Making an archive: whole or none, and what a making that was cut off has left is no obstacle to the next."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk import locks
from muniment.errors.archive import NotEmpty
from muniment.testing import faults
from muniment.testing.faults import Fault
from tests.crash.judging import assert_usable
from tests.unit.archive.pictures import picture


def make(root: Path) -> None:
    Archive.init(root, workers=0, redundancy=0).close()


def test_a_making_that_was_killed_anywhere_can_be_made_again(tmp_path: Path) -> None:
    def task(counting: faults.Counting) -> None:
        with counting():
            make(tmp_path / "archive")

    clean = faults.run(task, str(tmp_path / "archive"))
    assert len(clean.calls) > 20
    for at in range(1, len(clean.calls) + 1, 4):
        shutil.rmtree(tmp_path / "archive", ignore_errors=True)
        assert faults.run(task, str(tmp_path / "archive"), Fault(at)).killed
        if not (tmp_path / "archive" / "muniment.json").exists():
            make(tmp_path / "archive")
        with Archive(tmp_path / "archive", workers=0) as archive:
            assert [event.event for event in archive.events()] == ["creation"]
            assert [finding.as_json() for finding in archive.audit() if finding.failed] == [], clean.calls[at - 1]
        assert_usable(tmp_path / "archive", {})


def begun(root: Path) -> Path:
    """An archive whose making was cut off before its settings, its files empty or with their beginning alone."""
    make(root)
    (root / "muniment.json").unlink()
    (root / "README.txt").write_bytes(b"")
    (root / "muniment_exit.py").write_bytes((root / "muniment_exit.py").read_bytes()[:100])
    (root / "bagit-profile.json").write_bytes(bytes(50))
    return root


def test_files_that_a_cut_of_power_left_empty_torn_or_full_of_zeros_are_made_again(tmp_path: Path) -> None:
    make(begun(tmp_path / "archive"))
    with Archive(tmp_path / "archive", workers=0) as archive:
        assert (archive.path / "README.txt").stat().st_size > 100
        assert list(archive.audit()) == []


def resource(root: Path) -> None:
    place = root / "objects" / "abc"
    place.mkdir()
    (place / "file").write_bytes(b"somebody's")


def no_folders(root: Path) -> None:
    for name in ("objects", "staging"):
        shutil.rmtree(root / name)


@pytest.mark.parametrize(
    "spoil",
    [
        resource,
        lambda root: (root / "staging/open/x").write_bytes(b"somebody's"),
        lambda root: (root / "README.txt").write_bytes(b"somebody's"),
        lambda root: (root / "notes.txt").write_bytes(b""),
        lambda root: os.symlink("/etc", root / "link"),
        lambda root: next((root / "events").rglob("*.jsonl")).write_bytes(b"{}\n{}\n"),
        no_folders,
    ],
    ids=["an object", "a transaction", "another README", "a file", "a link", "more events", "no folders"],
)
def test_what_no_making_leaves_is_never_touched(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    root = begun(tmp_path / "archive")
    spoil(root)
    before = picture(root)
    with pytest.raises(NotEmpty):
        make(root)
    assert picture(root) == before


def test_two_who_make_one_archive_at_once_do_not_clear_each_others_files(tmp_path: Path) -> None:
    root = begun(tmp_path / "archive")
    before = picture(root)
    with locks.folder_alone(root) as alone:
        assert alone
        with pytest.raises(NotEmpty):
            make(root)
    assert picture(root) == before
    make(root)
