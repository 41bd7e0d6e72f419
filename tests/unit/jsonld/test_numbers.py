"""Numbers keep the digits they were written with, in every form."""

from __future__ import annotations

import copy
import json

import pytest

from muniment.content.jsonld import JsonLd, Scope, dumps, n_triples, parse_json, print_source, quads
from muniment.content.jsonld.numbers import Digits
from muniment.errors.delivery import InvalidJsonLd, NotJson

SCOPE = Scope("https://b.example.org/", "https://v.example.org/")
WRITTEN = ["1.10", "0.1234567890123456789", "1E5", "1e-7", "-0.0", "12345678901234567890.5", "1.0000000000000000001"]


@pytest.mark.parametrize("text", [*WRITTEN, "1.5", "2.0", "3", "123456789012345678901234567890"])
def test_a_number_is_printed_as_it_was_written(text: str) -> None:
    document = parse_json(b'{"n":[' + text.encode() + b"]}")
    assert dumps(document) == f'{{"n":[{text}]}}'
    assert text in print_source(document).decode().split()
    # Copies keep it, and it counts as what it is.
    assert dumps(copy.deepcopy(document)) == f'{{"n":[{text}]}}'
    assert json.dumps(document) == json.dumps(json.loads(f'{{"n":[{text}]}}'))


@pytest.mark.parametrize("text", WRITTEN)
def test_it_keeps_them_through_expansion_and_compaction(text: str) -> None:
    jsonld = JsonLd()
    node = jsonld.expand(parse_json(b'{"@id":"https://x/1","n":' + text.encode() + b"}"), SCOPE)
    assert f'[{{"@value":{text}}}]' in dumps(node)
    assert f'"n":{text}' in dumps(jsonld.compact(node, SCOPE.context, SCOPE))


@pytest.mark.parametrize(
    ("text", "lexical", "kind"),
    [
        ("1.10", "1.1E0", "double"),
        ("0.1234567890123456789", "1.234567890123456789E-1", "double"),
        ("-12.50", "-1.25E1", "double"),
        ("1.0000000000000000001", "1.0000000000000000001E0", "double"),
        ("1e-400", "1.0E-400", "double"),
        ("2.00", "2", "integer"),
        ("1E5", "100000", "integer"),
        ("12345678901234567890123", "1.2345678901234567890123E22", "double"),
        ("-1000000000000000000000", "-1.0E21", "double"),
        ("5.5", "5.5E0", "double"),
    ],
)
def test_rdf_has_every_digit_in_the_canonical_form(text: str, lexical: str, kind: str) -> None:
    value = parse_json(text.encode())
    node = {"@id": "https://x/1", "https://x/n": [{"@value": value}]}
    [line] = n_triples(quads(node))
    assert line == f'<https://x/1> <https://x/n> "{lexical}"^^<http://www.w3.org/2001/XMLSchema#{kind}> .\n'


def test_what_no_double_holds_is_refused() -> None:
    with pytest.raises(InvalidJsonLd, match="not finite"):
        JsonLd().expand(parse_json(b'{"n":1e400}'), SCOPE)
    with pytest.raises(NotJson) as refused:
        parse_json(b"[0." + b"1" * 400 + b"]")
    assert "over 400 digits" in refused.value.details["details"]


def test_text_is_never_taken_for_a_number() -> None:
    tricky = '"\\ue0000123:1.10"'
    assert json.loads(dumps([json.loads(tricky), Digits("1.10")])) == [json.loads(tricky), 1.1]
