"""The trial of a store, step by step, as a job whose result is kept: what is reached, written, read back, removed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from muniment.errors.access import IncorrectRev
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.stores import StoredWrong
from muniment.jobs import Again, Call, Done
from muniment.stores import put_bytes, read_bytes
from muniment.workflows.copies.figures import note_figures
from muniment.workflows.copies.registry import StoreChange
from muniment.workflows.copies.service import CopyService

if TYPE_CHECKING:
    from muniment.jobs import Context, Job, Json, Ledger
    from muniment.stores import Receipt, Store
    from muniment.workflows.copies.steps import CopyContext

TRIAL = "copies.trial"
KIND_TRIAL = "store-trial"
_PROBE = b"may be removed\n"
_ELSEWHERE = 3600.0
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One step of a trial: `ok`, `failed` or `not tried`, and what was found."""

    step: str
    state: str
    says: str = ""
    error: MunimentError | None = None

    def as_json(self) -> dict[str, str]:
        """The step as a job's result keeps it."""
        return {"step": self.step, "state": self.state, "says": self.says}


class TrialStep:
    """Tries one store."""

    name = TRIAL
    failures = 1

    def __init__(self, given: CopyContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Try it; a store that cannot be used is a result and no failure of the job."""
        del context
        try:
            service = self._given.service
        except BadInput as error:
            return Again(self._given.ledger.database.now() + _ELSEWHERE, error.message)
        found = try_store(service, str(cast("Mapping[str, object]", given)["store"]))
        return Done(cast("Json", {"steps": [each.as_json() for each in found]}))


def request_trial(ledger: Ledger, name: str, *, requester: str) -> Job:
    """Ask for a trial of a store; while one is under way it is that one.

    Raises:
        DatabaseUnavailable: Nothing was asked.
    """
    return ledger.submit_once(KIND_TRIAL, Call(TRIAL, {"store": name}), name, requester=requester)


def try_store(service: CopyService, name: str) -> list[TrialResult]:
    """Each step of using a store, up to the first that fails; nothing is left there.

    Raises:
        StoreUnknown: There is none of that name.
    """
    address = service.registry.get(name).address
    found: list[TrialResult] = []
    store = _tried(found, "reached", lambda: service.registry.open(name), lambda _: f"{address}, with its mark")
    _use(found, store)
    if all(each.state != "failed" for each in found):
        service.registry.note(name, reason="")
    if store is not None:
        note_figures(service.table.database, name, store)
    return found


@dataclass(frozen=True, slots=True)
class NewStore:
    """A store that is to be known: its name, its address, its credentials and its prices, as `StoreRegistry.add`."""

    name: str
    address: str
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    request_price: float = 0.0
    read_price: float = 0.0


def try_changed(service: CopyService, change: StoreChange, rev: int, *, save: bool, by: str = "") -> list[TrialResult]:
    """Each step of using a store as it is to be, up to the first that fails; with `save` it is so at the end.

    Where nothing but prices change, nothing is tried. Without `save` nothing is left there or here.

    Raises:
        StoreUnknown: There is none of that name.
        IncorrectRev: Somebody changed it in between.
    """
    registry = service.registry
    known = registry.get(change.name)
    if known.rev != rev:
        raise IncorrectRev(provided=rev, expected=known.rev)
    found: list[TrialResult] = []
    store = None
    if change.moves(known) or not save:
        reached = _tried(
            found, "reached", lambda: registry.open_changed(change), lambda both: f"{both[0]}, with its mark"
        )
        store = None if reached is None else reached[1]
        _use(found, store)
    if save:
        _tried(found, "changed", lambda: registry.change(change, rev, by=by), lambda made: f"revision {made.rev}")
        if store is not None and all(each.state != "failed" for each in found):
            registry.note(change.name, reason="")
            note_figures(service.table.database, change.name, store)
    return found


def try_new(service: CopyService, wanted: NewStore, *, add: bool, by: str = "") -> list[TrialResult]:
    """Each step of using a store that is not known yet, up to the first that fails; with `add` it is known at the end.

    Without `add` nothing is left there, and no folder is made.
    """
    found: list[TrialResult] = []
    registry = service.registry
    opened = _tried(
        found,
        "reached",
        lambda: registry.open_new(wanted.name, wanted.address, wanted.keys, make=add),
        lambda both: both[0],
    )
    store = None if opened is None else opened[1]
    _use(found, store)
    if add:
        known = _tried(
            found,
            "known",
            lambda: registry.add(
                wanted.name,
                wanted.address,
                wanted.keys,
                request_price=wanted.request_price,
                read_price=wanted.read_price,
                by=by,
            ),
            lambda record: record.id,
        )
        if known is not None and store is not None:
            registry.note(known.name, reason="")
            note_figures(service.table.database, known.name, store)
    return found


def _use(found: list[TrialResult], store: Store | None) -> None:
    """The steps after a store was opened."""
    _tried(found, "rights and room", lambda: _ready(store), lambda said: said)
    if store is not None and not store.capabilities.removes:
        says = "nothing can be removed there, so nothing was written"
        found += [TrialResult(step, "not tried", says) for step in ("written", "read back", "removed")]
    else:
        _write(found, store)


def _write(found: list[TrialResult], store: Store | None) -> None:
    def write() -> Receipt:
        assert store is not None
        made = put_bytes(store, f"trial-{uuid.uuid4().hex}", _PROBE)
        store.flush()
        return made

    receipt = _tried(found, "written", write, lambda made: made.key)

    def read() -> None:
        assert store is not None
        assert receipt is not None
        store.check(receipt)
        if read_bytes(store, receipt.key, len(_PROBE) + 1) != _PROBE:
            raise StoredWrong(
                store=str(store), key=receipt.key, what="its content", found="other bytes", expected="those sent"
            )

    _tried(found, "read back", read, lambda _: "the same bytes")
    if receipt is not None and store is not None:
        # Whatever came of reading, what was put must go.
        _tried(found, "removed", lambda: store.remove(receipt.key, receipt.version), lambda _: "", anyway=True)
    else:
        found.append(TrialResult("removed", "not tried"))


def _ready(store: Store | None) -> str:
    assert store is not None
    store.preflight(size=len(_PROBE))
    capacity = store.capacity()
    return "" if capacity is None else f"{capacity.free:,} of {capacity.total:,} bytes are free"


def _tried(
    found: list[TrialResult],
    step: str,
    do: Callable[[], Result],
    says: Callable[[Result], str],
    *,
    anyway: bool = False,
) -> Result | None:
    if not anyway and any(each.state == "failed" for each in found):
        found.append(TrialResult(step, "not tried"))
        return None
    try:
        result = do()
    except MunimentError as error:
        found.append(TrialResult(step, "failed", error.message, error))
        return None
    found.append(TrialResult(step, "ok", says(result)))
    return result
