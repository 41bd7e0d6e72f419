"""What an archive is set to: its mode, its digests, its parity; the same for a folder and behind a server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from muniment.errors.archive import NotAllowedInMode

DEFAULT_DIGESTS = ("sha512", "sha256")
DEFAULT_PROJECT = "main/main"
DEFAULT_REDUNDANCY = 5
"""Percent."""


class Mode(StrEnum):
    """What may be done to what has been stored."""

    DYNAMIC = "dynamic"
    """Resources may be purged."""
    PRESERVATION = "preservation"
    """Nothing is ever changed or deleted; instances are added."""
    WORM = "worm"
    """As preservation, and no published file is ever opened for writing, renamed over or unlinked."""


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """The settings of one archive.

    `digests[0]` is the OCFL and bag digest; the others are recorded beside it. `redundancy` is the
    parity in percent, 0 for none. `project` is where resources go that name no project. `format` is
    the version of the disk format, `layout` the OCFL extension that places objects in folders.
    `lock` is how each key of an archive in a bucket is locked, as `compliance 10y`; '' where none is.
    """

    id: str
    created: str
    mode: Mode
    digests: tuple[str, ...]
    redundancy: int
    project: str
    format: str
    layout: str
    lock: str = ""

    def refuse_unless(self, mode: Mode, action: str) -> None:
        """Allow `action` in one mode only.

        Raises:
            NotAllowedInMode: The archive is in another mode.
        """
        if self.mode is not mode:
            raise NotAllowedInMode(mode=self.mode, action=action)
