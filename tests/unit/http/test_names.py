"""Names in paths and headers: decoded strictly, written so that nothing breaks out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.errors.base import Conflict
from muniment.errors.content import BadId, UnknownDigest, UnsafePath
from muniment.http.files import disposition
from muniment.http.names import digest_fields, path_of, read_digest_fields, segment, text_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT)
def test_every_id_survives_as_one_segment(text: str) -> None:
    assert "/" not in segment(text)
    assert text_of(segment(text)) == text


@pytest.mark.parametrize("encoded", ["%c0%ae", "%ff", "a%80"])
def test_bytes_that_are_not_utf_8_are_refused(encoded: str) -> None:
    with pytest.raises(BadId):
        text_of(encoded)
    with pytest.raises(UnsafePath):
        path_of(encoded)


@given(st.dictionaries(st.sampled_from(["sha256", "sha512", "md5", "sha1"]), st.just("00" * 8)))
def test_digest_fields_are_read_as_they_are_written(digests: dict[str, str]) -> None:
    assert read_digest_fields(digest_fields(digests)) == digests


def test_digest_fields_that_lie_or_contradict_are_refused() -> None:
    assert read_digest_fields("unixsum=:AAAA:", "") == {}
    for wrong in ("sha-256", "sha-256=x", "sha-256=:?:", "sha-256=:AAA:", ":::"):
        with pytest.raises(UnknownDigest):
            read_digest_fields(wrong)
    with pytest.raises(Conflict):
        read_digest_fields("md5=:AAAA:", "md5=:BBBB:")


@given(TEXT)
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert header.startswith('attachment; filename="')
