"""Members of a packed package: what tar and zip say of each, seen alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from muniment.content import Finding

FILE, FOLDER, LINK, HARD_LINK = "file", "folder", "a symbolic link", "a hard link"
MOST_MEMBERS = 5_000_000
"""Members of one file; a limit against hostile input."""


class Readable(Protocol):
    """All that unpacking needs of a member's content."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` further bytes, b'' at the end."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a packed package; `size` in bytes, `modified` in seconds since 1970 or None."""

    name: str
    size: int
    kind: str
    """FILE, FOLDER, LINK, HARD_LINK, or what else it is, in words."""
    target: str = ""
    """Where a link leads."""
    modified: float | None = None
    other_name: str = ""
    """Another reading of a zip's name that says nothing of its encoding."""


class Members(Protocol):
    """A tar or zip file that is open to be read."""

    media_type: str
    trouble: list[Finding]
    """What was noticed at the end of reading."""

    def each(self) -> Iterator[tuple[Member, Readable | None]]:
        """Every member in its order with its bytes (None for anything but a file)."""


class NotReadable(Exception):
    """A packed file is not what it should be; the text says why."""
