"""Members made of bytes, for the tests of streamed archives."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

from muniment.layouts.streams import Member


def member(
    name: str, data: bytes = b"", *, modified: int = 0, digests: bool = True, promised: int | None = None
) -> Member:
    """A member holding `data`; `promised` states another size than the true one."""

    def open_at(offset: int) -> BinaryIO:
        return io.BytesIO(data[offset:])

    known = {"sha256": hashlib.sha256(data).hexdigest()} if digests else {}
    return Member(name, len(data) if promised is None else promised, open_at, known, modified)


class Counted:
    """A member's bytes that remember how often, and from where, they were opened."""

    def __init__(self, data: bytes) -> None:
        """Hold `data`."""
        self.data = data
        self.opened: list[int] = []

    def open_at(self, offset: int) -> BinaryIO:
        """Open at `offset`, and note it."""
        self.opened.append(offset)
        return io.BytesIO(self.data[offset:])
