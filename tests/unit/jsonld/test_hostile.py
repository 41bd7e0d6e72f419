"""Documents made to hurt are refused, or processed in bounded time."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from muniment.content.jsonld import JsonLd, Limits, Scope, n_quads, parse_json, print_source, quads
from muniment.content.jsonld.processor import _LOCK
from muniment.errors.delivery import InvalidJsonLd, NotJson

SCOPE = Scope("http://localhost/base/", "http://localhost/vocab/")
TEN_SECONDS = 10
"""Of processor time: far above what any of these takes, far below what the attack would take without the bounds."""


def _nested(depth: int, wrap: str) -> Any:
    value: Any = {"q": 1}
    for _ in range(depth):
        value = [value] if wrap == "list" else {wrap: value}
    return value


@pytest.mark.parametrize("wrap", ["list", "p", "@graph", "@list", "@context", "@reverse", "@included", "@set"])
@pytest.mark.parametrize("depth", [61, 5_000])
def test_depth_is_refused(wrap: str, depth: int) -> None:
    with pytest.raises(InvalidJsonLd, match="nested over 60 levels"):
        JsonLd().expand({"p": _nested(depth, wrap)}, SCOPE)


@pytest.mark.parametrize("wrap", ["p", "@graph", "@included", "@set"])
def test_the_depth_that_is_allowed_is_processed(wrap: str) -> None:
    processor = JsonLd()
    node = processor.expand({"p": _nested(56, wrap), "@id": "http://x/1"}, SCOPE)
    processor.compact(node, SCOPE.context, SCOPE)
    assert list(n_quads(quads(node)))


def test_a_document_of_too_many_values_is_refused() -> None:
    with pytest.raises(InvalidJsonLd, match="over 1000 values"):
        JsonLd(Limits(values=1000)).expand({"p": list(range(1000))}, SCOPE)


def test_a_context_of_too_many_terms_is_refused() -> None:
    context = {f"t{number}": f"http://t/{number}" for number in range(5000)}
    with pytest.raises(InvalidJsonLd, match="contexts are too large"):
        JsonLd().expand({"@context": context}, SCOPE)


def test_a_large_context_in_many_places_is_refused() -> None:
    context = {f"t{number}": f"http://t/{number}" for number in range(3000)}
    nodes = [{"@context": {"a": f"http://a/{number}"}, "a": 1} for number in range(3000)]
    with pytest.raises(InvalidJsonLd, match="used in too many places"):
        JsonLd().expand({"@context": context, "p": nodes}, SCOPE)


def test_a_scoped_context_counts_wherever_it_can_take_effect() -> None:
    inner = {f"t{number}": f"http://t/{number}" for number in range(3000)}
    source = {"@context": {"T": {"@id": "http://t/T", "@context": inner}}, "@graph": [{"@type": "T"}] * 3000}
    with pytest.raises(InvalidJsonLd, match="used in too many places"):
        JsonLd().expand(source, SCOPE)


def test_contexts_that_name_each_other_come_to_an_end() -> None:
    def find(address: str) -> object:
        return {"@context": f"{address}x"}

    scope = Scope(SCOPE.base, SCOPE.vocab, find)
    with pytest.raises(InvalidJsonLd, match="over 20 contexts by address"):
        JsonLd().expand({"@context": "http://c/"}, scope)

    def circle(address: str) -> object:
        return {"@context": "http://c/1" if address.endswith("2") else "http://c/2"}

    with pytest.raises(InvalidJsonLd):
        JsonLd().expand({"@context": "http://c/1"}, Scope(SCOPE.base, SCOPE.vocab, circle))


def test_terms_that_lean_on_one_another_without_end_are_refused() -> None:
    context = {f"t{number}": f"t{number + 1}:x" for number in range(3900)}
    with pytest.raises(InvalidJsonLd, match="RecursionError"):
        JsonLd().expand({"@context": context, "t1": 1}, SCOPE)


def test_a_loaded_context_is_bounded_too() -> None:
    scope = Scope(SCOPE.base, SCOPE.vocab, lambda _: {"@context": _nested(100, "a")})
    with pytest.raises(InvalidJsonLd, match="nested over"):
        JsonLd().expand({"@context": "http://c/"}, scope)


def test_a_large_context_on_many_values_is_refused() -> None:
    context = {f"t{number}": f"http://t/{number}/" for number in range(3000)}
    with pytest.raises(InvalidJsonLd, match="contexts are too large"):
        JsonLd().expand({"@context": context, "t1": [{"@id": f"http://x/{number}"} for number in range(4000)]}, SCOPE)


WORST: dict[str, Any] = {
    "many values": {"@id": "http://x/1", "p": [f"v{number}" for number in range(50_000)]},
    "many references": {"@id": "http://x/1", "p": [{"@id": f"http://x/{number}"} for number in range(30_000)]},
    "many types": {"@id": "http://x/1", "@type": [f"T{number}" for number in range(20_000)]},
    "a long list": {"@id": "http://x/1", "p": {"@list": list(range(40_000))}},
    "many properties": {"@id": "http://x/1", **{f"p{number}": number for number in range(20_000)}},
    "many nested contexts": {
        "@id": "http://x/1",
        "p": [{"@context": {f"a{number}": f"http://a/{number}"}, f"a{number}": 1} for number in range(800)],
    },
    "many terms": {
        "@context": {f"t{number}": f"http://t/{number}" for number in range(3900)},
        "@id": "http://x/1",
        "t1": 1,
    },
    "many prefixes": {
        "@context": {f"t{number}": f"http://t/{'a' * (number % 50)}/" for number in range(900)},
        "@id": "http://x/1",
        **{f"t{number}:x{number}": {"@id": f"t{number}:y"} for number in range(900)},
    },
    "many references under many terms": {
        "@context": {f"t{number}": f"http://t/{number}/" for number in range(240)},
        "@id": "http://x/1",
        "t1": [{"@id": f"http://x/{number}"} for number in range(10_000)],
    },
    "one long text": {"@id": "http://x/1", "p": "x" * 5_000_000},
    "chained terms": {
        "@context": {f"t{number}": f"t{number + 1}:x" for number in range(200)},
        "@id": "http://x/1",
        "t1": 1,
    },
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_that_is_allowed_takes_bounded_time(name: str) -> None:
    processor = JsonLd()
    source = WORST[name]
    began = time.thread_time()
    node = processor.expand(source, SCOPE)
    processor.compact(node, processor.context_of(source, SCOPE), SCOPE)
    for _ in n_quads(quads(node)):
        pass
    assert time.thread_time() - began < TEN_SECONDS


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{oops",
        b"[" * 100_000,
        b"NaN",
        b'{"a": Infinity}',
        b"\xff",
        b"1" * 5000,
        b'{"a": 1, "a": 2}',
        b"{} x",
        b'{"a":}',
    ],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(NotJson) as refusal:
        parse_json(raw)
    assert (str(refusal.value), refusal.value.nexus_type) == (
        "The request content was malformed.",
        "MalformedRequestContentRejection",
    )
    assert refusal.value.details["details"]


@pytest.mark.parametrize("raw", [b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": 1e999}'])
def test_what_cannot_be_written_again_is_refused_before_processing(raw: bytes) -> None:
    with pytest.raises(InvalidJsonLd):
        JsonLd().expand(parse_json(raw), SCOPE)


def test_a_byte_order_mark_is_tolerated() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_sources_are_printed_sorted_and_without_nulls() -> None:
    document = {"b": None, "a": {"z": [None, 1], "é": "ü", "c": None}, "@id": "x"}
    assert print_source(document).decode() == (
        '{\n  "@id": "x",\n  "a": {\n    "z": [\n      null,\n      1\n    ],\n    "é": "ü"\n  }\n}\n'
    )
    assert json.loads(print_source(document)) == {"@id": "x", "a": {"z": [None, 1], "é": "ü"}}


def test_the_context_of_a_selection_is_processed_once_for_all_its_ids() -> None:
    context = {f"t{number}": f"http://t/{number}/" for number in range(2200)}
    ids = [f"t{number}:x{number}" for number in range(1500)]
    began = time.process_time()
    resolve = JsonLd().resolver(context, SCOPE, ids)
    assert [resolve(text) for text in ids] == [f"http://t/{number}/x{number}" for number in range(1500)]
    assert time.process_time() - began < TEN_SECONDS / 2


def test_a_large_document_is_processed_while_others_hold_the_lock() -> None:
    """It takes long, so it shares nothing with anybody who would have to wait."""
    source = {"@id": "http://x/1", "p": [{"q": number} for number in range(1200)]}
    done: list[Any] = []

    def work() -> None:
        processor = JsonLd()
        done.append(processor.compact(processor.expand(source, SCOPE), SCOPE.context, SCOPE))

    JsonLd().compact(JsonLd().expand({"a": 1}, SCOPE), SCOPE.context, SCOPE)
    with _LOCK:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(60)
    assert len(done[0]["p"]) == 1200
