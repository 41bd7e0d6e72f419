"""The index of a pack: which file lies where in the packed stream, in text that survives damage.

There are two copies, `<name>.index` and `<name>.index.copy`. Every line stands for itself: the CRC-32
of the rest of the line, a number, and what it says. Number 0 is the head (first and last line) with format,
count, size in bytes and sha256 of the stream, and of a pack that is one of several also how many these are;
the others are a file's size in bytes and its name in JSON. A line is lost only when it is damaged in both copies.
"""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from muniment.content.regular import open_regular
from muniment.errors.parity import CannotRepair

FORMAT = "muniment-pack-1"
ONE_OF_SEVERAL = "muniment-pack-2"
_LINE = re.compile(rb"([0-9a-f]{8}) (([0-9]{1,12}) (.+))")
_PLACES = (".index", ".index.copy")
_quoted = json.encoder.encode_basestring
_HEAD = 1000
"""Bytes within which the first line ends."""


class Member(NamedTuple):
    """One file of a pack: its name and its size in bytes."""

    name: str
    size: int


class PackIndex(NamedTuple):
    """All files of a pack in the order of the stream, and the stream's size in bytes and sha256.

    `packs` is how many packs the version has whose files these are.
    """

    members: tuple[Member, ...]
    size: int
    sha256: str
    packs: int = 1


def index_bytes(index: PackIndex) -> bytes:
    """The index as it is written."""
    return b"".join(_lines(index))


def _lines(index: PackIndex) -> Iterator[bytes]:
    said = f"{len(index.members)} {index.size} {index.sha256}"
    head = f"0 {FORMAT} {said}" if index.packs == 1 else f"0 {ONE_OF_SEVERAL} {said} {index.packs}"
    yield _line(head)
    for number, member in enumerate(index.members, start=1):
        yield _line(f"{number} {member.size} {_quoted(member.name)}")
    yield _line(head)


def _line(text: str) -> bytes:
    data = text.encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def index_paths(folder: Path, name: str) -> tuple[Path, Path]:
    """Where the two copies of the index lie."""
    return folder / (name + _PLACES[0]), folder / (name + _PLACES[1])


def read_index(folder: Path, name: str) -> PackIndex:
    """The index, from whichever copy has each line intact.

    Raises:
        CannotRepair: A line is intact in neither copy.
    """
    said: dict[int, str] = {}
    for path in index_paths(folder, name):
        _gather(path, said)
    head = _parsed(said.pop(0, ""))
    if head is None:
        raise CannotRepair(path=folder / name, reason="the head of the pack's index is lost in both copies")
    count = head.files
    lost = count - sum(1 for number in said if 1 <= number <= count)
    if lost:
        raise CannotRepair(path=folder / name, reason=f"{lost} of {count} lines of its index are lost in both copies")
    members = tuple(_member(said[number]) for number in range(1, count + 1))
    return PackIndex(members, head.size, head.sha256, head.packs)


class PackHead(NamedTuple):
    """What the head of an index says: files, bytes of the stream and its sha256, and packs of the version."""

    files: int
    size: int
    sha256: str
    packs: int


def _parsed(text: str) -> PackHead | None:
    kind, *said = text.split() or [""]
    if kind == FORMAT and len(said) == 3:  # noqa: PLR2004 - count, size, sha256
        said.append("1")
    elif kind != ONE_OF_SEVERAL or len(said) != 4:  # noqa: PLR2004 - as above, and the number of packs
        return None
    count, size, sha256, packs = said
    return PackHead(int(count), int(size), sha256, int(packs))


def read_head(folder: Path, name: str) -> PackHead | None:
    """The head of a pack's index, by the first line of either copy; None where both are lost, or there is none."""
    for path in index_paths(folder, name):
        try:
            with io.BufferedReader(open_regular(path)) as stream:
                match = _LINE.fullmatch(stream.readline(_HEAD).rstrip(b"\n"))
        except OSError:
            continue
        if match and zlib.crc32(match[2]) == int(match[1], 16):
            head = _parsed(match[4].decode("utf-8", "replace")) if match[3] == b"0" else None
            if head:
                return head
    return None


def _gather(path: Path, said: dict[int, str]) -> None:
    """Add every intact line; a read that fails leaves the rest to the other copy."""
    try:
        with io.BufferedReader(open_regular(path)) as stream:
            for line in stream:
                match = _LINE.fullmatch(line.rstrip(b"\n"))
                if match and zlib.crc32(match[2]) == int(match[1], 16):
                    said.setdefault(int(match[3]), match[4].decode())
    except OSError:
        return


def _member(text: str) -> Member:
    size, _, name = text.partition(" ")
    return Member(json.loads(name), int(size))
