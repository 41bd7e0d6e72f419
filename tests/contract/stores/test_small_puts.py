"""Bodies in one request, signed here: what arrives, what is counted, and what is left to botocore."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore import auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import EndpointConnectionError

from muniment.errors.stores import StoreRefused, StoreUnreachable
from muniment.stores.s3 import client
from muniment.stores.s3.client import Service as S3Service
from muniment.stores.s3.keys import S3Keys
from muniment.testing.services import Service
from tests.contract.stores.test_s3 import CEPH, SWIFT, client_of, new_bucket

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse


@pytest.fixture(scope="module")
def bucket(ceph: Service) -> str:
    return new_bucket(client_of(ceph, CEPH))


@pytest.fixture(params=["Ceph's", "Swift's"])
def service(request: pytest.FixtureRequest) -> S3Keys:
    if request.param == "Swift's":
        swift = request.getfixturevalue("swift")
        return S3Keys(new_bucket(client_of(swift, SWIFT)), "", S3Service(SWIFT, swift.url))
    return S3Keys(request.getfixturevalue("bucket"), "ü", S3Service(CEPH, request.getfixturevalue("ceph").url))


def test_a_body_is_put_without_botocores_ways(service: S3Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also under names in which much is written otherwise on the line."""
    monkeypatch.setattr(service._store, "replace", lambda *_: pytest.fail("botocore was asked"))
    place = tmp_path / "file"
    place.write_bytes(b"from a file")
    before = service.requests_made()
    asked: list[bool] = []
    send = client.Clients.send

    def noted(clients: client.Clients, request: AWSPreparedRequest) -> AWSResponse:
        asked.append("Expect" in request.headers)
        return send(clients, request)

    monkeypatch.setattr(client.Clients, "send", noted)
    names = ("a", "ü b/ñ+%&=?#~x", "muniment%3amain%2f/0=ocfl", "a'()*!,;:@$[]", "日本/_-.", "empty", "large")
    bodies: tuple[bytes | Path, ...] = (b"one", b"two", b"three", b"four", place, b"", bytes(client.ASKS_FIRST))
    for name, body in zip(names, bodies, strict=True):
        service.put(name, body)
    assert (service.requests_made().writes - before.writes, service.requests_made().reads) == (7, before.reads)
    assert asked == [False] * 6 + [True], "whether a large body is wanted is asked before it is sent"
    for name, body in zip(names, bodies, strict=True):
        assert service.open(name).read() == (body if isinstance(body, bytes) else b"from a file")
    assert sorted(each.key for each in service.list()) == sorted(names)


def test_who_may_not_put_a_body_is_told_as_ever(ceph: Service, bucket: str) -> None:
    wrong = S3Keys(bucket, "x", S3Service({**CEPH, "secret_key": "wrong-word"}, ceph.url))
    with pytest.raises(StoreRefused, match="SignatureDoesNotMatch"):
        wrong.put("a", b"a")
    with pytest.raises(StoreUnreachable):
        S3Keys(bucket, "x", S3Service(CEPH, "http://127.0.0.1:1")).put("a", b"a")


@pytest.mark.parametrize("etag", ['"0123"', ""], ids=["another digest", "none"])
def test_a_body_whose_digest_is_not_given_back_is_read_back(
    ceph: Service, bucket: str, monkeypatch: pytest.MonkeyPatch, etag: str
) -> None:
    keys = S3Keys(bucket, secrets.token_hex(6), S3Service(CEPH, ceph.url))
    send = client.Clients.send

    def answered(clients: client.Clients, request: AWSPreparedRequest) -> AWSResponse:
        answer = send(clients, request)
        answer.headers["etag"] = etag
        return answer

    monkeypatch.setattr(client.Clients, "send", answered)
    keys.put("a", b"first")
    keys.put("a", b"second")
    assert keys.open("a").read() == b"second"
    assert keys.requests_made().writes == 3, "after the first, which is put twice, in botocore's ways at once"


def test_a_body_is_signed_with_the_token_of_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of a role")
    sent: list[AWSPreparedRequest] = []

    def refused(_: client.Clients, request: AWSPreparedRequest) -> AWSResponse:
        sent.append(request)
        raise EndpointConnectionError(endpoint_url=request.url)

    monkeypatch.setattr(client.Clients, "send", refused)
    with pytest.raises(StoreUnreachable):
        S3Keys("bucket", "", S3Service({}, "https://[::1]:443/base/", "eu-west-1")).put("a b", b"body")
    [request] = sent
    ours = request.headers["authorization"]
    moment = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - as botocore has it
    names = ours.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert (request.url, request.headers["x-amz-security-token"]) == (
        "https://[::1]:443/base/bucket/a%20b",
        "of a role",
    )
    again = AWSRequest("PUT", request.url, {name: request.headers[name] for name in names}, b"body")
    monkeypatch.setattr(auth, "get_current_datetime", lambda: moment)
    auth.S3SigV4Auth(Credentials("AK", "SK", "of a role"), "s3", "eu-west-1").add_auth(again)
    assert again.headers["Authorization"] == ours, "it is as botocore signs the same"
