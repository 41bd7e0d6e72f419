"""What headers say: addresses and names beyond ASCII, codings nobody asked for, times beyond the calendar."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest

from muniment.errors.sources import FileCut, FileDiffers, FileUnavailable
from muniment.session.coding import Decoded, coding_of
from muniment.session.headers import as_address, as_sent, file_name
from muniment.sources.times import from_epoch, rfc3339

HERE = "http://a.example/data/last%20part.csv"


def received(text: str, charset: str = "utf-8") -> str:
    """A header value as it is read off the wire."""
    return text.encode(charset).decode("latin-1")


def test_an_address_beyond_ascii_arrives_as_its_bytes_were_sent() -> None:
    assert as_address(received("/d/é b.csv")) == "/d/é b.csv"
    assert as_address(received("/d/é b.csv", "latin-1")) == "/d/%E9 b.csv"
    assert as_address("/plain%20one") == "/plain%20one"
    assert as_sent(received("caf\u00e9", "latin-1")) == "café"


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ('attachment; filename="report 1.csv"', "report 1.csv"),
        ("attachment; filename=report.csv", "report.csv"),
        ("attachment; filename=\"x.csv\"; filename*=UTF-8''na%C3%AFve%20file.csv", "naïve file.csv"),
        ("attachment; FileName*=utf-8'de'%e2%82%ac.txt; filename=x", "€.txt"),
        ("attachment; filename*=iso-8859-1''caf%E9.txt", "café.txt"),
        ("attachment; filename*=nonsense''x; filename=plain.txt", "plain.txt"),
        ("attachment; filename*=UTF-8''%FF; filename=plain.txt", "plain.txt"),
        (received('attachment; filename="é.csv"'), "é.csv"),
        (received('attachment; filename="é.csv"', "latin-1"), "é.csv"),
        (r'attachment; filename="a \"quoted\" name"', 'a "quoted" name'),
        ('attachment; filename="a;b.csv"', "a;b.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\Users\\\\x.csv"', "x.csv"),
        ('attachment; filename=".."', "last part.csv"),
        ("attachment", "last part.csv"),
        ("", "last part.csv"),
    ],
)
def test_a_file_is_named_by_its_disposition_and_else_by_its_address(stated: str, name: str) -> None:
    assert file_name({"content-disposition": stated}, HERE) == name


def test_an_address_without_a_last_part_names_no_file() -> None:
    assert file_name({}, "http://a.example/data/") is None
    assert file_name({}, "http://a.example/%FF") == "\udcff"


@pytest.mark.parametrize(
    ("coding", "url", "length", "size", "taken_off"),
    [
        ("gzip", "/t.csv", 9, None, "gzip"),
        ("gzip", "/t.csv", 9, 20, "gzip"),
        ("gzip", "/t.csv", 9, 9, None),  # the service counts its bytes as they come
        ("gzip", "/t.tar.gz", 9, None, None),
        ("gzip", "/t.TGZ?x=1", 9, None, None),
        ("br", "/t.gz", 9, None, "br"),
        ("identity", "/t.csv", 9, None, None),
        ("", "/t.csv", 9, None, None),
    ],
)
def test_a_coding_is_taken_off_unless_the_file_itself_is_compressed(
    coding: str, url: str, length: int, size: int | None, taken_off: str | None
) -> None:
    assert coding_of({"content-encoding": coding}, f"http://a.example{url}", length, size) == taken_off


DATA = bytes(range(256)) * 3000 + b"\0" * 1_000_000


@pytest.mark.parametrize("body", [gzip.compress(DATA), zlib.compress(DATA)])
def test_a_coded_body_gives_the_file_from_any_offset(body: bytes) -> None:
    for offset in (0, 1, 500_000, len(DATA)):
        assert Decoded(io.BytesIO(body), "gzip", "a", "shelf", offset).read() == DATA[offset:]


def test_pieces_in_a_row_and_nothing_at_all_are_files_too() -> None:
    assert Decoded(io.BytesIO(gzip.compress(b"a") + gzip.compress(b"b")), "gzip", "a", "shelf").read() == b"ab"
    assert Decoded(io.BytesIO(b""), "gzip", "a", "shelf").read() == b""


@pytest.mark.parametrize("length", [1, 5, 12, -9, -1])
def test_a_coded_body_without_its_end_is_never_a_whole_file(length: int) -> None:
    with pytest.raises(FileCut):
        Decoded(io.BytesIO(gzip.compress(DATA)[:length]), "gzip", "a", "shelf").read()


def test_what_is_not_compressed_as_it_says_is_an_error() -> None:
    with pytest.raises(FileDiffers):
        Decoded(io.BytesIO(b"plain text"), "gzip", "a", "shelf").read()
    with pytest.raises(FileUnavailable, match="'br'"):
        Decoded(io.BytesIO(b""), "br", "a", "shelf")


def test_a_small_body_that_holds_much_comes_in_pieces() -> None:
    stream = Decoded(io.BytesIO(gzip.compress(b"\0" * 50_000_000)), "gzip", "a", "shelf")
    assert len(stream.read(1000)) == 1000
    assert len(stream._coming) + len(stream._left) < 200_000


@pytest.mark.parametrize("text", ["Fri, 31 Dec 9999 23:59:59 -1200", "0001-01-01T00:00:00+12:00", "9" * 400])
def test_a_time_beyond_the_calendar_is_no_time(text: str) -> None:
    assert rfc3339(text) is None


@pytest.mark.parametrize("seconds", [1e20, -1e20, float("inf"), float("nan"), 253_402_300_800])
def test_seconds_beyond_the_calendar_are_no_time(seconds: float) -> None:
    assert from_epoch(seconds) is None
