"""A stream that is compared with its recorded digest while it is read, and fails at its end where it differs."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any, BinaryIO

from muniment.content import Digest, Hashers
from muniment.errors.archive import DamagedFile, ReadFailed


class Checked(io.RawIOBase):
    """A file that fails its last read when what was read is not what was recorded."""

    def __init__(self, raw: BinaryIO, location: Path, expected: Digest) -> None:
        super().__init__()
        self._raw = raw
        self._location = location
        self._expected = expected
        self._hashers = Hashers([expected.algorithm])

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on; at the end, compare.

        Raises:
            DamagedFile: What was read is not what was recorded.
            ReadFailed: The storage did not give it.
        """
        try:
            count = self._raw.readinto(buffer)  # type: ignore[attr-defined] # a FileIO
        except OSError as error:
            raise ReadFailed(path=self._location, reason=error.strerror) from error
        if count:
            self._hashers.update(memoryview(buffer)[:count])
            return int(count)
        if not self.closed:
            self._compare()
        return 0

    def close(self) -> None:
        """Let the file go."""
        with contextlib.suppress(OSError):
            self._raw.close()
        super().close()

    def _compare(self) -> None:
        found = self._hashers.values()[self._expected.algorithm]
        if found != self._expected.value:
            raise DamagedFile(
                path=self._location, algorithm=self._expected.algorithm, found=found, expected=self._expected.value
            )
