"""Printing and reading of JSON as Nexus prints it: two spaces, sorted keys, no nulls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from muniment.content.jsonld.contexts import METADATA, joined
from muniment.content.jsonld.numbers import dumps, read_number
from muniment.errors.delivery import NotJson

_LONGEST_NUMBER = 400
_FIRST = ("@context", "@id", "@type", "reason", "details")


def parse_json(raw: bytes) -> object:
    """Read JSON (RFC 8259) from outside: UTF-8, no NaN, no numbers of over 400 digits, no key twice in an object.

    A number with a point or an exponent keeps the digits it is written with.

    Raises:
        NotJson: It is not that.
    """
    try:
        return json.loads(
            raw.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
            object_pairs_hook=_once,
        )
    except RecursionError:
        raise NotJson(details="it is nested too deep") from None
    except ValueError as fault:
        raise NotJson(details=str(fault)) from None


def print_source(document: object) -> bytes:
    """A document as it goes into an archive: two spaces, sorted keys, nulls dropped, a line end."""
    return f"{dumps(without_nulls(document), indent=2, sort_keys=True)}\n".encode()


def without_nulls(document: object) -> object:
    """The document without the keys that are null; a null in an array stays, it holds its place."""
    if isinstance(document, Mapping):
        return {key: without_nulls(value) for key, value in document.items() if value is not None}
    if isinstance(document, list):
        return [without_nulls(value) for value in document]
    return document


def in_nexus_order(document: Mapping[str, object]) -> dict[str, object]:
    """The keys as clients are used to see them: context, id and type, then by name, metadata last."""
    rest = sorted(document.keys() - set(_FIRST), key=lambda key: (key.startswith("_"), key))
    return {key: document[key] for key in [*(key for key in _FIRST if key in document), *rest]}


def with_metadata(
    compacted: Mapping[str, object], metadata: Mapping[str, object], contexts: Iterable[str] = (METADATA,)
) -> dict[str, object]:
    """A compacted resource as it is shown: its own context and `contexts`, its words, and the '_' metadata.

    It needs no JSON-LD processing: keep the compacted form of each revision, and a read costs a merge.
    """
    context = joined(compacted.get("@context"), *contexts)
    return in_nexus_order({**compacted, **metadata, "@context": context})


def expanded_with_metadata(node: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, object]:
    """An expanded resource with its metadata, both under full IRIs; types of both are kept."""
    types = list(dict.fromkeys([*node.get("@type", []), *metadata.get("@type", [])]))
    merged = {**node, **{key: value for key, value in metadata.items() if key not in {"@id", "@type"}}}
    return {**merged, "@type": types} if types else merged


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _integer(text: str) -> int:
    # Python reads a million digits in minutes, and refuses from some length on with words of its own.
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number has over {_LONGEST_NUMBER} digits")
    return int(text)


def _number(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number has over {_LONGEST_NUMBER} digits")
    return read_number(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        uses = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {uses.most_common(1)[0][0]!r} is there more than once")
    return found
