"""What a Nexus payload may say, the words of each refusal, and the names entries get."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.errors.delivery import (
    DecodingFailed,
    FilenameTooLong,
    InvalidJsonLd,
    NexusRefusal,
    PathBelowFile,
    PathRefused,
    UnexpectedArchiveId,
)
from muniment.layouts.selection import (
    Format,
    NameLayout,
    Names,
    SelectionEntry,
    archive_id,
    decode_selection,
    default_name,
    encode_id,
    name_entries,
    safe_filename,
)
from muniment.layouts.streams import TarPlan

from .making import member

P = "https://dev.nexus.test.com/simplified-resource/"
R1 = {"@type": "Resource", "resourceId": f"{P}1"}
LOGO = {"@type": "File", "resourceId": f"{P}logo"}


def _iri(text: str) -> str:
    if " " in text:
        raise InvalidJsonLd(reason=f"{text!r} is not an IRI")
    return text if ":" in text else f"http://base/{text}"


def _decode(*entries: object, limit: int | None = None) -> list[SelectionEntry]:
    return decode_selection({"resources": list(entries)}, project="o/p1", iri=_iri, limit=limit)


def test_the_entries_of_the_api_page_are_read_and_echoed_as_sent() -> None:
    sent = [
        {**R1, "rev": 1},
        {**LOGO, "path": "/some/other/nexus-logo.png"},
        {**R1, "project": "o/p2", "tag": "v1", "format": "n-triples"},
    ]
    assert [entry.echo() for entry in _decode(*sent)] == sent


@pytest.mark.parametrize(
    ("said", "form", "echoed"),
    [
        ({}, None, None),
        ({"originalSource": True}, Format.SOURCE, "source"),
        ({"originalSource": False}, Format.COMPACTED, "compacted"),
        ({"originalSource": "true"}, Format.SOURCE, "source"),
        ({"format": "n-quads"}, Format.N_QUADS, "n-quads"),
        ({"format": None, "path": None, "rev": None, "tag": None, "project": None}, None, None),
    ],
)
def test_the_format_is_echoed_and_the_original_source_never(
    said: dict[str, Any], form: Format | None, echoed: str | None
) -> None:
    (entry,) = _decode({**R1, **said})
    assert entry.format is form
    assert entry.echo().get("format") == echoed
    assert "originalSource" not in entry.echo()


@pytest.mark.parametrize("rev", [3, "3", 3.0])
def test_a_revision_may_be_a_number_in_quotes(rev: object) -> None:
    assert _decode({**R1, "rev": rev})[0].rev == 3


def test_unknown_keys_are_ignored_and_so_is_the_format_of_a_file() -> None:
    (entry,) = decode_selection(
        {"archiveId": "x", "resources": [{**LOGO, "originalSource": True, "format": "nonsense", "x": 1}]},
        project="o/p1",
        iri=_iri,
    )
    assert entry == SelectionEntry("File", f"{P}logo")


def test_equal_entries_collapse_also_when_one_spells_out_the_default() -> None:
    assert len(_decode(R1, R1, {**R1, "project": "/o/p1"}, {**R1, "path": "/a"}, {**R1, "path": "a"})) == 2
    assert len(_decode(R1, {**R1, "rev": 1}, LOGO)) == 3


REFUSALS: list[tuple[list[object], str]] = [
    (
        [{**R1, "path": "/a/b"}, {**LOGO, "path": "/a/b"}],
        "The paths '/a/b' have been used multiple times in the archive.",
    ),
    (
        [{**R1, "path": "a/b"}, {**LOGO, "path": "/a/b"}],
        "The paths 'a/b' have been used multiple times in the archive.",
    ),
    ([{**R1, "path": "/a"}, {**LOGO, "path": "a/b"}], "The path 'a/b' lies below '/a'"),
    ([{**R1, "path": "some/other/"}], "The provided path 'some/other/' cannot be used: it ends in '/'"),
    ([{**R1, "path": ""}], "it is empty"),
    ([{**R1, "path": "/"}], "it is empty"),
    ([{**R1, "path": "//a"}], "it is absolute"),
    ([{**R1, "path": "/../../etc/x"}], "it holds the segment '..'"),
    ([{**R1, "path": "a\\..\\b"}], "it holds a backslash"),
    ([{**R1, "path": "a/./b"}], "it holds the segment '.'"),
    ([{**R1, "path": "a\0b"}], "it holds a NUL character"),
    ([{**R1, "path": "a\ud800"}], "it holds half a character"),
    ([{**R1, "path": False}], "Could not extract a 'String' from the path 'resources[0].path'."),
    (
        [{**R1, "path": f"/filePrefix/{'x' * 100}"}],
        "must have a file path prefix less than 154 characters long and a file path name",
    ),
    ([{**R1, "rev": 1, "tag": "t"}], "An archive resource reference cannot use both 'rev' and 'tag' fields."),
    ([{**LOGO, "rev": 1, "tag": "t"}], "An archive file reference cannot use both 'rev' and 'tag' fields."),
    ([{**R1, "originalSource": False, "format": "source"}], "cannot use both 'originalSource' and 'format' fields."),
    ([{**R1, "format": "unknown"}], "Could not convert 'unknown' to 'Format'"),
    ([{**R1, "format": 1}], "Could not extract a 'String'"),
    ([{**R1, "originalSource": "perhaps"}], "Could not extract a 'Boolean'"),
    ([{**R1, "@type": "IncorrectType"}], "Unable to find type discriminator for 'ReferenceInput'"),
    ([{"resourceId": "a:b"}], "Unable to find type discriminator for 'ReferenceInput'"),
    ([{"@type": "File"}], "Could not extract a 'Iri' from the path 'resources[0].resourceId'."),
    ([R1, "text"], "Could not extract a 'ReferenceInput' from the path 'resources[1]'."),
    ([{**R1, "rev": True}], "Could not extract a 'Long'"),
    ([{**R1, "rev": -1}], "Could not extract a 'Long'"),
    ([{**R1, "rev": 2**63}], "Could not extract a 'Long'"),
    ([{**R1, "tag": ""}], "A tag has 1 to 64"),
    ([{**R1, "tag": "x" * 65}], "A tag has 1 to 64"),
    ([{**R1, "project": "only"}], "Write it as 'organisation/project'"),
    ([], "the current set is empty"),
]


@pytest.mark.parametrize(("entries", "reason"), REFUSALS)
def test_each_broken_rule_is_refused_in_the_words_clients_know(entries: list[object], reason: str) -> None:
    with pytest.raises(DecodingFailed) as refusal:
        _decode(*entries)
    assert reason in str(refusal.value)
    assert (refusal.value.nexus_type, refusal.value.http_status) == ("DecodingFailed", 400)


@pytest.mark.parametrize("payload", [{}, [], "x", None, {"resources": "x"}, {"resources": {}}, {"resources": None}])
def test_a_payload_without_a_list_of_resources_is_refused(payload: object) -> None:
    with pytest.raises(DecodingFailed):
        decode_selection(payload, project="o/p", iri=_iri)


def test_a_selection_over_the_limit_is_refused() -> None:
    with pytest.raises(DecodingFailed, match="3 entries, which is over the limit of 2"):
        _decode(R1, LOGO, {**R1, "rev": 1}, limit=2)


def test_an_id_that_is_no_iri_is_refused_as_json_ld() -> None:
    with pytest.raises(NexusRefusal) as refusal:
        _decode({**R1, "resourceId": "invalid iri"})
    assert refusal.value.nexus_type == "InvalidJsonLdFormat"


@pytest.mark.parametrize("path", ["a/b", "/a/b", f"/filePrefix/{'x' * 99}", f"{'p' * 200}/a", "été/日本", "😀" * 49])
def test_relative_and_absolute_paths_up_to_99_characters_are_accepted(path: str) -> None:
    (entry,) = _decode({**R1, "path": path})
    assert entry.name == path.removeprefix("/")
    assert entry.echo()["path"] == path


def test_a_long_id_needs_no_path() -> None:
    (entry,) = _decode({**R1, "resourceId": f"http://localhost/{'x' * 200}"})
    assert len(default_name(entry, "o/p", "")) > 200


def test_the_id_of_the_address_and_of_the_payload_must_agree() -> None:
    assert archive_id({"@id": "http://x/y"}, None, _iri) == "http://x/y"
    assert archive_id({"@id": "y"}, "http://base/y", _iri) == "http://base/y"
    assert archive_id({}, "http://x/y", _iri) == "http://x/y"
    assert archive_id({}, None, _iri) is None
    with pytest.raises(
        UnexpectedArchiveId, match="The provided Archive 'http://x/x' does not match the id 'http://x/y'"
    ):
        archive_id({"@id": "http://x/y"}, "http://x/x", _iri)
    with pytest.raises(DecodingFailed):
        archive_id({"@id": 5}, None, _iri)


ENCODED = "https%3A%2F%2Fdev.nexus.test.com%2Fsimplified-resource%2F1"


@pytest.mark.parametrize(
    ("said", "seed", "delta"),
    [
        ({}, f"{ENCODED}.json", f"compacted/{ENCODED}.json"),
        ({"rev": 1}, f"{ENCODED}.json", f"compacted/{ENCODED}%3Frev%3D1.json"),
        ({"tag": "a b~"}, f"{ENCODED}.json", f"compacted/{ENCODED}%3Ftag%3Da%20b%7E.json"),
        ({"format": "source"}, f"{ENCODED}.json", f"source/{ENCODED}.json"),
        ({"format": "expanded"}, f"{ENCODED}.json", f"expanded/{ENCODED}.json"),
        ({"format": "n-triples"}, f"{ENCODED}.nt", f"n-triples/{ENCODED}.nt"),
        ({"format": "n-quads"}, f"{ENCODED}.nq", f"n-quads/{ENCODED}.nq"),
        ({"format": "dot"}, f"{ENCODED}.dot", f"dot/{ENCODED}.dot"),
    ],
)
def test_default_names_of_resources(said: dict[str, Any], seed: str, delta: str) -> None:
    (entry,) = _decode({**R1, **said})
    assert default_name(entry, "o/p", "") == f"o/p/{seed}"
    assert default_name(entry, "o/p", "", NameLayout.DELTA) == f"o/p/{delta}"


def test_default_names_of_files() -> None:
    (entry,) = _decode(LOGO)
    assert default_name(entry, "o/p", "my logo.png") == "o/p/my logo.png"
    assert default_name(entry, "o/p", "my logo.png", NameLayout.DELTA) == "o/p/file/my logo.png"
    assert default_name(entry, "o/p", "x" * 100) == f"o/p/{'x' * 100}"
    with pytest.raises(FilenameTooLong, match="over 99 characters"):
        default_name(entry, "o/p", "x" * 100, NameLayout.DELTA)


@pytest.mark.parametrize(
    ("text", "encoded"), [("a*-._Z9", "a*-._Z9"), ("~ +é", "%7E%20%2B%C3%A9"), ("a/b:c", "a%2Fb%3Ac")]
)
def test_ids_are_encoded_as_the_original_does(text: str, encoded: str) -> None:
    assert encode_id(text) == encoded


@pytest.mark.parametrize(
    ("given", "safe"), [("../x", ".._x"), ("..", "_"), ("", "_"), ("a\0b\\c", "a_b_c"), ("ok.txt", "ok.txt")]
)
def test_an_uploaded_name_cannot_climb(given: str, safe: str) -> None:
    assert safe_filename(given) == safe


def test_taken_default_names_get_a_number_and_are_listed() -> None:
    first, second = _decode(LOGO, {**LOGO, "resourceId": "http://x/2"})
    given = SelectionEntry("File", "http://x/3", path="/o/p1/logo.png")
    named = name_entries([(first, "logo.png"), (second, "logo.png"), (given, "other.png")], "o/p1")
    assert [entry.name for entry in named] == ["o/p1/logo-2.png", "o/p1/logo-3.png", "o/p1/logo.png"]
    assert [entry.name for entry in named if entry.name != entry.wanted] == ["o/p1/logo-2.png", "o/p1/logo-3.png"]


def test_default_names_give_way_to_given_files_and_folders() -> None:
    names = Names(["o", "a/b/c"])
    assert names.place("o/p/f.txt") == "o-2/p/f.txt"
    assert names.place("a/b") == "a/b-2"
    assert names.place("x/.hidden") == "x/.hidden"
    assert names.place("x/.hidden") == "x/.hidden-2"
    assert names.changed == [("o/p/f.txt", "o-2/p/f.txt"), ("a/b", "a/b-2"), ("x/.hidden", "x/.hidden-2")]


def test_many_files_of_one_name_are_named_in_linear_time() -> None:
    names = Names([])
    assert [names.place("f.txt") for _ in range(30_000)][-1] == "f-30000.txt"


_segments = st.sampled_from(["a", "b", "a-2", "b.x", "b-2.x"])
_paths = st.lists(_segments, min_size=1, max_size=3).map("/".join)


@given(st.lists(_paths, unique=True, max_size=3), st.lists(_paths, max_size=12))
def test_whatever_is_wanted_the_names_can_lie_side_by_side(explicit: list[str], wanted: list[str]) -> None:
    explicit = [path for path in explicit if not any(other.startswith(f"{path}/") for other in explicit)]
    names = Names(explicit)
    placed = [names.place(name) for name in wanted]
    assert TarPlan([member(name) for name in [*explicit, *placed]]).length > 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/".join(["a"] * 20_000), "39999 bytes, more than 4096"), ("x" * 256 + "/a", "256 bytes, more than 255")],
)
def test_a_path_nobody_could_unpack_is_refused(path: str, reason: str) -> None:
    with pytest.raises(PathRefused, match=reason):
        _decode({"@type": "Resource", "resourceId": "http://x/1", "path": path})


def test_a_given_path_below_another_is_found_in_any_order() -> None:
    paths = ["a/b/c", "a/b!", "a/b", "a"]
    entries = [{"@type": "Resource", "resourceId": "http://x/1", "path": path} for path in paths[:3]]
    with pytest.raises(PathBelowFile, match="a/b/c"):
        _decode(*entries)
    with pytest.raises(PathBelowFile):
        _decode(entries[1], {**entries[0], "path": "a"})


def test_a_default_name_no_file_system_takes_is_shortened_with_a_digest() -> None:
    names = Names(["o/p/given/deep"])
    wanted = f"o/p/{'%C3%A4' * 60}.json"
    found = names.place(wanted)
    assert len(found.rpartition("/")[2]) <= 255
    assert found.endswith(".json")
    assert found != names.place(wanted.replace("%C3%A4.json", "%C3%A5.json"))
    assert (wanted, found) in names.changed
    assert names.place("o/p/given") == "o/p/given-2", "it is a folder already"
