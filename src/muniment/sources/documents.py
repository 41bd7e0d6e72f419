"""Documents a source makes itself: JSON about what it took, written as it is read, page by page."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from muniment.sources.protocol import SourceEntry, about


def document(name: str, locator: str) -> SourceEntry:
    """The entry of a document that is made when it is opened, so that nobody knows its size before."""
    return SourceEntry(about(name), None, locator=locator, made=True)


NAMES = "names.json"
"""Below `@about`: path and true name of each file whose name no path can carry; whoever stores the files writes it."""


PRESENT = "present-versions.json"
"""Below `@about`: path and version of each file whose service numbers its versions; written like `NAMES`."""


def name_at_source(entry: SourceEntry) -> dict[str, str]:
    """A line of `NAMES`. A name that is no UTF-8 text is given in Base64."""
    name = entry.original or ""
    try:
        name.encode()
    except UnicodeEncodeError:
        return {"path": str(entry.path), "nameBase64": base64.b64encode(os.fsencode(name)).decode()}
    return {"path": str(entry.path), "name": name}


def json_object(value: object, offset: int = 0) -> BinaryIO:
    """One value as a JSON document, from `offset` on."""
    stream = io.BytesIO(_written(value) + b"\n")
    stream.seek(offset)
    return stream


def json_list(values: Iterable[object], offset: int = 0) -> BinaryIO:
    """Many values as one JSON list, each fetched when its turn comes, from `offset` on."""
    stream = Pieces(_list(values))
    stream.skip(offset)
    return cast("BinaryIO", stream)


class Pieces(io.RawIOBase):
    """A stream of what an iterator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on; what the iterator raises comes out here."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        view = memoryview(buffer)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def skip(self, count: int) -> None:
        """Leave out the next bytes."""
        buffer = bytearray(min(count, 65_536))
        while count > 0 and (done := self.readinto(memoryview(buffer)[:count])):
            count -= done


def _list(values: Iterable[object]) -> Iterator[bytes]:
    mark = b"["
    for value in values:
        yield mark + b"\n" + _written(value)
        mark = b","
    yield b"[]\n" if mark == b"[" else b"\n]\n"


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8", "backslashreplace")
