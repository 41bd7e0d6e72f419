"""Home: is everything safe, and what needs a person?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from urllib.parse import quote

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from muniment.app.operations import AGES
from muniment.archive import ContentIndex, Event, LastCheck, Totals, Usage
from muniment.doors.osf import KIND as CONTAINERS
from muniment.errors.base import MunimentError
from muniment.http.throttling import ADMIN, EVENTS, READ
from muniment.jobs.model import Job, JobState
from muniment.server.pages.copies import StoreFigures, figures_of
from muniment.server.pages.instance_facts import NamedDamage, named_damage
from muniment.server.pages.live import state_of_everything
from muniment.server.pages.page import SERVED, Page, resource_path
from muniment.server.pages.resources import EVENT_WORDS
from muniment.workflows.copies.retention import purge_requests_of

router = APIRouter(include_in_schema=False)
_LATEST = 6
_NEEDY = 6
_NAMED = 3
_MONTHS = 12
_FOUND = (("bad", "Damaged"), ("unknown", "Could not tell"), ("owed", "Owed"), ("waits", "Not checked yet"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to the page's question: a state, a sentence, and what goes with it."""

    state: str
    sentence: str
    rest: str


@dataclass(frozen=True, slots=True)
class Need:
    """Something a person has to do: what happened, what is lost, and the button that does it."""

    state: str
    what: str
    says: str
    path: str
    does: str


@dataclass(frozen=True, slots=True)
class Protection:
    """One place where things are kept, and how many of them are in which state there."""

    label: str
    path: str
    whole: int
    owed: int = 0
    unknown: int = 0
    bad: int = 0
    waits: int = 0
    silent: bool = False
    """Whether it could not be used when that was last tried: the figures are then those of `seen_at`."""
    seen_at: float | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return self.whole + self.owed + self.unknown + self.bad + self.waits


@router.get("/", operation_id="page_home")
def home(request: Request) -> Response:
    """The page."""
    page = Page(request)
    page.access.require_somewhere(READ)
    contents = page.contents
    totals = contents.totals(page.readable)
    everything = page.access.may(EVENTS, None)
    failed = contents.last_checks(failed=True, limit=50) if everything else []
    whole = contents.last_check() if everything else None
    jobs = _jobs(page)
    stores = _stores(page) if everything else []
    usage: Usage | None = request.app.state.monitor.latest if everything else None
    needs = [
        *_damaged(page, failed),
        *_waiting_purges(page),
        *(_failed_jobs(page, jobs) if "jobs" in SERVED else []),
        *_silent(page, stores),
    ]
    since = contents.came_since(whole.at) if whole else 0
    bars = _bars(totals, (whole, since), failed, stores, usage) if everything else []
    return page.show(
        "home.html",
        page.texts("Home"),
        "/",
        verdict=_verdict(page, totals, (whole, since), failed, _owed(stores, usage)),
        needs=needs[:_NEEDY],
        more_needs=max(len(needs) - _NEEDY, 0),
        totals=totals,
        months=_months(contents) if page.readable is None else [],
        grown=_grown(contents) if page.readable is None else 0,
        resource_path=resource_path,
        event_words=EVENT_WORDS,
        whole=whole,
        bars=bars,
        found=[(state, word, sum(getattr(each, state) for each in bars)) for state, word in _FOUND],
        ages=_ages(page) if everything else [],
        oldest=_oldest(page) if everything else None,
        ages_at=request.app.state.monitor.read_at,
        stores=stores,
        usage=usage,
        own_disk=not request.app.state.app.in_bucket,
        running=[job for job in jobs if job.state == JobState.RUNNING][:_LATEST],
        sees_jobs=page.access.may(ADMIN, None),
        events=_latest(page) if everything else [],
        sees_events=everything,
        head=page.archive.head().seq if everything else 0,
        state_of_all=_state(page) if page.access.may(ADMIN, None) else None,
        may_write=page.access.may_somewhere("resources/write"),
        now=datetime.now(UTC).timestamp(),
        behind=contents.behind(),
    )


def _verdict(
    page: Page, totals: Totals, read: tuple[LastCheck | None, int], failed: list[LastCheck], owed: int
) -> Verdict:
    """The answer; `read` is the last check of everything and how many resources came since."""
    t, n = page.texts, page.texts.counted
    whole, since = read
    damaged = [check for check in failed if check.errors]
    unsure = [check for check in failed if not check.errors]
    if not totals.resources:
        return Verdict(
            "wait",
            str(t("Nothing is kept here yet.")),
            str(t("Put the first thing in, and it is watched over from then on.")),
        )
    held = str(n(totals.files, "{n} file is held.|{n} files are held."))
    if damaged or (whole is not None and whole.errors):
        count = len(damaged) or 1
        found = n(count, "In one resource something is damaged.|In {n} resources something is damaged.")
        held += _besides(page, whole, owed)
        if not damaged and whole is not None:
            found = n(whole.errors, "The last check found one thing damaged.|The last check found {n} things damaged.")
        return Verdict("bad", str(found), held)
    if unsure or (whole is not None and whole.unknown):
        return Verdict("unknown", str(t("Something could not be read, so nobody can tell whether it is whole.")), held)
    if whole is None:
        return Verdict(
            "unknown",
            str(t("Nobody has checked yet whether everything is whole.")),
            f"{held} " + str(t("`muniment audit` checks all of it.")),
        )
    if whole.fast:
        return Verdict(
            "unknown",
            str(t("Names and sizes are right; the contents were not read.")),
            f"{held} " + str(t("`muniment audit` without --fast reads them.")),
        )
    if owed:
        found = n(
            owed, "One copy or parity is owed; nothing is damaged.|{n} copies or parities are owed; nothing is damaged."
        )
        return Verdict("warn", str(found), held)
    if since:
        came = n(
            since, "One resource came since and is not checked yet.|{n} resources came since and are not checked yet."
        )
        held += f" {came}"
    return Verdict("ok", str(t("Everything was whole when it was last read.")), held)


def _besides(page: Page, whole: LastCheck | None, owed: int) -> str:
    """What holds beside the worst: of all else, and of what is owed."""
    t, n = page.texts, page.texts.counted
    said = ""
    if whole is not None and not whole.fast and not whole.errors and not whole.unknown:
        said += f" {t('All else was whole when everything was last read.')}"
    if owed:
        said += f" {n(owed, 'One copy or parity is owed.|{n} copies or parities are owed.')}"
    return said


def _damaged(page: Page, failed: list[LastCheck]) -> list[Need]:
    t, n = page.texts, page.texts.counted
    found = []
    for at, check in enumerate(sorted(failed, key=lambda each: -each.errors)):
        state = "bad" if check.errors else "unknown"
        named = named_damage(page, check) if at < _NEEDY else NamedDamage()
        names = named.names()
        if check.errors and names:
            says = n(len(names), "One file is damaged: {names}.|{n} files are damaged: {names}.", names=_few(names))
        elif check.errors:
            says = n(check.errors, "One thing is damaged.|{n} things are damaged.")
        else:
            says = t("It could not be read. Nothing is known to be lost.")
        if check.errors:
            says += f" {_mended(page, named)}"
        path = resource_path(check.project, check.id)
        found.append(Need(state, check.id, says.unescape(), path, str(t("Look at it"))))
    return found


def _mended(page: Page, named: NamedDamage) -> Markup:
    """What mending a resource takes."""
    t, n = page.texts, page.texts.counted
    if not named.needs:
        return t("Repair restores it from parity or from another copy, where that is enough.")
    worst = named.needs[0]
    needed = n(worst.lost, "one is needed|{n} are needed")
    said = n(
        worst.spare,
        "Parity has one block for it, and {needed}.|Parity has {n} blocks for it, and {needed}.",
        needed=needed,
    )
    return said if worst.met else said + " " + t("So it takes another copy.")


def _few(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _jobs(page: Page) -> list[Job]:
    if not page.access.may(ADMIN, None):
        return []
    try:
        return page.jobs.ledger.jobs(limit=50)
    except MunimentError:
        return []  # the page comes all the same; the page of jobs says what is wrong


def _state(page: Page) -> int | None:
    try:
        return state_of_everything(page)
    except MunimentError:
        return None


def _stores(page: Page) -> list[StoreFigures]:
    try:
        return figures_of(page.jobs.copy_service)
    except MunimentError:
        return []  # the page comes all the same; the page of copies says what is wrong


def _bars(
    totals: Totals,
    read: tuple[LastCheck | None, int],
    failed: list[LastCheck],
    stores: list[StoreFigures],
    usage: Usage | None,
) -> list[Protection]:
    """Disk, parity and each store: what was verified there, is owed, could not be told, or is damaged."""
    bad = sum(each.errors > 0 for each in failed)
    unsure = len(failed) - bad
    whole, since = read
    waits = min(since, max(totals.resources - bad - unsure, 0))
    rest = max(totals.resources - bad - unsure - waits, 0)
    sure = whole is not None and not whole.fast and not whole.unknown
    found = [
        Protection(
            "Archive, disk", "/fixity", rest if sure else 0, 0, unsure if sure else unsure + rest, bad, waits=waits
        )
    ]
    if usage is not None and usage.parity_owed is not None:
        owed = min(usage.parity_owed, totals.instances)
        found.append(Protection("Parity", "/fixity", totals.instances - owed, owed))
    for each in stores:
        counts = each.counts
        damaged = counts.get("damaged", 0) + counts.get("missing", 0)
        owed, unknown = counts.get("owed", 0) + counts.get("purging", 0), counts.get("unknown", 0)
        path = f"/copies/stores/{each.store.name}"
        found.append(
            Protection(
                each.store.name,
                path,
                counts.get("made", 0),
                owed,
                unknown,
                damaged,
                silent=each.store.silent_since is not None,
                seen_at=each.store.answered_at,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _OldestCheck:
    """How many whole days ago the resource was verified that was so longest ago, and how many its policy allows."""

    days: int
    allowed: int

    @property
    def late(self) -> bool:
        """Whether it should have been verified again."""
        return self.days > self.allowed


def _oldest(page: Page) -> _OldestCheck | None:
    found: tuple[float, float] | None = page.request.app.state.monitor.longest_ago
    if found is None:
        return None
    at, allowed = found
    return _OldestCheck(int(max(time.time() - at, 0) // 86_400), math.ceil(allowed / 86_400))


def _ages(page: Page) -> list[tuple[str, int, bool]]:
    """How many resources were last verified how long ago, as the server counted lately; what is older than allowed."""
    counted: list[int] = page.request.app.state.monitor.ages
    if not sum(counted):
        return []
    t, bounds = page.texts, [0, *AGES]
    words = [str(t("{first} to {last} days", first=low, last=high)) for low, high in pairwise(bounds)]
    allowed = page.request.app.state.monitor.longest_ago
    days = allowed[1] / 86_400 if allowed else bounds[-1]
    return [
        (word, count, low >= days)
        for word, count, low in zip([*words, str(t("Over a year"))], counted, bounds, strict=True)
    ]


def _silent(page: Page, stores: list[StoreFigures]) -> list[Need]:
    t = page.texts
    return [
        Need(
            "unknown",
            str(t("{name} does not answer", name=each.store.name)),
            t("{reason}. Nothing is known to be lost; it is tried again.", reason=each.store.reason[:200]).unescape(),
            f"/copies/stores/{each.store.name}#trial",
            str(t("Test it")),
        )
        for each in stores
        if each.store.reason
    ]


def _waiting_purges(page: Page) -> list[Need]:
    """Purges that wait for a second person, for whoever may be that."""
    if not page.access.may(ADMIN, None):
        return []
    t = page.texts
    try:
        waiting = purge_requests_of(page.jobs.copy_service.table.database, _NEEDY)
    except MunimentError:
        return []
    return [
        Need(
            "wait",
            each.resource,
            t("{who} asked that it be removed for ever; a second person decides.", who=each.requester).unescape(),
            resource_path(each.project, each.resource, "purge"),
            str(t("Decide")),
        )
        for each in waiting
    ]


def _owed(stores: list[StoreFigures], usage: Usage | None) -> int:
    owed = sum(each.counts.get(state, 0) for each in stores for state in ("owed", "damaged", "missing", "unknown"))
    return owed + (usage.parity_owed or 0 if usage else 0)


def _failed_jobs(page: Page, jobs: list[Job]) -> list[Need]:
    t = page.texts
    return [
        Need(
            "bad" if job.kind == CONTAINERS else "warn",
            f"{job.kind} {job.key or ''}".strip(),
            job.reason or str(t("It failed.")),
            f"/containers/{quote(job.key, safe='')}" if job.kind == CONTAINERS and job.key else f"/jobs/{job.id}",
            str(t("See what failed")),
        )
        for job in jobs
        if job.state == JobState.FAILED
    ]


def _months(contents: ContentIndex) -> list[tuple[str, int]]:
    """What was held at the end of each of the last months in which something came, in bytes."""
    total, found = 0, []
    for month, _, _, size in contents.months():
        total += size
        found.append((month, total))
    return found[-_MONTHS:]


def _grown(contents: ContentIndex) -> int:
    """Bytes that came this month."""
    now = datetime.now(UTC).strftime("%Y-%m")
    return next((size for month, _, _, size in contents.months()[-1:] if month == now), 0)


def _latest(page: Page) -> list[Event]:
    newest = page.archive.head().seq
    return list(islice(page.archive.events(max(newest - _LATEST, 0)), _LATEST))[::-1]
