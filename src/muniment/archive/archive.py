"""The archive: the only writer below its root, and the door to everything it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, overload

from muniment.archive import recovery
from muniment.archive.adopt import Arrival, adopt
from muniment.archive.audit import audit
from muniment.archive.config import DEFAULT_DIGESTS, DEFAULT_PROJECT, DEFAULT_REDUNDANCY, Config, Mode
from muniment.archive.events import Event, EventLog
from muniment.archive.found import found_archive
from muniment.archive.identity import Agent, check_id, check_project, new_uuid
from muniment.archive.index import Index, Summary
from muniment.archive.instance import Instance
from muniment.archive.intake import Intake
from muniment.archive.objects import head_of, newest_inventory
from muniment.archive.places import Places
from muniment.archive.protect import protect
from muniment.archive.purge import purge, read_tombstone
from muniment.archive.recovery import Leftover
from muniment.archive.reindex import summaries
from muniment.archive.repair import Repair, repair
from muniment.archive.replay import replay, rollback
from muniment.archive.site import Site
from muniment.archive.times import parse_start
from muniment.archive.transaction import Transaction
from muniment.archive.unpack import unpacked
from muniment.content import Finding, Progress, quiet
from muniment.errors.archive import (
    AmbiguousId,
    InstanceNotFound,
    ResourceExists,
    ResourceNotFound,
    ResourcePurged,
)
from muniment.errors.base import BadInput

Start = str | float | datetime | None


class Archive:
    """A digital archive in a folder.

    Any number of processes may have it open. As a context manager it lets go of what it holds; what
    was committed is safe without that.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        state: str | os.PathLike[str] | None = None,
        agent: Agent | None = None,
        workers: int | None = None,
        parity: bool = True,
    ) -> None:
        """Open the archive at `path` and finish what a crash may have left.

        `state` is where index and ledger lie if not beside the files; `agent` is who acts, by default
        this process's user; `workers` the processes that digest, by default one for each core.
        Without `parity` a commit leaves that out, for `protect` or `repair` to make up for.

        Raises:
            NotAnArchive: There is no archive at `path`.
            NewerFormat: It was made by a later Muniment.
        """
        root = Path(path).absolute()
        config = Config.read(root)
        places = Places(root, Path(state).absolute() if state else root)
        places.state.mkdir(parents=True, exist_ok=True)
        log = EventLog(places, worm=config.mode is Mode.WORM)
        intake = Intake(config.digests, workers=workers)
        self._site = Site(places, config, log, Index(places.index), agent or Agent.of_this_process(), intake, parity)
        self.recovered: list[Event] = []
        if os.access(places.staging, os.W_OK):
            self.recovered = recovery.recover(self._site)

    @classmethod
    def init(
        cls,
        path: str | os.PathLike[str],
        *,
        mode: str = Mode.PRESERVATION,
        digests: tuple[str, ...] = DEFAULT_DIGESTS,
        redundancy: int = DEFAULT_REDUNDANCY,
        project: str = DEFAULT_PROJECT,
        **opening: Any,
    ) -> Self:
        """Make a new archive in a new or empty folder and open it.

        Raises:
            NotEmpty: There is something at `path` already.
            BadInput: A setting is not one Muniment knows.
            DiskFull, WriteFailed: The storage refused.
        """
        config = Config.new(mode=mode, digests=digests, redundancy=redundancy, project=project)
        found_archive(Path(path).absolute(), config)
        return cls(path, **opening)

    def __enter__(self) -> Self:
        """Use the archive in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.close()

    def __repr__(self) -> str:
        """Where it is and in what mode."""
        return f"<Archive {self.path} ({self.config.mode})>"

    def __iter__(self) -> Iterator[str]:
        """The ids of all resources, sorted."""
        return (item.id for item in self.resources())

    def __contains__(self, resource: object) -> bool:
        """Whether there is a resource with this id."""
        return isinstance(resource, str) and self.exists(resource)

    @property
    def path(self) -> Path:
        """The archive's folder."""
        return self._site.places.root

    @property
    def state(self) -> Path:
        """The folder of what is derived: index, ledger, bookmarks."""
        return self._site.places.state

    @property
    def config(self) -> Config:
        """The archive's settings."""
        return self._site.config

    @property
    def site(self) -> Site:
        """The archive from inside, for the modules of this package."""
        return self._site

    def new(self, id: str | None = None, project: str | None = None, *, message: str = "") -> Transaction:
        """Begin a new resource; its id is a UUIDv7 unless one is given.

        Raises:
            BadId, BadProject: They cannot be used.
            ResourceExists, ResourcePurged: The id is taken.
            DiskFull, WriteFailed: The storage refused.
        """
        resource = check_id(id) if id is not None else new_uuid()
        place = check_project(project or self.config.project)
        self._refuse_purged(place, resource)
        if head_of(self._site.places.object(place, resource)):
            raise ResourceExists(id=resource, project=place)
        return Transaction.begin(self._site, place, resource, None, message)

    @overload
    def get(
        self, id: str, mode: Literal["r"] = "r", instance: str | int | None = None, *, project: str | None = None
    ) -> Instance: ...

    @overload
    def get(
        self,
        id: str,
        mode: Literal["a", "t"],
        instance: None = None,
        *,
        project: str | None = None,
        message: str = "",
    ) -> Transaction: ...

    def get(
        self,
        id: str,
        mode: Literal["r", "a", "t"] = "r",
        instance: str | int | None = None,
        *,
        project: str | None = None,
        message: str = "",
    ) -> Instance | Transaction:
        """A resource's newest instance, an earlier one, or a transaction for the next one.

        `mode` is 'r' to read, 'a' or 't' for a transaction. `instance` is a number, 'v1', or an
        instance's identifier.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource; nothing is made.
            InstanceNotFound: It has no such instance.
            AmbiguousId: Several projects use the id and none was named.
        """
        if mode not in {"r", "a", "t"}:
            raise BadInput(reason=f"the mode {mode!r} is none of 'r', 'a' and 't'")
        place = self.project_of(id, project)
        root = self._site.places.object(place, id)
        try:
            inventory, _ = newest_inventory(root, self.config.digests[0])
        except FileNotFoundError:
            raise ResourceNotFound(id=id) from None
        if mode != "r":
            newest = Instance(root, place, id, inventory, inventory.head)
            return Transaction.begin(self._site, place, id, newest, message)
        number = inventory.head if instance is None else self._number(root, place, id, inventory, instance)
        return Instance(root, place, id, inventory, number)

    def exists(self, id: str, project: str | None = None) -> bool:
        """Whether there is such a resource."""
        try:
            place = self.project_of(id, project)
        except (ResourceNotFound, BadInput):
            return False
        except AmbiguousId:
            return True
        return bool(head_of(self._site.places.object(place, id)))

    def history(self, id: str, project: str | None = None) -> list[Instance]:
        """Every instance of a resource, the oldest first.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        newest = self.get(id, project=project)
        return [newest.earlier(number) for number in range(1, newest.head + 1)]

    def resources(
        self, project: str | None = None, *, after: str | tuple[str, str] = "", limit: int | None = None
    ) -> Iterator[Summary]:
        """Resources in the order of their ids, with what a list shows of each.

        `after` is the last id of the page before (with its project, if ids repeat across projects).
        """
        index = self._caught_up()
        start = (after, "\uffff" if after else "") if isinstance(after, str) else after
        if limit is None:
            return index.all(project, start)
        return iter(index.page(project, start, limit))

    def projects(self) -> list[str]:
        """Every project that holds a resource."""
        return self._caught_up().projects()

    def count(self) -> int:
        """How many resources there are."""
        return self._caught_up().count()

    def events(self, start: Start = None) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`.

        `start` is an event's number, an ISO 8601 time, or a Unix time (whole numbers below
        1,000,000,000 are event numbers).

        Raises:
            BadTime: `start` is none of these.
            DamagedRecord: A line of the log is not an event.
        """
        return self._site.log.read(parse_start(start))

    def record_event(self, event: str, *, resource: str = "", project: str = "", **more: Any) -> Event:
        """Write an event of one's own into the log; `event` is a PREMIS event type.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        agent = f"{self._site.agent.name} <{self._site.agent.address}>"
        return self._site.log.append([Event(event, agent, project, resource, **more)])[0]

    def adopt(
        self,
        id: str,
        arrivals: Iterable[Arrival],
        project: str | None = None,
        *,
        events: Sequence[Event] = (),
        progress: Progress = quiet,
    ) -> Instance:
        """Make a new resource that has a history already; returns its newest instance.

        All of `arrivals` (oldest first) become visible together or not at all. `events` are written
        with those of the ingestion; only what they are about need be filled in.

        Raises:
            ResourceExists, ResourcePurged, BadId, BadProject: The id cannot be used.
            MunimentError: As `muniment.archive.adopt.adopt`; nothing was adopted.
        """
        place = check_project(project or self.config.project)
        self._refuse_purged(place, check_id(id))
        agent = f"{self._site.agent.name} <{self._site.agent.address}>"
        further = [replace(event, agent=event.agent or agent, project=place, resource=id) for event in events]
        adopt(self._site, place, id, arrivals, events=further, progress=progress)
        return self.get(id, project=place)

    def unpacked(
        self, path: str | os.PathLike[str], notice: Callable[[Finding], None], progress: Progress = quiet
    ) -> AbstractContextManager[Path]:
        """A tar, unpacked in the staging area for the time of a `with` block; gone after it.

        Raises:
            PackageRefused: It is cut off, damaged, or holds something that could do harm.
            DiskFull, WriteFailed: The storage refused.
        """
        return unpacked(self._site, path, notice, progress)

    def purge(self, id: str, reason: str, project: str | None = None) -> Event:
        """Remove a resource for ever; only in dynamic mode.

        Raises:
            NotAllowedInMode, ReasonNeeded, ResourceNotFound: It was not done.
        """
        return purge(self._site, self.project_of(id, project), id, reason)

    def leftovers(self) -> list[Leftover]:
        """Transactions that were never closed and belong to no living process."""
        return list(recovery.leftovers(self._site))

    def replay(self, transaction: str) -> Instance:
        """Commit a transaction that was left behind, with the files it had stored by then.

        Raises:
            LeftoverNotFound, LeftoverIncomplete: It cannot be done.
        """
        return replay(self._site, transaction)

    def roll_back(self, transaction: str) -> None:
        """Remove a transaction that was left behind.

        Raises:
            LeftoverNotFound: There is none such.
        """
        rollback(self._site, transaction)

    def recover(self) -> list[Event]:
        """Finish what a crash left; opening the archive does the same."""
        return recovery.recover(self._site)

    def reindex(self) -> int:
        """Build the index anew from the objects on disk; returns how many resources there are."""
        head = self._site.log.head()
        return self._site.index.rebuild(summaries(self._site), head)

    def audit(
        self,
        id: str | None = None,
        *,
        project: str | None = None,
        fast: bool = False,
        every_digest: bool = False,
        after: str = "",
        progress: Progress = quiet,
        passed: Callable[[str], None] | None = None,
    ) -> Iterator[Finding]:
        """Check that everything recorded is there and right, and everything there is recorded.

        Without `id` the whole archive, its log and its folders included. `fast` looks at names and
        sizes only; `every_digest` compares all recorded digests instead of sha256 alone. `passed` is
        told a cursor now and then, and `after` resumes at one.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        return audit(
            self._site,
            roots=self._roots(id, project),
            after=after,
            fast=fast,
            every_digest=every_digest,
            progress=progress,
            passed=passed,
        )

    def repair(
        self, id: str | None = None, *, project: str | None = None, progress: Progress = quiet
    ) -> Iterator[Repair]:
        """Mend what an audit finds, from parity; says of each place what was done.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            DiskFull, WriteFailed: The storage refused.
        """
        return repair(self._site, self._roots(id, project), progress=progress)

    def protect(self, id: str, project: str | None = None, *, progress: Progress = quiet) -> int:
        """Make the parity a resource's instances lack; returns how many sets were made.

        Raises:
            ParityNotMade, ParityToolFailed: It could not be made.
            DiskFull, WriteFailed: The storage refused.
        """
        newest = self.get(id, project=project)
        made = [protect(self._site, newest.root, number, progress=progress) for number in range(1, newest.head + 1)]
        return sum(len(sets) for sets in made)

    def close(self) -> None:
        """Let go of the index and the digesting processes."""
        self._site.intake.close()
        self._site.index.close()

    def project_of(self, id: str, project: str | None) -> str:
        """The project a caller means who names an id and perhaps a project.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource.
            AmbiguousId: Several projects use the id and none was named.
        """
        check_id(id)
        if project:
            self._refuse_purged(check_project(project), id)
            return project
        if head_of(self._site.places.object(self.config.project, id)):
            return self.config.project
        places = self._caught_up().projects_of(id)
        if not places:
            self._refuse_purged(self.config.project, id)
            raise ResourceNotFound(id=id)
        if len(places) > 1:
            raise AmbiguousId(id=id, projects=", ".join(places))
        return places[0]

    def _roots(self, id: str | None, project: str | None) -> list[Path] | None:
        if id is None:
            return None
        root = self._site.places.object(self.project_of(id, project), id)
        if not head_of(root):
            raise ResourceNotFound(id=id)
        return [root]

    def _refuse_purged(self, project: str, resource: str) -> None:
        tombstone = read_tombstone(self._site, project, resource)
        if tombstone:
            raise ResourcePurged(id=resource, when=tombstone["purged"], why=tombstone["reason"])

    def _caught_up(self) -> Index:
        index = self._site.index
        if index.fresh:
            self.reindex()
        seen = index.seen
        if seen != self._site.log.head():
            index.apply(self._site.log.read(seen))
        return index

    def _number(self, root: Path, project: str, resource: str, inventory: Any, wanted: str | int) -> int:
        text = str(wanted).removeprefix("v")
        if text.isdecimal() and 1 <= int(text) <= inventory.head:
            return int(text)
        if not text.isdecimal():
            for number in range(inventory.head, 0, -1):
                if Instance(root, project, resource, inventory, number).instance == wanted:
                    return number
        raise InstanceNotFound(id=resource, instance=wanted, head=inventory.head)
