"""Entries and packages: the values that sources, archive, layouts and stores pass to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from muniment.content.paths import LogicalPath


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a package: its path, its size in bytes and the digests known of it.

    `size` is None only where a source cannot say before the bytes have come. `modified` is the
    time of last change in RFC 3339, as the place it came from stated it.
    """

    path: LogicalPath
    size: int | None
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A named set of entries and a way to open each; nothing of it need be in memory."""

    id: str
    entries: Iterable[Entry]
    open: Callable[[Entry], BinaryIO]
    metadata: Mapping[str, object] = field(default_factory=dict)
