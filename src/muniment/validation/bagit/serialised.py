"""A bag in a tar or zip file: looked through for harm, then unpacked aside and judged (RFC 8493 §4, §5)."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from muniment.content import Finding
from muniment.content.trees import make_folders
from muniment.validation.bagit.paths import leads_out, plain
from muniment.validation.findings import say, why

_PIECE = 1024 * 1024
_MOST_MEMBERS = 5_000_000
_TROUBLE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)
"""What the readers of tar and zip raise on damaged or encrypted files."""


class Readable(Protocol):
    """All that unpacking needs of a member's content."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` further bytes, b'' at the end."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a serialised bag, before anything of it is unpacked."""

    name: str
    size: int
    kind: str
    """'file', 'folder', or what else it is, in words."""


class Serialised:
    """A tar or zip file, seen alike."""

    def __init__(self, path: str) -> None:
        """Remember `path`; nothing is opened yet."""
        self.path = path
        self.zipped = zipfile.is_zipfile(path)

    @property
    def media_type(self) -> str:
        """As profiles name it."""
        if self.zipped:
            return "application/zip"
        with open(self.path, "rb") as file:
            return "application/gzip" if file.read(2) == b"\x1f\x8b" else "application/tar"

    def members(self) -> Iterator[Member]:
        """Every member, in order, without unpacking."""
        for member, _ in self.contents():
            yield member

    def contents(self) -> Iterator[tuple[Member, Readable | None]]:
        """Every member with its bytes (None for anything but a file)."""
        if self.zipped:
            with zipfile.ZipFile(self.path) as archive:
                for info in archive.infolist():
                    member = Member(info.filename.rstrip("/"), info.file_size, _kind_in_zip(info))
                    yield member, _Late(archive, info) if member.kind == "file" else None
        else:
            with tarfile.open(self.path, "r:*") as tar:
                for entry in tar:
                    kind = "file" if entry.isreg() else "folder" if entry.isdir() else _kind_in_tar(entry)
                    yield Member(entry.name, entry.size, kind), tar.extractfile(entry) if kind == "file" else None


class _Late:
    """A zip member's bytes, opened only when they are read: listing must not touch the data."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        self._file: Readable | None = None

    def read(self, size: int) -> bytes:
        self._file = self._file or self._archive.open(self._info)
        return self._file.read(size)


def _kind_in_zip(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "folder" if info.is_dir() else "file"


def _kind_in_tar(entry: tarfile.TarInfo) -> str:
    if entry.issym():
        return "a symbolic link"
    return "a hard link" if entry.islnk() else "a device or pipe"


def check_members(name: str, members: Iterable[Member], room: int) -> Iterator[Finding]:
    """Nothing in the file could do harm when unpacked, and it is one folder (B050, B051, B512, B906).

    Args:
        name: What the file is called in findings.
        members: All its members.
        room: Bytes there is room for.
    """
    seen: set[str] = set()
    tops: set[str] = set()
    size = 0
    for count, member in enumerate(members, 1):
        path = plain(member.name)
        size += max(member.size, 0)
        if count > _MOST_MEMBERS or size > room:
            yield say("B906", name, f"{_MOST_MEMBERS} members and {room} bytes", "more")
            return
        reason = ""
        if leads_out(member.name):
            reason = "its name leads out of the bag"
        elif member.kind not in {"file", "folder"}:
            reason = f"it is {member.kind}"
        elif path in seen and member.kind == "file":
            reason = "there are two of that name"
        if reason:
            yield say("B050", name, reason, member.name)
        elif path:
            seen.add(path)
            tops.add(path.partition("/")[0] if "/" in path or member.kind == "folder" else "")
    if len(tops) != 1 or "" in tops:
        yield say("B051", name, found="a file beside it" if "" in tops else len(tops))
    else:
        stem = os.path.basename(name)
        top = next(iter(tops))
        if not stem.startswith(f"{top}."):
            yield say("B512", name, stem.partition(".")[0], top)


def unpack(serialised: Serialised, target: str) -> str:
    """Write every file below `target` and return the bag's folder; only after `check_members` found no harm.

    Raises:
        OSError: The members cannot be read or written.
    """
    top = ""
    for member, content in serialised.contents():
        path = plain(member.name)
        top = top or path.partition("/")[0]
        place = os.path.join(target, path)
        if content is None:
            make_folders(place)
            continue
        make_folders(os.path.dirname(place))
        with open(place, "xb") as file:
            while piece := content.read(_PIECE):
                file.write(piece)
    return os.path.join(target, top)


@contextmanager
def reading(name: str, findings: list[Finding]) -> Iterator[None]:
    """Turn whatever the readers of tar and zip raise into a finding (B052)."""
    try:
        yield
    except _TROUBLE as error:
        findings.append(say("B052", name, found=why(error)))


def room_in(folder: str) -> int:
    """Bytes that may be unpacked into `folder`: what is free there, less a tenth."""
    return shutil.disk_usage(folder).free * 9 // 10
