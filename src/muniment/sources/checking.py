"""Comparing what came with what the service announced: size, digests, and the digests only one service uses."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol, cast

from muniment.content import ALGORITHMS, Hashers
from muniment.errors.sources import FileDiffers
from muniment.sources.protocol import SourceEntry

_DROPBOX_BLOCK = 4 * 1024 * 1024


class Check(Protocol):
    """A digest that is fed and then asked, like those of hashlib."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Feed the next bytes."""

    def hexdigest(self) -> str:
        """The digest of everything fed."""


class DropboxHash:
    """Dropbox's content hash: the sha256 of the sha256 of each block of 4 MiB (its API reference, "Content hash")."""

    def __init__(self, size: int | None = None) -> None:  # noqa: ARG002 - every check is made with the size
        self._whole = hashlib.sha256()
        self._block = hashlib.sha256()
        self._room = _DROPBOX_BLOCK

    def update(self, data: bytes | memoryview, /) -> None:
        """Feed the next bytes."""
        view = memoryview(data)
        while view:
            part, view = view[: self._room], view[self._room :]
            self._block.update(part)
            self._room -= len(part)
            if not self._room:
                self._end_block()

    def hexdigest(self) -> str:
        """The digest of everything fed."""
        whole = self._whole.copy()
        if self._room < _DROPBOX_BLOCK:
            whole.update(self._block.digest())
        return whole.hexdigest()

    def _end_block(self) -> None:
        self._whole.update(self._block.digest())
        self._block = hashlib.sha256()
        self._room = _DROPBOX_BLOCK


def _git_blob(size: int | None) -> Check:
    """Git's blob id: sha1 over a header that names the size, then the bytes."""
    return hashlib.sha1(b"blob %d\0" % (size or 0), usedforsecurity=False)


def _git_blob_sha256(size: int | None) -> Check:
    """The same where a repository's objects are named by sha256."""
    return hashlib.sha256(b"blob %d\0" % (size or 0))


class OnedriveHash:
    """OneDrive's hash: bytes xored into 160 bits, each 11 bits further than the last, and the length into the end.

    After 160 bytes the places repeat, so a block of 160 is one number that the next is xored with.
    """

    _BLOCK = 160
    _BITS = 160
    _SHIFT = 11

    def __init__(self, size: int | None = None) -> None:  # noqa: ARG002 - all checks are made alike
        self._whole = 0
        self._rest = b""
        self._size = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """Feed the next bytes."""
        self._size += len(data)
        pieces = self._rest + bytes(data)
        end = len(pieces) // self._BLOCK * self._BLOCK
        blocks, self._rest = pieces[:end], pieces[end:]
        while len(blocks) > self._BLOCK:  # folded by halves: a few large numbers in place of many small ones
            half = len(blocks) // self._BLOCK // 2 * self._BLOCK
            folded = int.from_bytes(blocks[:half], "little") ^ int.from_bytes(blocks[half : 2 * half], "little")
            blocks = folded.to_bytes(half, "little") + blocks[2 * half :]
        self._whole ^= int.from_bytes(blocks, "little")

    def hexdigest(self) -> str:
        """The hash of everything fed."""
        block = (self._whole ^ int.from_bytes(self._rest, "little")).to_bytes(self._BLOCK, "little")
        found, mask = 0, (1 << self._BITS) - 1
        for number, byte in enumerate(block):
            shifted = byte << (self._SHIFT * number % self._BITS)
            found ^= (shifted & mask) | (shifted >> self._BITS)
        found ^= (self._size & ((1 << 64) - 1)) << (self._BITS - 64)
        return found.to_bytes(self._BITS // 8, "little").hex()


CHECKS: Mapping[str, Callable[[int | None], Check]] = {
    "dropbox": DropboxHash,
    "git-blob": _git_blob,
    "git-blob-sha256": _git_blob_sha256,
    "quickxor": OnedriveHash,
}
"""Digests that are not `muniment.content.ALGORITHMS`; each is made with the announced size."""


class Checked(io.RawIOBase):
    """A stream read from its beginning that fails at its end if it is not what its entry announced."""

    def __init__(self, stream: BinaryIO, entry: SourceEntry, service: str) -> None:
        super().__init__()
        self._stream = stream
        self._entry = entry
        self._service = service
        self._hashers = Hashers(name for name in entry.digests if name in ALGORITHMS)
        self._checks = {name: CHECKS[name](entry.size) for name in entry.checks if name in CHECKS}

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on; the end is given only when everything agrees.

        Raises:
            FileDiffers: Size or a digest is not as announced.
        """
        count = self._stream.readinto(buffer)  # type: ignore[attr-defined]  # every stream of a source is an io object
        if count:
            data = memoryview(buffer)[:count]
            self._hashers.update(data)
            for check in self._checks.values():
                check.update(data)
        elif len(buffer):
            self._compare()
        return int(count)

    def close(self) -> None:
        """Close the stream within too."""
        self._stream.close()
        super().close()

    def _compare(self) -> None:
        found: dict[str, str] = {
            **self._hashers.values(),
            **{n: check.hexdigest() for n, check in self._checks.items()},
        }
        expected = {
            name: value for name, value in {**self._entry.digests, **self._entry.checks}.items() if name in found
        }
        if self._entry.size is not None:
            found["size"], expected["size"] = str(self._hashers.size), str(self._entry.size)
        for name, value in expected.items():
            if found[name] != value:
                raise FileDiffers(
                    path=self._entry.path, service=self._service, what=name, expected=value, found=found[name]
                )


def checked(stream: BinaryIO, entry: SourceEntry, service: str) -> BinaryIO:
    """`stream`, failing with `FileDiffers` at its end if it is not what `entry` announced."""
    return cast("BinaryIO", Checked(stream, entry, service))
