"""Copies: where is everything, what is owed, and since when?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.app.operations import time_text
from muniment.content.durations import duration_text
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN, EVENTS
from muniment.server.pages.page import Page, resource_path
from muniment.server.pages.tables import Column, table_of, wants
from muniment.workflows.copies.figures import tapes_of
from muniment.workflows.copies.policy import Policy
from muniment.workflows.copies.registry import ARCHIVE, StoreRecord
from muniment.workflows.copies.retention import Retentions, purge_requests_of
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow
from muniment.workflows.copies.trials import KIND_TRIAL, request_trial

router = APIRouter(include_in_schema=False)
_LISTED = 200
_FEW = 5
_SOON = 90 * 86_400.0
_LOOKED_AT = 2000
STATES = ("damaged", "unknown", "owed", "purging", "made")
SHAPES = {"made": "ok", "owed": "warn", "purging": "warn", "damaged": "bad", "missing": "bad", "unknown": "unknown"}
COPY_WORDS = {
    "made": "Verified",
    "owed": "Owed",
    "purging": "Being removed",
    "damaged": "Damaged",
    "missing": "Missing",
    "unknown": "Could not tell",
}
TRIAL_SHAPES = {"ok": "ok", "failed": "bad", "not tried": "wait"}
TRIAL_WORDS = {"ok": "Passed", "failed": "Failed", "not tried": "Not tried"}
TRIAL_STEPS = ("reached", "rights and room", "written", "read back", "removed", "known", "changed")

COLUMNS: tuple[Column[CopyRow], ...] = (
    Column("store", lambda each: each.store),
    Column("layout", lambda each: each.layout),
    Column("project", lambda each: each.project),
    Column("resource", lambda each: each.resource),
    Column("instance", lambda each: each.number),
    Column("state", lambda each: each.state),
    Column("reason", lambda each: each.reason),
    Column("bytes", lambda each: each.size),
    Column("lock", lambda each: each.lock_mode),
    Column("locked_until", lambda each: "" if each.locked_until is None else time_text(each.locked_until)),
)


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """One store: how many copies it has in which state, and how many bytes of them were made."""

    store: StoreRecord
    counts: dict[str, int]
    size: int
    verified_at: float | None = None
    """When the one of its copies that was verified longest ago was."""
    again_at: float | None = None
    """When the next copy that is owed to it is tried."""
    locks: tuple[str, ...] = ()
    """How new copies are locked, as policies ask for it."""

    @property
    def price(self) -> float:
        """What verifying all its copies once costs, two requests each; nothing where it has no prices."""
        requests = 2 * self.counts.get("made", 0)
        return self.store.request_price * requests / 1000 + self.store.read_price * self.size / 1e9

    @property
    def shape(self) -> str:
        """Its worst state."""
        if any(self.counts.get(state) for state in ("damaged", "missing")):
            return "bad"
        if self.store.reason or self.counts.get("unknown"):
            return "unknown"
        return "warn" if self.counts.get("owed") or self.counts.get("purging") else "ok"


def figures_of(service: CopyService) -> list[StoreFigures]:
    """Every store with its counts, from rows that each change keeps current."""
    counted = service.table.counts()
    found = []
    locks: dict[str, set[str]] = {}
    for policy in service.policies.all():
        for rule in policy.copies:
            if rule.lock is not None:
                locks.setdefault(rule.store, set()).add(f"{rule.lock.mode} {duration_text(rule.lock.seconds)}")
    for store in service.registry.all():
        counts = {state: count for (name, state), (count, _) in counted.items() if name == store.name}
        size = sum(size for (name, state), (_, size) in counted.items() if name == store.name and state == "made")
        times = service.table.times(store.name)
        found.append(StoreFigures(store, counts, size, *times, tuple(sorted(locks.get(store.name, ())))))
    return found


@router.get("/copies", operation_id="page_copies")
def copies(request: Request) -> Response:
    """The page."""
    page = Page(request)
    page.access.require(EVENTS, None)
    service = page.jobs.copy_service
    stores = figures_of(service)
    owed = sum(each.counts.get("owed", 0) for each in stores)
    bad = sum(each.counts.get(state, 0) for each in stores for state in ("damaged", "missing"))
    n, t = page.texts.counted, page.texts
    heading = t("No store is known: everything is here alone")
    if stores:
        made = sum(each.counts.get("made", 0) for each in stores)
        heading = n(made, "One copy is made|{n} copies are made")
        if owed:
            heading = n(owed, "One copy is owed|{n} copies are owed")
        if bad:
            heading = n(bad, "One copy is damaged or missing|{n} copies are damaged or missing")
    reasons: Counter[tuple[str, str]] = Counter()
    for row in islice(service.table.each(state="owed"), _LOOKED_AT):
        reasons[row.store, row.reason or "it was not tried yet"] += 1
    policies: list[Policy] = service.policies.all()
    database = service.table.database
    ending = Retentions(database).all(ending_before=database.now() + _SOON, most=_FEW + 1)
    waiting = purge_requests_of(database, _FEW + 1)
    return page.show(
        "copies.html",
        page.texts("Copies"),
        "/copies",
        heading=heading,
        stores=stores,
        reasons=reasons.most_common(20),
        looked_at=_LOOKED_AT if reasons.total() == _LOOKED_AT else 0,
        ending=[(each, resource_path(each.project, each.resource)) for each in ending],
        waiting=[(each, resource_path(each.project, each.resource, "purge")) for each in waiting],
        few=_FEW,
        policies=policies,
        tapes=tapes_of(service.table.database),
        may_add=page.access.may(ADMIN, None),
        usage=request.app.state.monitor.latest,
        own_disk=not request.app.state.app.in_bucket,
    )


@router.get("/copies/stores/{name}", operation_id="page_store")
def store(request: Request, name: str) -> Response:
    """One store: what it holds, what is wrong with it, the worst first."""
    page = Page(request)
    page.access.require(EVENTS, None)
    service = page.jobs.copy_service
    known = service.registry.get(name)
    state = page.asked("state", 20)
    wanted = [state] if state in SHAPES else [each for each in STATES if each != "made"]
    rows = list(islice((row for each in wanted for row in service.table.each(store=name, state=each)), _LISTED + 1))  # type: ignore[arg-type] # a state is one of its words
    if form := wants(request):
        return table_of(COLUMNS, rows, form, "copies")
    figures = next(each for each in figures_of(service) if each.store.name == known.name)
    made = figures.counts.get("made", 0)
    trial = page.jobs.ledger.about(KIND_TRIAL, known.name)
    return page.show(
        "store.html",
        known.name,
        "/copies",
        figures=figures,
        heading=page.texts.counted(made, "{name} holds one copy|{name} holds {n} copies", name=known.name),
        rows=[(row, resource_path(row.project, row.resource)) for row in rows[:_LISTED]],
        more=len(rows) > _LISTED,
        state=state if state in SHAPES else "",
        shapes=SHAPES,
        tapes=tapes_of(service.table.database, known.name),
        trial=trial,
        tried=trial.result["steps"] if trial is not None and isinstance(trial.result, Mapping) else [],
        trial_shapes=TRIAL_SHAPES,
        trial_words=TRIAL_WORDS,
        may_try=page.access.may(ADMIN, None),
    )


@router.post("/copies/stores/{name}/test", operation_id="page_store_test")
def try_store(request: Request, name: str) -> Response:
    """Try a store, in the background; the result stands on its page."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    known = page.jobs.copy_service.registry.get(name)
    request_trial(page.jobs.ledger, known.name, requester=page.access.caller.agent)
    return page.go(f"/copies/stores/{known.name}#trial")


def copies_of(page: Page, project: str, resource: str) -> list[CopyRow]:
    """The copies of a resource outside of the archive, the newest instance first; none where no store is known."""
    service = page.jobs.copy_service
    rows = [row for row in service.table.of(project, resource) if row.store != ARCHIVE]
    return sorted(rows, key=lambda row: (-row.number, row.store, row.layout))
