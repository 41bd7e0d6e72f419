"""The S3 store against a real service, OpenStack Swift's S3 API: the contract, and a registration in a bucket."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import boto3
import httpx
import pytest
from botocore.config import Config

from muniment.content import Entry, LogicalPath
from muniment.errors.register import FileNotFound
from muniment.errors.stores import StoreRefused, StoreUnreachable
from muniment.jobs import JobState
from muniment.settings import Secret
from muniment.stores import Store, open_store, put_bytes
from muniment.stores.s3 import S3Store
from muniment.testing.servers.site import Site
from muniment.testing.servers.swift import Swift
from muniment.testing.stores import StoreContract
from tests.servers.osf.house import House, container, http


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with Swift(tmp_path_factory.mktemp("swift")) as swift:
        yield swift


@pytest.fixture(scope="module")
def client(swift: Swift) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=swift.url,
        aws_access_key_id=swift.access_key,
        aws_secret_access_key=swift.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"b{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name)
    return name


def keys(swift: Swift) -> dict[str, str]:
    return {"access_key": swift.access_key, "secret_key": swift.secret_key}


class TestS3(StoreContract):
    large: ClassVar[int] = (11 << 20) + 1

    @pytest.fixture
    def store(self, swift: Swift, bucket: str) -> Store:
        # The smallest parts that S3 takes, so that there are some.
        return S3Store(bucket, "some/prefix", keys=keys(swift), endpoint=swift.url, part=5 << 20)


def test_nothing_of_a_large_thing_that_breaks_off_is_left(swift: Swift, client: Any, bucket: str) -> None:
    store = S3Store(bucket, keys=keys(swift), endpoint=swift.url, part=5 << 20)

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
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_wrong_keys_and_missing_buckets_are_refused_by_name(swift: Swift, bucket: str) -> None:
    wrong = S3Store(bucket, keys={**keys(swift), "secret_key": "wrong-word"}, endpoint=swift.url)
    with pytest.raises(StoreRefused) as refused:
        put_bytes(wrong, "k", b"x")
    assert "wrong-word" not in str(refused.value)
    nowhere = S3Store("no-such-bucket", keys=keys(swift), endpoint=swift.url)
    with pytest.raises((StoreRefused, StoreUnreachable)):
        put_bytes(nowhere, "k", b"x")


def test_a_store_that_is_not_there_is_unreachable() -> None:
    store = open_store("s3://bucket?endpoint=http://127.0.0.1:9", keys={"access_key": "a", "secret_key": "b"})
    with pytest.raises(StoreUnreachable):
        store.stat("k")


def test_a_registration_in_a_bucket_is_handed_out_by_presigned_links(
    tmp_path: Path, swift: Swift, bucket: str, client: Any
) -> None:
    given: dict[str, Any] = {
        "registration_stores": f"s3://{bucket}/osf?endpoint={swift.url}",
        "registration_access_key": Secret(swift.access_key),
        "registration_secret_key": Secret(swift.secret_key),
    }
    with Site(style="json") as site, House(tmp_path, **given) as house:
        site.files = {"d/a b": b"alpha", "d/large": b"x" * 150_000}
        assert house.finish(container("inS3", [http(site, "d/")])).state is JobState.DONE
        sha256 = hashlib.sha256(b"alpha").hexdigest()
        found = {each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]}
        assert f"osf/Files/{sha256}" in found
        assert "osf/Directory Structures/inS3/http/d/a b.json" in found
        assert sum(key.startswith("osf/Parities/") for key in found) == 2
        assert house.foreman.manifest("inS3")["storedAt"] == {"provider": "s3", "container": f"{bucket}/osf"}
        link = house.foreman.download("inS3", sha256, 'a"b.csv').url
        assert link is not None
        assert swift.secret_key not in link
        got = httpx.get(link)
        assert (got.status_code, got.content) == (200, b"alpha")
        assert "a%22b.csv" in got.headers["content-disposition"]
        with pytest.raises(FileNotFound):
            house.foreman.download("inS3", "0" * 64)
