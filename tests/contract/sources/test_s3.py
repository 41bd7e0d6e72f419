"""The source `s3` on a bucket with capitals in its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from muniment.errors.sources import UnexpectedAnswer
from muniment.sources import Failure, Source
from muniment.testing.servers.bucket import Bucket
from muniment.testing.sources import SourceContract, listed, read

BIG = bytes(range(256)) * 900
FILES = {
    "a.txt": b"now",
    "a.txt.more": b"another key",
    "b/c d/ü+&=%41.bin": BIG,
    "b/~empty": b"",
    "z": b"z",
    "z1": b"",
    "é": b"e",
}


class TestS3(SourceContract):
    kind = "s3"
    calls = "^/Bucket.One$"
    bodies = "bin$"
    has_digests = False

    @pytest.fixture
    def server(self) -> Iterator[Bucket]:
        with Bucket() as server:
            for number in range(5):
                server.put("a.txt", b"earlier %d" % number)
                server.put("a.txt.more", b"not mine %d" % number)
            server.put("a.txt", None)
            for name, data in FILES.items():
                server.put(name, data)
            server.put("b/", b"")
            server.put("gone", b"x")
            server.put("gone", None)
            yield server

    def given(self, server: Bucket) -> dict[str, Any]:
        keys = {"access_key": server.access_key, "secret_key": server.secret_key}
        return {**keys, "bucket": server.bucket, "endpoint": server.url}

    def refused(self, server: Bucket) -> dict[str, str]:
        return {"secret_key": "another-secret-9876"}

    def missing(self, server: Bucket) -> dict[str, str]:
        return {"bucket": "nothing"}

    def files(self, server: Bucket) -> dict[str, bytes]:
        return dict(FILES)

    @pytest.mark.parametrize(("versions", "contents"), [(True, [4, 3, 2, 1, 0]), (3, [4, 3]), (1, []), (False, [])])
    def test_earlier_versions_come_as_many_as_were_asked_for(
        self, server: Bucket, session: Any, tmp_path: Any, versions: Any, contents: list[int]
    ) -> None:
        source = self.make(server, session, tmp_path, versions=versions)
        old = [(item, entry) for item, entry in listed(source) if entry.of == "a.txt"]
        assert [read(source, *each) for each in old] == [b"earlier %d" % number for number in contents]

    def test_keys_that_cannot_be_files_and_frozen_objects_are_failures(self, server: Bucket, source: Source) -> None:
        for key in ("../up", "/absolute", "a//b", "full/"):
            server.put(key, b"1")
        server.put("cold", b"1")
        server.storage["cold"] = "GLACIER"
        found = [each for page in source.pages() for item in page.items for each in source.entries(item)]
        assert {each.file for each in found if isinstance(each, Failure)} == {
            "../up",
            "/absolute",
            "a//b",
            "full/",
            "cold",
        }

    @pytest.mark.parametrize("body", [b"<html/>", b"{}", b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>', b""])
    def test_what_is_no_listing_is_refused(self, server: Bucket, source: Source, body: bytes) -> None:
        server.fail("Bucket.One$", status=200, body=body)
        with pytest.raises(UnexpectedAnswer):
            list(source.pages())
