"""The archive's own files, which belong to no object, and the record of what is in them.

Settings, README, exit kit, profile and the declarations of the storage root are written when the archive is
made and never change. `root-files.json` holds the content and the sha256 of each, and a digest over all of
that, so that it vouches for itself; a second copy lies below `parity/`. From it they are checked, and repaired.
What grows is vouched for elsewhere: events by the log's chain and its mirror, tombstones by the events of the
purges, parity by its sidecars.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from muniment.archive.disk.durable import write_file
from muniment.archive.disk.layout import LAYOUT, SETTINGS
from muniment.archive.disk.repaired import repaired_copies
from muniment.content.regular import read_regular

RECORD = "root-files.json"
PLACES = (RECORD, f"parity/{RECORD}")
"""Where the record lies, twice."""

ROOT_FILES = (
    SETTINGS,
    "README.txt",
    "muniment_exit.py",
    "bagit-profile.json",
    "objects/0=ocfl_1.1",
    "objects/ocfl_layout.json",
    f"objects/extensions/{LAYOUT}/config.json",
)
"""What the record is about, below the archive's root."""


@dataclass(frozen=True, slots=True)
class RootFiles:
    """The content of the archive's own files by their place, as it was when the archive was made."""

    contents: Mapping[str, bytes]

    @classmethod
    def read(cls, root: Path) -> Self | None:
        """The record of the archive at `root`, from whichever copy is whole; None where neither is."""
        return next((found for _, found in cls.copies(root) if found), None)

    @classmethod
    def copies(cls, root: Path) -> Iterator[tuple[str, Self | None]]:
        """Each place of the record with what is there, None for a copy that is missing or not as it was written."""
        for place in PLACES:
            candidates = (root / place, *repaired_copies(root / place, root))
            yield place, next((found for path in candidates if (found := cls._read(path))), None)

    @classmethod
    def _read(cls, path: Path) -> Self | None:
        try:
            return cls.parse(read_regular(path))
        except (OSError, ValueError):
            return None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The record in a file's bytes.

        Raises:
            ValueError: They are not exactly what was once written.
        """
        try:
            files = json.loads(data)["files"]
            found = cls({place: facts["content"].encode("utf-8") for place, facts in files.items()})
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        if found.as_bytes() != data:
            message = "it is not as it was written"
            raise ValueError(message)
        return found

    def as_bytes(self) -> bytes:
        """The record as it is written. Its digest is over the bytes that the list of files would have alone."""
        files = {
            place: {"content": data.decode("utf-8"), "sha256": hashlib.sha256(data).hexdigest()}
            for place, data in sorted(self.contents.items())
        }
        digest = hashlib.sha256(_json(files)).hexdigest()
        return _json({"files": files, "sha256": digest})

    def write(self, root: Path) -> None:
        """Write both copies, where there are none; the caller makes them last.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        for place in PLACES:
            write_file(root / place, self.as_bytes())


def _json(record: object) -> bytes:
    return (json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")
