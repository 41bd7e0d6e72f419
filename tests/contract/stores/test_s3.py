"""The S3 store against real services: Ceph's gateway (locks and versions) and Swift's S3 API (checks a sha256)."""

from __future__ import annotations

import copy
import io
import random
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from muniment.content import Entry, LogicalPath
from muniment.errors.stores import (
    BadStore,
    ChangeRefused,
    KeyTaken,
    StoredWrong,
    StoreRefused,
    StoreUnreachable,
)
from muniment.stores import Lock, PutOptions, Store, open_store, put_bytes, read_bytes
from muniment.stores.s3 import S3Store
from muniment.stores.s3.multipart import Checksums
from muniment.testing.servers import ceph as ceph_keys
from muniment.testing.servers.cutting import CuttingProxy
from muniment.testing.servers.swift import Swift
from muniment.testing.services import Service
from muniment.testing.stores import StoreContract

CEPH = {"access_key": ceph_keys.ACCESS_KEY, "secret_key": ceph_keys.SECRET_KEY}
SWIFT = {"access_key": Swift.access_key, "secret_key": Swift.secret_key}
PART = 5 << 20
"""The smallest parts that S3 takes, so that there are some."""


def client_of(service: Service, keys: Mapping[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=service.url,
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


@pytest.fixture(scope="session")
def client(ceph: Service) -> Any:
    return client_of(ceph, CEPH)


def new_bucket(client: Any, *, locks: bool = False) -> str:
    name = f"bucket-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locks else {}))
    return name


@pytest.fixture(scope="session")
def plain(ceph: Service, client: Any) -> S3Store:
    return S3Store(new_bucket(client), keys=CEPH, endpoint=ceph.url, part=PART)


@pytest.fixture(scope="session")
def versioned(ceph: Service, client: Any) -> S3Store:
    return S3Store(new_bucket(client, locks=True), keys=CEPH, endpoint=ceph.url, part=PART)


@pytest.fixture(scope="session")
def checking(swift: Service) -> S3Store:
    return S3Store(new_bucket(client_of(swift, SWIFT)), keys=SWIFT, endpoint=swift.url, part=PART)


def empty(store: S3Store) -> S3Store:
    """The same bucket below a prefix where nothing is: a client takes longer to make than a test to run."""
    other = copy.copy(store)
    other._prefix = f"{secrets.token_hex(6)}/"
    return other


@pytest.fixture
def store(plain: S3Store) -> S3Store:
    return empty(plain)


@pytest.fixture
def locking(versioned: S3Store) -> S3Store:
    """A bucket with Object Lock, and so with versions."""
    return empty(versioned)


class TestCeph(StoreContract):
    large: ClassVar[int] = 2 * PART + 1

    @pytest.fixture
    def store(self, plain: S3Store) -> Store:
        return empty(plain)


class TestCephWithVersions(StoreContract):
    large: ClassVar[int] = 2 * PART + 1

    @pytest.fixture
    def store(self, versioned: S3Store) -> Store:
        return empty(versioned)


class TestSwift(StoreContract):
    large: ClassVar[int] = 2 * PART + 1

    @pytest.fixture
    def store(self, checking: S3Store) -> Store:
        return empty(checking)


# --- in parts


def test_nothing_of_a_large_thing_whose_source_breaks_off_is_left(store: S3Store, client: Any) -> None:
    class Breaking:
        def __init__(self) -> None:
            self.left = 8 << 20

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, size: int) -> bytes:
            if self.left <= 0:
                raise ConnectionResetError("gone")
            self.left -= size
            return b"x" * size

    with pytest.raises(ConnectionResetError):
        store.put("big", Entry(LogicalPath.parse("big"), None), Breaking)  # type: ignore[arg-type]  # enough of a stream
    assert store.stat("big") is None
    found = client.list_multipart_uploads(Bucket=store._bucket, Prefix=store._prefix)
    assert found.get("Uploads", []) == []


@pytest.mark.parametrize("kind", ["ceph", "swift"])
def test_an_upload_that_was_cut_goes_on_with_the_parts_that_had_arrived(
    kind: str, request: pytest.FixtureRequest
) -> None:
    service, keys = request.getfixturevalue(kind), {"ceph": CEPH, "swift": SWIFT}[kind]
    name = new_bucket(client_of(service, keys))
    data = random.Random(3).randbytes(6 * PART)
    entry = Entry(LogicalPath.parse("x"), len(data))
    with CuttingProxy(service.port) as line:
        store = S3Store(name, keys=keys, endpoint=line.url, part=PART)
        line.cut_after = 4 * PART + PART // 2
        with pytest.raises(StoreUnreachable):
            store.put("large", entry, lambda: io.BytesIO(data))
        line.heal()
        assert store.stat("large") is None
        receipt = store.put("large", entry, lambda: io.BytesIO(data))
        assert line.sent < 5 * PART
        store.check(receipt)


def test_parts_of_something_else_are_not_gone_on_with(store: S3Store, client: Any) -> None:
    where = {"Bucket": store._bucket, "Key": f"{store._prefix}large"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    client.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"a" * PART)
    data = b"b" * (PART + 10)
    store.check(store.put("large", Entry(LogicalPath.parse("x"), len(data)), lambda: io.BytesIO(data)))


# --- what it tells of what it took


@pytest.mark.parametrize("kind", ["plain", "checking"])
def test_other_bytes_than_their_digest_says_are_refused_by_the_service(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """What the confirmation of a put rests on."""
    store: S3Store = request.getfixturevalue(kind)
    wrong = Checksums.of(b"abd").fields
    with pytest.raises(ClientError, match="BadDigest"):
        store._deciding.put_object(Bucket=store._bucket, Key="wrong", Body=b"abc", **wrong)
    assert put_bytes(empty(store), "right", b"abc").confirmed


def test_a_newer_version_is_seen_although_it_may_hold_the_same(locking: S3Store, client: Any) -> None:
    receipt = put_bytes(locking, "k", b"abc")
    assert receipt.version
    locking.check(receipt)
    client.put_object(Bucket=locking._bucket, Key=f"{locking._prefix}k", Body=b"abc")
    with pytest.raises(StoredWrong, match="version"):
        locking.check(receipt)
    with pytest.raises(StoredWrong, match="version"):
        locking.confirm(receipt)


def test_a_delete_marker_hides_the_version_that_was_put_and_takes_nothing(locking: S3Store, client: Any) -> None:
    receipt = put_bytes(locking, "k", b"abc")
    where = {"Bucket": locking._bucket, "Key": f"{locking._prefix}k"}
    client.delete_object(**where)
    assert locking.stat("k") is None
    kept = client.get_object(**where, VersionId=receipt.version)
    assert kept["Body"].read() == b"abc"


# --- locks


def until(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def test_a_compliance_lock_is_neither_removed_nor_shortened_by_anybody(locking: S3Store) -> None:
    store, options = locking, PutOptions(lock=Lock("compliance", until(seconds=40)))
    store.preflight(options)
    receipt = put_bytes(store, "k", b"abc", options)
    assert store.locked("k") == options.lock
    with pytest.raises(ChangeRefused):
        store.remove("k", receipt.version)
    with pytest.raises(ChangeRefused):
        store.lock("k", Lock("compliance", until(seconds=5)))
    assert options.lock is not None
    longer = Lock("compliance", until(seconds=50))
    store.lock("k", longer)
    assert store.locked("k") == longer
    assert read_bytes(store, "k", 10) == b"abc"


def test_a_governance_lock_is_shortened_when_that_is_asked_for_by_name(locking: S3Store) -> None:
    store, far, near = locking, until(days=9), until(days=1)
    put_bytes(store, "k", b"abc", PutOptions(lock=Lock("governance", far)))
    with pytest.raises(ChangeRefused):
        store.lock("k", Lock("governance", near))
    assert store.locked("k") == Lock("governance", far)
    store.shorten("k", Lock("governance", near))
    assert store.locked("k") == Lock("governance", near)
    put_bytes(store, "strict", b"abc", PutOptions(lock=Lock("compliance", until(seconds=40))))
    with pytest.raises(ChangeRefused):
        store.shorten("strict", Lock("compliance", until(seconds=5)))


def test_a_governance_lock_and_a_legal_hold_keep_an_object(locking: S3Store) -> None:
    store = locking
    receipt = put_bytes(store, "k", b"abc", PutOptions(lock=Lock("governance", until(days=1))))
    with pytest.raises(ChangeRefused):
        store.remove("k", receipt.version)
    held = put_bytes(store, "held", b"abc", PutOptions(lock=Lock(hold=True)))
    assert store.locked("held") == Lock(hold=True)
    with pytest.raises(ChangeRefused):
        store.remove("held", held.version)
    store.lock("held", Lock(hold=False))
    assert store.locked("held") is None
    store.remove("held", held.version)


def test_a_large_thing_is_locked_too(locking: S3Store) -> None:
    store, options = locking, PutOptions(lock=Lock("governance", until(days=1)))
    data = random.Random(3).randbytes(PART + 3)
    store.put("large", Entry(LogicalPath.parse("x"), len(data)), lambda: io.BytesIO(data), options)
    assert store.locked("large") == options.lock


def test_a_bucket_without_locks_is_refused_before_anything_is_sent(store: S3Store) -> None:
    with pytest.raises(BadStore, match="Object Lock"):
        store.preflight(PutOptions(lock=Lock("governance", until(days=1))))


# --- who may, and where


def test_wrong_keys_and_missing_buckets_are_refused_by_name(ceph: Service, store: S3Store) -> None:
    wrong = S3Store(store._bucket, keys={**CEPH, "secret_key": "wrong-word"}, endpoint=ceph.url)
    with pytest.raises(StoreRefused) as refused:
        put_bytes(wrong, "k", b"x")
    assert "wrong-word" not in str(refused.value)
    nowhere = S3Store("no-such-bucket", keys=CEPH, endpoint=ceph.url)
    with pytest.raises(StoreRefused):
        put_bytes(nowhere, "k", b"x")
    with pytest.raises(BadStore, match="no-such-bucket"):
        nowhere.preflight()


def test_a_store_that_is_not_there_is_unreachable() -> None:
    store = open_store("s3://bucket?endpoint=http://127.0.0.1:9", keys={"access_key": "a", "secret_key": "b"})
    with pytest.raises(StoreUnreachable):
        store.stat("k")


def test_an_answer_that_is_lost_leaves_the_thing_there_and_is_no_second_try(ceph: Service, store: S3Store) -> None:
    """Were it tried again, the service would refuse the second try for the sake of the first."""
    with CuttingProxy(ceph.port) as line:
        store = S3Store(store._bucket, store._prefix.strip("/"), keys=CEPH, endpoint=line.url)
        line.lose_answers = True
        with pytest.raises(StoreUnreachable):
            store.replace("k", Entry(LogicalPath.parse("k"), 3), lambda: io.BytesIO(b"abc"))
        line.lose_answers = False
        assert read_bytes(store, "k", 10) == b"abc"
        with pytest.raises(KeyTaken):
            put_bytes(store, "k", b"abc")
