"""Answers: documents, errors as clients know them, and archives and files with ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

from muniment.content.jsonld import ERROR, in_nexus_order, print_source
from muniment.doors.nexus.documents import graph, named_quads, plain, triples
from muniment.doors.nexus.http.call import Call
from muniment.doors.nexus.http.negotiation import DOT, JSON, JSON_LD, N_QUADS, N_TRIPLES
from muniment.errors.access import AuthorizationFailed, Forbidden, Unauthenticated
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.delivery import InvalidJsonLd, MemberDamaged, MemberUnreadable, NotJson
from muniment.errors.nexus import QueryValueUnknown, VersionNotHeld
from muniment.http.problems import public_text
from muniment.http.representations import with_content_digest

Json = dict[str, object]
CHUNK = 512 * 1024
"""Bytes of a piece. Two wait for each download, so with fifty at once this is 50 MB."""

_INTERNAL = 500
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


@dataclass(slots=True)
class Answer:
    """A whole answer in memory."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class StreamedAnswer:
    """An answer of known length whose bytes are made while they are sent."""

    length: int
    etag: str
    read: Callable[[int, int], Iterator[bytes]]
    headers: dict[str, str] = field(default_factory=dict)
    modified: int | None = None
    """When it last changed, in seconds since 1970 UTC, where that is known."""

    def to(self, headers: Mapping[str, str], method: str) -> Answer | tuple[int, dict[str, str], int, int]:
        """What to answer to a request with these headers: a whole answer, or status, headers and range of bytes."""
        own = {**self.headers, "ETag": self.etag, "Accept-Ranges": "bytes"}
        # RFC 9110 §13.2.2: what the client says it has comes before what it may be spared, and before a range.
        unmet = _unmet(headers, self.etag, self.modified)
        if unmet:
            refusal = failure(VersionNotHeld(header=unmet, found=self.etag))
            return replace(refusal, headers={**refusal.headers, "ETag": self.etag})
        if _matches(headers.get("if-none-match"), self.etag):
            return Answer(304, b"", own)
        span = _span(headers, self.length, self.etag)
        if span is None or method == "HEAD":
            return 200, with_content_digest({**own, "Content-Length": str(self.length)}), 0, self.length
        start, stop = span
        if start >= stop:
            return Answer(416, b"", {**own, "Content-Range": f"bytes */{self.length}"})
        there = {"Content-Length": str(stop - start), "Content-Range": f"bytes {start}-{stop - 1}/{self.length}"}
        return 206, {**own, **there}, start, stop


def document(call: Call, compacted: Json, expand: Callable[[], Json], *, status: int = 200) -> Answer:
    """A document in the form the client takes; `expand` gives it under full IRIs, if that is needed.

    Raises:
        NothingAcceptable: No form is welcome.
        QueryValueUnknown: `format` is none of those there are.
    """
    kind = call.accept.document()
    headers = {"Content-Type": kind, "Vary": "Accept"}
    if kind == N_TRIPLES:
        return Answer(status, triples(expand()), headers)
    if kind == N_QUADS:
        return Answer(status, named_quads(expand()), headers)
    if kind == DOT:
        return Answer(status, graph(expand(), str(compacted.get("@id", ""))), headers)
    if form_of(call) == "expanded":
        return Answer(status, plain([expand()]), headers)
    return Answer(status, plain(compacted), headers)


def form_of(call: Call) -> str:
    """The query's `format`: 'compacted' or 'expanded'.

    Raises:
        QueryValueUnknown: It is another.
    """
    form = call.query.get("format", "compacted")
    if form not in {"compacted", "expanded"}:
        raise QueryValueUnknown(name="format", expected="compacted, expanded")
    return form


def simple(call: Call, compacted: Json, contexts: tuple[str, ...], *, status: int = 200) -> Answer:
    """A document that is all metadata, with the shipped contexts that give its words a meaning."""
    shown = in_nexus_order({"@context": list(contexts), **compacted})
    return document(call, shown, lambda: call.nexus.jsonld.expand_metadata(compacted, contexts), status=status)


def printed(call: Call, source: object) -> Answer:
    """What was sent, as it is stored; always JSON."""
    kind = call.accept.require((JSON, JSON_LD))
    return Answer(200, print_source(source), {"Content-Type": kind})


def failure(error: MunimentError) -> Answer:
    """An error as the API's clients know it."""
    status = error.http_status
    body: Json = {"@context": ERROR, "@type": type_of(error), "reason": _reason(error)}
    if isinstance(error, NotJson):
        body["details"] = str(error.details.get("details", ""))
    elif isinstance(error, InvalidJsonLd):
        body["rdf"] = str(error.details.get("reason", ""))
    for name in getattr(error, "shown", ()):
        body[name] = error.details[name]
    headers = {"Content-Type": "application/json"}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = ", ".join(error.challenges())
    if error.retry:
        headers["Retry-After"] = str(error.details.get("seconds", 2))
    return Answer(status, plain(body), headers)


def type_of(error: MunimentError) -> str:
    """The `@type` of an error: the API's own name for it, else the name of its class."""
    if isinstance(error, Forbidden | AuthorizationFailed):
        return "AuthorizationFailed"
    own = getattr(error, "nexus_type", None)
    if own:
        return str(own)
    return "UnexpectedError" if error.http_status >= _INTERNAL else type(error).__name__


def _reason(error: MunimentError) -> str:
    # Places on the server's disk are nobody's business.
    if error.http_status >= _INTERNAL and not isinstance(error, MemberDamaged | MemberUnreadable | RemoteError):
        return "The server could not do this. Its log says why."
    if isinstance(error, Unauthenticated) and type(error).__name__ == "InvalidAccessToken":
        return "The provided token is invalid."
    return public_text(error.statement, own=error.http_status >= _INTERNAL)


def _unmet(headers: Mapping[str, str], etag: str, modified: int | None) -> str:
    """The condition that is not met: `If-Match`, or where that is missing `If-Unmodified-Since` (RFC 9110 §13.2.2)."""
    wanted = headers.get("if-match")
    if wanted is not None:
        tags = [tag.strip() for tag in wanted.split(",")]
        # A weak tag never matches here (§13.1.1).
        return "" if "*" in tags or etag in tags else "If-Match"
    since = headers.get("if-unmodified-since")
    if since is None or modified is None:
        return ""
    try:
        moment = parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return ""  # no date is passed over (§13.1.4)
    return "If-Unmodified-Since" if modified > moment else ""


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def _span(headers: Mapping[str, str], length: int, etag: str) -> tuple[int, int] | None:
    """First byte and the one after the last that are asked for; None for all (RFC 9110 §14.2)."""
    found = _RANGE.match(headers.get("range", "").replace(" ", ""))
    # A date in If-Range cannot be held against a strong ETag: the whole is sent, which is never wrong.
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        count = int(last)
        return (max(length - count, 0), length) if count else (length, length)
    start = int(first)
    if last and int(last) < start:
        return None
    stop = min(int(last) + 1, length) if last else length
    return (start, stop) if start < length else (length, length)
