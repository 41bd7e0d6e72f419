"""The boxes of a JPEG 2000 file (ISO 15444-1 Annex I): what the encoder leaves out is put in.

The code stream is not touched. What is put in is the description as XMP, the scan's own ICC profile in place
of the named colour space, and which band is alpha.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from muniment.errors.distillery import BadScan

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""The UUID of a box that holds XMP (ISO 16684-3)."""
_LARGEST_HEADER = 16 << 20
_EXTENDED, _TO_THE_END = 1, 0
_COLOUR, _OPACITY, _WHOLE_IMAGE = 0, 1, 0
_RESTRICTED_ICC = 2


class Box(NamedTuple):
    """A box: its type, where it begins, how long its header and how long it is in all."""

    kind: bytes
    start: int
    header: int
    size: int


def boxes(file: BinaryIO, end: int) -> Iterator[Box]:
    """The boxes at the top of a file of `end` bytes.

    Raises:
        BadScan: They do not fit into each other.
    """
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:  # noqa: PLR2004 - LBox and TBox
            raise BadScan(name="the JPEG 2000", reason=f"a box at byte {at} is cut")
        size, kind, header = int.from_bytes(head[:4]), head[4:8], 8
        if size == _EXTENDED:
            size, header = int.from_bytes(head[8:16]), 16
        if size == _TO_THE_END:
            size = end - at
        if size < header or at + size > end:
            raise BadScan(name="the JPEG 2000", reason=f"a box at byte {at} says that it has {size} bytes")
        yield Box(kind, at, header, size)
        at += size


def complete(source: Path, target: Path, xmp: bytes, *, profile: bytes = b"", alpha: int | None = None) -> None:
    """Copy a file with the XMP in it; with `profile` as its colour space, and the band number `alpha` as opacity.

    Raises:
        BadScan: It is no JPEG 2000 file.
    """
    with source.open("rb") as file, target.open("wb") as out:
        found = list(boxes(file, source.stat().st_size))
        if [each.kind for each in found[:2]] != [b"jP  ", b"ftyp"] or not any(e.kind == b"jp2h" for e in found):
            raise BadScan(name=source.name, reason="it is no JPEG 2000 file")
        for each in found:
            file.seek(each.start)
            if each.kind == b"jp2h":
                if each.size > _LARGEST_HEADER:
                    raise BadScan(name=source.name, reason="its header is too large")
                data = file.read(each.size)[each.header :]
                out.write(_box(b"jp2h", _header(data, profile, alpha)))
                out.write(_box(b"uuid", XMP + xmp))
            elif each.kind == b"jp2c":
                # Its length is written out: a box up to the end of the file would swallow what follows.
                size = each.size - each.header
                short = size + 8 < 1 << 32
                out.write(
                    struct.pack(">I4s", size + 8, b"jp2c") if short else struct.pack(">I4sQ", 1, b"jp2c", size + 16)
                )
                file.seek(each.start + each.header)
                _copy(file, out, size)
            else:
                _copy(file, out, each.size)


def xmp_of(path: Path) -> bytes:
    """The XMP in a file; nothing where there is none.

    Raises:
        BadScan: It is no JPEG 2000 file.
    """
    with path.open("rb") as file:
        for each in boxes(file, path.stat().st_size):
            if each.kind == b"uuid" and each.size < _LARGEST_HEADER:
                file.seek(each.start + each.header)
                data = file.read(each.size - each.header)
                if data.startswith(XMP):
                    return data[len(XMP) :]
    return b""


def _header(data: bytes, profile: bytes, alpha: int | None) -> bytes:
    """The inner boxes of `jp2h`, with the changes."""
    made, at, defined = b"", 0, False
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        size = size or len(data) - at
        if size < 8 or at + size > len(data):  # noqa: PLR2004 - LBox and TBox
            raise BadScan(name="the JPEG 2000", reason="a box in its header has a wrong size")
        inner = data[at : at + size]
        if kind == b"colr" and profile:
            inner = _box(b"colr", bytes([_RESTRICTED_ICC, 0, 0]) + profile)
        defined = defined or kind == b"cdef"
        made, at = made + inner, at + size
    return made if alpha is None or defined else made + _channels(alpha)


def _channels(alpha: int) -> bytes:
    """The box that says of each band what it is: the colours in their order, and `alpha` for the whole image."""
    rows = [struct.pack(">HHH", band, _COLOUR, band + 1) for band in range(alpha)]
    rows.append(struct.pack(">HHH", alpha, _OPACITY, _WHOLE_IMAGE))
    return _box(b"cdef", struct.pack(">H", len(rows)) + b"".join(rows))


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data) + 8, kind) + data


def _copy(file: BinaryIO, out: BinaryIO, size: int) -> None:
    piece = memoryview(bytearray(1 << 20))
    while size:
        count = file.readinto(piece[: min(size, len(piece))])  # type: ignore[attr-defined] # a plain file has it
        if not count:
            raise BadScan(name="the JPEG 2000", reason="it is cut")
        out.write(piece[:count])
        size -= count
