"""Jobs: what is being done, what waits until when and why, and what went wrong."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.app.operations import ACTIONS, OperationsControl
from muniment.errors.base import BadInput
from muniment.errors.remote import NoSuchPage
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.jobs import Job, JobState
from muniment.jobs.operations import WaitingJob
from muniment.server.pages.live import state_of_work
from muniment.server.pages.page import Page
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_PAGE = 50
_LINES = 500
_STEPS = 100
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


def _control(request: Request) -> tuple[Page, OperationsControl]:
    page = Page(request)
    page.access.require(ADMIN, None)
    return page, page.jobs.operations


@router.get("/jobs", operation_id="page_jobs")
def jobs(request: Request) -> Response:
    """The page: what failed, runs and waits; then all jobs, the newest first."""
    page, control = _control(request)
    state = page.asked("state", 20)
    wanted = JobState(state) if state in set(JobState) else None
    listed = control.jobs(state=wanted, kind=None, after=page.asked("after", 64) or None, limit=_PAGE + 1)
    if form := wants(request):
        return table_of(
            COLUMNS, listed[:_PAGE], form, "jobs", {"after": listed[_PAGE - 1].id if len(listed) > _PAGE else ""}
        )
    now = control.look()
    n, t = page.texts.counted, page.texts
    running = [each for each in now.jobs if each.running]
    waiting = [each for each in now.jobs if not each.running]
    parts = [
        n(len(now.failed), "One job failed|{n} jobs failed") if now.failed else t("Nothing failed lately"),
        n(len(running), "one runs|{n} run") if running else t("none runs"),
        n(len(waiting), "one waits|{n} wait") if waiting else t("none waits"),
    ]
    return page.show(
        "jobs.html",
        page.texts("Jobs"),
        "/jobs",
        heading=", ".join(map(str, parts)),
        now=now,
        state_number=state_of_work(page),
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
    """One job: its steps, its numbered log, and what can be done with it."""
    page, control = _control(request)
    found = control.find(id)
    ledger = page.jobs.ledger
    asked = page.asked("line", 12)
    after = int(asked) if asked.isdecimal() else 0
    lines = ledger.history(found.id, after=after, limit=_LINES + 1)
    if request.query_params.get("format") == "txt":
        return _as_text(page, found)
    steps = [step for _, step in zip(range(_STEPS), ledger.steps(found.id), strict=False)]
    held: WaitingJob | None = next((each for each in control.look().jobs if each.job.id == found.id), None)
    return page.show(
        "job.html",
        f"{found.kind} {found.key or ''}".strip(),
        "/jobs",
        job=found,
        state_number=state_of_work(page, found.id),
        heading=_heading(page, found),
        steps=sorted(steps, key=lambda step: (_weight(str(step.state)), step.id)),
        waiting=held,
        lines=lines[:_LINES],
        more_lines=lines[_LINES - 1].seq if len(lines) > _LINES else 0,
        shapes=SHAPES,
        open=found.ended_at is None,
    )


@router.post("/jobs/{id}/{action}", operation_id="page_job_act")
def act(request: Request, id: str, action: str, sure: Annotated[str, Form()] = "") -> Response:
    """Retry, pause, resume or cancel; a cancelled job is asked about once more.

    Raises:
        NoSuchPage: There is no such action.
        BadInput: It was not confirmed.
    """
    refuse_other_sites(request)
    page, control = _control(request)
    if action not in ACTIONS:
        raise NoSuchPage(path=request.scope["path"][:200])
    if action == "cancel" and not sure:
        raise BadInput(reason="that the job is to be cancelled was not confirmed")
    done = control.act(action, id, by=page.access.caller.agent)
    return page.go(f"/jobs/{done.id}")


def _heading(page: Page, job: Job) -> str:
    t = page.texts
    numbers = {"done": t.number(job.steps_done), "all": t.number(job.steps), "failed": t.number(job.steps_failed)}
    if job.state == JobState.RUNNING:
        return str(t("{done} of {all} steps are done", **numbers))
    if job.state == JobState.FAILED:
        return str(t("It failed, with {done} of {all} steps done", **numbers))
    if job.state == JobState.CANCELLED:
        return str(t("It was cancelled, with {done} of {all} steps done", **numbers))
    return str(t.counted(job.steps, "Its one step is done|All {n} steps are done"))


def _weight(state: str) -> int:
    return {"failed": 0, "running": 1, "ready": 2, "waiting": 3, "paused": 3}.get(state, 4)


def _as_text(page: Page, job: Job) -> Response:
    lines: list[str] = []
    after = 0
    while found := page.jobs.ledger.history(job.id, after=after, limit=1000):
        lines += [f"{line.seq}\t{line.at:.3f}\t{line.what}\t{' '.join(line.detail.split())}\n" for line in found]
        after = found[-1].seq
    return Response("".join(lines).encode("utf-8", "replace"), media_type="text/plain; charset=utf-8")
