"""The members of a tar, and how it ends: with two zero blocks, with fewer, or in the middle of something."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.packed.forms import decompressed
from muniment.validation.packed.members import FILE, FOLDER, HARD_LINK, LINK, Member, NotReadable, Readable

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20


class TarMembers:
    """A tar, compressed or not, read from its beginning to its end each time."""

    def __init__(self, path: str, name: str, media_type: str) -> None:
        """Remember what to read; `name` is what it is called in findings."""
        self.media_type = media_type
        self.trouble: list[Finding] = []
        self._path, self._name = path, name

    def each(self) -> Iterator[tuple[Member, Readable | None]]:
        """Every member in its order with its bytes.

        Raises:
            NotReadable, tarfile.TarError, OSError, …: It is damaged, cut off or goes on after its end (forms.TROUBLE).
        """
        self.trouble.clear()
        stream = decompressed(self._path, self.media_type)
        try:
            watched = _Watched(stream)
            with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r:") as tar:
                for entry in tar:
                    # The reader would keep every header it has read.
                    vars(tar)["members"] = []
                    member = Member(entry.name, entry.size, _kind(entry), entry.linkname, entry.mtime)
                    yield member, tar.extractfile(entry) if member.kind == FILE else None
                self._look_at_end(watched)
        finally:
            stream.close()

    def _look_at_end(self, stream: _Watched) -> None:
        last = stream.last
        if 0 < len(last) < _BLOCK:
            message = "it ends in the middle of a header: it was cut off"
            raise NotReadable(message)
        if last.strip(b"\0"):
            message = "a header is damaged"
            raise NotReadable(message)
        second = stream.read(_BLOCK) if last else b""
        if len(second) < _BLOCK:
            found = f"{'one' if last else 'none'} of the two zero blocks"
            self.trouble.append(say("B514", self._name, found=found))
        while second:
            if second.strip(b"\0"):
                message = "something follows after its end"
                raise NotReadable(message)
            second = stream.read(_CHUNK)


class _Watched:
    """A stream that remembers what was read last: after the last member that is what stands at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int) -> bytes:
        pieces = []
        while size and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        self.last = b"".join(pieces)
        return self.last

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        """The one who opened the stream closes it."""


def _kind(entry: tarfile.TarInfo) -> str:
    kinds = (
        (entry.isdir(), FOLDER),
        (entry.type == tarfile.CONTTYPE or entry.isreg(), FILE),
        (entry.issym(), LINK),
        (entry.islnk(), HARD_LINK),
        (entry.ischr() or entry.isblk(), "a device"),
        (entry.isfifo(), "a pipe"),
    )
    return next((word for test, word in kinds if test), "something unusual")
