"""Verification on a budget: the copies verified longest ago are read back first, the archive itself among them.

So is what lies in the archive and in stores beside resources and copies (`beside`): it comes in the same order.

Each one that was verified moves to the end at once, so a run that ends anywhere is gone on with by the next.
"""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from muniment.errors.archive import DamagedRecord, ResourceNotFound, ResourcePurged
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.copies import WrongStore
from muniment.errors.stores import BadStore, StoreNotReady
from muniment.stores import Store
from muniment.workflows.copies.budget import Budget, Estimate, estimate, sample_size
from muniment.workflows.copies.keys import record_key, within
from muniment.workflows.copies.object_root import root_trouble
from muniment.workflows.copies.record import CopyRecord, read_record
from muniment.workflows.copies.registry import ARCHIVE, StoreRecord
from muniment.workflows.copies.retention import lock_of_copy
from muniment.workflows.copies.root_verification import BESIDE, beside_rows, beside_trouble, note_read
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow

EVENT = "validation"
"""The PREMIS type of the events that record verifications of copies."""
_DUE = 0.75
"""A copy is due when this part of its cadence is over, so that it is verified before the whole is."""
_TROUBLE = (RemoteError, StoreNotReady, BadStore, WrongStore)
Watch = Callable[[CopyRow], None]


@dataclass(slots=True)
class Verified:
    """What a verification came to: how much was read, what is damaged, and which stores could not be used."""

    used: Estimate = field(default_factory=Estimate)
    damaged: list[CopyRow] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    unjudged: dict[str, str] = field(default_factory=dict)
    """Stores of which what lies there beside copies could not be judged, as the archive's own log is damaged."""
    complete: bool = True
    """Whether all that was asked for was verified, within the budget."""


class Verification:
    """One verification: which copies, in which order, and within which limits."""

    def __init__(
        self, service: CopyService, *, stores: Iterable[str] | None = None, project: str | None = None
    ) -> None:
        self._service = service
        self._names = None if stores is None else list(stores)
        self._project = project
        self._known: Mapping[str, StoreRecord] = {each.name: each for each in service.registry.all()}

    def rows(self, before: float | None = None) -> Iterator[CopyRow]:
        """The copies, those verified longest ago first; with `before`, only those not verified since (seconds).

        Among them is what lies beside copies, where they are not those of one project.
        """
        return heapq.merge(self._beside(before), self._copies(before), key=lambda row: row.verified_at or 0.0)

    def _copies(self, before: float | None = None) -> Iterator[CopyRow]:
        return self._service.table.oldest(self._names, before, self._project)

    def _beside(self, before: float | None = None) -> list[CopyRow]:
        if self._project is not None:
            return []
        rows = [
            row
            for row in beside_rows(self._service, self._names)
            if before is None or (row.verified_at or 0.0) < before
        ]
        return sorted(rows, key=lambda row: row.verified_at or 0.0)

    def due(self) -> Iterator[CopyRow]:
        """Those whose cadence, as their policy has it, is nearly over; what no policy asks for is never due.

        What lies beside copies is not among them: that is looked at with the drills.
        """
        yield from self.due_of(self._copies())

    def due_of(self, rows: Iterable[CopyRow]) -> Iterator[CopyRow]:
        """Of these copies those that are due."""
        now = self._service.table.now()
        cadences: dict[tuple[str, str, str], float | None] = {}
        for row in rows:
            place = (row.project, row.store, row.layout)
            if place not in cadences:
                cadences[place] = self._cadence(row)
            cadence = cadences[place]
            if cadence is not None and now - (row.verified_at or 0.0) >= _DUE * cadence:
                yield row

    def sample(self, confidence: float, share: float, chance: random.Random | None = None) -> list[CopyRow]:
        """So many copies at random that, were `share` of all damaged, one would be found with that confidence.

        What lies beside copies is no matter of chance and comes first.

        Raises:
            BadInput: They are not between 0 and 1.
        """
        population = sum(1 for _ in self._copies())
        wanted = sample_size(population, confidence, share)
        chosen = set((chance or random.SystemRandom()).sample(range(population), wanted))
        return [*self._beside(), *(row for number, row in enumerate(self._copies()) if number in chosen)]

    def estimate(self, rows: Iterable[CopyRow], budget: Budget) -> Estimate:
        """What verifying these takes, up to the budget."""
        return estimate(rows, self._known, self._whole(budget))

    def run(self, rows: Iterable[CopyRow], budget: Budget, watch: Watch = lambda _: None) -> Verified:
        """Verify copies in this order until the budget is used up; each is noted at once.

        A damaged one is noted as such and gets an event; a store that cannot be used is left out from then on.

        Raises:
            MunimentError: Whatever `watch` raises.
        """
        done, began, limit = Verified(), time.monotonic(), self._whole(budget)
        opened: dict[str, Store] = {}
        read: dict[str, tuple[int, float]] = {}
        tapes = {name for name, known in self._known.items() if known.address.startswith("ltfs://")}
        for row in rows:
            if not limit.allows(done.used, time.monotonic() - began):
                done.complete = False
                break
            if row.store in done.unusable and row.store not in tapes:
                continue
            watch(row)
            start = time.monotonic()
            try:
                if row.store != ARCHIVE and row.store not in opened:
                    opened[row.store] = self._service.registry.open(row.store)
                after = verify_copy(self._service, opened.get(row.store), row)
            except _TROUBLE as error:
                done.unusable[row.store] = error.message
                if not isinstance(error, StoreNotReady):
                    tapes.discard(row.store)  # else it is this tape that is not in the drive, and others may be
                continue
            except DamagedRecord as error:
                done.unjudged[row.store] = error.message
                continue
            except (ResourceNotFound, ResourcePurged):
                continue  # it was purged meanwhile; the next plan deals with it
            size, seconds = read.get(row.store, (0, 0.0))
            read[row.store] = size + row.size, seconds + time.monotonic() - start
            done.used = done.used.plus(row, self._known.get(row.store))
            if after.state == "damaged":
                done.damaged.append(after)
        self._remember(read, done)
        return done

    def _remember(self, read: Mapping[str, tuple[int, float]], done: Verified) -> None:
        """Keep how quick each store was, and one event of the whole."""
        for name, (size, seconds) in read.items():
            if name in self._known and size and seconds:
                self._service.registry.note(name, read_rate=size / seconds)
        if done.used.requests:
            counts = {"copies": done.used.copies, "bytes": done.used.bytes, "damaged": len(done.damaged)}
            outcome = "failure" if done.damaged else "success"
            # What it read of the archive itself is in the events of those checks.
            outside = sum(size for name, (size, _) in read.items() if name != ARCHIVE)
            detail = {"verification": {**counts, "stores": sorted(read)}, "read": outside}
            self._service.archive.record_event(
                EVENT, outcome="failure" if outcome == "failure" else "success", detail=detail
            )

    def _cadence(self, row: CopyRow) -> float | None:
        if row.store == ARCHIVE:
            return self._service.policies.of(row.project).verify
        rule = self._service.rule_of(row)
        return None if rule is None else rule.verify

    def _whole(self, budget: Budget) -> Budget:
        total = sum(size for (_, state), (_, size) in self._service.table.counts().items() if state == "made")
        return budget.of(total)


def verify_copy(service: CopyService, store: Store | None, row: CopyRow) -> CopyRow:
    """Read one copy back and note what was found: when it was verified, or what is wrong with it.

    Without a store it is the archive's own: the whole resource is audited.

    Raises:
        DamagedRecord: It lies beside copies, and the archive's own log is damaged.
        StoreUnreachable, StoreRefused, StoreNotReady: It could not be told.
        ResourceNotFound: It is the archive's own, and gone.
    """
    if row.layout == BESIDE:
        return _verify_beside(service, store, row)
    reason = _of_archive(service, row) if store is None else _of_store(service, store, row)
    if not reason:
        lock = {} if store is None else lock_of_copy(store, _record_of(row), row)
        return service.table.change(row, state="made", reason="", verified_at=service.table.now(), **lock)
    if row.store != ARCHIVE:  # of its own, the archive has written an event
        detail = {"copy": {"store": row.store, "layout": row.layout}, "note": reason}
        service.archive.record_event(
            EVENT, resource=row.resource, project=row.project, instance=row.number, outcome="failure", detail=detail
        )
    return service.table.change(row, state="damaged", reason=reason)


def _record_of(row: CopyRow) -> str:
    return record_key(row.layout, row.project, row.resource, row.number, row.generation)


def _verify_beside(service: CopyService, store: Store | None, row: CopyRow) -> CopyRow:
    reason = beside_trouble(service, store, row)
    note_read(service, row.store, damaged=bool(reason))
    if not reason:
        return replace(row, verified_at=service.table.now())
    detail = {"copy": {"store": row.store, "layout": BESIDE}, "note": reason}
    service.archive.record_event(EVENT, outcome="failure", detail=detail)
    return replace(row, state="damaged", reason=reason)


def _of_archive(service: CopyService, row: CopyRow) -> str:
    found = [each for each in service.archive.audit(row.resource, project=row.project) if each.failed]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0].code} {found[0].message}{more}" if found else ""


def _of_store(service: CopyService, store: Store, row: CopyRow) -> str:
    """What is wrong with a copy, or ''.

    Raises:
        StoreNotReady: A key of it cannot be read yet; what that takes was begun for every key.
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    trouble = []
    waiting: StoreNotReady | None = None
    try:
        record = read_record(store, row)
        for file in record.files:
            try:
                store.check(file.receipt)
            except StoreNotReady as error:
                waiting = waiting or error
            except _TROUBLE:
                raise
            except MunimentError as error:
                trouble.append(error.message)
        if waiting is not None and not trouble:
            raise waiting
        if record.layout == "ocfl" and _is_newest(service, row):
            trouble += filter(None, [_of_root(store, record)])
    except _TROUBLE:
        raise
    except MunimentError as error:
        trouble.append(error.message)
    more = f" (and {len(trouble) - 1} more)" if len(trouble) > 1 else ""
    return f"{trouble[0]}{more}" if trouble else ""


def _is_newest(service: CopyService, row: CopyRow) -> bool:
    """Whether no copy of a later instance was made in the same place."""
    place = row.store, row.layout
    others = [each for each in service.table.of(row.project, row.resource) if (each.store, each.layout) == place]
    return not any(each.number > row.number and each.record for each in others)


def _of_root(store: Store, record: CopyRecord) -> str:
    folder = within(record.generation, record.object)
    try:
        return root_trouble(store, folder, record.number, record.algorithm)
    except StoreNotReady:
        if store.capabilities.replaces:
            raise
        return ""  # it lies on another tape, where the first instance is
