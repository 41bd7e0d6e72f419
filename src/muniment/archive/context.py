"""What the parts of one opened archive share: its layout, settings, log, index and who acts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from muniment.archive.copying import Copier
from muniment.archive.copying.pieces import Pieces
from muniment.archive.disk.layout import SETTINGS, TUPLES, ArchiveLayout
from muniment.archive.eventlog.lines import line_hash
from muniment.archive.eventlog.log import EventLog
from muniment.archive.index.index import FIXITY_CHECK, Index
from muniment.archive.index.rebuild import Shared, object_roots, summaries
from muniment.archive.package.instance import Instance
from muniment.archive.package.objects import head_of, newest_inventory
from muniment.content.checks import IngestChecks
from muniment.content.config import ArchiveConfig
from muniment.content.events import Event
from muniment.content.identity import Agent
from muniment.content.progress import Progress, quiet
from muniment.errors.archive import DamagedRecord, ReadFailed


class ArchiveFolder(Protocol):
    """Where an archive lies and what it is: what somebody needs who only looks at its objects."""

    @property
    def layout(self) -> ArchiveLayout:
        """Its folders."""

    @property
    def config(self) -> ArchiveConfig:
        """Its settings."""


@dataclass(frozen=True, slots=True)
class SealedResource:
    """The versions after `base` up to `head` of one resource, complete in a staging area.

    `object` is the folder that stands for the object's root; `inventory` is the digest of the newest one's inventory.
    """

    project: str
    id: str
    base: int
    head: int
    object: Path
    inventory: str


@dataclass(frozen=True, slots=True)
class SealedTransaction:
    """What is complete in its staging area, for whoever publishes it: one version, or new resources with a history.

    `log` is the newest event's number when the transaction began; `events` what the log is to say of it. One that is
    prepared as part of a `group` waits for its decision, which the archive `decided_at` keeps.
    """

    transaction: str
    resources: tuple[SealedResource, ...]
    log: int
    events: tuple[Event, ...]
    group: str = ""
    decided_at: str = ""


class Home(Protocol):
    """Where committed versions lie, when that is not the archive's own folder."""

    def publish(self, sealed: SealedTransaction) -> None:
        """Commit what was sealed; on return it is on stable storage with its events.

        Raises:
            StaleTransaction, ResourceExists, TransactionRolledBack: Somebody else was first; nothing is published.
            CommitUncertain: Nobody can tell whether it was committed.
            StorageError, RemoteError: Nothing is published.
        """

    def is_committed(self, project: str, id: str, number: int, transaction: str) -> bool:
        """Whether the version of this number is that of this transaction.

        Raises:
            StorageError, RemoteError: It could not be told.
        """

    def prepare(self, sealed: SealedTransaction) -> None:
        """Bring what is part of a group here and reserve its resources, so that only its decision is lacking.

        Raises:
            StaleTransaction, ResourceExists, ResourceReserved, TransactionRolledBack: Somebody else was first.
            StorageError, RemoteError: It is not prepared.
        """

    def give_up(self, sealed: SealedTransaction) -> None:
        """Decide that what was prepared is never committed, unless it is committed.

        Raises:
            TransactionClosed: It was decided that it be committed.
            StorageError, RemoteError: Nobody can tell.
        """

    def decide(self, group: str, record: Mapping[str, Any]) -> None:
        """Keep for ever what was decided about a group.

        Raises:
            TransactionForbidden, TransactionClosed: Something else was.
            StorageError, RemoteError: Nobody can tell.
        """

    def decision(self, group: str) -> dict[str, Any] | None:
        """What was decided about a group, or None.

        Raises:
            DamagedRecord: It cannot be read.
        """

    def forget(self, group: str) -> None:
        """Remove a decision all of whose parts are committed.

        Raises:
            StorageError, RemoteError: It was not done.
        """

    def published(self, project: str, id: str, number: int) -> Instance:
        """An instance that was just published from here; asking for it does not fail where publishing did not.

        Raises:
            ResourceNotFound: It was purged meanwhile.
        """

    def wrong(self, project: str, resource: str, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
        """Which files of an object are nowhere or have not the digests that are wanted, by their paths below it.

        Raises:
            StorageError, RemoteError: It could not be told.
        """

    def put_back(
        self,
        what: tuple[str, str],
        names: Iterable[str],
        fetch: Callable[[str], BinaryIO],
        source: str,
        vouched: Callable[[int], str],
    ) -> dict[str, str]:
        """Let files of an object (project and resource) be what was recorded, from the bytes of a copy in `source`.

        `vouched` is what the log says of a version's inventory. '' or why not, by path.

        Raises:
            ResourcePurged: The resource was purged.
            StorageError, RemoteError: It was broken off.
        """


@dataclass(frozen=True, slots=True)
class ArchiveContext:
    """One opened archive, seen from inside.

    `parity` says whether a commit makes it at once, `checks` what an instance passes before it is committed, `home`
    where it is committed, if not below `layout`.
    """

    layout: ArchiveLayout
    config: ArchiveConfig
    log: EventLog
    index: Index
    agent: Agent
    copier: Copier
    parity: bool = True
    checks: IngestChecks | None = None
    home: Home | None = None
    pieces: Pieces = field(init=False)
    """The digests by which ranges of large files are proven."""

    def __post_init__(self) -> None:
        """Let an index that fails be filled from the objects."""
        object.__setattr__(self, "pieces", _pieces_at(self.layout.pieces))
        self.index.refill = self.reindex

    def reindex(self, progress: Progress = quiet) -> int:
        """Build the index anew from the objects on disk; returns how many resources there are."""
        head = self.log.head()
        audits = (event for event in self.log.read() if event.event == FIXITY_CHECK and event.seq <= head.seq)
        return self.index.rebuild(summaries(self.layout, self.config.digests[0], progress, self.shared), head, audits)

    @property
    def shared(self) -> Shared | None:
        """What has many objects looked at by other processes; None where this one does all work by itself."""
        return self.copier.answers if self.copier.processes > 1 else None

    def caught_up_index(self) -> Index:
        """The index with all events applied that there are now."""
        seen = self.index.seen  # before the head is asked for: others append, and index what they appended
        head = self.log.head()
        known = not self.index.fresh
        if known and seen.seq < head.seq:
            known = self.index.apply((event, line_hash(line)) for line, _, event in self.log.entries(seen.seq))
        elif known:
            known = seen == head
        if not known:
            # Nothing was indexed yet, or the log does not go on where the index stands: only the objects can tell.
            self.reindex()
        return self.index

    def complete_index(self) -> Index:
        """The index, compared with the objects on disk, and built anew where they say otherwise.

        Raises:
            DamagedRecord: An object cannot be indexed, as its records cannot be read: nobody may take the
                index for complete.
        """
        index = self.caught_up_index()
        if self._unlisted(index) or any(not self.layout.object(row.project, row.id).is_dir() for row in index.all()):
            self.reindex()
        for root in self._unlisted(index):
            try:
                newest_inventory(root, self.config.digests[0])  # else it was made meanwhile
            except FileNotFoundError:
                continue  # purged meanwhile
            except (DamagedRecord, ReadFailed) as error:
                reason = f"it cannot be listed ({error})"
                raise DamagedRecord(path=root.relative_to(self.layout.root), reason=reason) from error
        return index

    def _unlisted(self, index: Index) -> list[Path]:
        """The objects on disk that the index does not list."""
        listed = {self.layout.object_parts(row.project, row.id) for row in index.all()}
        return [root for root in object_roots(self.layout) if root.parts[-TUPLES - 1 :] not in listed]

    def is_readable(self) -> bool:
        """Whether the archive is still there and can be read."""
        return os.access(self.layout.root / SETTINGS, os.R_OK)

    def newest_number(self, project: str, resource: str) -> int:
        """The number of a resource's newest instance, 0 where there is no such resource.

        Raises:
            ReadFailed: The storage did not say.
        """
        return head_of(self.layout.object(project, resource))

    def records(self, project: str, resource: str, number: int, names: Iterable[str]) -> str:  # noqa: ARG002 - a bucket brings them by name
        """The folder on this machine in which the content of an instance is, or at least its files of these names.

        Raises:
            StorageError, RemoteError: They could not be had.
        """
        return os.path.join(self.layout.object(project, resource), f"v{number}", "content")

    def bring_root_files(self) -> None:
        """Have the files of the archive that belong to no object on this machine, where `layout` says.

        Raises:
            StorageError, RemoteError: They could not be had.
        """

    def object_lock(self, root: Path) -> Path:
        """The lock for whoever publishes in an object or in the folders above it: one of 256, chosen by its place."""
        return self.layout.object_lock(root)


@cache
def _pieces_at(path: Path) -> Pieces:
    """One for a process and a place: of all that read a file for the first time, one has to."""
    return Pieces(path)


class Opened(Protocol):
    """An archive that is opened here: what modules of this package take who need its inside."""

    @property
    def context(self) -> ArchiveContext:
        """The archive from inside."""
