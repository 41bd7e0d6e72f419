"""Where the files of a resource lie, for who remembers thousands of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from muniment.content.regular import read_small


class FilesKept(Protocol):
    """The files of one resource, wherever they lie: little to remember, and quick to ask."""

    def open(self, place: str, offset: int = 0) -> BinaryIO:
        """The bytes of a file from `offset` on, unchecked; `place` is as `Instance.kept_at` gives it.

        Raises:
            OSError, StorageError, RemoteError: They could not be had.
        """

    def read(self, place: str, size: int) -> bytes:
        """All bytes of a small file that should have `size`, unchecked; one more of a longer one, fewer of a shorter.

        Raises:
            OSError, StorageError, RemoteError: They could not be had.
        """

    def is_newest(self, number: int) -> bool:
        """Whether there is an instance of this number, and none after it."""


@dataclass(frozen=True, slots=True)
class FilesInFolder:
    """The files of a resource whose object is a folder."""

    root: str

    def open(self, place: str, offset: int = 0) -> BinaryIO:
        """The bytes of a file.

        Raises:
            OSError: The system did not give them.
        """
        raw = open(f"{self.root}/{place}", "rb", buffering=0)  # noqa: SIM115 - handed on; asked for thousands
        if offset:
            raw.seek(offset)
        return raw

    def read(self, place: str, size: int) -> bytes:
        """All bytes of a small file.

        Raises:
            OSError: The system did not give them.
        """
        return read_small(f"{self.root}/{place}", size)

    def is_newest(self, number: int) -> bool:
        """Whether an instance is there and no later one; without a listing."""
        return os.access(f"{self.root}/v{number}", os.F_OK) and not os.access(f"{self.root}/v{number + 1}", os.F_OK)
