"""Limits on JSON-LD documents, checked before a document is processed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from muniment.content.jsonld.contexts import SHIPPED
from muniment.errors.delivery import InvalidJsonLd

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

Find = Callable[[str], object | None]
"""Gives the document at an address, parsed, or None."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a document may be. The defaults keep the worst we could build under a few seconds.

    `depth` counts nested arrays and objects; `values` every object, array, text and number; `terms` the
    keys of all contexts together, those loaded included; `documents` the contexts loaded; `work` bounds
    the product of terms and the places where a context takes effect, as each place costs a copy; `pairs`
    the product of terms and values, as compaction holds each IRI against each term.
    """

    depth: int = 60
    values: int = 200_000
    terms: int = 4_000
    documents: int = 20
    work: int = 1_000_000
    pairs: int = 5_000_000


@dataclass(slots=True)
class ContextSummary:
    """What was found out about a document's contexts before processing."""

    terms: int = 0
    places: int = 0
    scoped: bool = False
    shareable: bool = True


def refuse_unfit(document: object, limits: Limits) -> int:
    """Refuse a document that is too deep or too large, or holds what JSON or UTF-8 cannot carry.

    Returns:
        The number of its values.

    Raises:
        InvalidJsonLd: One of these.
    """
    count = 0
    # A stack of our own: the document's depth is what is in question.
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > limits.depth:
            raise InvalidJsonLd(reason=f"it is nested over {limits.depth} levels deep")
        if count > limits.values:
            raise InvalidJsonLd(reason=f"it has over {limits.values} values")
        if isinstance(value, dict):
            for key, item in value.items():
                _refuse_text(key)
                waiting.append((item, depth + 1))
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)
        elif isinstance(value, str):
            _refuse_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise InvalidJsonLd(reason="it holds a number that is not finite")
    return count


def gather_contexts(
    document: object, base: str, find: Find | None, limits: Limits, values: int
) -> tuple[dict[str, object], ContextSummary]:
    """Load every context a document can ask for, so that processing reads from memory alone.

    What is not found is left out: processing refuses it, but only if it is really needed.

    Args:
        document: What names the contexts.
        base: What their addresses are relative to.
        find: Gives the project's own.
        limits: What all of this may cost.
        values: How many values the contexts will be used on.

    Returns:
        The documents by address, and what they cost.

    Raises:
        InvalidJsonLd: The contexts are too many or too large.
    """
    from pyld import iri_resolver  # noqa: PLC0415 - PyLD takes 0.4 s to import; the command line starts without it

    loaded: dict[str, object] = {}
    survey = ContextSummary()
    waiting: list[tuple[object, str, bool]] = [(document, base, False)]
    while waiting:
        value, at, inside = waiting.pop()
        for address in _survey(value, survey, inside=inside):
            absolute = iri_resolver.resolve(address, at)
            if absolute in loaded:
                continue
            found = _load(absolute, find, survey, limits)
            if found is not None:
                loaded[absolute] = found
                if len(loaded) > limits.documents:
                    raise InvalidJsonLd(reason=f"it uses over {limits.documents} contexts by address")
                waiting.append((found, absolute, True))
    places = survey.places + (values if survey.scoped else 0)
    costly = survey.terms * places > limits.work or survey.terms * values > limits.pairs
    if costly or survey.terms > limits.terms:
        raise InvalidJsonLd(reason="its contexts are too large, or used in too many places; put one at the top")
    return loaded, survey


def _load(address: str, find: Find | None, survey: ContextSummary, limits: Limits) -> Mapping[str, object] | None:
    if address in SHIPPED:
        return SHIPPED[address]
    # A context of one project must not be remembered for another under the same address.
    survey.shareable = False
    found = None if find is None else find(address)
    if not isinstance(found, Mapping):
        return None
    refuse_unfit(found, limits)
    return {"@context": found.get("@context", {})}


def _survey(document: object, survey: ContextSummary, *, inside: bool) -> list[str]:
    """Count the contexts of `document` and give the addresses they name."""
    addresses: list[str] = []
    waiting: list[tuple[object, bool]] = [(document, inside)]
    while waiting:
        value, in_context = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, in_context) for item in value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key == "@context":
                    survey.scoped = survey.scoped or (in_context and value is not document)
                    addresses.extend(_survey_context(item, survey))
                    waiting.append((item, True))
                else:
                    waiting.append((item, in_context))
    return addresses


def _survey_context(context: object, survey: ContextSummary) -> list[str]:
    addresses = []
    for part in context if isinstance(context, list) else [context]:
        survey.places += 1
        if isinstance(part, str):
            addresses.append(part)
        elif isinstance(part, dict):
            survey.terms += len(part)
            if isinstance(part.get("@import"), str):
                addresses.append(part["@import"])
            relative = [part[key] for key in ("@base", "@vocab") if not _is_absolute(part.get(key))]
            # What such a context means depends on the project's base, so it is never shared.
            survey.shareable = survey.shareable and not relative
    return addresses


def _is_absolute(value: object) -> bool:
    return value is None or (isinstance(value, str) and _ABSOLUTE.match(value) is not None)


def _refuse_text(text: str) -> None:
    if _HALF_A_CHARACTER.search(text):
        raise InvalidJsonLd(reason=f"{text[:80]!a} holds half a character")
