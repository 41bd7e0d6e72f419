"""Expanding and compacting the resources of a project."""

from __future__ import annotations

import copy
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from muniment.content.jsonld import (
    ARCHIVES,
    ARCHIVES_METADATA,
    METADATA,
    SHIPPED,
    VOCABULARY,
    JsonLd,
    Scope,
    expanded_with_metadata,
    in_nexus_order,
    with_metadata,
)
from muniment.errors.delivery import InvalidJsonLd

SCOPE = Scope("http://localhost/base/", "http://localhost/vocab/")
P = "https://dev.nexus.test.com/simplified-resource/"
CONTEXT = {"nxv": VOCABULARY, "other": "https://some.other.prefix.com/"}
R1 = {
    "@context": CONTEXT,
    "@id": f"{P}1",
    "@type": "nxv:TestResource",
    "other:priority": 5,
    "other:projects": ["a", "b"],
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that opens a socket fails its test."""

    def refuse(*_args: object, **_more: object) -> None:
        message = "JSON-LD processing opened a socket"
        raise AssertionError(message)

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_resource_is_expanded_to_full_iris() -> None:
    before = copy.deepcopy(R1)
    assert JsonLd().expand(R1, SCOPE) == {
        "@id": f"{P}1",
        "@type": [f"{VOCABULARY}TestResource"],
        "https://some.other.prefix.com/priority": [{"@value": 5}],
        "https://some.other.prefix.com/projects": [{"@value": "a"}, {"@value": "b"}],
    }
    assert before == R1


def test_expanding_and_compacting_gives_the_source_back() -> None:
    processor = JsonLd()
    assert processor.compact(processor.expand(R1, SCOPE), CONTEXT, SCOPE) == R1


@pytest.mark.parametrize("context", [{}, {"@context": {}}, {"@context": None}, {"@context": []}])
def test_without_a_context_the_projects_base_and_vocabulary_hold(context: dict[str, Any]) -> None:
    processor = JsonLd()
    source = {**context, "@id": "x", "@type": "Thing", "name": "n", "other": {"@id": "y"}}
    node = processor.expand(source, SCOPE)
    assert node == {
        "@id": "http://localhost/base/x",
        "@type": ["http://localhost/vocab/Thing"],
        "http://localhost/vocab/name": [{"@value": "n"}],
        "http://localhost/vocab/other": [{"@id": "http://localhost/base/y"}],
    }
    compacted = processor.compact(node, processor.context_of(source, SCOPE), SCOPE)
    assert compacted["@context"] == {"@base": SCOPE.base, "@vocab": SCOPE.vocab}
    assert compacted["@id"] == "http://localhost/base/x"
    assert compacted["name"] == "n"


def test_an_id_is_given_where_the_document_has_none_and_kept_where_it_has_one() -> None:
    processor = JsonLd()
    assert processor.expand({"name": "n"}, SCOPE, id="http://x/1")["@id"] == "http://x/1"
    assert processor.expand({"@id": "http://x/2", "name": "n"}, SCOPE, id="http://x/1")["@id"] == "http://x/2"
    assert processor.expand({}, SCOPE, id="http://x/1") == {"@id": "http://x/1"}
    assert processor.expand({"@id": "http://x/3"}, SCOPE) == {"@id": "http://x/3"}
    assert processor.expand({}, SCOPE) == {}


def test_two_roots_become_one_resource_with_a_graph() -> None:
    node = JsonLd().expand({"@graph": [{"@id": "a", "p": 1}, {"@id": "b", "p": 2}]}, SCOPE, id="http://x/1")
    assert node["@id"] == "http://x/1"
    assert [part["@id"] for part in node["@graph"]] == ["http://localhost/base/a", "http://localhost/base/b"]


def test_every_shipped_context_can_be_used() -> None:
    processor = JsonLd()
    assert len(SHIPPED) >= 2
    for address in SHIPPED:
        assert processor.expand({"@context": [address, SCOPE.context], "p": 1}, SCOPE) == {
            ("http://localhost/vocab/" + "p"): [{"@value": 1}]
        }


def test_a_context_may_be_a_resource_of_the_project_and_name_further_ones() -> None:
    documents = {
        "http://localhost/base/mine": {"@context": ["http://localhost/base/yours", {"b": "http://b/b"}], "x": 1},
        "http://localhost/base/yours": {"@context": {"a": "http://a/a"}},
    }
    asked: list[str] = []

    def find(address: str) -> object | None:
        asked.append(address)
        return documents.get(address)

    scope = Scope(SCOPE.base, SCOPE.vocab, find)
    source = {"@context": ["mine", METADATA], "a": 1, "b": 2}
    assert JsonLd().expand(source, scope) == {"http://a/a": [{"@value": 1}], "http://b/b": [{"@value": 2}]}
    assert sorted(asked) == sorted(documents)


def test_one_projects_context_is_never_remembered_for_another() -> None:
    processor = JsonLd()
    for value in ("http://one/", "http://two/"):
        scope = Scope(SCOPE.base, SCOPE.vocab, lambda _, value=value: {"@context": {"a": f"{value}a"}})  # type: ignore[misc]  # the default binds it
        assert processor.expand({"@context": "http://shared/context", "a": 1}, scope) == {f"{value}a": [{"@value": 1}]}


def test_a_relative_vocabulary_is_never_remembered_for_another_project() -> None:
    processor = JsonLd()
    for base in ("http://one/", "http://two/"):
        node = processor.expand(
            {"@context": {"@base": "sub/", "a": {"@id": "http://a/a", "@type": "@id"}}, "a": "x"}, Scope(base, base)
        )
        assert node == {"http://a/a": [{"@id": f"{base}sub/x"}]}


@pytest.mark.parametrize(
    "address", ["http://schema.org/", "https://bluebrain.github.io/nexus/contexts/unknown.json", "file:///etc/passwd"]
)
@pytest.mark.parametrize("place", ["top", "list", "nested", "scoped", "import"])
def test_a_context_that_is_not_at_hand_is_refused_and_never_fetched(address: str, place: str) -> None:
    sources: dict[str, dict[str, Any]] = {
        "top": {"@context": address},
        "list": {"@context": [{"x": "http://x/"}, address]},
        "nested": {"p": {"@context": address, "q": 1}},
        "scoped": {"@context": {"p": {"@id": "http://p/p", "@context": address}}, "p": {"q": 1}},
        "import": {"@context": {"@version": 1.1, "@import": address}},
    }
    source = sources[place]
    with pytest.raises(InvalidJsonLd, match="neither shipped nor a resource that you may read") as refusal:
        JsonLd().expand(source, SCOPE)
    assert address in str(refusal.value)
    assert refusal.value.nexus_type == "InvalidJsonLdFormat"


def test_what_looks_like_a_context_inside_a_json_literal_is_only_data() -> None:
    source = {"@context": {"j": {"@id": "http://j/j", "@type": "@json"}}, "j": {"@context": "http://schema.org/"}}
    assert JsonLd().expand(source, SCOPE) == {
        "http://j/j": [{"@type": "@json", "@value": {"@context": "http://schema.org/"}}]
    }


@pytest.mark.parametrize(
    "source",
    [
        [],
        "text",
        None,
        5,
        {"@id": 5},
        {"@id": "invalid iri"},
        {"@id": "http://x/<y>"},
        {"@type": "with space"},
        {"p": {"@id": "http://x/a b"}},
        {"@context": 5},
        {"@context": {"a": "b", "b": "a"}, "a": 1},
        {"@context": {"a": {"@id": "http://a", "@type": 7}}},
        {"@value": {}},
        {"p": {"@value": "x", "@id": "y"}},
        {"p": {"@list": [{"@set": 4}], "@id": 1}},
        {"@graph": [{"@reverse": 4}]},
        {"@context": {"@version": 1.0}},
        {"@context": {"@vocab": 5}},
    ],
)
def test_what_is_not_json_ld_is_refused(source: object) -> None:
    with pytest.raises(InvalidJsonLd):
        JsonLd().expand(source, SCOPE)


def test_a_refusal_says_what_is_wrong_in_one_line() -> None:
    with pytest.raises(InvalidJsonLd) as refusal:
        JsonLd().expand({"p": {"@value": "x", "@id": "y"}}, SCOPE)
    assert str(refusal.value).startswith("The payload is not JSON-LD that can be used here: Invalid JSON-LD syntax;")


def test_metadata_is_merged_without_processing_and_in_the_known_order() -> None:
    compacted = {"@context": CONTEXT, "other:priority": 5, "@id": f"{P}1", "@type": "nxv:T"}
    metadata = {"_self": "http://s", "_rev": 1, "_deprecated": False}
    shown = with_metadata(compacted, metadata)
    assert list(shown) == ["@context", "@id", "@type", "other:priority", "_deprecated", "_rev", "_self"]
    assert shown["@context"] == [CONTEXT, METADATA]
    assert with_metadata({"@context": [CONTEXT, METADATA]}, {})["@context"] == [CONTEXT, METADATA]
    assert list(in_nexus_order({"b": 1, "reason": 2, "_a": 3, "details": 4, "@type": 5})) == [
        "@type",
        "reason",
        "details",
        "b",
        "_a",
    ]


def test_expanded_metadata_lies_under_the_vocabulary() -> None:
    processor = JsonLd()
    metadata = {
        "@type": "Archive",
        "_rev": 1,
        "_self": "http://s",
        "_createdAt": "2026-01-01T00:00:00Z",
        "_expiresInSeconds": 9,
    }
    found = processor.expand_metadata(metadata, [ARCHIVES_METADATA, METADATA])
    merged = expanded_with_metadata({"@id": "http://x", "@type": ["http://t"]}, found)
    assert merged == {
        "@id": "http://x",
        "@type": ["http://t", f"{VOCABULARY}Archive"],
        f"{VOCABULARY}rev": [{"@value": 1}],
        f"{VOCABULARY}self": [{"@id": "http://s"}],
        f"{VOCABULARY}createdAt": [
            {"@type": "http://www.w3.org/2001/XMLSchema#dateTime", "@value": "2026-01-01T00:00:00Z"}
        ],
        f"{VOCABULARY}expiresInSeconds": [{"@value": 9}],
    }


def test_the_archives_context_reads_a_selection_as_it_was_meant() -> None:
    node = JsonLd().expand(
        {"@context": ARCHIVES, "resources": [{"@type": "File", "resourceId": "x", "path": "a/b"}]}, SCOPE
    )
    (entry,) = node[f"{VOCABULARY}resources"]
    assert entry["@type"] == [f"{VOCABULARY}File"]
    assert entry[f"{VOCABULARY}resourceId"] == [{"@id": "http://localhost/base/x"}]


def test_ids_of_a_payload_are_read_with_its_own_context() -> None:
    processor = JsonLd()
    assert processor.absolute(["x", "http://h/a", "nxv:y", "x"], CONTEXT, SCOPE) == [
        "http://localhost/base/x",
        "http://h/a",
        f"{VOCABULARY}y",
        "http://localhost/base/x",
    ]
    assert processor.absolute([], None, SCOPE) == []
    for bad in ("invalid iri", "@type", "http://x/<"):
        with pytest.raises(InvalidJsonLd):
            processor.absolute([bad], None, SCOPE)


@pytest.mark.parametrize("context", [None, {}, ARCHIVES, CONTEXT])
def test_a_resolver_reads_ids_with_any_context(context: object) -> None:
    resolve = JsonLd().resolver(context, SCOPE)
    assert [resolve(text) for text in ("x", "http://h/a", "x")] == [
        "http://localhost/base/x",
        "http://h/a",
        "http://localhost/base/x",
    ]
    with pytest.raises(InvalidJsonLd):
        resolve("invalid iri")


def test_a_resolver_refuses_a_context_that_is_not_at_hand() -> None:
    with pytest.raises(InvalidJsonLd, match="none is fetched"):
        JsonLd().resolver("http://schema.org/", SCOPE)("http://h/a")


def test_contexts_are_remembered_up_to_a_number_and_the_used_ones_stay() -> None:
    processor = JsonLd()
    for number in range(400):
        processor.expand({"@context": {"a": f"http://a/{number}"}, "a": 1}, SCOPE)
        assert processor.expand(R1, SCOPE)["@id"] == f"{P}1"
    remembered = processor._remembered
    assert len(remembered) == 128
    assert any("some.other.prefix" in key for key in remembered)


def test_one_processor_serves_many_threads() -> None:
    processor = JsonLd()
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(60):
                context = {f"t{turn}": f"http://t/{number}/{turn}"}
                source = {"@context": context, "@id": "http://x", f"t{turn}": number}
                assert processor.compact(processor.expand(source, SCOPE), context, SCOPE) == source
        except BaseException as fault:  # noqa: BLE001 - shown below
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_importing_the_package_does_not_import_pyld() -> None:
    code = "import sys, muniment.content.jsonld; sys.exit('pyld' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
