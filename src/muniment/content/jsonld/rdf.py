"""RDF out of expanded JSON-LD: quads, and their writing as N-Triples, N-Quads and dot.

The rules are those of JSON-LD 1.1 API §7 and §8 (deserialisation to RDF) without generalised RDF and without
directions. It is written here and not left to PyLD because PyLD compares every value of a property with
every other, which a list of a hundred thousand values turns into hours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from muniment.content.jsonld.contexts import XSD
from muniment.content.jsonld.iris import is_iri
from muniment.content.jsonld.numbers import Digits

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TYPE, _FIRST, _REST, _NIL = f"{_RDF}type", f"{_RDF}first", f"{_RDF}rest", f"{_RDF}nil"
_JSON, _LANGUAGE = f"{_RDF}JSON", f"{_RDF}langString"
_LARGE = 1e21
"""From here on numbers are doubles, whatever they look like (JSON-LD 1.1 API §8.2.2)."""

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_LANGUAGE_TAG = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")


class Literal(NamedTuple):
    """A value with its datatype, and its language if that is rdf:langString."""

    value: str
    datatype: str
    language: str = ""

    def __str__(self) -> str:
        """The literal as N-Triples writes it."""
        text = f'"{self.value.translate(_ESCAPES)}"'
        if self.language:
            return f"{text}@{self.language}"
        return text if self.datatype == f"{XSD}string" else f"{text}^^<{self.datatype}>"


class Quad(NamedTuple):
    """A statement; `graph` is '' in the default graph. IRIs and '_:' names are plain text."""

    subject: str
    predicate: str
    object: str | Literal
    graph: str


def quads(node: dict[str, Any], *, named: bool = False) -> list[Quad]:
    """The statements of an expanded resource, each once, in the order of the document.

    Args:
        node: The resource.
        named: Whether a graph of the resource itself (`@graph` beside `@id`) is a named one, as JSON-LD has
            it. Else it goes into the default graph, so that N-Triples and dot, which know no other, show it.
    """
    writer = _Writer()
    rest = {key: value for key, value in node.items() if key != "@graph"}
    if rest and named:
        writer.node(node, "")
    else:
        writer.graph(node.get("@graph", []), "")
        if rest:
            writer.node(rest, "")
    return list(writer.found)


def n_triples(statements: Iterable[Quad]) -> Iterator[str]:
    """The default graph's statements as lines of N-Triples, each with its line end."""
    for quad in statements:
        if not quad.graph:
            yield f"{_term(quad.subject)} <{quad.predicate}> {_term(quad.object)} .\n"


def n_quads(statements: Iterable[Quad]) -> Iterator[str]:
    """All statements as lines of N-Quads, each with its line end."""
    for quad in statements:
        graph = f" {_term(quad.graph)}" if quad.graph else ""
        yield f"{_term(quad.subject)} <{quad.predicate}> {_term(quad.object)}{graph} .\n"


def dot(statements: Iterable[Quad], name: str) -> Iterator[str]:
    """The default graph's statements as a graphviz digraph called `name`, in lines."""
    yield f"digraph {_quoted(name)} {{\n"
    for quad in statements:
        if not quad.graph:
            target = quad.object.value if isinstance(quad.object, Literal) else quad.object
            yield f"  {_quoted(quad.subject)} -> {_quoted(target)} [label = {_quoted(quad.predicate)}]\n"
    yield "}\n"


def _term(term: str | Literal) -> str:
    if isinstance(term, Literal):
        return str(term)
    return term if term.startswith("_:") else f"<{term}>"


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


class _Writer:
    """Walks expanded nodes; blank nodes are named b0, b1 … in the order they are met."""

    def __init__(self) -> None:
        self.found: dict[Quad, None] = {}
        self._blanks: dict[str, str] = {}
        self._count = 0

    def node(self, node: dict[str, Any], graph: str) -> str:
        """Write a node's statements into `graph`; gives the node's name."""
        subject = self._name(node.get("@id"))
        for kind in node.get("@type", []):
            self._add(subject, _TYPE, self._name(kind), graph)
        for key, items in node.items():
            if key == "@graph":
                self.graph(items, subject)
            elif key == "@included":
                self.graph(items, graph)
            elif key == "@reverse":
                for predicate, sources in items.items():
                    for source in sources:
                        self._add(self.node(source, graph), predicate, subject, graph)
            elif not key.startswith("@"):
                for item in items:
                    self._add(subject, key, self._object(item, graph), graph)
        return subject

    def graph(self, items: list[dict[str, Any]], graph: str) -> None:
        """Write nodes that nothing points to; loose values and lists state nothing."""
        for item in items:
            if "@value" not in item and "@list" not in item:
                self.node(item, graph)

    def _object(self, item: dict[str, Any], graph: str) -> str | Literal | None:
        if "@list" in item:
            return self._list(item["@list"], graph)
        return _literal(item) if "@value" in item else self.node(item, graph)

    def _list(self, items: list[dict[str, Any]], graph: str) -> str:
        if not items:
            return _NIL
        cells = [self._name(None) for _ in items]
        for cell, item, rest in zip(cells, items, [*cells[1:], _NIL], strict=True):
            self._add(cell, _FIRST, self._object(item, graph), graph)
            self._add(cell, _REST, rest, graph)
        return cells[0]

    def _name(self, given: str | None) -> str:
        if given is not None and not given.startswith("_:"):
            return given
        if given is not None and given in self._blanks:
            return self._blanks[given]
        name = f"_:b{self._count}"
        self._count += 1
        if given is not None:
            self._blanks[given] = name
        return name

    def _add(self, subject: str, predicate: str, target: str | Literal | None, graph: str) -> None:
        """Add a statement, unless a part of it is relative, which RDF cannot say."""
        named = [part for part in (subject, target, graph) if isinstance(part, str) and part]
        if target is None or not is_iri(predicate):
            return
        if all(part.startswith("_:") or is_iri(part) for part in named):
            self.found[Quad(subject, predicate, target, graph)] = None


def _literal(item: dict[str, Any]) -> Literal | None:
    value, datatype = item["@value"], item.get("@type")
    if datatype == "@json":
        # It comes with PyLD, which is imported late, and has no types.
        from c14n.Canonicalize import canonicalize  # type: ignore[import-untyped]  # noqa: PLC0415

        return Literal(canonicalize(value).decode(), _JSON)
    if datatype is not None and not is_iri(datatype):
        return None
    if isinstance(value, bool):
        return Literal(str(value).lower(), datatype or f"{XSD}boolean")
    if isinstance(value, float | int):
        return _number(value, datatype)
    language = item.get("@language")
    if language is not None:
        return Literal(value, _LANGUAGE, language) if _LANGUAGE_TAG.fullmatch(language) else None
    return Literal(value, datatype or f"{XSD}string")


def _number(value: float, datatype: str | None) -> Literal:
    whole = value.whole if isinstance(value, Digits) else not value % 1
    if not whole or abs(value) >= _LARGE or datatype == f"{XSD}double":
        # JSON-LD 1.1 §8.2.2 rounds to what a double can hold; all the digits that were given say the same.
        given = Digits(str(value)) if isinstance(value, int) else value
        text = given.canonical if isinstance(given, Digits) else _canonical_double(given)
        return Literal(text, datatype or f"{XSD}double")
    return Literal(str(int(value)), datatype or f"{XSD}integer")


def _canonical_double(value: float) -> str:
    """XSD's canonical form: 5.5E0, 1.0E21."""
    try:
        number = float(value)
    except OverflowError:
        number = math.copysign(math.inf, value)
    if math.isinf(number):
        return "INF" if number > 0 else "-INF"
    mantissa, _, exponent = f"{number:.15E}".partition("E")
    digits = mantissa.rstrip("0")
    return f"{digits}{'0' if digits.endswith('.') else ''}E{int(exponent)}"
