"""The bytes under a key of a store as an answer, whole or in part, checked against their sha256 while they are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from fastapi import Request
from starlette.responses import Response

from muniment.content.pieces import PieceBook, RangeProof, learn_pieces, pieces_of_file
from muniment.errors.content import PieceMismatch
from muniment.errors.stores import KeyNotFound, StoredWrong
from muniment.http.files import asked_range
from muniment.http.streaming import PIECE, PumpResponse
from muniment.stores import Store


def content(request: Request, store: Store, key: str, sha256: str, disposition: str, book: PieceBook) -> Response:
    """Answer with what is under a key; a part of a large file is proven by its pieces, as `book` has them.

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
    where = _Stored(store, key, found.size, sha256)
    pieces = partial(_whole, where) if part is None else partial(_part, where, start, stop, book)
    return PumpResponse(pieces, status=206 if part else 200, headers=headers)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What lies under a key, and what it has to be."""

    store: Store
    key: str
    size: int
    sha256: str

    def open(self, offset: int) -> BinaryIO:
        return self.store.open(self.key, offset)

    def wrong(self, found: str, expected: str) -> StoredWrong:
        return StoredWrong(store=self.store.container, key=self.key, what="sha256", found=found, expected=expected)


def _whole(where: _Stored) -> Iterator[bytes]:
    """The bytes; the last piece is held back until all of them are known to be right.

    Raises:
        StoredWrong: They are not, or there are fewer.
    """
    digest = hashlib.sha256()

    def prove() -> None:
        if digest.hexdigest() != where.sha256:
            raise where.wrong(digest.hexdigest(), where.sha256)

    yield from _held_back(where, 0, where.size, digest.update, prove)


def _part(where: _Stored, start: int, stop: int, book: PieceBook) -> Iterator[bytes]:
    """Some of the bytes; the last piece is held back until the pieces they lie in are known to be right.

    Raises:
        StoredWrong: They are not, or there are fewer.
    """
    try:
        digests = pieces_of_file(where.size, where.sha256, book)
        if digests is None:
            learn_pieces(where.size, where.sha256, book, where.open)
            digests = pieces_of_file(where.size, where.sha256, book)
        # Where nothing can be remembered, the file was read whole just now.
        proof = RangeProof(where.size, digests, start, where.open) if digests else None
        update = proof.update if proof else _nothing
        yield from _held_back(where, start, stop, update, proof.finish if proof else lambda: None)
    except PieceMismatch as trouble:
        raise where.wrong(trouble.details["found"], trouble.details["expected"]) from trouble


def _held_back(
    where: _Stored, start: int, stop: int, update: Callable[[bytes], object], prove: Callable[[], object]
) -> Iterator[bytes]:
    held = b""
    left = stop - start
    with where.open(start) as file:
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            update(piece)
            if held:
                yield held
            held = piece
    if left:
        raise where.wrong(f"{left} bytes fewer", where.sha256)
    prove()
    if held:
        yield held


def _nothing(data: bytes) -> None:
    del data
