"""Triples and quads say what JSON-LD means; the judges are PyLD's own conversion and a foreign parser."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld
from pyoxigraph import CanonicalizationAlgorithm, Dataset, RdfFormat, parse

from muniment.content.jsonld import JsonLd, Scope, dot, n_quads, n_triples, quads

SCOPE = Scope("http://localhost/base/", "http://localhost/vocab/")

DOCUMENTS: dict[str, dict[str, Any]] = {
    "plain": {"@id": "http://x/1", "@type": ["A", "B"], "p": ["a", 5, 5.5, True, None, "a"]},
    "numbers": {"@id": "http://x/1", "p": [0, -1, 1.0, 1e21, 1e-7, 123456789.123, 1e20, -0.1, 10**25]},
    "typed numbers": {
        "@id": "http://x/1",
        "p": [{"@value": 5, "@type": "http://www.w3.org/2001/XMLSchema#double"}, {"@value": 5, "@type": "http://t/t"}],
    },
    "languages": {
        "@id": "http://x/1",
        "p": {"@value": "ja", "@language": "de-CH"},
    },
    "directions": {"@id": "http://x/1", "p": {"@value": "x", "@direction": "rtl"}},
    "escapes": {"@id": "http://x/1", "p": 'quote " back \\ line\nreturn\rtab\té 😀 \u0001'},
    "nested": {"@id": "http://x/1", "p": {"q": {"@id": "http://x/2", "r": {"@type": "T"}}}},
    "blank names": {"@id": "_:z", "p": [{"@id": "_:a"}, {"@id": "_:z"}, {"q": {"@id": "_:a", "s": 1}}]},
    "lists": {"@id": "http://x/1", "p": {"@list": ["a", {"@id": "http://x/2"}, {"q": 1}]}, "q": {"@list": []}},
    "lists of lists": {"@id": "http://x/1", "p": {"@list": [{"@list": ["a"]}, {"@list": []}]}},
    "reverse": {"@id": "http://x/1", "@reverse": {"p": [{"@id": "http://x/2"}, {"q": 1}]}},
    "included": {"@id": "http://x/1", "p": 1, "@included": [{"@id": "http://x/2", "q": 2}]},
    "json": {
        "@context": {"j": {"@id": "http://j/j", "@type": "@json"}},
        "@id": "http://x/1",
        "j": {"b": [1, 2.5, None, "é"], "a": {}},
    },
    "named graph": {"@id": "http://x/1", "p": 1, "@graph": [{"@id": "http://x/2", "q": {"@id": "http://x/3"}}]},
    "graph alone": {"@graph": [{"@id": "http://x/1", "p": 1}, {"@id": "http://x/2", "p": {"q": 2}}]},
    "inner graph": {"@id": "http://x/1", "p": {"@graph": [{"@id": "http://x/2", "q": 2}]}},
    "blank predicate": {"@context": {"b": "_:b"}, "@id": "http://x/1", "b": 1},
    "sets": {"@id": "http://x/1", "p": {"@set": ["a", "a", "b"]}},
    "empty": {"@id": "http://x/1"},
}


def _canonical(text: str) -> str:
    dataset = Dataset(parse(text, format=RdfFormat.N_QUADS))
    dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    return "\n".join(sorted(str(quad) for quad in dataset))


def _by_pyld(source: dict[str, Any]) -> str:
    document = source if "@context" in source else {**source, "@context": SCOPE.context}
    return str(jsonld.to_rdf(document, {"base": SCOPE.base, "format": "application/n-quads", "documentLoader": None}))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_our_quads_are_those_of_pyld(name: str) -> None:
    node = JsonLd().expand(DOCUMENTS[name], SCOPE)
    ours = "".join(n_quads(quads(node, named=True)))
    assert _canonical(ours) == _canonical(_by_pyld(DOCUMENTS[name]))


_iris = st.sampled_from(["http://x/1", "http://x/2", "rel", "_:a", "_:b"])
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(1 - 10**21, 10**21 - 1),
    # From here on they are doubles. PyLD rounds them; we keep all digits that were given (test_numbers.py).
    st.integers(-9, 9).map(lambda number: number * 10**21),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    st.builds(lambda iri: {"@id": iri}, _iris),
    st.builds(lambda text: {"@value": text, "@language": "en"}, st.text("ab", max_size=3)),
)


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(
        st.sampled_from(["p", "q", "http://full/r"]), st.one_of(inner, st.lists(inner, max_size=3)), max_size=3
    )
    node = st.builds(lambda more, iri: {**more, "@id": iri}, properties, _iris)
    return st.one_of(node, properties, st.builds(lambda items: {"@list": items}, st.lists(inner, max_size=3)))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["p", "q", "r"]), st.recursive(_values, _nodes, max_leaves=12), max_size=3))
def test_any_document_gives_the_quads_of_pyld(properties: dict[str, Any]) -> None:
    source = {"@id": "http://x/0", **properties}
    node = JsonLd().expand(source, SCOPE)
    assert _canonical("".join(n_quads(quads(node, named=True)))) == _canonical(_by_pyld(source))


def test_n_triples_and_dot_show_the_resources_own_graph() -> None:
    node = JsonLd().expand(DOCUMENTS["named graph"], SCOPE)
    lines = list(n_triples(quads(node)))
    assert "<http://x/2> <http://localhost/vocab/q> <http://x/3> .\n" in lines
    assert '<http://x/1> <http://localhost/vocab/p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .\n' in lines
    assert len(list(n_triples(quads(node, named=True)))) == 1


def test_n_triples_are_read_by_a_foreign_parser() -> None:
    node = JsonLd().expand(DOCUMENTS["escapes"], SCOPE)
    (triple,) = parse("".join(n_triples(quads(node))), format=RdfFormat.N_TRIPLES)
    assert triple.object.value == DOCUMENTS["escapes"]["p"]


def test_dot_is_a_digraph_of_the_statements() -> None:
    node = JsonLd().expand({"@id": "http://x/1", "p": {"@id": "http://x/2"}, "q": 'say "a\\b"\n'}, SCOPE)
    assert "".join(dot(quads(node), "http://x/1")) == (
        'digraph "http://x/1" {\n'
        '  "http://x/1" -> "http://x/2" [label = "http://localhost/vocab/p"]\n'
        '  "http://x/1" -> "say \\"a\\\\b\\"\\n" [label = "http://localhost/vocab/q"]\n'
        "}\n"
    )


def test_a_language_that_is_none_states_nothing() -> None:
    source = {"@id": "http://x/1", "p": [{"@value": "x", "@language": "not a tag"}, "y"]}
    assert [str(quad.object) for quad in quads(JsonLd().expand(source, SCOPE))] == ['"y"']


def test_a_value_said_twice_is_one_statement() -> None:
    assert len(quads(JsonLd().expand(DOCUMENTS["sets"], SCOPE))) == 2
