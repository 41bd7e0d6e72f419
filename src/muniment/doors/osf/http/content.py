"""The bytes under a key of a store as an answer, whole or in part, checked against their sha256 while they are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from fastapi import Request
from starlette.responses import Response

from muniment.errors.stores import KeyNotFound, StoredWrong
from muniment.http.files import asked_range
from muniment.http.streaming import PIECE, PumpResponse
from muniment.stores import Store


def content(request: Request, store: Store, key: str, sha256: str, disposition: str) -> Response:
    """Answer with what is under a key.

    Raises:
        KeyNotFound: There is nothing.
        NotAnswerable: The range lies outside of it.
    """
    found = store.stat(key)
    if found is None:
        raise KeyNotFound(key=key, store=store.container)
    etag = f'"{sha256}"'
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": disposition,
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
    }
    part = asked_range(request, found.size, etag)
    start, stop = part or (0, found.size)
    headers["Content-Length"] = str(stop - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    checked = sha256 if part is None else None
    return PumpResponse(lambda: _pieces(store, key, start, stop, checked), status=206 if part else 200, headers=headers)


def _pieces(store: Store, key: str, start: int, stop: int, sha256: str | None) -> Iterator[bytes]:
    """The bytes; the last piece is held back until all of them are known to be right.

    Raises:
        StoredWrong: They are not, or there are fewer.
    """
    digest, held = hashlib.sha256(), b""
    with store.open(key, start) as file:
        left = stop - start
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            if sha256 is not None:
                digest.update(piece)
            if held:
                yield held
            held = piece
    found = digest.hexdigest()
    if left or (sha256 is not None and found != sha256):
        raise StoredWrong(store=store.container, key=key, what="sha256", found=found, expected=sha256 or "more bytes")
    if held:
        yield held
