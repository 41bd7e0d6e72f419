"""Worm mode in a bucket: each key once, locked, and read back that it is; at Amazon's stand-in, and at worse ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket.worm import WormKeys
from muniment.content import Finding
from muniment.content.locks import parse_lock
from muniment.errors.archive import NotAllowedInMode
from muniment.errors.base import BadInput
from muniment.errors.stores import BadStore, ChangeRefused, ConditionsIgnored, KeyHeld, StoredWrong
from muniment.stores.s3.client import Service as S3Service
from muniment.stores.s3.keys import S3Keys
from muniment.testing.keys import FolderKeys, Killed, Request
from muniment.testing.services import Service
from tests.contract.stores.amazon import Amazon
from tests.contract.stores.test_s3 import CEPH, client_of, new_bucket
from tests.crash.buckets import refuse_unlocked
from tests.crash.judging import assert_whole, state_of

LOCK = "compliance 10y"
LARGE = bytes(range(256)) * (72 << 10)
"""More than a part: it goes in several, and moto loses the lock that was asked for with it."""


def made(keys: S3Keys, state: Path) -> BucketArchive:
    with BucketArchive.make(keys, state, mode="worm", lock=LOCK, workers=0) as archive:
        with archive.new("car", message="first") as transaction:
            transaction.add(b"four wheels\n", "wheels.txt")
            transaction.add(LARGE, "large.bin")
        with archive.get("car", "a", message="second") as transaction:
            transaction.add(b"red\n", "colour.txt")
    return BucketArchive(keys, state, workers=0)


@pytest.fixture(scope="module")
def bucket(amazon: Amazon, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bucket with an archive that no test of this module changes for good."""
    name = amazon.bucket()
    made(amazon.keys(name), tmp_path_factory.mktemp("founder")).close()
    return name


@pytest.fixture
def archive(amazon: Amazon, bucket: str, tmp_path: Path) -> Iterator[BucketArchive]:
    with BucketArchive(amazon.keys(bucket), tmp_path / "state", workers=0) as found:
        yield found


def findings(archive: BucketArchive, **how: Any) -> list[Finding]:
    return [finding for finding in archive.audit(**how) if finding.failed]


def test_every_key_outside_the_intake_has_one_version_no_mark_of_a_deletion_and_a_lock_that_was_read_back(
    amazon: Amazon, bucket: str, archive: BucketArchive, tmp_path: Path
) -> None:
    client = amazon.client()
    page = client.list_object_versions(Bucket=bucket)
    names = [each["Key"] for each in page["Versions"]]
    assert len(names) == len(set(names)), "one version"
    assert "DeleteMarkers" not in page
    assert [name for name in names if name.startswith("archive/intake/")] == [], "what was on its way in is gone"
    expected = {"muniment.json", "root-files.json", "events/00000000/000000000001.jsonl"}
    assert {f"archive/{each}" for each in expected} <= set(names)
    least = datetime.now(UTC) + timedelta(days=3600)
    for name in names:
        found = client.head_object(Bucket=bucket, Key=name)
        assert found["ObjectLockMode"] == "COMPLIANCE", name
        assert found["ObjectLockRetainUntilDate"] > least, name
        asked = [path for method, path in amazon.requests if method == "HEAD" and path == f"/{bucket}/{name}"]
        assert len(asked) > 1, f"the lock of {name} was not read back"
    assert findings(archive) == []
    assert findings(archive, fast=True) == []
    archive.mirror(tmp_path / "mirror")
    assert_whole(tmp_path / "mirror", state_of(archive))


def test_nobody_removes_what_is_locked_and_no_mode_of_ours_does(
    amazon: Amazon, bucket: str, archive: BucketArchive
) -> None:
    with pytest.raises(NotAllowedInMode):
        archive.purge("car", "a mistake")
    keys = archive.home.keys
    assert isinstance(keys, WormKeys)
    with pytest.raises(ChangeRefused, match="worm"):
        keys.remove(["muniment.json"])
    [settings] = amazon.keys(bucket).versions("muniment.json")
    with pytest.raises(ChangeRefused, match="locked"):
        amazon.keys(bucket).remove_version("muniment.json", settings.version)
    with pytest.raises(ChangeRefused):
        keys.lock("muniment.json", keys.rule.at(0.0))


def test_an_audit_names_every_mark_of_a_deletion_and_every_second_version_and_repair_lifts_the_marks(
    amazon: Amazon, tmp_path: Path
) -> None:
    name, client = amazon.bucket(), amazon.client()
    with made(amazon.keys(name), tmp_path / "state") as archive:
        [wheels] = [each.key for each in archive.home.keys.list("objects/") if each.key.endswith("wheels.txt")]
        [event] = [each.key for each in archive.home.keys.list("events/") if each.key.endswith("2.jsonl")]
        client.delete_object(Bucket=name, Key=f"archive/{wheels}")
        client.put_object(Bucket=name, Key="archive/README.txt", Body=b"read this instead")
        told = {(each.code, each.where): each.found for each in findings(archive, fast=True)}
        assert told["M109", wheels] == "a mark that it was deleted"
        assert told["M109", "README.txt"] == "2 versions"
        assert ("M102", wheels) in told, "hidden, it is missing to all who read"
        said = {(each.where, each.repaired): each.how for each in archive.repair()}
        assert said[wheels, True] == "the mark that it was deleted was lifted"
        assert "see which is right" in said["README.txt", False]
        left = {(each.code, each.where) for each in findings(archive, fast=True)}
        assert left == {("M109", "README.txt"), ("M101", "README.txt")}
        assert archive.get("car").read("wheels.txt") == b"four wheels\n"
        client.delete_object(Bucket=name, Key=f"archive/{event}")
        assert ("M109", event) in {(each.code, each.where) for each in archive.audit(fast=True)}


def test_an_audit_names_a_lock_that_is_missing_or_past_and_repair_locks_anew(tmp_path: Path) -> None:
    keys = FolderKeys(tmp_path / "bucket", versioned=True)
    with BucketArchive.make(keys, tmp_path / "state", mode="worm", lock="governance 1y", workers=0) as archive:
        with archive.new("car") as transaction:
            transaction.add(b"four wheels\n", "wheels.txt")
        [wheels] = [each.key for each in keys.list("objects/") if each.key.endswith("wheels.txt")]
        name = quote(wheels, safe="")
        (tmp_path / "bucket" / "locks" / name).unlink()
        (tmp_path / "bucket" / "locks" / "muniment.json").write_text(
            '{"mode": "governance", "until": "2001-01-01T00:00:00Z"}'
        )
        assert [each for each in archive.audit(fast=True) if each.failed] == [], "a fast one asks for no lock"
        told = {each.where: each.found for each in findings(archive) if each.code == "M108"}
        assert told == {wheels: "no lock", "muniment.json": "governance until 2001-01-01T00:00:00Z"}
        assert {each.where for each in archive.repair() if each.repaired} == {wheels, "muniment.json"}
        assert findings(archive) == []


def test_a_store_that_drops_locks_of_puts_is_told_them_again_and_one_that_keeps_none_is_refused(tmp_path: Path) -> None:
    dropping = FolderKeys(tmp_path / "dropping", versioned=True, loses_locks={"put once"})
    with BucketArchive.make(dropping, tmp_path / "one", mode="worm", lock=LOCK, workers=0) as archive:
        with archive.new("car") as transaction:
            transaction.add(b"four wheels\n", "wheels.txt")
        assert findings(archive) == []
    keeping_none = FolderKeys(tmp_path / "none", versioned=True, loses_locks={"put once", "lock"})
    with pytest.raises(StoredWrong, match="lock is none, not compliance until"):
        BucketArchive.make(keeping_none, tmp_path / "two", mode="worm", lock=LOCK, workers=0)
    assert list(keeping_none.list()) == [], "nothing is left of it"


def test_the_intake_of_a_version_whose_lock_cannot_be_set_stays_until_it_can(tmp_path: Path) -> None:
    keys = FolderKeys(tmp_path / "bucket", versioned=True)
    with BucketArchive.make(keys, tmp_path / "one", mode="worm", lock=LOCK, workers=0) as archive:
        keys.loses_locks = {"put once", "lock"}
        transaction = archive.new("car")
        transaction.add(b"four wheels\n", "wheels.txt")
        transaction.commit()
        assert archive.get("car").read("wheels.txt") == b"four wheels\n", "it is committed"
        assert [each.key for each in keys.list("intake/") if each.key.endswith("end")]
        keys.loses_locks = ()
        archive.recover()
        assert list(keys.list("intake/")) == []
        [event] = [finding.where for finding in findings(archive)]
        assert event.startswith("events/"), "of the log, which was put while no lock could be set"
        assert [(each.where, each.repaired) for each in archive.repair()] == [(event, True)]
        assert findings(archive) == []


def test_a_large_file_is_put_in_parts_once_and_locked_though_the_store_lets_go_of_the_lock(
    amazon: Amazon, tmp_path: Path
) -> None:
    keys = WormKeys(amazon.keys(amazon.bucket()), parse_lock(LOCK))
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "other").write_bytes(LARGE[::-1])
    keys.put("README.txt", tmp_path / "large")
    keys.put("README.txt", tmp_path / "large")
    with pytest.raises(KeyHeld, match="holds other content"):
        keys.put("README.txt", tmp_path / "other")
    [only] = keys.versions()
    assert (only.key, only.newest, only.marker) == ("README.txt", True, False)
    found = keys.locked("README.txt")
    assert found is not None
    assert found.mode == "compliance"
    assert keys.open("README.txt").read() == LARGE


def test_of_many_machines_that_finish_the_same_version_at_once_none_makes_a_second_one_of_any_key(
    tmp_path: Path,
) -> None:
    keys = FolderKeys(tmp_path / "bucket", versioned=True)

    def die(_: int, request: Request, when: str) -> None:
        if when == "after" and request.kind == "put once" and request.key.endswith("v1/inventory.json"):
            raise Killed

    writer = BucketArchive.make(keys, tmp_path / "writer", mode="worm", lock=LOCK, workers=0)
    transaction = writer.new("car")
    transaction.add(b"four wheels\n", "wheels.txt")
    transaction.add(bytes(2 << 20), "large.bin")
    keys.fault = die
    with pytest.raises(Killed):
        transaction.commit()
    keys.fault = None

    def finish(machine: int) -> list[str]:
        mine = FolderKeys(tmp_path / "bucket", versioned=True)
        with BucketArchive(mine, tmp_path / f"machine-{machine}", workers=0) as archive:
            return list(archive)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(finish, range(6))) == [["car"]] * 6
    refuse_unlocked(keys)
    assert list(keys.list("intake/")) == []
    with BucketArchive(keys, tmp_path / "judge", workers=0) as archive:
        assert findings(archive) == []
        assert [event.instance for event in archive.events() if event.event == "ingestion"] == [1]


def test_worm_mode_wants_a_lock_named_and_a_bucket_that_has_locks(amazon: Amazon, tmp_path: Path) -> None:
    keys = amazon.keys(amazon.bucket())
    for wrong in ("", "forever", "compliance", "strict 1y"):
        with pytest.raises(BadInput, match="compliance 10y"):
            BucketArchive.make(keys, tmp_path, mode="worm", lock=wrong)
    with pytest.raises(BadInput, match="--mode worm"):
        BucketArchive.make(keys, tmp_path, mode="preservation", lock=LOCK)
    plain = amazon.keys(amazon.bucket(locks=False))
    with pytest.raises(BadStore, match="Object Lock"):
        BucketArchive.make(plain, tmp_path, mode="worm", lock=LOCK)
    assert [list(each.list()) for each in (keys, plain)] == [[], []]


def test_ceph_s_gateway_is_refused_for_worm_mode_by_name(ceph: Service, tmp_path: Path) -> None:
    keys = S3Keys(new_bucket(client_of(ceph, CEPH), locks=True), "", S3Service(CEPH, ceph.url))
    with pytest.raises(ConditionsIgnored, match="Put one server in front of a folder"):
        BucketArchive.make(keys, tmp_path, mode="worm", lock=LOCK)
    assert list(keys.versions()) == [], "nothing is left of the race, its versions included"
