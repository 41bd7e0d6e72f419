"""Bringing in from where the material lives: a form made from a source's own options, and how far the fetch is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from muniment.errors.base import BadInput, MunimentError
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import READ, WRITE
from muniment.server.pages.page import Page, resource_path
from muniment.sources import find, submittable
from muniment.workflows.fetch.request import FetchRequest, read_sources
from muniment.workflows.fetch.requests import Fetches

router = APIRouter(include_in_schema=False)
_FIRST = "http"
_SHAPES = {"running": "run", "done": "ok", "failed": "bad", "cancelled": "warn"}


@router.get("/deposit/source", operation_id="page_source")
def source(request: Request) -> Response:
    """The form of one kind of source."""
    page = Page(request)
    page.access.require_somewhere(WRITE)
    return _form(page, page.asked("kind", 60) or _FIRST)


@router.post("/deposit/source", operation_id="page_source_fetch")
async def fetch(request: Request) -> Response:
    """Ask for it, and go on to where one sees how far it is."""
    refuse_other_sites(request)
    async with request.form(max_files=0, max_fields=100) as form:
        return await run_in_threadpool(_fetch, request, form)


def _fetch(request: Request, form: FormData) -> Response:
    page = Page(request)
    given = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
    kind = given.get("kind", "")
    project = given.get("project") or page.archive.config.project
    page.access.require(WRITE, project)
    known = find(kind)
    # Fields are named after the options with a mark before them, so that none is taken for the form's own.
    fields = {param.name: given[f"o-{param.name}"] for param in known.params if given.get(f"o-{param.name}")}
    try:
        services, secrets = read_sources([{known.name: fields}])
        asked = FetchRequest(services, secrets, given.get("id") or None, project, given.get("message", ""))
        job = _fetches(page).submit(asked, requester=page.access.caller.agent)
    except BadInput as error:
        shown = {name: value for name, value in fields.items() if name not in known.secret_fields()}
        return _form(page, known.name, given={**given, **shown}, wrong=str(error), status=error.http_status)
    return page.go(f"/deposit/source/{job.id}")


@router.get("/deposit/source/{fetch}", operation_id="page_source_fetched")
def fetched(request: Request, fetch: str) -> Response:
    """How far a fetch is, what it waits for, or what came of it."""
    page = Page(request)
    page.access.require_somewhere(READ)
    found = _fetches(page).show(fetch)
    page.access.require(READ, found["project"])
    t = page.texts
    headings = {
        "running": t("It is being fetched"),
        "done": t("It is in the archive"),
        "failed": t("It could not be fetched"),
        "cancelled": t("It was cancelled; no instance came of it"),
    }
    return page.show(
        "fetched.html",
        page.texts("From a source"),
        "/deposit",
        found=found,
        heading=headings.get(found["state"], found["state"]),
        shape=_SHAPES.get(found["state"], "wait"),
        path=resource_path(found["project"], found["id"]),
    )


def _form(
    page: Page, kind: str, *, given: dict[str, str] | None = None, wrong: str = "", status: int = 200
) -> Response:
    known = find(kind)
    said = given or {}
    return page.show(
        "source.html",
        page.texts("From a source"),
        "/deposit",
        status=status,
        kind=known,
        kinds=[_summary(name) for name in submittable()],
        project=said.get("project") or page.asked("project", 130) or page.archive.config.project,
        id=said.get("id", ""),
        message=said.get("message", ""),
        said=said,
        wrong=wrong,
    )


def _summary(name: str) -> tuple[str, str]:
    try:
        return name, find(name).summary
    except MunimentError:
        return name, ""  # a package that brings it cannot be loaded; what hinders it is said when it is chosen


def _fetches(page: Page) -> Fetches:
    found: object = page.jobs.fetches
    assert isinstance(found, Fetches)
    return found
