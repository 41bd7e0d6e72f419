"""The steps by which workers keep the copies: one looks what is owed, and one for each store makes it.

```
copies.verify (a period)   reads back what is due, and repairs what is damaged
copies.drill  (a period)   restores a random instance from each store
copies.plan   (a period)   notes what the log has new, and submits for each store that is behind
    copies.replicate   (one at a time for a store)   makes, reads back and records copies, and then the log
```

A store that cannot be used keeps its step waiting; what is owed to it is in the table and in nobody's memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from muniment.errors.base import BadInput, MunimentError
from muniment.errors.jobs import SubjectTaken
from muniment.jobs import Again, Call, Deadlines, Done, Period, Step
from muniment.workflows.copies.budget import parse_budget
from muniment.workflows.copies.drill import drill
from muniment.workflows.copies.ladder import repair_copy_of, repair_resource
from muniment.workflows.copies.own_files import repair_log_and_files, repair_stores
from muniment.workflows.copies.registry import ARCHIVE
from muniment.workflows.copies.repairs import RepairStep
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow
from muniment.workflows.copies.trials import TrialStep
from muniment.workflows.copies.verification import Verification

if TYPE_CHECKING:
    from muniment.jobs import Context, Json, Ledger

PLAN = "copies.plan"
REPLICATE = "copies.replicate"
VERIFY = "copies.verify"
DRILL = "copies.drill"
KIND = "copies"
_PERIOD = "copies plan"
VERIFICATIONS = "copies verify"
DRILLS = "copies drill"
VERIFY_RULE = "30 1 * * *"
"""Each night at 1:30 UTC."""
VERIFY_BUDGET = ("4h",)
DRILL_RULE = "30 4 * * 0"
"""Sundays at 4:30 UTC."""
OURS = Deadlines(ours=True)
"""A store that hangs is an outage, which no job fails of."""
_RETRY = 300.0
_ELSEWHERE = 3600.0


class CopyContext:
    """One process's way to the copies. Without the archive's folder on this machine nothing can be done."""

    def __init__(self, service: Callable[[], CopyService], ledger: Callable[[], Ledger]) -> None:
        self._service = service
        self._ledger = ledger

    @property
    def service(self) -> CopyService:
        """The copies.

        Raises:
            BadInput: The archive is behind a server.
        """
        return self._service()

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger()


class PlanStep:
    """Looks what is owed."""

    name = PLAN
    deadlines = OURS

    def __init__(self, given: CopyContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Note it, and submit work for each store that is behind."""
        del given, context
        try:
            service = self._given.service
        except BadInput as error:
            return Again(self._given.ledger.database.now() + _ELSEWHERE, error.message)
        new = service.plan()
        stores = service.behind()
        for name in stores:
            submit(self._given.ledger, name)
        return Done({"new": new, "stores": list(stores)})


class ReplicateStep:
    """Makes the copies that are owed to one store."""

    name = REPLICATE
    deadlines = OURS

    def __init__(self, given: CopyContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Make them, until none is due or the store cannot be used."""
        name = store_of(given)
        try:
            service = self._given.service
        except BadInput as error:
            return Again(self._given.ledger.database.now() + _ELSEWHERE, error.message)
        size = 0

        def watch(more: int) -> None:
            nonlocal size
            size += more
            context.progress(f"copies to {name}", 0, None, size=size)

        done = service.replicate(name, watch=watch)
        if done.reason:
            return Again(self._given.ledger.database.now() + _RETRY, done.reason)
        counts = {"made": done.made, "failed": done.failed, "waiting": done.waiting, "bytes": done.size}
        return Done(counts)


class VerifyStep:
    """Verifies what is due, the oldest first, within a budget, and repairs what is damaged where the policy says so."""

    name = VERIFY
    deadlines = OURS

    def __init__(self, given: CopyContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it; a store that cannot be used now is named, and its copies are the oldest of the next time."""
        try:
            service = self._given.service
        except BadInput as error:
            return Again(self._given.ledger.database.now() + _ELSEWHERE, error.message)
        words = given.get("budget") if isinstance(given, Mapping) else None
        budget = parse_budget([str(word) for word in words] if isinstance(words, list | tuple) else [])
        verification = Verification(service)
        count = 0

        def watch(row: CopyRow) -> None:
            nonlocal count
            context.progress(f"verifying {row.store}", count, None)
            count += 1

        done = verification.run(verification.due(), budget, watch)
        left = repair_log_and_files(service).left
        for row in service.table.each(state="damaged"):
            context.check()
            if service.policies.of(row.project).repair:
                climb = (
                    repair_resource(service, row.project, row.resource)
                    if row.store == ARCHIVE
                    else repair_copy_of(service, row)
                )
                left.update(climb.left)
            else:
                left[f"{row.store} {row.resource} {row.number}"] = row.reason
        counts = {"verified": done.used.copies, "bytes": done.used.bytes, "damaged": len(done.damaged)}
        return Done({**counts, "left": left, "unusable": done.unusable, "complete": done.complete})


class DrillStep:
    """Restores a random instance from each store, has it judged, and reads back what lies there beside copies."""

    name = DRILL
    deadlines = OURS

    def __init__(self, given: CopyContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it store by store; one that cannot be used now is named and does not hold up the others."""
        del given
        try:
            service = self._given.service
        except BadInput as error:
            return Again(self._given.ledger.database.now() + _ELSEWHERE, error.message)
        found: dict[str, str] = {}
        for known in service.registry.all():
            context.check()
            try:
                done = drill(service, known.name)
            except MunimentError as error:
                found[known.name] = f"not done: {error.message}"
            else:
                found[known.name] = "nothing to restore" if done is None else done.reason or "passed"
        context.check()
        beside = repair_stores(service)
        return Done({"stores": found, "put again": list(beside.repaired), "left": beside.left})


def store_of(given: Json) -> str:
    """The store that a step is about."""
    return str(given["store"]) if isinstance(given, Mapping) else ""


def submit(ledger: Ledger, store: str) -> None:
    """Ask for the copies that are owed to a store, unless that was done and they are being made."""
    call = Call(REPLICATE, {"store": store})
    with contextlib.suppress(SubjectTaken):
        ledger.submit(KIND, call, requester=KIND, subjects=[store])


def schedule(
    ledger: Ledger, every: float = 60.0, *, verify_rule: str = VERIFY_RULE, budget: Sequence[str] = VERIFY_BUDGET
) -> None:
    """Look what is owed every so many seconds from now on, verify what is due, and try each week what comes back.

    Raises:
        BadPeriod: The rule is none.
    """
    ledger.schedule(Period(_PERIOD, f"{every:g}", "copies-plan", Call(PLAN), KIND))
    verification: Json = {"budget": list(budget)}
    ledger.schedule(Period(VERIFICATIONS, verify_rule, "copies-verify", Call(VERIFY, verification), KIND))
    ledger.schedule(Period(DRILLS, DRILL_RULE, "copies-drill", Call(DRILL), KIND))


def unschedule(ledger: Ledger) -> None:
    """Look no more."""
    for name in (_PERIOD, VERIFICATIONS, DRILLS):
        ledger.unschedule(name)


def steps(given: CopyContext) -> list[Step]:
    """Every step a worker has to know to keep copies."""
    return [
        PlanStep(given),
        ReplicateStep(given),
        VerifyStep(given),
        DrillStep(given),
        TrialStep(given),
        RepairStep(given),
    ]
