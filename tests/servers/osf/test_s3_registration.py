"""A registration in a bucket of a real S3 service, OpenStack Swift's S3 API."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from muniment.doors.osf.repair import StoreRepair, damages
from muniment.errors.registration import FileNotFound
from muniment.jobs import JobState
from muniment.settings import Secret
from muniment.testing.servers.swift import Swift
from muniment.testing.servers.web import WebServer
from muniment.testing.services import Service, shared
from tests.servers.osf.house import PROJECT, House, container, http


@pytest.fixture(scope="session")
def swift(run_folder: Path) -> Iterator[Service]:
    with shared("swift", run_folder) as swift:
        yield swift


@pytest.fixture(scope="module")
def client(swift: Service) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=swift.url,
        aws_access_key_id=Swift.access_key,
        aws_secret_access_key=Swift.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"b{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name)
    return name


def test_a_registration_in_a_bucket_is_handed_out_by_presigned_links(
    tmp_path: Path, swift: Service, bucket: str, client: Any
) -> None:
    given: dict[str, Any] = {
        "registration_stores": f"s3://{bucket}/osf?endpoint={swift.url}",
        "registration_access_key": Secret(Swift.access_key),
        "registration_secret_key": Secret(Swift.secret_key),
    }
    with WebServer(style="json") as site, House(tmp_path, **given) as house:
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
        assert Swift.secret_key not in link
        got = httpx.get(link)
        assert (got.status_code, got.content) == (200, b"alpha")
        assert "a%22b.csv" in got.headers["content-disposition"]
        with pytest.raises(FileNotFound):
            house.foreman.download("inS3", "0" * 64)
        place = {"Bucket": bucket, "Key": f"osf/Files/{sha256}"}
        client.put_object(**place, Body=b"damaged")
        (store,) = house.working.existing_stores()
        (damage,) = damages(store)
        ((_, done),) = StoreRepair(store, house.archive, PROJECT, tmp_path).repair([damage])
        assert done == "from the archive, inS3"
        assert client.get_object(**place)["Body"].read() == b"alpha"
        client.delete_object(**place)
        assert house.finish(container("again", [http(site, "d/")])).state is JobState.DONE
        assert client.get_object(**place)["Body"].read() == b"alpha"
        assert list(damages(store)) == []
