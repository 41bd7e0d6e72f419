"""What somebody is told who gives the address of a bucket that cannot be had, or of one that holds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from muniment.app import bucket
from muniment.errors.archive import NotAnArchive
from muniment.errors.stores import NoSuchBucket, StoreRefused
from muniment.stores.s3.client import Clients, Service
from muniment.testing.keys import FolderKeys

_SERVICE = Service({"access_key": "AK", "secret_key": "SK"}, "http://127.0.0.1:9")


def _told(error: Exception) -> StoreRefused:
    with pytest.raises(StoreRefused) as caught, Clients(_SERVICE, "s3://museum").trouble("muniment.json"):
        raise error
    return caught.value


def _answer(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")


def test_a_bucket_that_is_not_there_is_said_not_to_be() -> None:
    found = _told(_answer("NoSuchBucket"))
    assert isinstance(found, NoSuchBucket)
    assert "no such bucket" in found.message
    assert "rights" not in found.message


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_answer("SignatureDoesNotMatch"), ": SignatureDoesNotMatch. Check"),
        (_answer("AccessDenied", "you may not"), ": AccessDenied: you may not. Check"),
        (NoCredentialsError(), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_what_a_service_refuses_is_said_once(error: Exception, said: str) -> None:
    assert said in _told(error).message


def test_where_no_archive_is_the_command_that_makes_one_names_the_same_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "keys_at", lambda _: FolderKeys(tmp_path / "bucket"))
    place = "s3://museum/archive?endpoint=http://127.0.0.1:9&region=here"
    with pytest.raises(NotAnArchive) as caught:
        bucket.open_bucket(place, state=tmp_path / "state")
    assert f"muniment --archive '{place}' init" in str(caught.value)
