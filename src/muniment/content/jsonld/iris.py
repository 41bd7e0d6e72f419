"""IRIs and the ids in addresses: what a segment of an address names, and the shortest way to name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from muniment.content.jsonld.contexts import NEXUS, VOCABULARY
from muniment.errors.delivery import InvalidJsonLd, InvalidSegment

# RFC 3987 in short: a scheme, and none of the characters that no IRI holds unescaped.
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f-\x9f<>\"{}|\\^`\ud800-\udfff]+")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FOLDER = re.compile(r"https?://[A-Za-z0-9.:-]+/([A-Za-z0-9_][A-Za-z0-9_.-]*/)*")
"""A word put behind such a base is that word resolved against it, whatever else RFC 3986 §5 knows."""
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_IN_SEGMENT = "!$&'()*+,;=:@-._~"
_RESERVED = {"events", "source", "tags"}
"""Words the API has a use for in the place of an id."""

DEFAULT_RESOLVER = f"{VOCABULARY}defaultInProject"
"""The resolver that each project has."""

BUILT_IN_MAPPINGS: Mapping[str, str] = {
    "nxv": VOCABULARY,
    "_": f"{NEXUS}schemas/unconstrained.json",
    "resource": f"{NEXUS}schemas/unconstrained.json",
    "schema": f"{NEXUS}schemas/shacl-20170720.ttl",
    "resolver": f"{NEXUS}schemas/resolvers.json",
    "view": f"{NEXUS}schemas/views.json",
    "storage": f"{NEXUS}schemas/storages.json",
    "file": f"{NEXUS}schemas/files.json",
    "archive": f"{NEXUS}schemas/archives.json",
    "documents": f"{VOCABULARY}defaultElasticSearchIndex",
    "graph": f"{VOCABULARY}defaultSparqlIndex",
    "defaultResolver": DEFAULT_RESOLVER,
    "defaultStorage": f"{VOCABULARY}diskStorageDefault",
}


def is_iri(text: str) -> bool:
    """Whether this is an absolute IRI (RFC 3987 §2.2, without judging the parts of its scheme)."""
    return _IRI.fullmatch(text) is not None and _ESCAPE.search(text) is None


def absolute_iri(text: str, base: str) -> str:
    """An id of a payload without a context, resolved against the project's base (RFC 3986 §5).

    Raises:
        InvalidJsonLd: The result is not an IRI.
    """
    if _WORD.fullmatch(text) and _FOLDER.fullmatch(base):
        return base + text
    found = text if is_iri(text) else _resolved(text, base)
    if not is_iri(found):
        raise InvalidJsonLd(reason=f"{text!r} is not an IRI")
    return found


def _resolved(text: str, base: str) -> str:
    from pyld import iri_resolver  # noqa: PLC0415 - PyLD takes 0.4 s to import and ten megabytes

    return str(iri_resolver.resolve(text, base))


def encode_segment(text: str) -> str:
    """Text as one segment of an address: '/' becomes '%2F', ':' stays."""
    return quote(text, safe=_IN_SEGMENT)


class IdSpace:
    """How one project's ids are written in addresses."""

    def __init__(self, base: str, mappings: Mapping[str, str] | None = None) -> None:
        """Take the project's base and its own API mappings; the built-in ones are always there."""
        self.base = base
        self.mappings = {**BUILT_IN_MAPPINGS, **(mappings or {})}

    def expand(self, segment: str, kind: str = "Resource") -> str:
        """The IRI that a raw segment of an address names.

        It is percent-decoded once ('+' stays '+'), then taken as an alias, as prefix:suffix, as an IRI, or
        as the end of base + segment, the first that fits.

        Raises:
            InvalidSegment: None of them gives an IRI.
        """
        try:
            text = unquote(segment, errors="strict")
        except UnicodeDecodeError:
            raise InvalidSegment(kind=kind, id=segment) from None
        namespace = self.mappings.get(text)
        if namespace is not None and not _is_namespace(namespace):
            return namespace
        prefix, colon, suffix = text.partition(":")
        namespace = self.mappings.get(prefix)
        # As in JSON-LD, '//' after the colon makes it an address even where its scheme is a prefix as well.
        short = colon and ":" not in suffix and not suffix.startswith("//")
        if short and namespace is not None and _is_namespace(namespace):
            found = namespace + suffix
        else:
            found = text if is_iri(text) else self.base + text
        if not text or not is_iri(found):
            raise InvalidSegment(kind=kind, id=text)
        return found

    def shorten(self, iri: str) -> str:
        """The shortest segment that names the IRI, ready to stand in an address.

        An alias, else prefix:suffix, else what follows the base, else the whole IRI. A short form that
        would be read as something else is not used.
        """
        names = [alias for alias, whole in self.mappings.items() if whole == iri]
        spaces = [(len(space), prefix, space) for prefix, space in self.mappings.items() if _is_namespace(space)]
        spaces.sort(key=lambda found: (-found[0], found[1]))
        names.extend(f"{prefix}:{iri[length:]}" for length, prefix, space in spaces if iri.startswith(space))
        if iri.startswith(self.base):
            names.append(iri[len(self.base) :])
        for name in names:
            segment = encode_segment(name)
            if name and name not in _RESERVED | {".", ".."} and self._reads_back(segment, iri):
                return segment
        return encode_segment(iri)

    def _reads_back(self, segment: str, iri: str) -> bool:
        try:
            return self.expand(segment) == iri
        except InvalidSegment:
            return False


def _is_namespace(iri: str) -> bool:
    return iri.endswith(("/", "#"))
