"""The routes of the Distillery: pages for browsers, JSON for programs, and the log as it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from muniment.doors.distillery.audit_jobs import audit_document, newest_audit, request_audit
from muniment.doors.distillery.batches import Line
from muniment.doors.distillery.folders import known_collections, refuse_unknown
from muniment.doors.distillery.http import documents
from muniment.doors.distillery.http.admission import admitted, context_of, refuse_other_sites
from muniment.doors.distillery.http.lines import line_text
from muniment.doors.distillery.policy import BatchPolicy
from muniment.doors.distillery.requests import (
    batch_document,
    batches,
    find_batch,
    pause_batch,
    preview_collection,
    resume_batch,
    run_collection,
)
from muniment.doors.distillery.steps import KIND, KIND_PREVIEW
from muniment.errors.base import BadInput
from muniment.errors.distillery import BatchNotFound
from muniment.errors.remote import BadRequest
from muniment.http.live import STREAM, News, live
from muniment.jobs import Job, JobState, Progress

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.distillery.http.pages import Pages

PREFIX = "/distillery"
_AT_ONCE = 500
_LISTS = ("to", "folders")
_MOST_FIELDS = 1000

router = APIRouter(prefix=PREFIX, tags=["distillery"])


@router.get(
    "",
    response_class=Response,
    operation_id="distillery_list_batches",
    responses=documents.answers(documents.BatchesOut),
)
def index(request: Request) -> Response:
    """The batches there were."""
    access = admitted(request)
    found = batches(context_of(request))
    if (pages := _pages(request)) is None:
        return JSONResponse({"batches": [batch_document(job) for job in found]})
    return pages.batches(request, access, found)


@router.get(
    "/new",
    response_class=Response,
    operation_id="distillery_get_choices",
    responses=documents.answers(documents.CollectionsOut),
)
def form(request: Request) -> Response:
    """The form."""
    access = admitted(request)
    given = context_of(request)
    if (pages := _pages(request)) is None:
        usual = BatchPolicy.of(given.settings, {}).as_json()
        return JSONResponse({"collections": _names(given), "to": list(given.settings.destinations), **usual})
    return pages.form(request, access, _names(given))


@router.post(
    "/new",
    response_class=Response,
    status_code=202,
    operation_id="distillery_ask",
    responses=documents.done(documents.BatchOut),
    openapi_extra=documents.FORM,
)
async def ask(request: Request) -> Response:
    """Ask for a preview, or for a run: `collection`, `to`, and `do` (`preview` without it).

    `folders` names those of the collection that are meant (all without it), `normalisation` and `broken` say what is
    made of scans and what one that cannot be read does; they are as in the settings where they are not given.
    """
    asked = await _asked(request)
    return await run_in_threadpool(_ask, request, asked)


def _ask(request: Request, asked: Mapping[str, Any]) -> Response:
    access = admitted(request)
    refuse_other_sites(request)
    given, who = context_of(request), access.caller.agent
    collection, to = str(asked.get("collection", "")).strip(), asked.get("to") or []
    pages = _pages(request)
    try:
        policy = BatchPolicy.of(given.settings, asked)
        if pages is not None:
            refuse_unknown(given.settings.scans, collection)
        if asked.get("do", "preview") == "run":
            partly = bool(asked.get("ready"))
            job = run_collection(given, collection, to, requester=who, partly=partly, policy=policy)
            return _made(request, job, "")
        job = preview_collection(given, collection, to, requester=who, policy=policy)
    except BadInput as error:
        if pages is None:
            raise
        # What was typed stays: the form comes again with it, and says what is wrong.
        return pages.form(request, access, _names(given), asked=asked, wrong=error.statement, status=error.http_status)
    return _made(request, job, "/preview")


@router.get(
    "/{batch}/preview",
    response_class=Response,
    operation_id="distillery_get_preview",
    responses=documents.answers(documents.PreviewOut),
)
def preview(request: Request, batch: str) -> Response:
    """What a run would do."""
    access = admitted(request)
    job = _job(request, batch, KIND_PREVIEW)
    if (pages := _pages(request)) is None:
        return JSONResponse({**batch_document(job), "preview": job.result})
    return pages.preview(request, access, job)


@router.post(
    "/{batch}/run",
    response_class=Response,
    status_code=202,
    operation_id="distillery_run",
    responses=documents.done(documents.BatchOut),
    openapi_extra=documents.RUN,
)
async def run(request: Request, batch: str) -> Response:
    """Run what was previewed; with `ready`, the folders that are."""
    asked = await _asked(request)
    return await run_in_threadpool(_run, request, batch, asked)


def _run(request: Request, batch: str, asked: Mapping[str, Any]) -> Response:
    access = admitted(request)
    refuse_other_sites(request)
    given = context_of(request)
    seen = batch_document(_job(request, batch, KIND_PREVIEW))
    ready = bool(asked.get("ready"))
    job = run_collection(
        given, seen["collection"], seen["to"], requester=access.caller.agent, partly=ready, previewed=seen["batch"],
        policy=BatchPolicy.of(given.settings, seen),
    )  # fmt: skip
    return _made(request, job, "")


@router.get(
    "/{batch}",
    response_class=Response,
    operation_id="distillery_get_batch",
    responses=documents.answers(documents.BatchOut),
)
def show(request: Request, batch: str) -> Response:
    """A batch: how far it is, and its log."""
    access = admitted(request)
    job = _job(request, batch, KIND)
    if (pages := _pages(request)) is None:
        return JSONResponse(batch_document(job))
    return pages.run(request, access, job)


@router.post(
    "/{batch}/stop",
    response_class=Response,
    operation_id="distillery_stop",
    responses=documents.done(documents.BatchOut, 200),
)
def stop(request: Request, batch: str) -> Response:
    """Stop a batch: what has not begun never will. Asked for again, the collection goes on where it was."""
    access = admitted(request)
    refuse_other_sites(request)
    job = context_of(request).ledger.cancel(_job(request, batch, KIND).id, by=access.caller.agent)
    return _made(request, job, "", status=200)


@router.get(
    "/{batch}/audit",
    response_class=Response,
    operation_id="distillery_get_audit",
    responses=documents.answers(documents.AuditOut),
)
def show_audit(request: Request, batch: str) -> Response:
    """What the newest audit found that differs from what the batch did; POST asks for one."""
    access = admitted(request)
    job = _job(request, batch, KIND)
    given = context_of(request)
    newest = newest_audit(given, job.id)
    if (pages := _pages(request)) is None:
        return JSONResponse(audit_document(job.id, newest))
    return pages.audit(request, access, job, newest)


@router.post(
    "/{batch}/audit",
    response_class=Response,
    status_code=202,
    operation_id="distillery_ask_audit",
    responses=documents.done(documents.AuditJobOut),
)
def ask_audit(request: Request, batch: str) -> Response:
    """Ask for the audit of a batch, done in the background; the page then shows what it found."""
    access = admitted(request)
    refuse_other_sites(request)
    job = _job(request, batch, KIND)
    asked = request_audit(context_of(request), job.id, requester=access.caller.agent)
    address = f"{_root(request)}{PREFIX}/{job.id}/audit"
    if _wants_page(request):
        return RedirectResponse(address, 303)
    return JSONResponse({"batch": job.id, "job": asked.id, "state": str(asked.state)}, 202, {"Location": address})


@router.post(
    "/{batch}/pause",
    response_class=Response,
    operation_id="distillery_pause",
    responses=documents.done(documents.BatchOut, 200),
)
def pause(request: Request, batch: str) -> Response:
    """Begin nothing more of a batch until it is told to go on; what is being done is done to its end."""
    access = admitted(request)
    refuse_other_sites(request)
    job = pause_batch(context_of(request), _job(request, batch, KIND).id, by=access.caller.agent)
    return _made(request, job, "", status=200)


@router.post(
    "/{batch}/resume",
    response_class=Response,
    operation_id="distillery_resume",
    responses=documents.done(documents.BatchOut, 200),
)
def resume(request: Request, batch: str) -> Response:
    """Let a batch that was paused go on."""
    access = admitted(request)
    refuse_other_sites(request)
    job = resume_batch(context_of(request), _job(request, batch, KIND).id, by=access.caller.agent)
    return _made(request, job, "", status=200)


@router.get(
    "/{batch}/log.txt", response_class=Response, operation_id="distillery_get_log_as_text", responses=documents.TEXT
)
def log_text(request: Request, batch: str) -> Response:
    """The log as plain text, whole."""
    admitted(request)
    given, job = context_of(request), _job(request, batch)
    return PlainTextResponse("".join(f"{line_text(each)}\n" for each in given.batches.log(job.id)))


@router.get(
    "/{batch}/log",
    response_class=Response,
    operation_id="distillery_get_log",
    responses=documents.LOG,
    openapi_extra=documents.FOLLOWING,
)
async def log(request: Request, batch: str, after: int = 0, *, changes: bool = False) -> Response:
    """The log from its first line, or from after `after` or `Last-Event-ID`: JSON, or live as an event stream.

    With `changes` the stream also says when the folders are no more as they were.
    """
    given, job = await run_in_threadpool(_log_of, request, batch)
    if STREAM not in request.headers.get("accept", ""):
        return await run_in_threadpool(_lines, given, job, after)
    known = request.headers.get("last-event-id", "")
    if known:
        if not known.isdecimal() or len(known) > 9:  # noqa: PLR2004 - a line's number has fewer digits
            raise BadRequest(reason="Last-Event-ID is the number of a line")
        after = int(known)
    return live(request.app.state.streams, LogNews(given, job.id, changes=changes), after, what="event streams")


# --- inside


def _log_of(request: Request, batch: str) -> tuple[DistilleryContext, Job]:
    admitted(request)
    return context_of(request), _job(request, batch)


def _lines(given: DistilleryContext, job: Job, after: int) -> Response:
    found = [asdict(each) for each in islice(given.batches.log(job.id, after), _AT_ONCE)]
    following = found[-1]["number"] if len(found) == _AT_ONCE else None
    return JSONResponse({"batch": job.id, "lines": found, "next": following})


class LogNews:
    """Looks for new lines of a batch's log, and whether its folders are as they were at the last look."""

    def __init__(self, given: DistilleryContext, batch: str, *, changes: bool) -> None:
        self._given = given
        self._batch = batch
        self._changes = changes
        self._seen: object = None

    def __call__(self, after: int) -> News:
        """What is new after a line."""
        # The state is read before the lines: what was written before the end is then among them.
        progress = self._given.ledger.progress(self._batch)
        lines = list(islice(self._given.batches.log(self._batch, after), _AT_ONCE))
        data = b"".join(map(_event, lines)) + self._changed(progress)
        more = len(lines) == _AT_ONCE
        ended = progress.job.state is not JobState.RUNNING and not more
        if ended:
            data += b"event: end\ndata: %s\n\n" % json.dumps({"state": str(progress.job.state)}).encode()
        return News(lines[-1].number if lines else after, data, more=more, ended=ended)

    def _changed(self, progress: Progress) -> bytes:
        if not self._changes:
            return b""
        job = progress.job
        steps = [(each.id, each.done, each.total) for each in progress.running]
        now = (job.steps, job.steps_done, job.steps_failed, job.paused, steps)
        before, self._seen = self._seen, now
        # The first look is told as well: the page may be older than the stream, after a cut by far.
        return b"" if before == now else b"event: change\ndata: {}\n\n"


def _event(line: Line) -> bytes:
    data = {**asdict(line), "shown": line_text(line)}
    return b"id: %d\nevent: line\ndata: %s\n\n" % (line.number, json.dumps(data).encode())


def _job(request: Request, batch: str, kind: str | None = None) -> Job:
    job = find_batch(context_of(request), batch)
    if kind is not None and job.kind != kind:
        raise BatchNotFound(batch=batch[:80])
    return job


async def _asked(request: Request) -> Mapping[str, Any]:
    """What a form or a JSON document says.

    Raises:
        BadRequest: It is neither.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            document = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError):
            raise BadRequest(reason="its body is not JSON") from None
        if not isinstance(document, dict):
            raise BadRequest(reason="its body is no JSON object")
        for name, what in (("to", "of onsite, cloud and access"), ("folders", "of names of folders")):
            value = document.get(name, [])
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise BadRequest(reason=f'"{name}" is a list {what}')
        return document
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data", ""}:
        raise BadRequest(reason=f"{kind[:60]} is neither a form nor JSON")
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        single = {name: str(value) for name, value in form.items() if name not in _LISTS}
        return {**single, **{name: [str(value) for value in form.getlist(name)] for name in _LISTS}}


def _made(request: Request, job: Job, below: str, *, status: int = 202) -> Response:
    address = f"{_root(request)}{PREFIX}/{job.id}{below}"
    if _wants_page(request):
        return RedirectResponse(address, 303)
    return JSONResponse(batch_document(job), status, headers={"Location": address})


def _wants_page(request: Request) -> bool:
    """Whether a browser asks: it names HTML, where a program names JSON or takes anything."""
    return "text/html" in request.headers.get("accept", "")


def _pages(request: Request) -> Pages | None:
    """The pages, where a browser asks and the server has them."""
    found: Pages | None = getattr(request.app.state, "distillery_pages", None)
    return found if _wants_page(request) else None


def _names(given: DistilleryContext) -> list[str]:
    return list(islice(known_collections(given.settings.scans), 500))


def _root(request: Request) -> str:
    return cast("str", request.scope.get("root_path", ""))
