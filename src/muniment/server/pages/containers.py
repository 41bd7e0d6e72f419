"""OSF containers: is it complete, and was the platform told?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from muniment.doors.osf import KIND, Foreman
from muniment.http.throttling import READ
from muniment.jobs import Job, JobState
from muniment.server.pages.page import Page
from muniment.server.pages.tables import wants

router = APIRouter(include_in_schema=False)
_PAGE = 50
_WORDS = {"SUCCESS": "ok", "FAILED": "bad", "STARTED": "run", "CANCELLED": "warn"}


def _let_in(request: Request) -> tuple[Page, Foreman]:
    page = Page(request)
    page.access.require(READ, page.jobs.project)
    return page, page.jobs.foreman


@router.get("/containers", operation_id="page_containers")
def containers(request: Request) -> Response:
    """What runs and failed, then what is registered."""
    page, foreman = _let_in(request)
    found, following = foreman.containers(after=page.asked("after", 300), limit=_PAGE)
    ledger = page.jobs.ledger
    open_jobs = ledger.jobs(kind=KIND, state=JobState.RUNNING, limit=_PAGE)
    failed = ledger.jobs(kind=KIND, state=JobState.FAILED, limit=_PAGE)
    t, n = page.texts, page.texts.counted
    heading = str(t("No container was submitted yet"))
    if found or open_jobs or failed:
        parts = [
            n(len(failed), "one container failed|{n} containers failed") if failed else None,
            n(len(open_jobs), "one is under way|{n} are under way") if open_jobs else None,
            n(len(found), "one is registered|{n} are registered")
            if not following
            else t("over {n} are registered", n=_PAGE),
        ]
        heading = ", ".join(str(part) for part in parts if part)
        heading = heading[:1].upper() + heading[1:]
    return page.show(
        "containers.html",
        page.texts("OSF containers"),
        "/containers",
        heading=heading,
        open_jobs=[(job, _ids(job)) for job in open_jobs],
        failed=[(job, _ids(job)) for job in failed],
        registered=found,
        following=following,
    )


@router.get("/containers/{id}", operation_id="page_container")
def container(request: Request, id: str) -> Response:
    """One container: services, failures, what it waits for, and who was told."""
    page, foreman = _let_in(request)
    status = foreman.status(id)
    if wants(request) == "json":
        return JSONResponse(status)
    words = page.texts
    shape = _WORDS.get(str(status["status"]), "unknown")
    return page.show(
        "container.html",
        id,
        "/containers",
        container=status,
        id=id,
        shape=shape,
        heading=_heading(page, status),
        progress=status.get("progress", {"done": 0, "total": 0, "failed": 0, "bytes": 0}),
        said=[(str(words("Callback")), each) for each in status.get("callbacks", [])],
        failures=_listed(status.get("failures")),
    )


def _heading(page: Page, status: dict[str, object]) -> str:
    t = page.texts
    if status["registered"]:
        failures = len(_listed(status.get("failures")))
        if failures:
            return str(
                t.counted(
                    failures, "It is registered; one file could not be had|It is registered; {n} files could not be had"
                )
            )
        return str(t("It is registered, complete"))
    if status["status"] == "FAILED":
        return str(t("It has failed; nothing of it is registered"))
    return str(t("It is not registered yet"))


def _ids(job: Job) -> list[str]:
    given = job.given if isinstance(job.given, dict) else {}
    return [str(each) for each in given.get("ids", [])][:20]


def _listed(value: Any) -> list[str]:
    """Whatever a list of failures holds, in words."""
    if isinstance(value, dict):
        return [f"{name}: {item}" for name, item in value.items()]
    return [
        ", ".join(f"{name}: {text}" for name, text in each.items()) if isinstance(each, dict) else str(each)
        for each in value or []
    ]
