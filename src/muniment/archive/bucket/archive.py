"""An archive whose only home is a bucket: built on this machine, committed there, with no lock and no lease."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, overload

from muniment.archive.archive import Archive
from muniment.archive.bucket import recovery as in_the_bucket
from muniment.archive.bucket.audit import Depth, audit_bucket
from muniment.archive.bucket.context import BucketContext
from muniment.archive.bucket.home import BucketHome
from muniment.archive.bucket.intake import seal_of
from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import object_place, tombstone_key
from muniment.archive.bucket.log import BucketLog
from muniment.archive.bucket.mirror import mirror_bucket
from muniment.archive.bucket.opening import (
    BucketFault,
    faults_of,
    guarded,
    put_root_files,
    read_settings,
    refuse_unfit,
    refuse_without_conditions,
    why_read_only,
)
from muniment.archive.bucket.repair import repair_records
from muniment.archive.bucket.requests import note_requests, noted_requests
from muniment.archive.bucket.root_audit import repair_root_files
from muniment.archive.bucket.worm_audit import repair_worm
from muniment.archive.config import config_bytes, new_config
from muniment.archive.copying import Copier
from muniment.archive.disk.durable import make_folder
from muniment.archive.disk.layout import SETTINGS, ArchiveLayout
from muniment.archive.fixity.audit import AuditResult
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.archive.index.index import Index
from muniment.archive.index.rebuild import summary
from muniment.archive.ingest import recovery
from muniment.archive.ingest.import_history import NamedHistory, make_resources
from muniment.archive.ingest.purge import deletion_event, written_tombstone
from muniment.archive.ingest.transaction import Transaction
from muniment.archive.package.instance import Instance, earlier_instance
from muniment.archive.package.objects import head_of
from muniment.content import Finding, Progress, quiet
from muniment.content.acceptable import check_agent, check_text
from muniment.content.archive import Leftover, Repair, Start, Summary
from muniment.content.checks import IngestChecks
from muniment.content.config import DEFAULT_DIGESTS, DEFAULT_PROJECT, Mode
from muniment.content.events import Event, Head
from muniment.content.identity import Agent, new_uuid
from muniment.content.requests import RequestCounts
from muniment.content.times import now
from muniment.errors.archive import LeftoverNotFound, NotEmpty, ReasonNeeded, ResourceNotFound, Unfinished
from muniment.errors.base import RemoteError, StorageError
from muniment.errors.stores import KeyNotFound


class BucketArchive(Archive):
    """A digital archive in a bucket. Any number of processes on any number of machines may have it open.

    What is built lies in a folder of this machine (`state`) until it is committed; so do copies of records and an
    index, which may be removed at any time when nobody has the archive open.
    """

    def __init__(
        self,
        keys: Keys,
        state: Path,
        *,
        agent: Agent | None = None,
        workers: int | None = None,
        checks: IngestChecks | None = None,
    ) -> None:
        """Open the archive below `keys` and finish what any machine left there. `state` is a folder for many archives.

        Raises:
            NotAnArchive: There is none.
            NewerFormat: It was made by a later Muniment.
            StoreUnreachable, StoreFailed, StoreRefused: The bucket cannot be had.
        """
        config, settings = read_settings(keys)
        self._keys = keys = guarded(keys, config)
        layout = ArchiveLayout(state / config.id, state / config.id)
        for folder in (layout.transactions, layout.scratch, layout.locks, layout.events, layout.objects):
            make_folder(folder)
        acting = check_agent(agent or Agent.of_this_process())
        log = BucketLog(layout, keys)
        self._home = BucketHome(keys, layout, config, log, acting)
        self._context: BucketContext = BucketContext(
            layout,
            config,
            log,
            Index(layout.index),
            acting,
            Copier(config.digests, workers=workers),
            parity=False,
            checks=checks,
            home=self._home,
        )
        self._recovered: list[Event] = []
        self._noted = RequestCounts()
        self.read_only = why_read_only(keys, settings)
        if not self.read_only:
            self._recovered = self.recover()

    @classmethod
    def make(
        cls,
        keys: Keys,
        state: Path,
        *,
        mode: str = Mode.PRESERVATION,
        digests: tuple[str, ...] = DEFAULT_DIGESTS,
        project: str = DEFAULT_PROJECT,
        lock: str = "",
        agent: Agent | None = None,
        workers: int | None = None,
    ) -> Self:
        """Make a new archive below `keys`, where nothing is, and open it. Its parity is the store's own affair.

        `lock` says how each key is locked in worm mode, as `compliance 10y`.

        Raises:
            NotEmpty: There is something already.
            ConditionsIgnored: The store does not know the condition on which commits rest.
            BadStore: The bucket removes or locks keys on its own, or has no locks for worm mode.
            StoredWrong: It took a lock and has none.
            BadInput: A setting is not one Muniment knows.
            StoreUnreachable, StoreFailed, StoreRefused: The bucket cannot be had.
        """
        config = new_config(mode=mode, digests=digests, redundancy=0, project=project, lock=lock)
        if next(iter(keys.list()), None) is not None:
            raise NotEmpty(path=str(keys))
        refuse_unfit(keys, config.mode, config.lock)
        refuse_without_conditions(keys)
        bare, keys = keys, guarded(keys, config)
        put_root_files(keys, config)
        maker = Agent.of_this_process() if agent is None else agent
        detail = {"archive": config.id, "mode": str(config.mode), "bucket": str(keys)}
        layout = ArchiveLayout(state / config.id, state / config.id)
        for folder in (layout.scratch, layout.locks, layout.events):
            make_folder(folder)
        BucketLog(layout, keys).append([Event("creation", f"{maker.name} <{maker.address}>", detail=detail)])
        if not keys.put_once(SETTINGS, config_bytes(config)):
            raise NotEmpty(path=str(keys))
        return cls(bare, state, agent=agent, workers=workers)

    @property
    def path(self) -> str:  # type: ignore[override] # a folder's is a path; both kinds are `Archive`s by the Protocol
        """The archive's address."""
        return str(self._keys)

    @property
    def writable(self) -> bool:
        """Whether the bucket takes anything from us."""
        return self.read_only is None

    @property
    def home(self) -> BucketHome:
        """Where its versions lie."""
        return self._home

    # --- reading

    def instance(self, id: str, instance: str | int | None = None, *, project: str | None = None) -> Instance:
        """A resource's newest instance, or an earlier one by number, as 'v1', or by its identifier.

        Raises:
            ResourceNotFound, ResourcePurged, InstanceNotFound, AmbiguousId: As `Archive.instance`.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        newest = self._home.instance(self.project_of(id, project), id)
        return newest if instance is None else earlier_instance(newest, instance)

    def summary(self, id: str, project: str | None = None) -> Summary:
        """One resource as a list shows it.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        place = self.project_of(id, project)
        found = self._context.caught_up_index().find(place, id)
        return found if found is not None else summary(self._home.instance(place, id))

    def events(self, start: Start = None, *, live: bool = False) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`. With `live` it goes on as events come.

        Raises:
            MunimentError: As `Archive.events`.
        """
        self._home_log.pull()
        return super().events(start, live=live)

    def _following(self, place: int | str) -> Iterator[Event]:
        for event in super()._following(place):
            yield event
            self._home_log.pull()

    # --- writing

    def new(self, id: str | None = None, project: str | None = None, *, message: str = "") -> Transaction:
        """Begin a new resource; its id is a UUIDv7 unless one is given.

        Raises:
            ConditionsIgnored, StoreRefused: The archive can only be read.
            MunimentError: As `Archive.new`.
        """
        self._refuse_read_only()
        return super().new(id, project, message=message)

    @overload
    def get(
        self, id: str, mode: Literal["r"] = "r", instance: str | int | None = None, *, project: str | None = None
    ) -> Instance: ...

    @overload
    def get(
        self, id: str, mode: Literal["a", "t"], instance: None = None, *, project: str | None = None, message: str = ""
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

        Raises:
            ConditionsIgnored, StoreRefused: A transaction is asked for, and the archive can only be read.
            MunimentError: As `Archive.get`.
        """
        if mode == "r":
            return self.instance(id, instance, project=project)
        self._refuse_read_only()
        return super().get(id, mode, project=project, message=message)

    def acting_as(self, agent: Agent) -> Self:
        """The same opened archive in the hands of somebody else: `agent` is who its log then names.

        Raises:
            BadValue: The agent's name or address cannot be kept.
        """
        other = super().acting_as(agent)
        other._context = replace(self._context, agent=check_agent(agent))  # noqa: SLF001 - made here, before anybody has it
        return other

    def purge(self, id: str, reason: str, project: str | None = None) -> Event:
        """Remove a resource for ever; only in dynamic mode. What is decided is decided by one put.

        Raises:
            NotAllowedInMode, ReasonNeeded, ResourceNotFound, Unfinished: It was not done.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done, or is finished by doing it again.
        """
        self.config.refuse_unless(Mode.DYNAMIC, "purging")
        if not check_text(reason, "the reason").strip():
            raise ReasonNeeded
        self._refuse_read_only()
        place = self.project_of(id, project)
        head = self._home.newest(place, id)
        if not head:
            raise ResourceNotFound(id=id)
        agent = self._context.agent
        told: dict[str, Any] = {
            "id": id,
            "project": place,
            "purged": now(),
            "reason": reason.strip(),
            "agent": agent.name,
        }
        told |= {"address": agent.address, "instances": head, "transaction": new_uuid()}
        try:
            if not self._keys.put_once(tombstone_key(place, id), written_tombstone(told)):
                raise ResourceNotFound(id=id)
            return self._finish_purge(told)
        except (RemoteError, StorageError) as error:
            raise Unfinished(what=f"The purge of {id!r}", reason=error.message) from error

    def import_histories(
        self, resources: Sequence[NamedHistory], *, events: Sequence[Event] = (), progress: Progress = quiet
    ) -> list[Instance]:
        """Make new resources with all their instances.

        Raises:
            MunimentError: As `Archive.import_histories`; nothing was imported.
            CommitUncertain: Nobody can tell yet.
        """
        self._refuse_read_only()
        made = make_resources(self._context, resources, events, self._refuse_purged, progress)
        heads = [head_of(self._context.layout.object(*each)) for each in made]  # from records of this machine
        return [self._home.published(*each, head) for each, head in zip(made, heads, strict=True)]

    def _finish_purge(self, told: Mapping[str, Any]) -> Event:
        prefix = object_place(told["project"], told["id"])
        self._keys.remove([each.key for each in self._keys.list(prefix)])
        draft = deletion_event(told)
        done = self._home_log.append_once([draft], told["transaction"], 0)
        return done[0] if done else draft

    def record_event(self, event: str, **about: Any) -> Event:
        """Write an event of one's own into the log.

        Raises:
            MunimentError: As `Archive.record_event`.
        """
        self._refuse_read_only()
        return super().record_event(event, **about)

    def recover(self) -> list[Event]:
        """Finish what a crash left, on this machine or any other; opening the archive does the same.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
        """
        self._refuse_read_only()
        done = in_the_bucket.recover(self._home, self._home_log, str(self._context.agent))
        return done + self._finish_purges() + recovery.recover(self._context)

    def _finish_purges(self) -> list[Event]:
        """Finish purges of which nothing but the tombstone was put."""
        if self.config.mode is not Mode.DYNAMIC:
            return []
        self._home_log.pull()  # of what others purged this machine may know nothing yet
        told = {event.transaction for event in self._context.log.read() if event.event == "deletion"}
        done = []
        for each in self._keys.list("tombstones/"):
            with contextlib.suppress(KeyNotFound, ValueError, KeyError, TypeError), self._keys.open(each.key) as stream:
                record = json.loads(stream.read())
                left = next(iter(self._keys.list(object_place(record["project"], record["id"]))), None)
                if left is not None or record["transaction"] not in told:
                    done.append(self._finish_purge(record))
        return done

    def leftovers(self) -> list[Leftover]:
        """Transactions that were never closed: on this machine, and uploads of others that are not sealed."""
        own = super().leftovers()
        known = {each.transaction for each in own}
        return own + [each for each in in_the_bucket.leftovers(self._home) if each.transaction not in known]

    def replay(self, transaction: str) -> Instance:
        """Commit a transaction that was left behind: here, or in the bucket as part of a group.

        Raises:
            LeftoverNotFound, LeftoverIncomplete: It cannot be done.
            TransactionRolledBack: It was decided that it is not committed.
            CommitUncertain: Nobody can tell yet.
        """
        self._refuse_read_only()
        try:
            return super().replay(transaction)
        except LeftoverNotFound:
            seal = seal_of(self._keys, transaction)
            if seal is None or not seal.group:
                raise
        self._home.commit_left(seal)
        first = seal.objects[0]
        return self._home.instance(first.project, first.id, first.head)

    def roll_back(self, transaction: str) -> None:
        """Remove a transaction that was left behind: here, or by anybody in the bucket.

        Raises:
            LeftoverNotFound: There is none such.
            TransactionClosed: It was decided that it be committed.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done.
        """
        self._refuse_read_only()
        try:
            super().roll_back(transaction)
        except LeftoverNotFound:
            if transaction not in {each.transaction for each in in_the_bucket.leftovers(self._home)}:
                raise
            self._home.give_up_left(transaction)

    # --- looking after it

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
        """Check that everything recorded is in the bucket and right, and record in the log that this was done.

        `fast` lists and compares names and sizes; else everything is read back. `resume` begins anew.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            StoreUnreachable, StoreFailed, StoreRefused: It was broken off before its end.
        """
        del resume
        where = None if id is None else (self.project_of(id, project), id)
        depth = Depth(fast=fast, every_digest=every_digest)
        found = audit_bucket(self._home, self._home_log, where, depth, since=since, progress=progress)
        return self._recorded(found, where, {"since": str(since)} if since else {}, fast=fast)

    def _recorded(
        self,
        findings: Iterator[Finding],
        where: tuple[str, str] | None,
        further: Mapping[str, object],
        *,
        fast: bool,
    ) -> Iterator[Finding]:
        result = AuditResult(begun=now())
        for finding in findings:
            result.note(finding)
            yield finding
        if self.writable:
            self._home_log.append(
                result.events(self._context.agent, where, self._home.newest, fast=fast, further=further)
            )

    def repair(
        self,
        id: str | None = None,
        *,
        project: str | None = None,
        progress: Progress = quiet,
    ) -> Iterator[Repair]:
        """Read everything back, and make anew what the bucket itself has twice: a newest inventory and its root's copy.

        Content has no second copy here: it is taken from copies in stores.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
        """
        self._refuse_read_only()
        where = None if id is None else (self.project_of(id, project), id)
        yield from repair_worm(self._keys, "" if where is None else self._home.place(*where))
        found = list(audit_bucket(self._home, self._home_log, where, Depth(), progress=progress))
        wrong: dict[tuple[str, str], list[Finding]] = {}
        for finding in found:
            if finding.resource and finding.failed:
                wrong.setdefault((finding.project, finding.resource), []).append(finding)
        logged = LoggedDigests()
        logged.catch_up(self._home_log)
        if where is None:
            yield from repair_root_files(self._home, self.config)
        for resource, findings in wrong.items():
            places = {finding.where for finding in findings}
            how = repair_records(self._home, resource, places, partial(logged.vouched, *resource))
            again = list(audit_bucket(self._home, self._home_log, resource, Depth()))
            left = {finding.where for finding in again if finding.failed}
            for place in sorted(places):
                said = how.get(place, "the bucket has no other copy of it")
                yield Repair(place, repaired=place not in left, how=said, resource=resource[1])

    def bucket_faults(self) -> list[BucketFault]:
        """What the bucket does on its own that the archive cannot live with, or would do better without.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return faults_of(self._keys.rules(), worm=self.config.mode is Mode.WORM)

    def requests_made(self) -> RequestCounts:
        """What this machine asked of the bucket, in all processes that have closed the archive, and in this one."""
        return noted_requests(self._context.layout) + (self._keys.requests_made() - self._noted)

    def close(self) -> None:
        """Let go of everything, and note what was asked of the bucket."""
        made = self._keys.requests_made()
        note_requests(self._context.layout, made - self._noted)
        self._noted = made
        super().close()

    def mirror(self, target: Path, *, progress: Progress = quiet) -> int:
        """Make a folder the same as the bucket: a valid archive at every moment; returns how many files came.

        Raises:
            NotEmpty: There is something at `target` that is no mirror of this archive.
            DamagedFile, DamagedRecord: The bucket gave something else than was recorded.
            DiskFull, WriteFailed, StoreUnreachable, StoreFailed, StoreRefused: It is not complete; mirror again.
        """
        self._home_log.pull()
        return mirror_bucket(self._home, self.config, target, progress)

    # --- what a bucket does not do

    def protect(self, id: str, project: str | None = None, *, progress: Progress = quiet) -> int:
        """No parity is made in a bucket: the store's own copies stand for it. 0 sets were made.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        del progress
        self.instance(id, project=project)
        return 0

    # --- inside

    @property
    def _home_log(self) -> BucketLog:
        log = self._context.log
        assert isinstance(log, BucketLog)
        return log

    def _head(self, project: str, resource: str) -> int:
        return self._home.newest(project, resource)

    def _roots(self, id: str | None, project: str | None) -> list[Path] | None:
        if id is not None and not self._home.newest(self.project_of(id, project), id):
            raise ResourceNotFound(id=id)
        return None

    def _refuse_purged(self, project: str, resource: str) -> None:
        self._home.refuse_purged(project, resource)

    def _refuse_read_only(self) -> None:
        if self.read_only is not None:
            raise self.read_only
