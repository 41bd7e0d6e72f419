"""What an audit of a bucket sees of keys that somebody damaged, lost or left there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket.layout import tombstone_key, tombstone_of
from muniment.testing.keys import FolderKeys, Request
from tests.crash.buckets import make_next, opened, prepare, purge
from tests.crash.judging import copy_archive

Harm = Callable[[FolderKeys], str]


@pytest.fixture(params=["preservation", "dynamic"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[FolderKeys, BucketArchive]]:
    prepare(tmp_path, request.param)
    keys = FolderKeys(tmp_path / "bucket")
    with opened(keys, tmp_path / "state") as archive:
        yield keys, archive


def found(archive: BucketArchive, *, fast: bool) -> set[tuple[str, str]]:
    return {(each.code, each.where) for each in archive.audit(fast=fast)}


def _cut(keys: FolderKeys) -> str:
    [key] = [each.key for each in keys.list("objects/") if each.key.endswith("large.bin")]
    keys.put(key, b"rot")
    return key


def _lose(keys: FolderKeys) -> str:
    [key] = [each.key for each in keys.list("objects/") if each.key.endswith("large.bin")]
    keys.remove([key])
    return key


def _change(keys: FolderKeys) -> str:
    keys.put("README.txt", b"read this instead")
    return "README.txt"


def _strew(key: str) -> Harm:
    def harm(keys: FolderKeys) -> str:
        keys.put(key, b"stray")
        return key

    return harm


HARMS = {
    "another size": ("M103", "M101", _cut),
    "lost": ("M102", "M102", _lose),
    "a file of the archive's own": ("M101", "M101", _change),
    "a stray in the root": ("M105", "M105", _strew("zebra.txt")),
    "a stray between the objects": ("M105", "M105", _strew("objects/stray.txt")),
    "a stray folder": ("M105", "M105", _strew("folder/stray.txt")),
    "a stray in the log": ("M105", "M105", _strew("events/stray.txt")),
    "a stray tombstone": ("M105", "M105", _strew("tombstones/aa/stray.json")),
}


@pytest.mark.parametrize("harm", HARMS)
def test_an_audit_names_what_was_done_to_a_bucket_by_hand(bucket: tuple[FolderKeys, BucketArchive], harm: str) -> None:
    keys, archive = bucket
    assert found(archive, fast=True) == found(archive, fast=False) == set()
    fast, full, do = HARMS[harm]
    key = do(keys)
    assert found(archive, fast=True) == {(fast, key)}
    assert (full, key) in found(archive, fast=False)


def test_a_stray_in_the_log_keeps_nobody_from_writing(bucket: tuple[FolderKeys, BucketArchive]) -> None:
    keys, archive = bucket
    keys.put("events/stray.txt", b"stray")
    make_next(archive)
    assert archive.get("one").number == 3


@pytest.mark.parametrize("name", ["README.txt", "objects/ocfl_layout.json", "root-files.json"])
def test_the_files_of_a_bucket_s_own_are_put_anew_by_a_repair(
    bucket: tuple[FolderKeys, BucketArchive], name: str
) -> None:
    keys, archive = bucket
    with keys.open(name) as stream:
        before = stream.read()
    for content in (b"rot", None):
        if content is None:
            keys.remove([name])
        else:
            keys.put(name, content)
        assert [(each.where, each.repaired) for each in archive.repair()] == [(name, True)]
        with keys.open(name) as stream:
            assert stream.read() == before
    assert list(archive.repair()) == []


def _struck(folder: Path, number: int, change: Callable[[BucketArchive], object]) -> bool:
    """Have another machine change something after a request of an audit; whether the audit asks for so many."""
    keys, changed = FolderKeys(folder / "bucket"), list[int]()
    with opened(keys, folder / "state") as archive:
        begun = len(keys.requests)

        def work(asked: int, _: Request, when: str) -> None:
            if asked - begun == number and when == "after" and not changed:
                changed.append(asked)
                with opened(FolderKeys(folder / "bucket"), folder / "writer") as writer:
                    change(writer)

        keys.fault = work
        assert found(archive, fast=True) == set(), f"after request {number}"
        keys.fault = None
    return bool(changed)


@pytest.mark.parametrize("change", [make_next, purge])
def test_an_audit_beside_a_writer_finds_nothing_wrong(
    tmp_path: Path, change: Callable[[BucketArchive], object]
) -> None:
    """Struck at every third request of an audit: another machine commits, or purges, from beginning to end."""
    prepare(tmp_path / "before", "dynamic")
    for number in itertools.count(1, 3):
        if not _struck(copy_archive(tmp_path / "before", tmp_path / str(number)), number, change):
            break


def test_the_place_of_an_object_tells_its_tombstone(tmp_path: Path) -> None:
    prepare(tmp_path, "dynamic")
    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "state") as archive:
        for id in ("one", "with spaces and ü/%41", "long" * 60):
            place = archive.home.place("main/main", id)
            assert tombstone_of(place) == tombstone_key("main/main", id)


def test_a_machine_that_comes_later_finishes_no_purge_that_is_done(tmp_path: Path) -> None:
    prepare(tmp_path, "dynamic")
    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "state") as archive:
        purge(archive)
    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "another") as archive:
        assert archive.recovered == []


def test_an_index_of_a_bucket_that_is_built_anew_knows_what_was_audited(
    bucket: tuple[FolderKeys, BucketArchive],
) -> None:
    _, archive = bucket
    assert list(archive.audit()) == []
    before = [each.audited for each in archive.resources()]
    archive.reindex()
    assert [each.audited for each in archive.resources()] == before != [""]
