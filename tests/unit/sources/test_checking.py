"""What came is compared with what was announced, and documents are written as they are read."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.content import LogicalPath
from muniment.errors.sources import FileDiffers, FileTooLarge, FileUnavailable, ListingEndless
from muniment.sources import SourceEntry, checked, failure_of
from muniment.sources.checking import CHECKS, DropboxHash
from muniment.sources.documents import json_list, json_object
from muniment.sources.limited import Bounded
from muniment.sources.naming import Names
from muniment.sources.paging import follow
from muniment.sources.protocol import Failure

DATA = b"0123456789" * 1000
MIB = 1024 * 1024


def entry(**facts: Any) -> SourceEntry:
    return SourceEntry(LogicalPath("f"), **{"size": len(DATA), **facts})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_as_announced_passes() -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(DATA) + DATA).hexdigest()
    whole = entry(digests={"sha256": sha256(DATA), "md5": hashlib.md5(DATA).hexdigest()}, checks={"git-blob": blob})
    with checked(io.BytesIO(DATA), whole, "s") as stream:
        assert stream.read() == DATA


@pytest.mark.parametrize(
    "wrong",
    [{"size": 9999}, {"size": 10001}, {"digests": {"sha256": "0" * 64}}, {"checks": {"git-blob": "0" * 40}},
     {"checks": {"dropbox": "0" * 64}}],
)  # fmt: skip
def test_a_file_that_differs_never_ends_well(wrong: dict[str, Any]) -> None:
    with checked(io.BytesIO(DATA), entry(**wrong), "shelf") as stream, pytest.raises(FileDiffers, match="shelf"):
        stream.read()


def test_an_unknown_size_and_unknown_checks_are_not_compared() -> None:
    with checked(io.BytesIO(DATA), entry(size=None, checks={"quick-xor": "?"}), "s") as stream:
        assert stream.read() == DATA


@pytest.mark.parametrize("size", [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB])
def test_dropboxs_hash_is_of_the_hashes_of_four_mebibyte_blocks(size: int) -> None:
    data = bytes(size)
    blocks = [data[at : at + 4 * MIB] for at in range(0, size, 4 * MIB)]
    expected = sha256(b"".join(hashlib.sha256(block).digest() for block in blocks))
    for step in (size or 1, 3 * MIB + 17):
        hasher = DropboxHash(size)
        for at in range(0, size, step):
            hasher.update(data[at : at + step])
        assert hasher.hexdigest() == expected
    assert set(CHECKS) == {"dropbox", "git-blob", "git-blob-sha256", "quickxor"}


def test_a_stream_longer_than_allowed_is_broken_off() -> None:
    assert Bounded(io.BytesIO(b"12345"), "f", 5).read() == b"12345"
    with pytest.raises(FileTooLarge, match=r"f: File is too large\."):
        Bounded(io.BytesIO(b"123456"), "f", 5).read()


def test_a_submitter_reads_the_reason_without_the_name() -> None:
    error = FileUnavailable(path="a/b", service="shelf", reason="status 451")
    assert failure_of(error, "a/b", "shelf") == Failure("a/b", "shelf does not give this file: status 451.", "shelf")
    assert failure_of(FileTooLarge(path="x"), "x", "shelf").reason == "File is too large."


@given(
    values=st.lists(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none()))),
    offset=st.integers(0, 300),
)
def test_a_list_written_piece_by_piece_is_json_from_any_offset(values: list[dict[str, Any]], offset: int) -> None:
    whole = json_list(values).read()
    assert json.loads(whole) == values
    assert json_list(values, offset).read() == whole[offset:]


def test_a_list_is_fetched_only_as_it_is_read() -> None:
    fetched = []

    def values() -> Iterator[int]:
        for number in range(1000):
            fetched.append(number)
            yield number

    stream = json_list(values())
    stream.read(10)
    assert len(fetched) < 10


def test_a_name_that_no_encoding_knows_is_written_all_the_same() -> None:
    assert json.loads(json_object({"name": "\udcff"}).read()) == {"name": "\udcff"}


def test_equal_names_stay_apart() -> None:
    names = Names()
    given = [("a/b.csv", "1"), ("a/b.csv", "2"), ("b", "3"), ("b", "4/5"), (".x", "6"), (".x", "7")]
    assert [names.path(*each) for each in given] == ["a/b.csv", "a/b (2).csv", "b", "b (4%2F5)", ".x", ".x (7)"]


def test_pages_that_lead_back_or_never_end_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def turning(*pages: tuple[list[int], str | None]) -> list[list[int]]:
        turned = iter(pages)
        return [list(values) for values, _ in follow("s", "http://a.example/", "1", lambda _: next(turned))]

    assert turning(([1], "2"), ([], "3"), ([], "4"), ([2], None)) == [[1], [], [], [2]]
    with pytest.raises(ListingEndless, match="leads back"):
        turning(([1], "2"), ([2], "1"))
    with pytest.raises(ListingEndless, match="holds what an earlier one held"):
        turning(([1], "2"), ([2], "3"), ([1], "4"))
    monkeypatch.setattr("muniment.sources.paging.MOST_PAGES", 3)
    with pytest.raises(ListingEndless, match="over 3 pages"):
        turning(([1], "2"), ([2], "3"), ([3], "4"), ([4], None))
