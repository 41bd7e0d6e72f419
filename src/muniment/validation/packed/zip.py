"""The members of a zip, after a look at its directory that costs little however large or false it is (APPNOTE 4.3)."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from muniment.content import Finding
from muniment.validation.packed.forms import ZIP
from muniment.validation.packed.members import FILE, FOLDER, LINK, Member, NotReadable, Readable
from muniment.validation.packed.xz import MOST_MEMORY, TOO_LARGE

MOST_ENTRIES = 1_000_000
"""Entries of one zip: its reader keeps them all in memory."""

_ENTRY = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LONGEST_COMMENT = 0xFFFF
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_LOCAL = 30
_ENCRYPTED, _UTF8 = 0x1, 0x800
_LONGEST_TARGET = 4096
_LENGTHS = struct.Struct("<2H")
_LZMA = struct.Struct("<2HBI")
"""Version, length of the properties, the properties' first byte and the size of the dictionary."""
_STAMP = struct.Struct("<2HBi")
_STAMP_TAG, _FIELD = 0x5455, 4


class ZipMembers:
    """A zip file; what its directory says is held against the file before any member is read."""

    media_type = ZIP

    def __init__(self, path: str) -> None:
        """Remember `path`; nothing is opened yet."""
        self.trouble: list[Finding] = []
        self._path = path

    def each(self) -> Iterator[tuple[Member, Readable | None]]:
        """Every member in the directory's order with its bytes.

        Raises:
            NotReadable, zipfile.BadZipFile, OSError, …: It is damaged, false, encrypted or too large (forms.TROUBLE).
        """
        with open(self._path, "rb") as file, contextlib.ExitStack() as stack:
            _look_at_directory(file)
            archive = stack.enter_context(zipfile.ZipFile(self._path))
            infos = archive.infolist()
            _refuse_overlaps(infos, archive.start_dir)
            _refuse_backslashes(infos)
            for info in infos:
                if info.flag_bits & _ENCRYPTED:
                    message = f"{info.filename!r} is encrypted: unpack it with its password and pack it again without"
                    raise NotReadable(message)
                if info.compress_type == zipfile.ZIP_LZMA:
                    _refuse_dictionary(file, info)
                kind = LINK if stat.S_ISLNK(info.external_attr >> 16) else FOLDER if info.is_dir() else FILE
                name, other = _names(info)
                target = _target(archive, info) if kind == LINK else ""
                member = Member(name, info.file_size, kind, target, _time(info), other)
                yield member, _Late(archive, info) if kind == FILE else None


class _Late:
    """A member's bytes, opened only when they are read: listing must not touch the data."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        self._file: Readable | None = None

    def read(self, size: int, /) -> bytes:
        self._file = self._file or self._archive.open(self._info)
        return self._file.read(size)


def _look_at_directory(file: BinaryIO) -> None:
    """Count the directory's entries without keeping them, and hold the count against what the end says.

    Raises:
        NotReadable: There are too many, or the end of the file says something else of them.
    """
    size = file.seek(0, os.SEEK_END)
    end_at, told, length = _told(file, size)
    if told > MOST_ENTRIES:
        message = f"it says that it has {told} entries; at most {MOST_ENTRIES} are read from a zip"
        raise NotReadable(message)
    start = end_at - length
    if start < 0:
        message = "its directory would begin before the file"
        raise NotReadable(message)
    at, count = start, 0
    file.seek(start)
    while at < end_at:
        raw = file.read(_ENTRY.size)
        if len(raw) < _ENTRY.size or raw[:4] != b"PK\1\2":
            message = f"its directory is damaged at byte {at}"
            raise NotReadable(message)
        fields = _ENTRY.unpack(raw)
        rest = fields[10] + fields[11] + fields[12]
        file.seek(rest, os.SEEK_CUR)
        at += _ENTRY.size + rest
        count += 1
        if count > MOST_ENTRIES:
            message = f"it has more than {MOST_ENTRIES} entries; at most so many are read from a zip"
            raise NotReadable(message)
    if count != told or at != end_at:
        message = f"its end says {told} entries, but its directory has {count}"
        raise NotReadable(message)


def _told(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory ends, how many entries it should have, and its length in bytes.

    Raises:
        NotReadable: There is no end of a zip.
    """
    tail_at = max(size - _END.size - _LONGEST_COMMENT, 0)
    file.seek(tail_at)
    tail = file.read()
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) - found < _END.size:
        message = "its end is missing: it was cut off, or is no zip"
        raise NotReadable(message)
    *_, count, length, offset, _ = _END.unpack_from(tail, found)
    end_at = tail_at + found
    if count != _FULL_16 and _FULL_32 not in {length, offset}:
        return end_at, count, length
    file.seek(max(end_at - _LOCATOR.size, 0))
    locator = file.read(_LOCATOR.size)
    if len(locator) < _LOCATOR.size or locator[:4] != b"PK\6\7":
        return end_at, count, length
    # The record lies before its locator; where the locator says counts from the zip's own beginning.
    end_at -= _LOCATOR.size + _END_64.size
    file.seek(max(end_at, 0))
    raw = file.read(_END_64.size)
    if len(raw) < _END_64.size or raw[:4] != b"PK\6\6":
        message = "its zip64 end is damaged"
        raise NotReadable(message)
    record = _END_64.unpack(raw)
    return end_at, record[7], record[8]


def _refuse_overlaps(infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Two entries over the same bytes are how a small zip says that it is endless.

    Raises:
        NotReadable: There are two.
    """
    end = 0
    last = ""
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            message = f"{info.filename!r} lies over {last!r}: its directory is false"
            raise NotReadable(message)
        end = info.header_offset + _LOCAL + info.compress_size
        last = info.filename
        if end > directory:
            message = f"{info.filename!r} would reach beyond the files' place: its directory is false"
            raise NotReadable(message)


def _refuse_dictionary(file: BinaryIO, info: zipfile.ZipInfo) -> None:
    """A dictionary of LZMA is as large as its writer wished (APPNOTE 5.8.8).

    Raises:
        NotReadable: It would take too much memory.
    """
    file.seek(info.header_offset)
    header = file.read(_LOCAL)
    file.seek(sum(_LENGTHS.unpack(header[-4:])), os.SEEK_CUR)
    properties = file.read(_LZMA.size)
    if len(header) == _LOCAL and len(properties) == _LZMA.size and _LZMA.unpack(properties)[-1] > MOST_MEMORY:
        message = f"{info.filename!r}: {TOO_LARGE}"
        raise NotReadable(message)


def _refuse_backslashes(infos: list[zipfile.ZipInfo]) -> None:
    """Old Windows programs wrote the wrong separator (APPNOTE 4.4.17.1 asks for '/').

    Raises:
        NotReadable: All folders are separated so.
    """
    names = [info.filename for info in infos]
    if any("\\" in name for name in names) and not any("/" in name for name in names):
        name = next(name for name in names if "\\" in name)
        message = f"{name!r} separates folders by '\\' where zip has '/': unpack it on Windows and pack it again"
        raise NotReadable(message)


def _names(info: zipfile.ZipInfo) -> tuple[str, str]:
    """The name, and its other reading where nothing says which encoding it has (APPNOTE D.1): UTF-8, else cp437."""
    name = info.filename.rstrip("/")
    if info.flag_bits & _UTF8 or name.isascii():
        return name, ""
    try:
        return name.encode("cp437").decode("utf-8"), name
    except UnicodeError:
        return name, ""


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with archive.open(info) as file:
        return file.read(_LONGEST_TARGET).decode("utf-8", "surrogateescape")


def _time(info: zipfile.ZipInfo) -> float | None:
    """When the file was changed, in UTC where the entry says it (0x5455); a DOS time has no zone."""
    extra = info.extra
    while len(extra) >= _STAMP.size:
        tag, length, has, seconds = _STAMP.unpack_from(extra)
        if tag == _STAMP_TAG and has & 1:
            return float(seconds)
        extra = extra[_FIELD + length :]
    try:
        return dt.datetime(*info.date_time, tzinfo=dt.UTC).timestamp()
    except ValueError:
        return None
