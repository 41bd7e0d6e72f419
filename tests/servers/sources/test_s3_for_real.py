"""The source `s3` against a real service: OpenStack Swift's S3 API, filled by Amazon's own client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from muniment.errors.sources import AddressRefused, CredentialRefused, FileUnavailable, NotAtService
from muniment.sources import Guard, Session, Source, SourceContext, open_source
from muniment.testing.servers.swift import Swift
from muniment.testing.sources import listed, read

BIG = bytes(range(256)) * 5000
FILES = {
    "a.txt": b"now",
    "a+b c%41=&/ü € ~.bin": BIG,
    "b/x": b"1",
    "b/empty": b"",
    **{f"many/{number:04}": b"%d" % number for number in range(30)},
}


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


@pytest.fixture(scope="module", params=["lower-case", "Upper.Case"])
def bucket(request: pytest.FixtureRequest, client: Any) -> str:
    # A process that is handed the tests out of order makes it more than once.
    name = f"{request.param}-{uuid4().hex[:8]}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(4):
        client.put_object(Bucket=name, Key="a.txt", Body=b"earlier %d" % number)
    client.delete_object(Bucket=name, Key="a.txt")
    for key, data in {**FILES, "b/": b"", "gone": b"x"}.items():
        client.put_object(Bucket=name, Key=key, Body=data)
    client.delete_object(Bucket=name, Key="gone")
    return name


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True)) as session:
        yield session


def opened(swift: Swift, session: Session, folder: Path, **changed: Any) -> Source:
    keys = {"access_key": swift.access_key, "secret_key": swift.secret_key, "endpoint": swift.url}
    return open_source("s3", {**keys, **changed}, SourceContext(session, folder))


def test_every_object_comes_whole_with_its_earlier_versions(
    swift: Swift, bucket: str, session: Session, tmp_path: Path
) -> None:
    source = opened(swift, session, tmp_path, bucket=bucket, versions=True)
    everything = listed(source)
    present = {str(entry.path): read(source, item, entry) for item, entry in everything if not entry.version}
    assert present == FILES
    earlier = [read(source, item, entry) for item, entry in everything if entry.version]
    assert earlier == [b"earlier 3", b"earlier 2", b"earlier 1", b"earlier 0"]


def test_pages_of_the_service_go_on_one_after_the_other(
    swift: Swift, bucket: str, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.sources.s3._PAGE", 3)
    source = opened(swift, session, tmp_path, bucket=bucket, versions=3)
    everything = listed(source)
    assert {str(entry.path) for _, entry in everything if not entry.version} == set(FILES)
    assert [read(source, *each) for each in everything if each[1].version] == [b"earlier 3", b"earlier 2"]
    pages = list(source.pages())
    assert len(pages) > 10
    rest = list(opened(swift, session, tmp_path, bucket=bucket).pages(pages[4].after))
    assert [item.id for page in rest for item in page.items] == [item.id for page in pages[5:] for item in page.items]


def test_an_object_opens_in_its_middle_and_not_once_it_was_replaced(
    swift: Swift, bucket: str, client: Any, session: Session, tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="zz", Body=BIG)
    source = opened(swift, session, tmp_path, bucket=bucket)
    item, entry = next(each for each in listed(source) if each[1].path == "zz")
    with source.open(item, entry, 1_000_001) as stream:
        assert stream.read() == BIG[1_000_001:]
    client.put_object(Bucket=bucket, Key="zz", Body=BIG[::-1])
    with pytest.raises(FileUnavailable, match="replaced"):
        source.open(item, entry)
    client.delete_object(Bucket=bucket, Key="zz")
    with pytest.raises(FileUnavailable, match="404"):
        source.open(item, entry)


def test_objects_stored_in_parts_come_whole(swift: Swift, client: Any, session: Session, tmp_path: Path) -> None:
    client.create_bucket(Bucket="parts")
    part = BIG * 5
    upload = client.create_multipart_upload(Bucket="parts", Key="large")["UploadId"]
    where = {"Bucket": "parts", "Key": "large", "UploadId": upload}
    etags = [client.upload_part(**where, PartNumber=number, Body=part)["ETag"] for number in (1, 2)]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    source = opened(swift, session, tmp_path, bucket="parts")
    (each,) = listed(source)
    assert read(source, *each) == part * 2


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"secret_key": "another-secret"}, CredentialRefused),
        ({"access_key": "nobody"}, CredentialRefused),
        ({"bucket": "nothing"}, NotAtService),
    ],
)
def test_refusals_are_told_apart(
    swift: Swift, bucket: str, session: Session, tmp_path: Path, changed: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        listed(opened(swift, session, tmp_path, **{"bucket": bucket, **changed}))


def test_a_private_endpoint_is_refused_by_default(swift: Swift, bucket: str, tmp_path: Path) -> None:
    with Session() as session, pytest.raises(AddressRefused):
        listed(opened(swift, session, tmp_path, bucket=bucket))
