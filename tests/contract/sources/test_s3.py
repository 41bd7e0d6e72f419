"""The source `s3` on a bucket with capitals in its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muniment.errors.base import MunimentError
from muniment.errors.sources import (
    AddressRefused,
    FileDiffers,
    FileUnavailable,
    ListingEndless,
    ServiceRefused,
    UnexpectedAnswer,
)
from muniment.sources import Guard, Session, Source, SourceContext, open_source
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
        return {**keys, "session_token": server.session_token, "bucket": server.bucket, "endpoint": server.url}

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
        (present,) = [entry.present for _, entry in listed(source) if entry.path == "a.txt"]
        assert present, "the present version is named whether earlier ones are asked for or not"
        assert present not in [entry.version for _, entry in old]

    @pytest.mark.parametrize("refusal", [(403, "AccessDenied"), (404, "NoSuchKey"), (501, "NotImplemented")])
    def test_keys_that_may_not_list_versions_still_fetch_what_is_there(
        self, server: Bucket, session: Any, tmp_path: Any, refusal: tuple[int, str]
    ) -> None:
        server.versions_refused = refusal
        source = self.make(server, session, tmp_path)
        found = listed(source)
        assert {str(entry.path): read(source, item, entry) for item, entry in found} == FILES
        assert {entry.present for _, entry in found} == {None}
        assert len([request for request in server.requests if "versions" in request.query]) == 1
        with pytest.raises(MunimentError):
            listed(self.make(server, session, tmp_path, versions=True))

    def test_versions_of_a_thousand_pages_and_odd_keys_come_in_one_listing(
        self, server: Bucket, session: Any, tmp_path: Any
    ) -> None:
        for number in range(40):
            server.put("b/c d/ü+&=%41.bin", b"%d" % number)
        server.put("b/c d/ü+&=%41.bin", BIG)
        source = self.make(server, session, tmp_path, versions=True)
        old = [(item, entry) for item, entry in listed(source) if entry.of == "b/c d/ü+&=%41.bin"]
        assert [read(source, *each) for each in old] == [*(b"%d" % number for number in reversed(range(40))), BIG]
        keys = len([request for request in server.requests if "start-after" in request.query])
        assert len([request for request in server.requests if "versions" in request.query]) < 3 * keys + 40

    @pytest.mark.parametrize("knows_escapes", [True, False])
    def test_keys_come_as_they_are_whether_escaped_or_not(
        self, server: Bucket, session: Any, tmp_path: Any, knows_escapes: bool
    ) -> None:
        server.knows_escapes = knows_escapes
        source = self.make(server, session, tmp_path, versions=True)
        assert {entry.path for _, entry in listed(source) if not entry.version} == set(FILES)

    def test_an_archived_object_is_a_trouble_until_it_is_restored(self, server: Bucket, source: Source) -> None:
        item, entry, data = self.largest(source, server)
        server.archived.add(str(entry.path))
        with pytest.raises(FileUnavailable, match="restored first"):
            source.open(item, entry)
        server.archived.clear()
        assert read(source, item, entry) == data

    def test_an_object_that_was_replaced_after_its_listing_is_not_taken_for_it(
        self, server: Bucket, source: Source
    ) -> None:
        item, entry, data = self.largest(source, server)
        server.put(str(entry.path), data[::-1])
        with pytest.raises(FileUnavailable, match="replaced"):
            source.open(item, entry)

    def test_damage_is_seen_by_the_md5_the_answer_states(self, server: Bucket, source: Source) -> None:
        item, entry, data = self.largest(source, server)
        server.fail(self.bodies, damage=True)
        with pytest.raises(FileDiffers):
            read(source, item, entry)
        assert read(source, item, entry) == data

    @pytest.mark.parametrize("encrypted", [True, False])
    def test_an_etag_that_is_no_md5_is_not_taken_for_one(self, server: Bucket, source: Source, encrypted: bool) -> None:
        name = next(name for name in FILES if FILES[name] is BIG)
        server.etags[name] = "0" * 32 if encrypted else f"{'0' * 32}-2"
        server.encrypted |= {name} if encrypted else set()
        item, entry, data = self.largest(source, server)
        assert read(source, item, entry) == data

    def test_the_region_is_asked_of_the_service_and_noted(self, server: Bucket, session: Any, tmp_path: Any) -> None:
        source = self.make(server, session, tmp_path)
        items = [item for page in source.pages() for item in page.items]
        assert {item.details["region"] for item in items} == {server.region}
        assert len([request for request in server.requests if request.method == "HEAD"]) == 1
        self.make(server, session, tmp_path, region=server.region).pages()
        with pytest.raises(ServiceRefused, match="AuthorizationHeaderMalformed"):
            list(self.make(server, session, tmp_path, region="us-east-1").pages())

    @pytest.mark.parametrize("body", [b"<html/>", b"{}", b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>', b""])
    def test_what_is_no_listing_is_refused(self, server: Bucket, session: Any, tmp_path: Any, body: bytes) -> None:
        source = self.make(server, session, tmp_path, region=server.region)
        server.fail("Bucket.One$", status=200, body=body)
        with pytest.raises(UnexpectedAnswer):
            list(source.pages())

    def test_keys_that_no_path_can_carry_come_under_mapped_names(
        self, server: Bucket, session: Any, tmp_path: Any
    ) -> None:
        odd = {
            "/lead": "%/lead", "a//b": "a/%/b", "a/./b": "a/%2E/b", "dir/": "dir/%", "n": "n", "n/x": "n (2)/x",
            "n/y": "n (2)/y",
        }  # fmt: skip
        for key in odd:
            server.put(key, b"earlier " + key.encode())
            server.put(key, key.encode())
        source = self.make(server, session, tmp_path, versions=True)
        every = listed(source)
        found = {str(entry.path): (item, entry) for item, entry in every}
        for key, path in odd.items():
            item, entry = found[path]
            assert read(source, item, entry) == key.encode()
            assert entry.original == (None if key == path else key)
            (version,) = [each for each in every if each[1].of == path]
            assert read(source, *version) == b"earlier " + key.encode()
        assert [entry.path for _, entry in listed(source)] == list(found)

    def test_a_page_without_keys_is_not_the_end(self, server: Bucket, session: Any, tmp_path: Any) -> None:
        server.empty_page = "with token"
        source = self.make(server, session, tmp_path)
        assert {str(entry.path) for _, entry in listed(source)} == set(FILES)
        server.empty_page = "without"
        with pytest.raises(UnexpectedAnswer, match="names none"):
            listed(source)

    def test_a_listing_that_does_not_go_on_is_an_error(self, server: Bucket, session: Any, tmp_path: Any) -> None:
        source = self.make(server, session, tmp_path, region=server.region)
        row = "<Contents><Key>a</Key><Size>0</Size></Contents>"
        body = f"<ListBucketResult><IsTruncated>true</IsTruncated>{row}</ListBucketResult>".encode()
        server.fail("Bucket.One$", status=200, body=body, times=9)
        with pytest.raises(ListingEndless):
            list(source.pages())


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"bucket": "Upper.Case", "region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/Upper.Case"),
        ({"bucket": "b", "region": "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn/b"),
    ],
)
def test_amazons_own_addresses_follow_from_the_region(given: dict[str, str], address: str, tmp_path: Path) -> None:
    resolved: list[str] = []

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        resolved.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", 443))]

    with Session(Guard(resolve=resolve)) as session, pytest.raises(AddressRefused):
        list(
            open_source("s3", {**given, "access_key": "a", "secret_key": "b"}, SourceContext(session, tmp_path)).pages()
        )
    assert resolved == [urlsplit(address).hostname]
