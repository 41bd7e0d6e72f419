"""OSF containers: is it complete, and was the platform told?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from muniment.doors.osf import KIND, Foreman, NamedCredential
from muniment.errors.base import MunimentError
from muniment.errors.registration import ContainerNotFound
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN, READ, WRITE
from muniment.jobs import Job, JobState
from muniment.server.pages.page import Page
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_PAGE = 50
_MOST = 200
_MOST_FIELDS = 200
_WORDS = {"SUCCESS": "ok", "FAILED": "bad", "STARTED": "run", "CANCELLED": "warn"}
SERVICE_SHAPES = {
    "not begun": "wait",
    "running": "run",
    "waiting": "wait",
    "done": "ok",
    "partly": "warn",
    "refused": "bad",
    "failed": "bad",
    "cancelled": "warn",
}
SERVICE_WORDS = {
    "not begun": "Not begun",
    "running": "Running",
    "waiting": "Waits",
    "done": "Done",
    "partly": "Not everything",
    "refused": "Refused",
    "failed": "Failed",
    "cancelled": "Stopped",
}
DELIVERY_WORDS = {
    "not yet owed": "Not owed yet",
    "running": "Owed",
    "delivered": "Taken",
    "failed": "Given up",
    "cancelled": "Stopped",
}
STATUS_WORDS = {"SUCCESS": "Registered", "FAILED": "Failed", "STARTED": "Running", "CANCELLED": "Stopped"}
_DELIVERED = {"delivered": "ok", "failed": "bad", "cancelled": "warn", "running": "wait"}


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that could not be had: of which service, which one, and why."""

    service: str
    file: str
    reason: str


FAILURES: tuple[Column[FailedFile], ...] = (
    Column("service", lambda each: each.service),
    Column("file", lambda each: each.file),
    Column("reason", lambda each: each.reason),
)


def _let_in(request: Request) -> tuple[Page, Foreman]:
    page = Page(request)
    page.access.require(READ, page.jobs.project)
    return page, page.jobs.foreman


@router.get("/containers", operation_id="page_containers")
def containers(request: Request) -> Response:
    """What failed, runs and was stopped, then what is registered."""
    page, foreman = _let_in(request)
    found, following = foreman.containers(after=page.asked("after", 300), limit=_PAGE)
    ledger = page.jobs.ledger
    open_jobs = ledger.jobs(kind=KIND, state=JobState.RUNNING, limit=_PAGE)
    failed = ledger.jobs(kind=KIND, state=JobState.FAILED, limit=_PAGE)
    stopped = ledger.jobs(kind=KIND, state=JobState.CANCELLED, limit=_PAGE)
    t, n = page.texts, page.texts.counted
    heading = str(t("No container was submitted yet"))
    if found or open_jobs or failed or stopped:
        parts = [
            n(len(failed), "one container failed|{n} containers failed") if failed else None,
            n(len(open_jobs), "one is under way|{n} are under way") if open_jobs else None,
            n(len(stopped), "one was stopped|{n} were stopped") if stopped else None,
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
        stopped=[(job, _ids(job)) for job in stopped],
        registered=found,
        following=following,
    )


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container in the tree of one that was registered: its depth in it, its id, and what each service brought."""

    depth: int
    id: str
    services: list[tuple[str, int, list[str]]]
    """Label, number of files, and what of the service is never taken."""


@router.get("/containers/{id}", operation_id="page_container")
def container(request: Request, id: str) -> Response:
    """One container: services, failures, what it waits for, and who was told."""
    page, foreman = _let_in(request)
    if (form := wants(request)) == "csv":
        return table_of(FAILURES, _rows_of(foreman.status(id)["failures"]), form, f"failures-{id}")
    if form == "json":
        return JSONResponse(foreman.status(id))
    return _container(page, foreman, id)


@router.post("/containers/{id}/again", operation_id="page_container_again")
async def again(request: Request, id: str) -> Response:
    """Submit a container that failed once more, with new credentials; what was typed is shown nowhere again."""
    refuse_other_sites(request)
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        given = {name: str(value) for name, value in form.items()}
    return await run_in_threadpool(_again, request, id, given)


def _again(request: Request, id: str, given: Mapping[str, str]) -> Response:
    page, foreman = _let_in(request)
    page.access.require(WRITE, page.jobs.project)
    wanted = foreman.credentials_of(id)
    values = {each.name: [given.get(f"{each.name} {field}", "") for field in each.fields] for each in wanted}
    try:
        foreman.submit_again(id, values, requester=page.access.caller.agent)
    except MunimentError as error:
        return _container(page, foreman, id, wrong=error.message, status=error.http_status)
    return page.go(f"/containers/{quote(id, safe='')}")


def _container(page: Page, foreman: Foreman, id: str, *, wrong: str = "", status: int = 200) -> Response:
    found, services = foreman.status(id), foreman.services(id)
    failed = found["status"] in {"FAILED", "CANCELLED"} and not found["registered"]
    credentials: list[NamedCredential] | None = None
    if failed and page.access.may(WRITE, page.jobs.project):
        with contextlib.suppress(ContainerNotFound):  # the ledger knows no more as what it was submitted
            credentials = foreman.credentials_of(id)
    return page.show(
        "container.html",
        id,
        "/containers",
        status=status,
        container=found,
        id=id,
        shape=_WORDS.get(str(found["status"]), "unknown"),
        state_word=STATUS_WORDS.get(str(found["status"]), "could not tell"),
        under_way=found["status"] == "STARTED",
        heading=_heading(page, found),
        progress=found.get("progress", {"done": 0, "total": 0, "failed": 0, "bytes": 0}),
        tree=list(islice(_tree(foreman.manifest(id), id), _MOST)) if found["registered"] else [],
        together=[each for each in found.get("job", {}).get("containers", []) if each != id][:_MOST],
        told=[{**each, "shape": _DELIVERED.get(str(each["state"]), "wait")} for each in found["callbacks"]],
        failures=_rows_of(found["failures"]),
        services=services[:_MOST],
        more=max(len(services) - _MOST, 0),
        several=len({each.container for each in services}) > 1,
        service_shapes=SERVICE_SHAPES,
        service_words=SERVICE_WORDS,
        delivery_words=DELIVERY_WORDS,
        may_see_jobs=page.access.may(ADMIN, None),
        credentials=credentials,
        wrong=wrong,
    )


def _tree(manifest: Mapping[str, Any], id: str, depth: int = 0) -> Iterator[ContainerRow]:
    """A container and all below it, in the order of the manifest."""
    services = [
        (str(label), len(service["files"]), [str(each) for each in service.get("notTaken", [])])
        for label, service in manifest["services"].items()
    ]
    yield ContainerRow(depth, id, services)
    for child, below in manifest["children"].items():
        yield from _tree(below, str(child), depth + 1)


def _heading(page: Page, status: Mapping[str, Any]) -> str:
    t = page.texts
    if status["registered"]:
        failures = len(_rows_of(status["failures"]))
        if failures:
            return str(
                t.counted(
                    failures, "It is registered; one file could not be had|It is registered; {n} files could not be had"
                )
            )
        return str(t("It is registered, complete"))
    if status["status"] == "FAILED":
        return str(t("It has failed; nothing of it is registered"))
    if status["status"] == "CANCELLED":
        return str(t("It was stopped; nothing of it is registered"))
    return str(t("It is not registered yet"))


def _ids(job: Job) -> list[str]:
    given = job.given if isinstance(job.given, dict) else {}
    return [str(each) for each in given.get("ids", [])][:20]


def _rows_of(failures: object) -> list[FailedFile]:
    """The failures of a container as rows."""
    return [
        FailedFile(*(str(each.get(name, "")) for name in ("service", "file", "reason")))
        for each in (failures if isinstance(failures, list) else [])
        if isinstance(each, Mapping)
    ]
