"""Packages laid out: what every layout makes of a resource, and the tar that carries it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from muniment.content import Entry, Hashers
from muniment.content.pieces import PIECE, PieceBook
from muniment.content.regular import open_regular
from muniment.layouts.streams import Member, TarPlan, ZipPlan

_LONGEST_NAME = 100
_TYPE = 156
_MODE = slice(100, 108)
_CHECKSUM = slice(148, 156)
_BLOCK = 512


class Version(Protocol):
    """What a layout needs of an instance; the archive's instances are so."""

    @property
    def id(self) -> str:
        """The resource's id."""

    @property
    def project(self) -> str:
        """The resource's project."""

    @property
    def number(self) -> int:
        """Which instance it is."""

    @property
    def head(self) -> int:
        """The number of the newest instance."""

    @property
    def instance(self) -> str:
        """The instance's own identifier."""

    @property
    def created(self) -> str:
        """When it was committed, in RFC 3339."""

    @property
    def message(self) -> str:
        """Why it was made."""

    @property
    def agent(self) -> Mapping[str, str]:
        """Who made it: name and address."""

    @property
    def record(self) -> Mapping[str, object]:
        """What its own record says, metadata, provenance, links and empty folders included."""

    def files(self) -> Iterator[Entry]:
        """Its files, sorted by path."""

    def stored(self, path: str) -> str:
        """A file's path in the instance's bag."""

    def open(self, path: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """A file's bytes from `offset` on."""

    def earlier(self, number: int) -> Version:
        """Another instance of the resource."""

    def bag_entries(self) -> Iterator[Entry]:
        """Every file of its bag."""

    def open_bag_entry(self, entry: Entry, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """The bytes of a file of its bag."""

    def object_entries(self) -> Iterator[tuple[Entry, Callable[[int], BinaryIO]]]:
        """Every file of its OCFL object, and what gives its bytes from an offset on."""


@dataclass(frozen=True, slots=True)
class LaidOutPackage:
    """A package as a layout makes it: the names below its one top folder, and the folders that stay empty."""

    name: str
    members: Sequence[Member]
    folders: tuple[str, ...] = ()

    def with_book(self, book: PieceBook) -> LaidOutPackage:
        """The same, a range of whose large files is proven by the pieces in `book`."""
        return replace(self, members=[replace(each, book=book) if each.size > PIECE else each for each in self.members])

    def below_top(self) -> frozenset[str]:
        """The folders that stay empty, by their names in an archive: below the one top folder."""
        return frozenset(f"{self.name}/{folder}" for folder in self.folders)

    def packed(self, modified: int) -> list[Member]:
        """Everything below the one top folder, `modified` at that time (seconds since 1970 UTC).

        A folder with nothing in it is a member of no bytes; its name or header alone tells it from a file.
        """
        folders = (Member(name, 0, _nothing, modified=modified) for name in self.below_top())
        files = (replace(member, name=f"{self.name}/{member.name}") for member in self.members)
        return [*files, *folders]


class PackageTar(TarPlan):
    """The tar of a laid-out package, of exact length: one top folder, as BagIt 0.97 §4 asks of a bag."""

    form = "package tar 1"

    def __init__(self, laid: LaidOutPackage, modified: int = 0) -> None:
        """Find every member's place.

        Raises:
            MembersCollide, UnsafePath: The layout made names that cannot be.
        """
        self._folders = laid.below_top()
        super().__init__(laid.packed(modified))

    def _head(self, member: Member) -> bytes:
        head = super()._head(member)
        if member.name not in self._folders:
            return head
        before, header = head[:-_BLOCK], bytearray(head[-_BLOCK:])
        header[_TYPE : _TYPE + 1] = b"5"
        header[_MODE] = b"0000755\0"
        header[_CHECKSUM] = b" " * 8
        header[_CHECKSUM] = b"%06o\0 " % sum(header)
        return before + bytes(header)


class PackageZip(ZipPlan):
    """The zip of a laid-out package, of exact length: one top folder, as in its tar."""

    form = "package zip 1"

    def __init__(self, laid: LaidOutPackage, modified: int = 0) -> None:
        """Find every member's place.

        Raises:
            MembersCollide, UnsafePath: The layout made names that cannot be.
        """
        self._folders = laid.below_top()
        super().__init__(laid.packed(modified))

    def _raw_name(self, member: Member) -> bytes:
        # A name that ends in '/' is a folder (APPNOTE 4.3.8).
        return super()._raw_name(member) + (b"/" if member.name in self._folders else b"")


def folder_name(text: str) -> str:
    """A file name for an id, whatever characters it has: percent-encoded, and cut where it is long.

    Two ids never get the same name: where it is cut, the id's sha256 follows.
    """
    name = "".join(map(_encoded, text))
    if name.startswith("."):
        name = f"%2e{name[1:]}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()}"


def _encoded(character: str) -> str:
    if character.isascii() and (character.isalnum() or character in "-_."):
        return character
    return "".join(f"%{byte:02x}" for byte in character.encode())


def text(name: str, data: bytes, modified: int) -> Member:
    """A member whose content is made here."""
    hashers = Hashers(["sha256"])
    hashers.update(data)
    return Member(name, len(data), lambda offset: io.BytesIO(data[offset:]), hashers.values(), modified)


def made_late(name: str, size: int, make: Callable[[], bytes], modified: int, digests: Mapping[str, str]) -> Member:
    """A member of known size that is made when its turn comes, so that it need not be kept until then."""
    return Member(name, size, lambda offset: io.BytesIO(make()[offset:]), digests, modified)


def at(place: Path, offset: int = 0) -> BinaryIO:
    """The bytes of a file from `offset` on.

    Raises:
        OSError: It cannot be read.
    """
    file = open_regular(place, follow=True)
    file.seek(offset)
    return cast("BinaryIO", file)


def _nothing(offset: int) -> BinaryIO:
    return io.BytesIO(b""[offset:])


def manifest(lines: Iterable[tuple[str, str]]) -> bytes:
    """A manifest's content from digests and paths (RFC 8493 §2.1.3)."""
    return "".join(f"{digest}  {path}\n" for digest, path in lines).encode()
