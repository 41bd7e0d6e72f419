"""What a segment of an address names, and how an id is written shortest."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.content.jsonld import VOCABULARY, IdSpace, absolute_iri, encode_segment, is_iri
from muniment.errors.delivery import InvalidJsonLd, InvalidSegment

BASE = "http://localhost/base/"
P = "https://dev.nexus.test.com/simplified-resource/"
SPACE = IdSpace(
    BASE, {"test-resource": P, "alias": "http://alias.org/thing", "http": "http://mapped/", "long": f"{P}long/"}
)


@pytest.mark.parametrize(
    ("segment", "iri"),
    [
        ("test-resource:archive", f"{P}archive"),
        ("alias", "http://alias.org/thing"),
        ("archive", "https://bluebrain.github.io/nexus/schemas/archives.json"),
        ("_", "https://bluebrain.github.io/nexus/schemas/unconstrained.json"),
        ("nxv:x", f"{VOCABULARY}x"),
        ("nxv", f"{BASE}nxv"),
        ("https%3A%2F%2Fh%2Fa", "https://h/a"),
        ("https:%2F%2Fh%2Fa", "https://h/a"),
        ("urn:a", "urn:a"),
        ("a:b:c", "a:b:c"),
        ("plain", f"{BASE}plain"),
        ("a%2Fb", f"{BASE}a/b"),
        ("a+b", f"{BASE}a+b"),
        ("alias:x", "alias:x"),
        ("a%2520b", f"{BASE}a%20b"),
        ("http:x", "http://mapped/x"),
        ("caf%C3%A9", f"{BASE}café"),
    ],
)
def test_a_segment_is_decoded_once_and_read_in_order(segment: str, iri: str) -> None:
    assert SPACE.expand(segment) == iri


@pytest.mark.parametrize(
    "segment", ["a%20b", "%FF", "", "a%00", "%3Cx%3E", "test-resource:a%20b", "http%3A%2F%2Fh%2F%22"]
)
def test_what_is_no_iri_is_refused_under_the_name_of_its_kind(segment: str) -> None:
    with pytest.raises(InvalidSegment, match=r"Archive identifier '.*' cannot be expanded to an Iri\.") as refusal:
        SPACE.expand(segment, "Archive")
    assert refusal.value.nexus_type == "InvalidArchiveId"


@pytest.mark.parametrize(
    ("iri", "segment"),
    [
        (f"{P}archive", "test-resource:archive"),
        (f"{P}long/x", "long:x"),
        ("http://alias.org/thing", "alias"),
        (f"{BASE}1234-abcd", "1234-abcd"),
        ("http://localhost/abc", "http:%2F%2Flocalhost%2Fabc"),
        (f"{BASE}events", "http:%2F%2Flocalhost%2Fbase%2Fevents"),
        (f"{BASE}alias", "http:%2F%2Flocalhost%2Fbase%2Falias"),
        (BASE, "http:%2F%2Flocalhost%2Fbase%2F"),
        (f"{BASE}a%20b", "a%2520b"),
        (f"{BASE}a/b", "a%2Fb"),
        (f"{BASE}urn:x", "http:%2F%2Flocalhost%2Fbase%2Furn:x"),
    ],
)
def test_an_id_is_written_as_short_as_can_be_read_back(iri: str, segment: str) -> None:
    assert SPACE.shorten(iri) == segment
    assert SPACE.expand(segment) == iri


@given(
    st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"], exclude_characters='<>"{}|\\^`%'), max_size=20)
)
def test_every_iri_survives_shortening(tail: str) -> None:
    for iri in (f"{BASE}{tail}", f"{P}{tail}", f"urn:x{tail}"):
        if is_iri(iri):
            assert SPACE.expand(SPACE.shorten(iri)) == iri


def test_segments_keep_colons_and_hide_slashes() -> None:
    assert encode_segment("https://h/a b?c#d%") == "https:%2F%2Fh%2Fa%20b%3Fc%23d%25"


@pytest.mark.parametrize(
    ("text", "iri"),
    [("x", f"{BASE}x"), ("http://h/a", "http://h/a"), ("#f", f"{BASE}#f"), ("../up", "http://localhost/up")],
)
def test_ids_in_payloads_resolve_against_the_base(text: str, iri: str) -> None:
    assert absolute_iri(text, BASE) == iri


@pytest.mark.parametrize("text", ["invalid iri", "http://h/a b", "a\nb", "http://h/%zz"])
def test_ids_in_payloads_that_are_no_iris_are_refused(text: str) -> None:
    with pytest.raises(InvalidJsonLd, match="is not an IRI"):
        absolute_iri(text, BASE)


@given(
    st.from_regex(r"[A-Za-z0-9_.~/-]{1,12}", fullmatch=True),
    st.from_regex(r"https?://[a-z.]{1,5}(:80)?/([A-Za-z0-9_.-]{1,3}/){0,3}[a-z]{0,2}", fullmatch=True),
)
def test_a_word_is_resolved_as_by_pyld_without_it(word: str, base: str) -> None:
    from pyld import iri_resolver

    wanted = str(iri_resolver.resolve(word, base))
    if is_iri(wanted):
        assert absolute_iri(word, base) == wanted


def test_plain_ids_are_resolved_without_loading_pyld() -> None:
    program = (
        "import sys; from muniment.content.jsonld import absolute_iri\n"
        f"assert absolute_iri('a-1.b', {BASE!r}) == {BASE!r} + 'a-1.b'\n"
        "assert absolute_iri('urn:a', 'http://x/') == 'urn:a'\n"
        "assert 'pyld' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
