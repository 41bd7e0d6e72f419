"""Routes for whoever runs the machine: what ledger and workers are doing, and taking jobs and limits in hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request
from pydantic import Field

from muniment.app.operations import OperationsControl, document, job_document
from muniment.errors.base import MunimentError
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.throttling import ADMIN
from muniment.jobs import JobState
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import Given, JobOut, LiftedOut, LimitsOut, OperationsOut

router = new_router("operations")

Job = Annotated[str, Path(max_length=1024, description="A job's id, or the id of a container.")]


class LimitIn(Given):
    """Which limit."""

    name: Annotated[str, Field(max_length=1000, description="The limit, as `limits` names it.", examples=["osf.io"])]


@router.get("/operations", operation_id="get_operations")
def operations(request: Request) -> OperationsOut:
    """What is owed, what holds it up, who works on what, what failed and why, and what the archive holds."""
    control, _ = _control(request)
    try:
        found: Any = control.look()
    except MunimentError as error:
        found = error
    monitor = request.app.state.monitor
    return OperationsOut(**document(found, monitor.latest, monitor.bucket))


@router.get("/jobs", operation_id="list_jobs")
def jobs(
    request: Request,
    state: Annotated[Literal["running", "done", "failed", "cancelled"] | None, Query()] = None,
    kind: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=200, description="The last job of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, list[JobOut]]:
    """Jobs, the newest first."""
    control, _ = _control(request)
    wanted = JobState(state) if state else None
    found = control.jobs(state=wanted, kind=kind, after=after, limit=limit)
    return {"jobs": [JobOut(**job_document(each)) for each in found]}


@router.get("/jobs/{id}", operation_id="get_job")
def job(request: Request, id: Job) -> JobOut:
    """One job."""
    control, _ = _control(request)
    return JobOut(**job_document(control.find(id)))


@router.post("/jobs/{id}/{action}", operation_id="act_on_job")
def act(request: Request, id: Job, action: Literal["retry", "cancel", "pause", "resume"]) -> JobOut:
    """Try a job's waiting steps now or begin a failed one anew, cancel it, put it aside, or let it go on."""
    control, access = _control(request)
    return JobOut(**job_document(control.act(action, id, by=access.caller.agent)))


@router.get("/limits", operation_id="list_limits")
def limits(request: Request) -> LimitsOut:
    """The services that may not be called now, until when, and by whose answer."""
    control, _ = _control(request)
    return LimitsOut.model_validate({"limits": control.limits()})


@router.post("/limits/lift", operation_id="lift_limit")
def lift(request: Request, given: LimitIn) -> LiftedOut:
    """Let a service be called again, and wake what waits for that."""
    control, _ = _control(request)
    return LiftedOut(lifted=control.lift(given.name))


def _control(request: Request) -> tuple[OperationsControl, AuthorizedRequest]:
    access = authorized(request)
    access.require(ADMIN, None)
    control: OperationsControl = request.app.state.osf.operations
    return control, access
