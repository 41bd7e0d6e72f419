"""Jobs: what is being done, what waits until when and why, and what went wrong."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.app.operations import ACTIONS, OperationsControl
from muniment.errors.base import BadInput
from muniment.errors.jobs import JobNotFound
from muniment.errors.remote import NoSuchPage
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.jobs import Job, JobState, Ledger, Priority, State, StepRow
from muniment.jobs.operations import ALIVE, LISTED, WaitingJob
from muniment.server.pages.live import state_of_work
from muniment.server.pages.page import Page
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_PAGE = 50
_LINES = 500
_STEPS = 50
"""Steps of each state that a page has."""
_DEEPEST = 8
_REMEMBERED = 86_400.0
_ORDER = (State.FAILED, State.RUNNING, State.PAUSED, State.READY, State.WAITING, State.CANCELLED, State.DONE)
SHAPES = {
    "running": "run",
    "done": "ok",
    "failed": "bad",
    "cancelled": "warn",
    "paused": "wait",
    "ready": "wait",
    "waiting": "wait",
}

COLUMNS: tuple[Column[Job], ...] = (
    Column("id", lambda each: each.id),
    Column("kind", lambda each: each.kind),
    Column("key", lambda each: each.key),
    Column("state", lambda each: str(each.state)),
    Column("steps", lambda each: each.steps),
    Column("steps_done", lambda each: each.steps_done),
    Column("steps_failed", lambda each: each.steps_failed),
    Column("reason", lambda each: each.reason),
)


@dataclass(frozen=True, slots=True)
class JobStep:
    """A step as the tree of a job shows it: how deep it lies, who does it, and since when nothing was heard of them."""

    step: StepRow
    depth: int
    worker: str = ""
    silent: float | None = None
    """Seconds since its worker was heard of, where that is too long."""


def _let_in(request: Request) -> tuple[Page, OperationsControl, str | None]:
    """Whoever is signed in, with whose jobs they see: None for everybody's.

    Raises:
        MunimentError: 401 or 403.
    """
    page = Page(request)
    if page.access.may(ADMIN, None):
        return page, page.jobs.operations, None
    if page.access.caller.anonymous:
        page.access.require(ADMIN, None)
    return page, page.jobs.operations, page.access.caller.agent


def _asked_job(request: Request, id: str) -> tuple[Page, OperationsControl, Job, bool]:
    """A job that the caller may see: an administrator every one, others their own; and whether it is the former.

    Raises:
        MunimentError: 401; 403, whether there is such a job or not; or 404 for an administrator.
    """
    page, control, whose = _let_in(request)
    if whose is None:
        return page, control, control.find(id), True
    with contextlib.suppress(JobNotFound):
        found = control.find(id)
        if found.requester == whose:
            return page, control, found, False
    page.access.require(ADMIN, None)
    return page, control, control.find(id), True  # who became an administrator meanwhile


@router.get("/jobs", operation_id="page_jobs")
def jobs(request: Request) -> Response:
    """The page: what failed, runs and waits; then all jobs, the newest first. Without rights, one's own."""
    page, control, whose = _let_in(request)
    state = page.asked("state", 20)
    wanted = JobState(state) if state in set(JobState) else None
    listed = control.jobs(
        state=wanted, kind=None, after=page.asked("after", 64) or None, limit=_PAGE + 1, requester=whose
    )
    if form := wants(request):
        return table_of(
            COLUMNS, listed[:_PAGE], form, "jobs", {"after": listed[_PAGE - 1].id if len(listed) > _PAGE else ""}
        )
    now = control.look(whose)
    n, t = page.texts.counted, page.texts
    running = [each for each in now.jobs if each.running]
    waiting = [each for each in now.jobs if not each.running]
    parts = [
        n(len(now.failed), "One job failed|{n} jobs failed") if now.failed else t("Nothing failed lately"),
        n(len(running), "one runs|{n} run") if running else t("none runs"),
        n(len(waiting), "one waits|{n} wait") if waiting else t("none waits"),
    ]
    if LISTED in {len(now.jobs), len(now.failed)}:
        parts.append(t("and more"))  # no count is a guess without saying so
    return page.show(
        "jobs.html",
        page.texts("Jobs"),
        "/jobs",
        heading=", ".join(map(str, parts)),
        now=now,
        own=whose is not None,
        state_number=state_of_work(page, whose=whose),
        running=running,
        waiting=waiting,
        listed=listed[:_PAGE],
        following=listed[_PAGE - 1].id if len(listed) > _PAGE else "",
        state=state if wanted else "",
        states=[str(each) for each in JobState],
        shapes=SHAPES,
    )


@router.get("/jobs/{id}", operation_id="page_job")
def job(request: Request, id: str) -> Response:
    """One job: the tree of its steps, its numbered log, and what can be done with it."""
    page, control, found, manages = _asked_job(request, id)
    ledger = page.jobs.ledger
    asked = page.asked("line", 12)
    after = int(asked) if asked.isdecimal() else 0
    lines = ledger.history(found.id, after=after, limit=_LINES + 1)
    if request.query_params.get("format") == "txt":
        return _as_text(page, found)
    steps = tree_of(ledger, found.id)
    looked = control.look(None if manages else found.requester)
    held: WaitingJob | None = next((each for each in looked.jobs if each.job.id == found.id), None)
    return page.show(
        "job.html",
        f"{found.kind} {found.key or ''}".strip(),
        "/jobs",
        job=found,
        state_number=state_of_work(page, found.id),
        heading=_heading(page, found),
        steps=[each for each in steps if each.step.state is not State.DONE],
        ended=[each for each in steps if each.step.state is State.DONE],
        waiting=held,
        lines=lines[:_LINES],
        more_lines=lines[_LINES - 1].seq if len(lines) > _LINES else 0,
        shapes=SHAPES,
        open=found.ended_at is None,
        manages=manages,
    )


def tree_of(ledger: Ledger, job: str) -> list[JobStep]:
    """The steps of a job as a tree, each below the one it came from, what needs attention first; some of each state."""
    found = [step for state in _ORDER for step in islice(ledger.steps(job, state=state), _STEPS)]
    heard = {row.id: row.seen_at for row in ledger.workers(within=_REMEMBERED)}
    now, known = ledger.database.now(), {step.id for step in found}
    below: dict[str | None, list[StepRow]] = {}
    for step in found:
        below.setdefault(step.parent if step.parent in known else None, []).append(step)
    tree: list[JobStep] = []
    waiting = [(step, 0) for step in reversed(below.get(None, []))]
    while waiting:
        step, depth = waiting.pop()
        worker = (step.lease_owner or "") if step.state is State.RUNNING else ""
        seen = heard.get(worker.partition("/")[0])
        silent = now - seen if seen is not None and now - seen > ALIVE / 2 else None
        tree.append(JobStep(step, min(depth, _DEEPEST), worker, silent))
        waiting += [(each, depth + 1) for each in reversed(below.get(step.id, []))]
    return tree


@router.post("/jobs/{id}/{action}", operation_id="page_job_act")
def act(
    request: Request, id: str, action: str, sure: Annotated[str, Form()] = "", to: Annotated[str, Form()] = ""
) -> Response:
    """Retry, pause, resume or cancel; a cancelled job is asked about once more. Or put it in another queue.

    Raises:
        NoSuchPage: There is no such action.
        BadInput: It was not confirmed.
    """
    refuse_other_sites(request)
    page, control, found, manages = _asked_job(request, id)
    by = page.access.caller.agent
    if action == "priority" and to in set(Priority):
        if not manages:  # whose job goes before others' is not for who asked for it to say
            page.access.require(ADMIN, None)
        page.jobs.ledger.control.set_priority(found.id, Priority(to), by=by)
        return page.go(f"/jobs/{found.id}")
    if action not in ACTIONS:
        raise NoSuchPage(path=request.scope["path"][:200])
    if action == "cancel" and not sure:
        raise BadInput(reason="that the job is to be cancelled was not confirmed")
    done = control.act(action, found.id, by=by)
    return page.go(f"/jobs/{done.id}")


def _heading(page: Page, job: Job) -> str:
    t = page.texts
    numbers = {"done": t.number(job.steps_done), "all": t.number(job.steps), "failed": t.number(job.steps_failed)}
    if job.state == JobState.RUNNING:
        return str(
            t.counted(job.steps, "{done} of one step is done|{done} of {n} steps are done", done=numbers["done"])
        )
    if job.state == JobState.FAILED:
        return str(t("It failed, with {done} of {all} steps done", **numbers))
    if job.state == JobState.CANCELLED:
        return str(t("It was cancelled, with {done} of {all} steps done", **numbers))
    return str(t.counted(job.steps, "Its one step is done|All {n} steps are done"))


def _as_text(page: Page, job: Job) -> Response:
    lines: list[str] = []
    after = 0
    while found := page.jobs.ledger.history(job.id, after=after, limit=1000):
        lines += [f"{line.seq}\t{line.at:.3f}\t{line.what}\t{' '.join(line.detail.split())}\n" for line in found]
        after = found[-1].seq
    return Response("".join(lines).encode("utf-8", "replace"), media_type="text/plain; charset=utf-8")
