"""Keeps the copies of one archive: finds what is owed, makes it store by store, and says what is protected."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from muniment.archive import Archive
from muniment.content.archive import Summary
from muniment.content.locks import LockRule
from muniment.content.times import seconds
from muniment.errors.archive import DamagedRecord, ResourceNotFound, ResourcePurged
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.copies import WrongStore
from muniment.errors.stores import (
    BadStore,
    ChangeRefused,
    KeyNotFound,
    StoredWrong,
    StoreFailed,
    StoreFull,
    StoreNotReady,
    TapeUnlabelled,
)
from muniment.stores import PutOptions, Store
from muniment.workflows.copies.figures import note_figures
from muniment.workflows.copies.log_segments import put_log
from muniment.workflows.copies.policies import EVENT as POLICY_EVENT
from muniment.workflows.copies.policies import Policies
from muniment.workflows.copies.policy import CopyRule, Policy
from muniment.workflows.copies.purge import purge_copies
from muniment.workflows.copies.registry import ARCHIVE, StoreRegistry
from muniment.workflows.copies.retention import Retentions, keep_new, lock_key, lock_of_copy
from muniment.workflows.copies.root_files import put_foundation
from muniment.workflows.copies.seals import put_seal
from muniment.workflows.copies.table import CopyKey, CopyRow, CopyTable
from muniment.workflows.copies.writer import CopyWriter, Watch, lock_of

REPLICATION = "replication"
"""The PREMIS type of the event that records a copy."""
_SEEN = "log"
_DAY = 86400
_FIRST_WAIT = 300.0
_LONGEST_WAIT = 86400.0
_UNREADY_WAIT = 3600.0
_STORE_TROUBLE = (RemoteError, StoreFull, StoreNotReady, BadStore, WrongStore)
"""What says something about the store and not about the copy: all that is owed to it waits."""

_BESIDE_TROUBLE = (StoreFailed, StoredWrong, KeyNotFound, DamagedRecord)
"""What else may go wrong with settings, tombstones, the log and seals; of a copy it is about that copy alone."""


@dataclass(slots=True)
class Replicated:
    """What came of making copies: how many were made, failed and wait, and bytes that went over."""

    made: int = 0
    failed: int = 0
    waiting: int = 0
    """Copies that were put and cannot be read back yet: they lie in a cold class, or on a tape that is elsewhere."""
    size: int = 0
    reason: str = ""
    """Why the store could not be used any more; empty when all that was owed was tried."""


def unwatched(size: int) -> None:
    """Nobody wants to know how far it is."""
    del size


class CopyService:
    """The copies of one archive, of which the folder is on this machine."""

    def __init__(self, archive: Archive, registry: StoreRegistry, table: CopyTable, scratch: Path) -> None:
        self.archive = archive
        self.registry = registry
        self.table = table
        self.policies = Policies(table.database)
        self.scratch = scratch

    # --- what is owed

    def plan(self) -> int:
        """Look through the log for what is new, and note the copies it is owed; how many.

        What a policy asks for follows from the archive alone, so nothing is lost if this never runs for a while.
        """
        head = self.archive.head().seq
        seen = self.table.mark(_SEEN)
        if head < seen:  # the log was restored to an older state
            return self.plan_all()
        touched: dict[tuple[str, str], None] = {}
        for event in self.archive.events(str(seen)) if head > seen else ():
            if event.event == "ingestion" and event.resource and event.outcome == "success":
                touched[event.project, event.resource] = None
            elif event.event == "deletion":
                self._end(event.project, event.resource)
            elif event.event == POLICY_EVENT and "policy" in event.detail:
                return self.plan_all()
        new = 0
        for project, resource in touched:
            with contextlib.suppress(ResourceNotFound, ResourcePurged):  # purged meanwhile
                new += self._owe(self.archive.summary(resource, project), self.policies.of(project))
        if head > seen:
            self.table.set_mark(_SEEN, head)
        return new

    def plan_all(self) -> int:
        """Note what every instance in the archive is owed, as after a policy was set; how many copies are new.

        What no policy asks for any more, and was never made, is owed no longer.
        """
        head = self.archive.head().seq
        policies: dict[str, Policy] = {}
        new = 0
        for found in self.archive.resources(whole=True):
            policy = policies.get(found.project) or self.policies.of(found.project)
            policies[found.project] = policy
            new += self._owe(found, policy)
        wanted = {
            project: {(rule.store, rule.layout) for rule in policy.copies} for project, policy in policies.items()
        }
        for row in self.table.each(state="owed"):
            if not row.record and (row.store, row.layout) not in wanted.get(row.project, ()):
                self.table.drop(row.key)
        self.table.set_mark(_SEEN, head)
        return new

    def _owe(self, found: Summary, policy: Policy) -> int:
        # The archive's own is verified like every copy, whether a policy asks for others or not. When it was committed,
        # its bytes were digested: that is the first verification.
        verified = seconds(found.audited) if found.audited and not found.damaged else 0
        verified_at = float(max(verified, seconds(found.modified)))
        self.table.note_archive(CopyKey(ARCHIVE, "ocfl", found.project, found.id, 0), found.bytes, verified_at)
        if not policy.copies and policy.keep is None:
            return 0
        keep_new(self.table.database, self.archive, policy, (found.project, found.id), found.modified)
        return self.table.owe(
            CopyKey(rule.store, rule.layout, found.project, found.id, number)
            for rule in policy.copies
            for number in range(1, found.head + 1)
        )

    def _end(self, project: str, resource: str) -> None:
        """A resource was purged: what of it is owed is owed no more, and what was made is to be purged as well."""
        if self.archive.exists(resource, project):
            return  # there is a new one under its id
        for row in self.table.of(project, resource):
            if row.store == ARCHIVE or (row.state == "owed" and not row.record):
                self.table.drop(row.key)
            else:
                self.table.change(row, state="purging", due_at=self.table.now())

    # --- making

    def behind(self) -> list[str]:
        """The stores that are owed copies which are due, or lack events of the log."""
        owed = self.table.stores_owed(self.table.now())
        head, day = self.archive.head().seq, int(self.table.now() // _DAY)
        found = []
        for known in self.registry.all():
            warm = not known.address.startswith("ltfs://")
            sealed = self.table.mark(_seal_mark(known.id)) == day
            if known.name in owed or (warm and known.logged > 0 and (known.logged < head or not sealed)):
                found.append(known.name)
        return found

    def replicate(
        self, name: str, *, only: str | None = None, watch: Watch = unwatched, force: bool = False
    ) -> Replicated:
        """Make the copies that are owed to a store and due (with `force`, those that wait as well), and copy the log.

        Each is recorded when it has been read back. What goes wrong with one copy is noted and does not hold up the
        others; what goes wrong with the store ends it, and the rest stays owed. `only` is a resource.

        Raises:
            StoreUnknown: There is no such store.
            MunimentError: Whatever `watch` raises.
        """
        done = Replicated()
        store: Store | None = None
        try:
            store = self.registry.open(name)
            put_foundation(self.archive, store, name)
            at = float("inf") if force else self.table.now()
            tried: set[CopyKey] = set()
            locks: dict[LockRule, MunimentError | None] = {}
            while rows := self._due(name, at, only, tried):
                for row in rows:
                    tried.add(row.key)
                    rule = self._wanted(store, row, locks, done)
                    if rule is not None:
                        self._make_one(store, row, rule, (done, watch))
            purge_copies(self.archive, self.table, store, name, at)
            logged = put_log(self.archive, store, name, self.registry.get(name).logged)
            self.registry.note(name, logged=logged, reason=done.reason)
            self._seal(store, name)
        except (*_STORE_TROUBLE, *_BESIDE_TROUBLE) as error:
            done.reason = error.message
            self.registry.note(name, reason=error.message)
            if isinstance(error, RemoteError):  # it is silent: what was last seen stays
                return done
        if store is not None:
            note_figures(self.table.database, name, store)
        return done

    def _seal(self, store: Store, name: str) -> None:
        """Have the log's head sealed in a store once a day."""
        at, mark = self.table.now(), _seal_mark(self.registry.get(name).id)
        if self.table.mark(mark) != int(at // _DAY):
            put_seal(self.archive, store, name, at)
            self.table.set_mark(mark, int(at // _DAY))

    def _due(self, name: str, at: float, only: str | None, tried: set[CopyKey]) -> list[CopyRow]:
        if only is None:
            return [row for row in self.table.owed(name, at) if row.key not in tried]
        project = self.archive.instance(only).project
        rows = self.table.of(project, only)
        wanted = [row for row in rows if row.store == name and row.state == "owed" and row.due_at <= at]
        return [row for row in wanted if row.key not in tried]

    def _wanted(
        self, store: Store, row: CopyRow, locks: dict[LockRule, MunimentError | None], done: Replicated
    ) -> CopyRule | None:
        """The rule by which to make a copy; None where no policy asks for it, or for a lock that the store has not.

        Such a lock is named, and holds up no copies of other rules. `locks` keeps what was asked of the store.
        """
        rule = self.rule_of(row)
        if rule is None:
            self.table.drop(row.key)  # no policy asks for it any more, and nothing of it was recorded
            return None
        if rule.lock is None:
            return rule
        if rule.lock not in locks:
            locks[rule.lock] = _lock_trouble(store, rule.lock, self.table.now())
        trouble = locks[rule.lock]
        if trouble is None:
            return rule
        done.failed += 1
        done.reason = trouble.message
        self._failed(row, trouble)
        return None

    def _make_one(self, store: Store, row: CopyRow, rule: CopyRule, told: tuple[Replicated, Watch]) -> None:
        done, watch = told

        def seen(size: int) -> None:
            done.size += size
            watch(size)

        try:
            made = self.make(store, row, rule, seen)
        except StoreNotReady as error:
            done.waiting += 1
            self.table.change(row, reason=error.message, due_at=self.table.now() + _UNREADY_WAIT)
        except _STORE_TROUBLE:
            raise
        except (ResourceNotFound, ResourcePurged):
            self._end(row.project, row.resource)
        except MunimentError as error:
            done.failed += 1
            self._failed(row, error)
        else:
            done.made += 1
            self.table.put(made)

    def make(self, store: Store, row: CopyRow, rule: CopyRule, watch: Watch = unwatched) -> CopyRow:
        """Make one copy, read it back and write its event; the row as it is then, which is not recorded yet.

        Raises:
            MunimentError: As `CopyWriter.make`.
        """
        instance = self.archive.instance(row.resource, row.number, project=row.project)
        writer = CopyWriter(self.archive, store, rule, self.scratch, watch)
        later = [
            each
            for each in self.table.of(row.project, row.resource)
            if each.store == row.store and each.layout == row.layout and each.record
        ]
        newest = all(each.number <= row.number for each in later)
        generation = row.generation
        while True:
            try:
                record = writer.make(instance, generation, newest=newest)
            except ChangeRefused:
                generation += 1
            else:
                break
        self._lock(store, row, (*(file.key for file in record.files), record.key))
        digest = hashlib.sha256(record.as_bytes()).hexdigest()
        about = {"store": row.store, "layout": row.layout, "keys": len(record.files), "bytes": record.size}
        detail = {"copy": {**about, "record": record.key, "sha256": digest}}
        self.archive.record_event(
            REPLICATION, resource=row.resource, project=row.project, instance=row.number, detail=detail
        )
        at = self.table.now()
        return replace(
            row,
            state="made",
            reason="",
            generation=generation,
            keys=len(record.files),
            size=record.size,
            record=digest,
            made_at=at,
            verified_at=at,
            **lock_of_copy(store, record.key, row),
        )

    def _lock(self, store: Store, row: CopyRow, keys: Iterable[str]) -> None:
        """Lock a new copy of what is under retention or on hold, where the store can."""
        known = Retentions(self.table.database).get(row.project, row.resource)
        if known is None or not store.capabilities.locks or not (known.hold or known.until_at > self.table.now()):
            return
        for key in keys:
            lock_key(store, key, known)

    def _failed(self, row: CopyRow, error: MunimentError) -> None:
        at = self.table.now()
        wait = min(_LONGEST_WAIT, max(_FIRST_WAIT, 2 * (at - row.due_at)))
        self.table.change(row, reason=error.message, due_at=at + wait)
        if row.reason != error.message:
            detail = {"copy": {"store": row.store, "layout": row.layout}, "note": error.message}
            self.archive.record_event(
                REPLICATION,
                resource=row.resource,
                project=row.project,
                instance=row.number,
                outcome="failure",
                detail=detail,
            )

    def rule_of(self, row: CopyRow) -> CopyRule | None:
        """The rule of a policy that asks for a copy, or None."""
        rules: Iterable[CopyRule] = self.policies.of(row.project).copies
        return next((rule for rule in rules if (rule.store, rule.layout) == (row.store, row.layout)), None)


def _lock_trouble(store: Store, rule: LockRule, now: float) -> MunimentError | None:
    """Why a store cannot lock as a rule asks, found out before anything is sent; None where it can.

    Raises:
        MunimentError: It cannot be used at all.
    """
    try:
        store.preflight(PutOptions(lock_of(rule, now)))
    except TapeUnlabelled:
        raise
    except BadStore as error:
        return error
    return None


def _seal_mark(store: str) -> str:
    """The name under which it is kept when a store last got a seal."""
    return f"seal {store.replace('-', '')}"


Opened = Callable[[], CopyService]
"""Opens the service when it is first needed."""
