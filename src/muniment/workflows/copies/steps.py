"""The steps by which workers keep the copies: one looks what is owed, and one for each store makes it.

```
copies.plan   (a period)   notes what the log has new, and submits for each store that is behind
    copies.replicate   (one at a time for a store)   makes, reads back and records copies, and then the log
```

A store that cannot be used keeps its step waiting; what is owed to it is in the table and in nobody's memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from muniment.errors.base import BadInput
from muniment.errors.jobs import SubjectTaken
from muniment.jobs import Again, Call, Done, Period, Step
from muniment.workflows.copies.service import CopyService

if TYPE_CHECKING:
    from muniment.jobs import Context, Json, Ledger

PLAN = "copies.plan"
REPLICATE = "copies.replicate"
KIND = "copies"
_PERIOD = "copies plan"
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
        return Done({"made": done.made, "failed": done.failed, "bytes": done.size})


def store_of(given: Json) -> str:
    """The store that a step is about."""
    return str(given["store"]) if isinstance(given, Mapping) else ""


def submit(ledger: Ledger, store: str) -> None:
    """Ask for the copies that are owed to a store, unless that was done and they are being made."""
    call = Call(REPLICATE, {"store": store})
    with contextlib.suppress(SubjectTaken):
        ledger.submit(KIND, call, requester=KIND, subjects=[store])


def schedule(ledger: Ledger, every: float = 60.0) -> None:
    """Look what is owed every so many seconds from now on."""
    ledger.schedule(Period(_PERIOD, f"{every:g}", "copies-plan", Call(PLAN), KIND))


def unschedule(ledger: Ledger) -> None:
    """Look no more."""
    ledger.unschedule(_PERIOD)


def steps(given: CopyContext) -> list[Step]:
    """Every step a worker has to know to keep copies."""
    return [PlanStep(given), ReplicateStep(given)]
