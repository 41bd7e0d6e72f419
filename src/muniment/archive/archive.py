"""The archive: the only writer below its root, and the door to everything it holds."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from muniment.archive.config import new_config, read_config
from muniment.archive.context import ArchiveContext
from muniment.archive.copying import Copier
from muniment.archive.create import create_archive
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.storage_errors import errors_stop_here
from muniment.archive.eventlog.log import EventLog
from muniment.archive.index.index import Index
from muniment.archive.index.rebuild import summary
from muniment.archive.ingest import recovery, two_phase
from muniment.archive.ingest.purge import read_tombstone
from muniment.archive.ingest.replay import claim_own, replay, rollback
from muniment.archive.ingest.transaction import Transaction
from muniment.archive.package.instance import Instance, earlier_instance
from muniment.archive.package.objects import head_of, newest_inventory
from muniment.content import Finding, Progress, quiet
from muniment.content.acceptable import LARGEST_SIZE, check_agent, check_event, check_text
from muniment.content.archive import Archive as AnyArchive
from muniment.content.archive import Leftover, Repair, Start, Summary
from muniment.content.checks import IngestChecks
from muniment.content.config import DEFAULT_DIGESTS, DEFAULT_PROJECT, DEFAULT_REDUNDANCY, ArchiveConfig, Mode
from muniment.content.events import Event, Head, refuse_own_type
from muniment.content.identity import Agent, check_id, check_project, new_uuid
from muniment.content.times import parse_start
from muniment.errors.archive import AmbiguousId, ResourceExists, ResourceNotFound, ResourcePurged
from muniment.errors.base import BadInput

if TYPE_CHECKING:
    from muniment.archive.ingest.import_history import ImportedInstance, NamedHistory

_LOOK_EVERY = 0.2
"""Seconds between two looks at the log by who follows it."""


@errors_stop_here
class Archive(AnyArchive):
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
        checks: IngestChecks | None = None,
    ) -> None:
        """Open the archive at `path` and finish what a crash may have left.

        `state` is where index and ledger lie if not beside the files; `agent` is who acts, by default
        this process's user; `workers` the processes that digest, by default one for each core.
        Without `parity` a commit leaves that out, for `protect` or `repair` to make up for. `checks` is what
        every instance passes before it is committed.

        Raises:
            NotAnArchive: There is no archive at `path`.
            NewerFormat: It was made by a later Muniment.
            BadValue: The agent's name or address cannot be kept.
        """
        root = Path(path).absolute()
        config = read_config(root)
        layout = ArchiveLayout(root, Path(state).absolute() if state else root)
        layout.state.mkdir(parents=True, exist_ok=True)
        log = EventLog(layout, worm=config.mode is Mode.WORM)
        copier = Copier(config.digests, workers=workers)
        acting = check_agent(agent or Agent.of_this_process())
        self._context = ArchiveContext(layout, config, log, Index(layout.index), acting, copier, parity, checks)
        self._recovered: list[Event] = []
        if os.access(layout.staging, os.W_OK):
            self._recovered = recovery.recover(self._context)

    @classmethod
    def init(
        cls,
        path: str | os.PathLike[str],
        *,
        mode: str = Mode.PRESERVATION,
        digests: tuple[str, ...] = DEFAULT_DIGESTS,
        redundancy: int = DEFAULT_REDUNDANCY,
        project: str = DEFAULT_PROJECT,
        state: str | os.PathLike[str] | None = None,
        agent: Agent | None = None,
        workers: int | None = None,
        parity: bool = True,
    ) -> Self:
        """Make a new archive in a new or empty folder and open it.

        Raises:
            NotEmpty: There is something at `path` already.
            BadInput: A setting is not one Muniment knows.
            DiskFull, WriteFailed: The storage refused.
        """
        config = new_config(mode=mode, digests=digests, redundancy=redundancy, project=project)
        create_archive(Path(path).absolute(), config)
        return cls(path, state=state, agent=agent, workers=workers, parity=parity)

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

    def __len__(self) -> int:
        """How many resources there are, of those one may read."""
        return self.count()

    def __bool__(self) -> bool:
        """True, also of an archive with nothing in it."""
        return True

    def __getitem__(self, id: str) -> Instance:
        """The newest instance of a resource; it raises what `get` does."""
        return self.instance(id)

    def __contains__(self, resource: object) -> bool:
        """Whether there is a resource with this id."""
        return isinstance(resource, str) and self.exists(resource)

    @property
    def path(self) -> Path:
        """The archive's folder."""
        return self._context.layout.root

    @property
    def state(self) -> Path:
        """The folder of what is derived: index, ledger, bookmarks."""
        return self._context.layout.state

    @property
    def config(self) -> ArchiveConfig:
        """The archive's settings."""
        return self._context.config

    @property
    def writable(self) -> bool:
        """Whether anything can be written to it from here, an event at least."""
        return os.access(self._context.layout.events, os.W_OK)

    @property
    def recovered(self) -> list[Event]:
        """What recovery did when the archive was opened here."""
        return self._recovered

    @property
    def context(self) -> ArchiveContext:
        """The archive from inside, for the modules of this package."""
        return self._context

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
        if self._head(place, resource):
            raise ResourceExists(id=resource, project=place)
        return Transaction.begin(self._context, place, resource, None, message)

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
        if mode == "r":
            return self.instance(id, instance, project=project)
        newest = self.instance(id, project=project)
        return Transaction.begin(self._context, newest.project, id, newest, message)

    def acting_as(self, agent: Agent) -> Self:
        """The same opened archive in the hands of somebody else: `agent` is who its log then names.

        Raises:
            BadValue: The agent's name or address cannot be kept.
        """
        other = copy.copy(self)
        other._context = replace(self._context, agent=check_agent(agent))  # noqa: SLF001 - made here, before anybody has it
        return other

    def instance(self, id: str, instance: str | int | None = None, *, project: str | None = None) -> Instance:
        """A resource's newest instance, or an earlier one by number, as 'v1', or by its identifier.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource; nothing is made.
            InstanceNotFound: It has no such instance.
            AmbiguousId: Several projects use the id and none was named.
        """
        place = self.project_of(id, project)
        root = self._context.layout.object(place, id)
        try:
            inventory, _ = newest_inventory(root, self.config.digests[0])
        except FileNotFoundError:
            raise ResourceNotFound(id=id) from None
        newest = Instance(root, place, id, inventory, inventory.head)
        return newest if instance is None else earlier_instance(newest, instance)

    def exists(self, id: str, project: str | None = None) -> bool:
        """Whether there is such a resource."""
        try:
            place = self.project_of(id, project)
        except (ResourceNotFound, BadInput):
            return False
        except AmbiguousId:
            return True
        return bool(self._head(place, id))

    def history(self, id: str, project: str | None = None) -> list[Instance]:
        """Every instance of a resource, the oldest first.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        newest = self.instance(id, project=project)
        return [newest.earlier(number) for number in range(1, newest.head + 1)]

    def resources(
        self,
        project: str | None = None,
        *,
        after: str | tuple[str, str] = "",
        limit: int | None = None,
        skip: int = 0,
        whole: bool = False,
    ) -> Iterator[Summary]:
        """Resources in the order of their ids, with what a list shows of each.

        `after` is the last id of the page before (with its project, if ids repeat across projects);
        `skip` is how many of those that follow are passed over. With `whole` the index is compared with the
        objects on disk first, and built anew where it differs: for whoever must leave none behind.

        Raises:
            BadValue: `after` or `project` is no text.
            DamagedRecord: With `whole`, an object on disk cannot be listed, as its records cannot be read.
        """
        for text in (project or "", *((after,) if isinstance(after, str) else after)):
            check_text(text, "what to list")
        index = self._context.complete_index() if whole else self._context.caught_up_index()
        start = (after, "\uffff" if after else "") if isinstance(after, str) else after
        if limit is None:
            return islice(index.all(project, start), skip, None)
        return iter(index.page(project, start, min(limit, LARGEST_SIZE), min(skip, LARGEST_SIZE)))

    def summary(self, id: str, project: str | None = None) -> Summary:
        """One resource as a list shows it, with when it was last audited.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        place = self.project_of(id, project)
        found = self._context.caught_up_index().find(place, id)
        if found is not None:
            return found
        return summary(self.instance(id, project=place))

    def projects(self) -> list[str]:
        """Every project that holds a resource."""
        return self._context.caught_up_index().projects()

    def count(self, project: str | None = None) -> int:
        """How many resources there are, in one project or in all."""
        return self._context.caught_up_index().count(check_text(project, "what to count") if project else None)

    def events(self, start: Start = None, *, live: bool = False) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`. With `live` it goes on as events come.

        `start` is an event's number, an ISO 8601 time, or a Unix time (whole numbers below
        1,000,000,000 are event numbers).

        Raises:
            BadTime: `start` is none of these.
            DamagedRecord: A line of the log is not an event.
        """
        place = parse_start(start)
        return self._following(place) if live else self._context.log.read(place)

    def _following(self, place: int | str) -> Iterator[Event]:
        while True:
            for event in self._context.log.read(place):
                place = event.seq
                yield event
            time.sleep(_LOOK_EVERY)

    def head(self) -> Head:
        """How far the log reaches now. Noted down elsewhere, it tells later whether anything before it was changed."""
        return self._context.log.settled_head()

    def reindex(self, progress: Progress = quiet) -> int:
        """Build the index anew from the objects on disk; returns how many resources there are."""
        return self._context.reindex(progress)

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
        if self._head(self.config.project, id):
            return self.config.project
        found = self._context.caught_up_index().projects_of(id)
        if not found:
            self._refuse_purged(self.config.project, id)
            raise ResourceNotFound(id=id)
        if len(found) > 1:
            raise AmbiguousId(id=id, projects=", ".join(found))
        return found[0]

    def resume(self, transaction: str) -> Transaction:
        """Go on with a transaction that was parked, in this process or another.

        Raises:
            LeftoverNotFound: There is none such, or it expired.
            TransactionBusy: Somebody is working on it at this moment.
            TransactionForbidden: Somebody else began it.
        """
        area = claim_own(self._context, transaction)
        record = area.record
        try:
            base = self.instance(record.id, record.base, project=record.project) if record.base else None
            return Transaction.resume(self._context, area, base)
        except BaseException:
            area.release()
            raise

    def decide(self, group: str, parts: Sequence[Mapping[str, str]]) -> None:
        """Record that all prepared transactions of a group are to be committed (`prepare`).

        Raises:
            DiskFull, WriteFailed: The storage refused: nothing is decided.
        """
        two_phase.decide(self._context, group, parts)

    def decision(self, group: str) -> dict[str, Any] | None:
        """What was decided here about a group, or None."""
        return two_phase.decision(self._context, group)

    def forget(self, group: str) -> None:
        """Remove a decision all of whose parts are committed."""
        two_phase.forget(self._context, group)

    def record_event(
        self,
        event: str,
        *,
        resource: str = "",
        project: str = "",
        instance: int = 0,
        outcome: Literal["success", "failure"] = "success",
        detail: Mapping[str, object] | None = None,
    ) -> Event:
        """Write an event of one's own into the log, about a resource or about none; `event` is a PREMIS event type.

        Raises:
            BadInput: It is of a type that the archive itself writes.
            ResourceNotFound, AmbiguousId: There is no such resource.
            BadValue: What is said cannot be kept.
            DiskFull, WriteFailed: The storage refused.
        """
        refuse_own_type(event)
        if resource:
            project = self.project_of(resource, project or None)
            self._roots(resource, project)
        agent = f"{self._context.agent.name} <{self._context.agent.address}>"
        written = Event(event, agent, project, resource, instance, outcome, dict(detail or {}))
        return self._context.log.append([check_event(written)])[0]

    def import_history(
        self,
        id: str | None,
        instances: Iterable[ImportedInstance],
        project: str | None = None,
        *,
        events: Sequence[Event] = (),
        progress: Progress = quiet,
    ) -> Instance:
        """Make a new resource that has a history already; returns its newest instance. Without `id` it gets one.

        All `instances` (oldest first) become visible together or not at all. `events` are written
        with those of the ingestion; only what they are about need be filled in.

        Raises:
            ResourceExists, ResourcePurged, BadId, BadProject: The id cannot be used.
            MunimentError: As `muniment.archive.ingest.import_history.import_histories`; nothing was imported.
        """
        return self.import_histories([(id, project, instances)], events=events, progress=progress)[0]

    def import_histories(
        self, resources: Sequence[NamedHistory], *, events: Sequence[Event] = (), progress: Progress = quiet
    ) -> list[Instance]:
        """Make new resources, all or none: each an id (None: a new one), a project (None: the usual) and a history.

        Raises:
            MunimentError: As `import_history`; nothing was imported.
        """
        from muniment.archive.ingest.import_history import make_resources

        made = make_resources(self._context, resources, events, self._refuse_purged, progress)
        return [self.get(name, project=project) for project, name in made]

    def unpacking_folder(self) -> AbstractContextManager[Path]:
        """An empty folder in the staging area to unpack a package in, for the time of a `with` block; gone after it.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        from muniment.archive.ingest.unpack import unpacking_folder

        return unpacking_folder(self._context)

    def purge(self, id: str, reason: str, project: str | None = None) -> Event:
        """Remove a resource for ever; only in dynamic mode.

        Raises:
            NotAllowedInMode, ReasonNeeded, ResourceNotFound: It was not done.
        """
        from muniment.archive.ingest.purge import purge

        return purge(self._context, self.project_of(id, project), id, reason)

    def leftovers(self) -> list[Leftover]:
        """Transactions that were never closed and belong to no living process."""
        return list(recovery.leftovers(self._context))

    def replay(self, transaction: str) -> Instance:
        """Commit a transaction that was left behind, with the files it had stored by then.

        Raises:
            LeftoverNotFound, LeftoverIncomplete: It cannot be done.
        """
        return replay(self._context, transaction)

    def roll_back(self, transaction: str) -> None:
        """Remove a transaction that was left behind.

        Raises:
            LeftoverNotFound: There is none such.
        """
        rollback(self._context, transaction)

    def recover(self) -> list[Event]:
        """Finish what a crash left; opening the archive does the same."""
        return recovery.recover(self._context)

    def audit(
        self,
        id: str | None = None,
        *,
        project: str | None = None,
        fast: bool = False,
        every_digest: bool = False,
        resume: bool = False,
        since: Head | None = None,
        progress: Progress = quiet,
    ) -> Iterator[Finding]:
        """Check that everything recorded is there and right, and record in the log that this was done.

        Without `id` the whole archive, its log and its folders included. `fast` looks at names and
        sizes only; `every_digest` compares all recorded digests instead of sha256 alone. With `resume`
        an audit of the whole archive that was broken off goes on where it was. With `since`, a head of the
        log that was noted down elsewhere, it also proves that no event up to there was changed.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            WorkerDied: A digesting process ended; resume.
        """
        from muniment.archive.fixity.audit import recorded_audit

        where = None if id is None else (self.project_of(id, project), id)
        return recorded_audit(
            self._context,
            where,
            self._roots(id, project),
            fast=fast,
            every_digest=every_digest,
            resume=resume,
            since=since,
            progress=progress,
        )

    def repair(
        self, id: str | None = None, *, project: str | None = None, progress: Progress = quiet
    ) -> Iterator[Repair]:
        """Repair what an audit finds, from parity; says of each place what became of it, after another look.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            DiskFull, WriteFailed: The storage refused.
        """
        from muniment.archive.fixity.repair import repair

        return repair(self._context, self._roots(id, project), progress=progress)

    def protect(self, id: str, project: str | None = None, *, progress: Progress = quiet) -> int:
        """Make the parity a resource's instances lack; returns how many sets were made.

        Raises:
            ParityNotMade, ParityToolFailed: It could not be made.
            DiskFull, WriteFailed: The storage refused.
        """
        from muniment.archive.parity.protect import protect

        newest = self.get(id, project=project)
        made = [protect(self._context, newest.root, number, progress=progress) for number in range(1, newest.head + 1)]
        return sum(len(sets) for sets in made)

    def close(self) -> None:
        """Let go of the index and the digesting processes."""
        self._context.copier.close()
        if self._context.checks is not None:
            self._context.checks.close()
        self._context.index.close()

    def _roots(self, id: str | None, project: str | None) -> list[Path] | None:
        if id is None:
            return None
        root = self._context.layout.object(self.project_of(id, project), id)
        if not head_of(root):
            raise ResourceNotFound(id=id)
        return [root]

    def _head(self, project: str, resource: str) -> int:
        """The number of a resource's newest instance, 0 where there is no such resource."""
        return head_of(self._context.layout.object(project, resource))

    def _refuse_purged(self, project: str, resource: str) -> None:
        if tombstone := read_tombstone(self._context, project, resource):
            raise ResourcePurged(id=resource, when=tombstone["purged"], why=tombstone["reason"])
