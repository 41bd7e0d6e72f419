"""Digests of archives that are made while they are sent (RFC 9530): exact, and only where somebody wants them."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from fastapi import Request

from muniment.http.names import digest_fields
from muniment.layouts.streams import Plan

READ_FIRST = 1 << 30
"""Bytes of an archive that is read before it is sent, if its digest is wanted. That of a larger one is found while
it is sent, and known from then on."""
_REMEMBERED = 1_000
_WANTED = re.compile(r"sha-256\s*=\s*0*([1-9]\d?)\s*(?:,|\Z)")


class ReprDigests:
    """Remembers the sha256 of whole archives by their entity tag. Serves all threads of a process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def fields(self, headers: Mapping[str, str], plan: Plan, etag: str) -> dict[str, str]:
        """The fields of an answer that say what the whole archive is, as far as that is known or wanted.

        Raises:
            MemberDamaged, MemberUnreadable: It was to be read for that, and cannot be made.
        """
        found = self._of(etag)
        if found is None and wanted(headers) and plan.length <= READ_FIRST:
            hasher = hashlib.sha256(usedforsecurity=False)
            for piece in plan.read():
                hasher.update(piece)
            found = self._remember(etag, hasher.hexdigest())
        return {} if found is None else {"Repr-Digest": digest_fields({"sha256": found})}

    def listening(self, headers: Mapping[str, str], etag: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces of a whole archive as they are sent; where its digest is wanted it is known at their end."""
        if self._of(etag) is not None or not wanted(headers):
            yield from pieces
            return
        hasher = hashlib.sha256(usedforsecurity=False)
        for piece in pieces:
            hasher.update(piece)
            yield piece
        self._remember(etag, hasher.hexdigest())

    def _of(self, etag: str) -> str | None:
        with self._lock:
            return self._known.get(etag)

    def _remember(self, etag: str, found: str) -> str:
        with self._lock:
            self._known[etag] = found
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found


REPR_DIGESTS = ReprDigests()
"""Those of this process: equal entity tags are equal bytes, whatever the interface."""


def wanted(headers: Mapping[str, str]) -> bool:
    """Whether a client wants the sha-256 of what it asks for (RFC 9530 §4)."""
    return any(_WANTED.search(headers.get(name, "")) for name in ("want-repr-digest", "want-content-digest"))


def type_for(request: Request, own: str, other: str = "application/octet-stream") -> str:
    """The media type of an answer: its own, or the `other` for a client that names that one alone (RFC 9110 §12.5.1).

    Whoever reads a description by program may know no more of a type than that it is bytes.
    """
    named = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return other if other in named and own not in named else own


def with_content_digest(headers: Mapping[str, str]) -> dict[str, str]:
    """The fields of an answer whose content is the whole representation: then one digest is the other."""
    found = headers.get("Repr-Digest")
    return {**headers, **({"Content-Digest": found} if found else {})}
