"""What form a packed package has, told by its first bytes and never by its name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import tarfile
import zipfile
import zlib
from typing import BinaryIO, cast

from muniment.content.regular import open_regular
from muniment.validation.findings import why
from muniment.validation.packed.members import NotReadable
from muniment.validation.packed.xz import TOO_LARGE, XzReader

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZIP = "application/zip"
TAR = "application/tar"
_COMPRESSED = (
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
)
_OTHERS = ((b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!", "RAR"), (b"LZIP", "lzip"), (b"\x1f\x9d", "compress (.Z)"))
_MAGIC = 257
_BLOCK = 512
TROUBLE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotReadable,
)
"""What the readers of tar and zip raise on damaged or encrypted files."""


_DAMAGED = "its bytes are damaged"
_METHOD = "it is packed by a method that is not read here: pack it again by deflate, or as a tar"


def trouble_of(error: BaseException) -> str:
    """What one of `TROUBLE` means, in words of our own."""
    if isinstance(error, NotReadable):
        return str(error)
    if isinstance(error, EOFError):
        return "it ends too early: it was cut off"
    if isinstance(error, NotImplementedError):
        return _METHOD
    if isinstance(error, zstd.ZstdError) and "memory" in str(error):
        return TOO_LARGE  # its window is larger than the 128 MiB that are read
    if isinstance(error, zlib.error | lzma.LZMAError | zstd.ZstdError | zipfile.BadZipFile | tarfile.TarError):
        return _DAMAGED
    if isinstance(error, OSError) and not error.strerror:
        return _DAMAGED  # what gzip and bz2 say of bytes that are none of theirs
    return why(error) if isinstance(error, OSError | UnicodeError) else _DAMAGED


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file at `path` begins as one of the forms; nothing is raised."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and bool(form_of(os.fspath(path)))
    except TROUBLE:
        return False


def form_of(path: str) -> str:
    """The media type of the form, '' for none of them.

    Raises:
        OSError: It cannot be read.
    """
    with open_regular(path, follow=True) as file:
        start = file.read(_BLOCK)
    for magic, media_type in _COMPRESSED:
        if start.startswith(magic):
            return media_type
    if start.startswith((b"PK\3\4", b"PK\5\6", b"PK\6\6")):
        return ZIP
    if _is_tar(start):
        return TAR
    # A zip may stand behind something else; its end tells.
    return ZIP if zipfile.is_zipfile(path) else ""


def why_none(path: str) -> str:
    """What a file that has none of the forms seems to be, and what to do with it.

    Raises:
        OSError: It cannot be read.
    """
    with open_regular(path, follow=True) as file:
        start = file.read(_BLOCK)
    if not start.strip(b"\0"):
        return "it is empty"
    for magic, name in _OTHERS:
        if start.startswith(magic):
            return f"{name} is not read here: unpack it and pack it again as a tar or zip"
    return "it is neither tar nor zip"


def _is_tar(start: bytes) -> bool:
    """By the mark of POSIX and GNU, or for older ones by the header's sum."""
    if start[_MAGIC : _MAGIC + 5] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def decompressed(path: str, media_type: str) -> BinaryIO:
    """The bytes of a tar, without the one compression round it.

    Raises:
        OSError: It cannot be opened.
    """
    file = cast("BinaryIO", open_regular(path, follow=True))
    if media_type == "application/gzip":
        return cast("BinaryIO", _Owning(gzip.GzipFile(fileobj=file), file))
    if media_type == "application/x-bzip2":
        return cast("BinaryIO", _Owning(bz2.BZ2File(file), file))
    if media_type == "application/x-xz":
        return cast("BinaryIO", _Owning(io.BufferedReader(XzReader(file)), file))
    if media_type == "application/zstd":
        return cast("BinaryIO", _Owning(zstd.ZstdFile(file), file))
    return file


class _Owning:
    """A decompressor that closes the file it reads from, too."""

    def __init__(self, stream: object, file: BinaryIO) -> None:
        self._stream, self._file = cast("BinaryIO", stream), file

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        self._file.close()
