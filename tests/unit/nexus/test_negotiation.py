"""Which form of an answer a client takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muniment.doors.nexus.http.answers import Answer, StreamedAnswer
from muniment.doors.nexus.http.negotiation import Accept
from muniment.errors.nexus import NothingAcceptable

TAR, ZIP, LD, JSON = "application/x-tar", "application/zip", "application/ld+json", "application/json"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, TAR),
        ("*/*", TAR),
        ("application/*", TAR),
        ("application/json, */*", TAR),
        ("application/json, application/x-tar;q=0.1", TAR),
        ("APPLICATION/X-TAR", TAR),
        ("application/zip", ZIP),
        ("application/zip, */*;q=0.1", ZIP),
        ("application/zip, application/x-tar", TAR),
        ("application/x-tar;q=0, */*", None),
        ("application/json", None),
        ("text/*", None),
        ("nonsense", None),
    ],
)
def test_an_archive_is_given_wherever_one_is_welcome(header: str | None, found: str | None) -> None:
    assert Accept.parse(header).packed() == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, LD),
        ("application/json", JSON),
        ("application/ld+json, application/json", LD),
        ("application/json, application/ld+json", JSON),
        ("application/json;q=0.5, application/ld+json;q=0.9", LD),
        ("text/*", "text/vnd.graphviz"),
        ("application/n-quads;q=0.1, image/png", "application/n-quads"),
        ("application/json;q=x, application/ld+json", LD),
    ],
)
def test_the_most_welcome_document_is_given(header: str | None, found: str) -> None:
    assert Accept.parse(header).document() == found


@pytest.mark.parametrize("header", ["image/png", "application/json;q=0", ";;;", "a/b" + ",a/b" * 1000])
def test_nothing_welcome_is_an_error(header: str) -> None:
    with pytest.raises(NothingAcceptable):
        Accept.parse(header).document()


ETAG = '"tag"'


def nothing(_start: int, _stop: int) -> Iterator[bytes]:
    return iter(())


@pytest.mark.parametrize(
    ("headers", "status", "start", "stop"),
    [
        ({}, 200, 0, 100),
        ({"range": "bytes=0-9"}, 206, 0, 10),
        ({"range": "bytes=10-"}, 206, 10, 100),
        ({"range": "bytes=-10"}, 206, 90, 100),
        ({"range": "bytes=-1000"}, 206, 0, 100),
        ({"range": "bytes=50-1000"}, 206, 50, 100),
        ({"range": "bytes=9-0"}, 200, 0, 100),
        ({"range": "bytes=0-1,3-4"}, 200, 0, 100),
        ({"range": "bytes=0-9", "if-range": ETAG}, 206, 0, 10),
        ({"range": "bytes=0-9", "if-range": '"other"'}, 200, 0, 100),
        ({"range": "bytes=0-9", "if-range": "Sat, 21 Nov 2026 00:00:00 GMT"}, 200, 0, 100),
    ],
)
def test_ranges(headers: dict[str, str], status: int, start: int, stop: int) -> None:
    found = StreamedAnswer(100, ETAG, nothing).to(headers, "GET")
    assert isinstance(found, tuple)
    assert (found[0], found[2], found[3]) == (status, start, stop)
    assert found[1]["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=-0", "bytes=500-600"])
def test_ranges_outside(asked: str) -> None:
    found = StreamedAnswer(100, ETAG, nothing).to({"range": asked}, "GET")
    assert isinstance(found, Answer)
    assert (found.status, found.headers["Content-Range"]) == (416, "bytes */100")


@pytest.mark.parametrize(
    ("tags", "status"), [(ETAG, 304), ("*", 304), (f"W/{ETAG}", 304), ('"a", "tag"', 304), ('"b"', 200)]
)
def test_what_the_client_has_is_not_sent_again(tags: str, status: int) -> None:
    found = StreamedAnswer(100, ETAG, nothing).to({"if-none-match": tags}, "GET")
    assert (found.status if isinstance(found, Answer) else found[0]) == status
