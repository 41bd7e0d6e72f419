"""A folder made from a bucket while somebody commits there: valid whatever lies in the bucket by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive import Archive
from muniment.errors.archive import DamagedFile, MirrorChanged
from muniment.testing.keys import FolderKeys, Killed, Request
from tests.crash.buckets import Change, make_history, make_new, make_next, opened, prepare
from tests.crash.judging import assert_whole, state_of


@pytest.mark.parametrize("change", [make_new, make_next, make_history])
def test_a_mirror_made_between_a_commit_and_its_event_is_one_of_what_the_log_tells(
    tmp_path: Path, change: Change
) -> None:
    prepare(tmp_path, "preservation")
    keys, mirror = FolderKeys(tmp_path / "bucket"), tmp_path / "mirror"
    found: list[list[str]] = []
    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "reader") as reader:
        before = state_of(reader)

        def mirror_then(_: int, request: Request, when: str) -> None:
            committing = request.key.startswith("objects/") and request.key.endswith("/inventory.json")
            if found or request.kind != "put once" or when != "after" or not committing:
                return
            reader.mirror(mirror)
            with Archive(mirror) as archive:
                found.append([finding.code for finding in archive.audit()])
                assert state_of(archive) == before

        with opened(keys, tmp_path / "state") as writer:
            keys.fault = mirror_then
            change(writer)
            keys.fault = None
            after = state_of(writer)
        assert found == [[]], "the version that no event tells of yet is not brought"
        reader.mirror(mirror)
    assert_whole(mirror, after)


def _codes(mirror: Path) -> list[str]:
    with Archive(mirror) as archive:
        return [finding.code for finding in archive.audit(fast=True)]


def _change_everything(folder: Path) -> None:
    """Whatever may come to a bucket that was mirrored with one resource."""
    with opened(FolderKeys(folder / "bucket"), folder / "state") as writer:
        make_next(writer)
        make_history(writer)
        writer.purge("one", "it was made by mistake")
        with writer.new("five", message="made") as transaction:
            transaction.add(b"five\n", "a.txt")


@pytest.mark.parametrize("killed", [False, True])
def test_a_mirror_is_valid_at_every_request_of_its_making_and_of_its_going_on(tmp_path: Path, killed: bool) -> None:
    prepare(tmp_path, "dynamic")
    keys, mirror = FolderKeys(tmp_path / "bucket"), tmp_path / "mirror"
    found: list[tuple[Request, list[str]]] = []

    def look(number: int, request: Request, when: str) -> None:
        if when == "before" and (mirror / "muniment.json").exists() and number % 3 == 0:
            found.append((request, _codes(mirror)))  # which also writes an event of its own into the mirror's log
            if killed and len(found) in {2, 5, 9, 14}:
                raise Killed

    def bring(reader: BucketArchive) -> None:
        while True:
            keys.fault = look
            try:
                reader.mirror(mirror)
            except Killed:
                continue
            finally:
                keys.fault = None
            return

    with opened(keys, tmp_path / "reader") as reader:
        bring(reader)
        _change_everything(tmp_path)
        bring(reader)
        state = state_of(reader)
    assert len(found) > 10
    assert [each for each in found if each[1]] == []
    assert "one" not in assert_whole(mirror, state)


def test_a_mirror_made_while_others_write_holds_what_its_log_tells_of(tmp_path: Path) -> None:
    """Struck before some requests: somebody commits to the resource that is being brought."""
    prepare(tmp_path, "preservation")
    keys, mirror = FolderKeys(tmp_path / "bucket"), tmp_path / "mirror"
    with opened(keys, tmp_path / "reader") as reader, opened(FolderKeys(tmp_path / "bucket"), tmp_path / "w") as writer:
        written: list[int] = []

        def write(number: int, _: Request, when: str) -> None:
            if when == "before" and number % 5 == 0 and len(written) < 6:
                written.append(number)
                with writer.get("one", "a", message="more") as transaction:
                    transaction.add(f"{number}\n".encode(), "c.txt")

        for _ in range(2):
            keys.fault = write
            reader.mirror(mirror)
            keys.fault = None
            assert _codes(mirror) == []
        reader.mirror(mirror)
        assert_whole(mirror, state_of(reader))


def test_a_mirror_that_was_written_to_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "reader") as reader:
        reader.mirror(tmp_path / "mirror")
        with Archive(tmp_path / "mirror") as archive, archive.new("mine") as transaction:
            transaction.add(b"mine\n", "a.txt")
        with pytest.raises(MirrorChanged):
            reader.mirror(tmp_path / "mirror")
    assert _codes(tmp_path / "mirror") == []


def test_what_is_damaged_in_a_bucket_keeps_nothing_else_from_its_mirror_and_comes_when_it_is_repaired(
    tmp_path: Path,
) -> None:
    prepare(tmp_path, "preservation")
    keys, mirror = FolderKeys(tmp_path / "bucket"), tmp_path / "mirror"
    with opened(keys, tmp_path / "reader") as reader:
        make_history(reader)
        [damaged] = [each.key for each in keys.list("objects/") if each.key.endswith("v1/content/data/a.txt")]
        with keys.open(damaged) as stream:
            right = stream.read()
        keys.put(damaged, b"rot")
        with pytest.raises(DamagedFile):
            reader.mirror(mirror)
        with Archive(mirror) as archive:
            assert list(archive) == ["two"]
        keys.put(damaged, right)
        reader.mirror(mirror)
        assert_whole(mirror, state_of(reader))
