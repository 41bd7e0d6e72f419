"""What the parts of one opened archive share: its layout, settings, log, index and who acts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from muniment.archive.copying import Copier
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.eventlog.log import EventLog
from muniment.archive.index.index import Index
from muniment.content.config import ArchiveConfig
from muniment.content.identity import Agent


@dataclass(frozen=True, slots=True)
class ArchiveContext:
    """One opened archive, seen from inside. `parity` says whether a commit makes it at once."""

    layout: ArchiveLayout
    config: ArchiveConfig
    log: EventLog
    index: Index
    agent: Agent
    copier: Copier
    parity: bool = True

    def object_lock(self, root: Path) -> Path:
        """The lock for whoever publishes in an object or in the folders above it: one of 256, chosen by its place."""
        return self.layout.locks / f"object-{root.relative_to(self.layout.objects).parts[0][:2]}"


class Opened(Protocol):
    """An archive that is opened here: what modules of this package take who need its inside."""

    @property
    def context(self) -> ArchiveContext:
        """The archive from inside."""
