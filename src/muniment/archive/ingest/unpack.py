"""Unpacking a tar into the archive's staging area, after looking through all of it for what could do harm.

Nothing is written before every header was read. Accepted are regular files and folders with relative
names; a tar that was cut off, even between two members, lacks the two zero blocks that end it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, write_file
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.content import FINDINGS, Finding, LogicalPath, Progress, quiet
from muniment.content.identity import new_uuid
from muniment.content.times import now
from muniment.errors.archive import PackageRefused
from muniment.errors.content import NameNotUnicode, UnsafePath

_CHUNK = 1 << 20
_MOST_MEMBERS = 5_000_000
_END = bytes(2 * tarfile.BLOCKSIZE)
_TROUBLE = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error)
"""What the reader of tar raises on files that are damaged or no tar at all."""


@contextlib.contextmanager
def unpacked(
    context: ArchiveContext, path: str | os.PathLike[str], notice: Callable[[Finding], None], progress: Progress = quiet
) -> Iterator[Path]:
    """The folder in which the tar at `path` lies unpacked; it is gone after the block.

    Names that only differ by case or normalisation are told to `notice` as warnings.

    Raises:
        PackageRefused: It is cut off, damaged, or holds something that could do harm; nothing was unpacked.
        DiskFull, WriteFailed: The storage refused.
    """
    place = os.fspath(path)
    agent = context.agent
    record = TransactionRecord(new_uuid(), "", "", 0, now(), agent.name, agent.address, kind="unpacking")
    screened = _Screen(place)
    with _reading(place) as tar:
        screened.look_through(tar, room=shutil.disk_usage(context.layout.staging).free)
    for where, other in screened.alike:
        notice(Finding(FINDINGS["M601"], where, found=f"differs from {other!r} only by case or normalisation"))
    # A transaction's folder, because its lock keeps recovery away, and because recovery removes it after a crash.
    area = StagingArea.begin(context.layout, record)
    try:
        target = area.folder / "unpacked"
        make_folder(target)
        with _reading(place) as tar:
            for done, entry in enumerate(tar, 1):
                _unpack(tar, entry, target)
                _forget(tar)
                progress("unpacking", done, screened.count)
        yield target
    finally:
        area.discard()


@dataclass(slots=True)
class _Screen:
    """What the headers of a tar say, and the reasons to refuse it."""

    path: str
    count: int = 0
    size: int = 0
    alike: list[tuple[str, str]] = field(default_factory=list)
    _files: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)
    _folded: dict[str, str] = field(default_factory=dict)

    def look_through(self, tar: tarfile.TarFile, *, room: int) -> None:
        for entry in tar:
            _forget(tar)
            self.count += 1
            self.size += max(entry.size, 0)
            if self.count > _MOST_MEMBERS or self.size > room:
                self._refuse(
                    f"it has more than {_MOST_MEMBERS} members, or more than the {room} bytes there is room for"
                )
            self._look_at(entry)
        both = self._files & self._folders
        if both:
            self._refuse(f"{min(both)!r} is a file and also the folder of another member")
        if not self.count:
            self._refuse("there is nothing in it")
        self._look_at_end(tar)

    def _look_at(self, entry: tarfile.TarInfo) -> None:
        if not (entry.isdir() or (entry.isreg() and not entry.issparse())):
            self._refuse(f"{entry.name!r} is {_kind(entry)}, not a file or a folder")
        try:
            name = _plain(entry)
        except (UnsafePath, NameNotUnicode) as error:
            self._refuse(str(error))
        if not name:
            return
        if entry.isdir():
            self._folders.add(name)
        elif name in self._files:
            self._refuse(f"two members have the name {name!r}")
        else:
            self._files.add(name)
            other = self._folded.setdefault(_folded(name), name)
            if other != name:
                self.alike.append((name, other))
        self._folders.update(LogicalPath(name).parents())

    def _look_at_end(self, tar: tarfile.TarFile) -> None:
        file = cast("IO[bytes]", tar.fileobj)
        file.seek(tar.offset)
        if file.read(len(_END)) != _END:
            self._refuse("its end is missing: it was cut off, or is damaged")
        while data := file.read(_CHUNK):
            if data.strip(b"\0"):
                self._refuse("something follows after its end")

    def _refuse(self, reason: str) -> None:
        raise PackageRefused(path=self.path, reason=reason)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:*") as tar:
            yield tar
    except _TROUBLE as error:
        if isinstance(error, PackageRefused):
            raise
        raise PackageRefused(path=path, reason=f"it cannot be read as a tar file ({error})") from error


def _forget(tar: tarfile.TarFile) -> None:
    """Let the reader drop the headers it has read; it would keep every one otherwise."""
    vars(tar)["members"] = []


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    name = _plain(entry)
    place = target / name
    if entry.isdir():
        make_folder(place)
        return
    make_folder(place.parent)
    content = tar.extractfile(entry)
    assert content is not None
    write_file(place, iter(lambda: content.read(_CHUNK), b""))
    with contextlib.suppress(OSError, OverflowError, ValueError):
        os.utime(place, (entry.mtime, entry.mtime))


def _plain(entry: tarfile.TarInfo) -> str:
    """The member's name without the './' some writers put before it; '' for the tar's own folder.

    Raises:
        UnsafePath, NameNotUnicode: It could lead out, or is no name.
    """
    name = entry.name
    while name.startswith("./"):
        name = name[2:]
    if entry.isdir():
        name = name.rstrip("/") if name != "/" else name
        if name in {"", "."}:
            return ""
    return LogicalPath.parse(name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _kind(entry: tarfile.TarInfo) -> str:
    if entry.issym() or entry.islnk():
        return "a link"
    if entry.ischr() or entry.isblk():
        return "a device"
    return "a pipe" if entry.isfifo() else "something unusual"
