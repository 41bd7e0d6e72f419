"""Fixity: was everything checked in time, and what was found?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.archive import ContentIndex, LastCheck
from muniment.errors.remote import NoSuchPage
from muniment.http.throttling import EVENTS
from muniment.server.pages.events import latest
from muniment.server.pages.page import Page, resource_path
from muniment.workflows.copies.budget import Budget, Estimate
from muniment.workflows.copies.steps import DRILLS, VERIFICATIONS
from muniment.workflows.copies.verification import Verification

router = APIRouter(include_in_schema=False)
_DAYS = 371
_CHECK = "fixity check"
_MOST = 500
_DRILLS = 5
_LOOKED_AT = 2000
"""Copies that a page looks at for what is due, those verified longest ago."""


@dataclass(frozen=True, slots=True)
class CheckDay:
    """One day of the calendar: how many checks ended, how many of them found something."""

    day: str
    checks: int
    failed: int

    @property
    def kind(self) -> str:
        """How its square looks."""
        return "b-bad" if self.failed else "b-ok" if self.checks else "b-bg"


@dataclass(frozen=True, slots=True)
class ChecksAhead:
    """What is due: how much that is, when the schedule comes to it, and to drills; whether more was not looked at."""

    more: bool
    due: Estimate
    verified_at: float | None
    drilled_at: float | None
    known: bool = True
    """Whether there is any copy that could be due."""

    @property
    def minutes(self) -> int:
        """Whole minutes that it takes, where the rate of each store is known."""
        return math.ceil(max(self.due.seconds or 0.0, 1.0) / 60)


@router.get("/fixity", operation_id="page_fixity")
def fixity(request: Request) -> Response:
    """The page."""
    page = Page(request)
    page.access.require(EVENTS, None)
    contents = page.contents
    whole, failed = contents.last_check(), contents.last_checks(failed=True)
    days = calendar(contents, datetime.now(UTC).date())
    return page.show(
        "fixity.html",
        page.texts("Fixity"),
        "/fixity",
        heading=_heading(page, whole, failed),
        whole=whole,
        age=_age(whole),
        failed=[(each, resource_path(each.project, each.id)) for each in failed],
        weeks=[days[start : start + 7] for start in range(0, len(days), 7)],
        listed=[each for each in reversed(days) if each.checks][:60],
        usage=request.app.state.monitor.latest,
        ahead=ahead_of(page),
        drills=[(each, resource_path(each.project or "", each.resource or ""))
                for each in latest(page, lambda event: "drill" in event.detail, _DRILLS)],
    )  # fmt: skip


@router.get("/fixity/{day}", operation_id="page_fixity_day")
def day_of_checks(request: Request, day: str) -> Response:
    """The checks of one day."""
    page = Page(request)
    page.access.require(EVENTS, None)
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise NoSuchPage(path=request.scope["path"][:200]) from None
    found = page.contents.checks_on(wanted.isoformat(), _MOST)
    events = [event for number in found for event in _one(page, number)]
    return page.show(
        "fixity_day.html",
        wanted.isoformat(),
        "/fixity",
        heading=page.texts.counted(
            len(events), "One check ended on {day}|{n} checks ended on {day}", day=wanted.isoformat()
        ),
        events=events,
        day=wanted.isoformat(),
        resource_path=resource_path,
    )


def ahead_of(page: Page) -> ChecksAhead:
    """What is due by the cadence of policies, among the copies verified longest ago; what that takes, and when."""
    service = page.jobs.copy_service
    verification = Verification(service)
    looked_at = list(islice(service.table.oldest(None), _LOOKED_AT))
    due = list(verification.due_of(looked_at))
    periods = {name: at for name, _, at in page.jobs.ledger.periods()}
    return ChecksAhead(
        len(looked_at) == _LOOKED_AT,
        verification.estimate(due, Budget()),
        periods.get(VERIFICATIONS),
        periods.get(DRILLS),
        bool(looked_at),
    )


def calendar(contents: ContentIndex, today: date) -> list[CheckDay]:
    """A year of days up to today, from a Monday on."""
    first = today - timedelta(days=_DAYS - 7 + today.weekday())
    known = {day: (checks, failed) for day, checks, failed in contents.days_of_checks(first.isoformat())}
    count = (today - first).days + 1
    days = [(first + timedelta(days=at)).isoformat() for at in range(count)]
    return [CheckDay(day, *known.get(day, (0, 0))) for day in days]


def _one(page: Page, number: int) -> list[object]:
    found = next(iter(page.archive.events(number - 1)), None)
    return [found] if found is not None and found.seq == number and found.event == _CHECK else []


def _age(check: LastCheck | None) -> int:
    """Whole days since a check."""
    if check is None:
        return 0
    return max((datetime.now(UTC) - datetime.fromisoformat(check.at).astimezone(UTC)).days, 0)


def _heading(page: Page, whole: LastCheck | None, failed: list[LastCheck]) -> str:
    n, t = page.texts.counted, page.texts
    if failed:
        return str(
            n(
                len(failed),
                "The last check of one resource found something|The last checks of {n} resources found something",
            )
        )
    if whole is None:
        return str(t("Nothing was ever checked as a whole"))
    if whole.errors or whole.unknown:
        found = "The last check of everything found one thing|The last check of everything found {n} things"
        return str(n(whole.errors + whole.unknown, found))
    days = _age(whole)
    if not days:
        return str(t("Everything was checked today, and nothing was found"))
    checked = (
        "Everything was checked a day ago, and nothing was found|"
        "Everything was checked {n} days ago, and nothing was found"
    )
    return str(n(days, checked))
