"""Whole histories in a bucket: read whole from their first put on, and laid out before anything follows them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket.intake import Intake, transactions
from muniment.errors.archive import ResourceExists, StaleTransaction
from muniment.testing.keys import FolderKeys, Killed, Request
from tests.crash.buckets import make_history, opened, prepare
from tests.crash.judging import assert_ocfl

pytestmark = pytest.mark.usefixtures("unsynced")


@pytest.fixture
def keys(tmp_path: Path) -> FolderKeys:
    prepare(tmp_path, "preservation")
    return FolderKeys(tmp_path / "bucket")


@pytest.fixture
def reader(keys: FolderKeys, tmp_path: Path) -> Iterator[BucketArchive]:
    """Another machine, which had the archive open before anything happened."""
    with opened(FolderKeys(keys.folder), tmp_path / "reader") as archive:
        yield archive


def die_after(keys: FolderKeys, state: Path, name: str) -> None:
    """A machine that is killed after it put a key that ends so, while it made a history."""

    def fault(_: int, request: Request, when: str) -> None:
        if when == "after" and request.kind.startswith("put") and request.key.endswith(name):
            raise Killed

    with opened(keys, state) as archive:
        keys.fault = fault
        with pytest.raises(Killed):
            make_history(archive)
        keys.fault = None


@pytest.mark.parametrize("last", ["/v1/inventory.json", "/v2/inventory.json", "/v3/inventory.json.sha512"])
def test_a_history_that_is_not_laid_out_is_read_whole_by_who_finished_nothing(
    keys: FolderKeys, reader: BucketArchive, tmp_path: Path, last: str
) -> None:
    die_after(keys, tmp_path / "dying", last)
    assert [found.message for found in reader.history("two")] == ["two, 1", "two, 2", "two, 3"]
    assert {path: reader.get("two").read(path) for path in reader.get("two")}["3.txt"] == b"two 3\n"
    assert reader.get("two", instance=1).read("1.txt") == b"two 1\n"
    reader.mirror(tmp_path / "mirror")
    assert_ocfl(tmp_path / "mirror/objects")


def test_who_commits_the_next_instance_lays_the_history_out_first(
    keys: FolderKeys, reader: BucketArchive, tmp_path: Path
) -> None:
    die_after(keys, tmp_path / "dying", "/v1/inventory.json")
    with reader.get("two", "a", message="after it") as transaction:
        transaction.add(b"four\n", "4.txt")
    assert [found.number for found in reader.history("two")] == [1, 2, 3, 4]
    assert transactions(keys) == [], "the history was finished on the way"
    with opened(FolderKeys(keys.folder), tmp_path / "judge") as archive:
        assert [finding.as_json() for finding in archive.audit()] == []
        told = [(event.event, event.instance) for event in archive.events() if event.resource == "two"]
    assert told == [("ingestion", 1), ("ingestion", 2), ("ingestion", 3), ("ingestion", 4)]


def test_nobody_builds_on_a_version_inside_a_history(keys: FolderKeys, reader: BucketArchive, tmp_path: Path) -> None:
    die_after(keys, tmp_path / "dying", "/v2/inventory.json")
    late = reader.get("two", "a")
    late.add(b"late\n", "late.txt")
    with reader.get("two", "a") as transaction:
        transaction.add(b"first\n", "first.txt")
    with pytest.raises(StaleTransaction):
        late.commit()
    assert reader.get("two").number == 4


def test_of_two_machines_that_bring_one_history_one_is_refused(keys: FolderKeys, tmp_path: Path) -> None:
    def bring(name: str) -> str:
        with opened(FolderKeys(keys.folder), tmp_path / name) as archive:
            try:
                make_history(archive)
            except ResourceExists:
                return "refused"
            return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bring, ("one machine", "another"))) == ["done", "refused"]
    assert transactions(keys) == []
    with opened(keys, tmp_path / "judge") as archive:
        assert archive.get("two").number == 3
        assert [finding.as_json() for finding in archive.audit()] == []


def test_what_a_machine_left_open_is_committed_by_hand_where_it_lies(keys: FolderKeys, tmp_path: Path) -> None:
    with opened(keys, tmp_path / "state") as archive:
        transaction = archive.get("one", "a", message="left")
        transaction.add(b"left\n", "left.txt")
        transaction.leave()
        [left] = archive.leftovers()
        done = archive.replay(left.transaction)
        assert (done.number, done.message, done.read("left.txt")) == (3, "left", b"left\n")
        assert archive.leftovers() == []
        assert [finding.as_json() for finding in archive.audit()] == []


def test_a_seal_of_an_earlier_muniment_is_read(keys: FolderKeys) -> None:
    files = '{"v3/content/a":["intake/x/pack/1",0,2,false]}'
    seal = '{"transaction":"x","project":"p","id":"one","number":3,"inventory":"ab","log":4,"events":[],"files":'
    keys.put("intake/x/end", f"{seal}{files}}}".encode())
    read = Intake(keys, "x").read_end()
    assert read is not None
    [found] = read.objects
    assert (found.number, found.head, found.inventories, found.files["v3/content/a"].size) == (3, 3, ("ab",), 2)
