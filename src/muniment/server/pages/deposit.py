"""Deposit: put this in. Files and folders of any size, resumed where they were cut, committed whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from muniment.archive import Agent, Instance, ParkedTransaction, Transaction, parked_transactions
from muniment.content.portability import check_names
from muniment.errors.archive import LeftoverNotFound
from muniment.errors.base import BadInput
from muniment.http.authorization import told
from muniment.http.browsers import refuse_other_sites
from muniment.http.middleware import BATCH
from muniment.http.names import path_of
from muniment.http.throttling import READ, WRITE, agent_of
from muniment.server.native.open_transactions import OpenTransactions
from muniment.server.native.transactions import held
from muniment.server.pages.page import Page, file_path, resource_path
from muniment.server.pages.resources import asked_instance, title_of
from muniment.server.pages.tables import wants

router = APIRouter(include_in_schema=False)
_SHOWN = 50
_WARNINGS = 50
_RECEIPT = 500
_MOST_FILES = 1000
_LOOKED_AT = 4000
"""Events among which a transaction is looked for that is no longer open."""
SAID = ("title", "creator", "date", "description")


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a deposit holds so far. `new` are the files that are not in the instance before."""

    files: int
    new: int
    size: int
    shown: list[tuple[str, int, str]]
    warnings: list[tuple[str, str]]


@router.get("/deposit", operation_id="page_deposit")
def deposit(request: Request) -> Response:
    """The form, and the deposits of this person that wait to be finished."""
    page = Page(request)
    page.access.require_somewhere(WRITE)
    on = page.asked("on", 500)
    project = page.asked("project", 130)
    base = page.archive.instance(on, project=page.access.project_of(on, project or None, READ)) if on else None
    mine = agent_of(page.access.caller)
    return page.show(
        "deposit.html",
        page.texts("Deposit"),
        "/deposit",
        base=base,
        base_title=title_of(base) if base else "",
        project=project or (base.project if base else page.archive.config.project),
        projects=[place for place in page.archive.projects() if page.access.may(WRITE, place)],
        waiting=_mine(page, mine),
        said={name: _text(base, name) for name in SAID},
    )


@router.post("/deposit", operation_id="page_deposit_begin")
def begin(
    request: Request,
    project: Annotated[str, Form()] = "",
    id: Annotated[str, Form()] = "",
    on: Annotated[str, Form()] = "",
    message: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    creator: Annotated[str, Form()] = "",
    date: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
) -> Response:
    """Begin a transaction, and go on to its page."""
    refuse_other_sites(request)
    page = Page(request)
    access = page.access
    if on:
        place = access.project_of(on, project or None, READ)
        access.require(WRITE, place)
        found: Transaction = access.archive.get(on, "a", project=place, message=message.strip())
    else:
        place = project.strip() or page.archive.config.project
        access.require(WRITE, place)
        found = access.archive.new(id.strip() or None, place, message=message.strip())
    for name, value in (("title", title), ("creator", creator), ("date", date), ("description", description)):
        if value.strip():
            found.metadata[name] = value.strip()
        elif on:
            found.metadata.pop(name, None)
    open_transactions: OpenTransactions = request.app.state.open_transactions
    open_transactions.keep(found)
    access.authorizer.metrics.transactions.labels("begun").inc()
    return page.go(f"/deposit/{found.transaction}")


@router.get("/deposit/{transaction}", operation_id="page_deposit_open")
def show(request: Request, transaction: str) -> Response:
    """A deposit that is being made; its receipt once it was committed, also for who comes back to its address."""
    page = Page(request)
    try:
        with held(request, transaction) as (_, found):
            so_far = _so_far(found, _base(page, found))
            project, name, number = found.project, found.id, found.number
            said = {name: str(found.metadata.get(name, "")) for name in SAID}
    except LeftoverNotFound:
        return _receipt_of(page, transaction)
    open_transactions: OpenTransactions = request.app.state.open_transactions
    return page.show(
        "deposit_open.html",
        page.texts("Deposit"),
        "/deposit",
        transaction=transaction,
        project=project,
        id=name,
        instance_number=number,
        said=said,
        so_far=so_far,
        lease_minutes=int(open_transactions.lease // 60),
        limit=BATCH,
        existing=resource_path(project, name) if number > 1 else "",
    )


@router.post("/deposit/{transaction}/files", operation_id="page_deposit_files")
async def add_files(request: Request, transaction: str) -> Response:
    """Add the files of a form: the way for browsers without scripts."""
    refuse_other_sites(request)
    async with request.form(max_files=_MOST_FILES, max_fields=10) as form:
        given = [each for each in form.getlist("file") if isinstance(each, UploadFile) and each.filename]
        return await run_in_threadpool(_add, request, transaction, given)


def _add(request: Request, transaction: str, given: list[UploadFile]) -> Response:
    page = Page(request)
    if not given:
        raise BadInput(reason="no file was chosen")
    with held(request, transaction) as (_, found):
        for each in given:
            path = path_of(str(each.filename), encoded=False)
            add = found.replace if path in found else found.add
            add(each.file, path)
    return page.go(f"/deposit/{transaction}")


@router.post("/deposit/{transaction}/leave-out", operation_id="page_deposit_leave_out")
def leave_out(request: Request, transaction: str, path: Annotated[str, Form()] = "") -> Response:
    """Leave a file out again."""
    refuse_other_sites(request)
    page = Page(request)
    with held(request, transaction) as (_, found):
        found.delete(path_of(path, encoded=False))
    return page.go(f"/deposit/{transaction}")


@router.post("/deposit/{transaction}/commit", operation_id="page_deposit_commit")
def commit(request: Request, transaction: str) -> Response:
    """Commit, and go on to the receipt; on return the instance is on stable storage. Done again, it leads there too."""
    refuse_other_sites(request)
    page = Page(request)
    try:
        with held(request, transaction) as (access, found), told(access.authorizer.metrics, "committed"):
            done = found.commit()
    except LeftoverNotFound:
        return _receipt_of(page, transaction)
    return page.go(resource_path(done.project, done.id, "receipt", instance=done.number))


@router.post("/deposit/{transaction}/discard", operation_id="page_deposit_discard")
def discard(request: Request, transaction: str, sure: Annotated[str, Form()] = "") -> Response:
    """Undo everything: the archive is as it was before.

    Raises:
        BadInput: It was not confirmed.
    """
    refuse_other_sites(request)
    page = Page(request)
    if not sure:
        raise BadInput(reason="that the deposit is to be given up was not confirmed")
    with held(request, transaction) as (access, found), told(access.authorizer.metrics, "rolled back"):
        found.rollback()
    return page.go("/deposit")


@router.get("/resources/{id}/receipt", operation_id="page_receipt")
def receipt(request: Request, id: str) -> Response:
    """What was taken in: for the depositor to keep, as a page to print or as JSON."""
    page = Page(request)
    found = asked_instance(page, id)
    if wants(request) == "json":
        return JSONResponse(_receipt(found))
    return page.show(
        "receipt.html",
        page.texts("Receipt"),
        "/deposit",
        found=found,
        title_text=title_of(found) or found.id,
        files=list(islice(found.files(), _RECEIPT)),
        size=sum(entry.size or 0 for entry in found.files()),
        vouches=found.inventory_digest(),
        here=resource_path(found.project, found.id),
        as_json=resource_path(found.project, found.id, "receipt", instance=found.number, format="json"),
        file_path=file_path,
    )


def _receipt(found: Instance) -> dict[str, object]:
    return {
        "id": found.id,
        "project": found.project,
        "number": found.number,
        "instance": found.instance,
        "created": found.created,
        "agent": dict(found.agent),
        "inventory": found.inventory_digest(),
        "files": [{"path": entry.path, "size": entry.size, "digests": dict(entry.digests)} for entry in found.files()],
    }


def _mine(page: Page, agent: Agent) -> list[ParkedTransaction]:
    """The deposits that this person began and that may still be finished."""
    return [
        each
        for each in parked_transactions(page.archive)
        if each.agent == agent and page.access.may(WRITE, each.project) and each.lease
    ]


def _receipt_of(page: Page, transaction: str) -> Response:
    """Lead to the receipt of the instance that a transaction became, where that is among the newest events.

    Raises:
        LeftoverNotFound: It is not, or is none for this reader.
    """
    first = max(page.archive.head().seq - _LOOKED_AT, 0)
    for event in islice(page.archive.events(first), _LOOKED_AT):
        done = event.event == "ingestion" and event.outcome == "success" and event.transaction == transaction
        if done and page.access.may(READ, event.project):
            return page.go(resource_path(event.project, event.resource, "receipt", instance=event.instance))
    raise LeftoverNotFound(transaction=transaction)


def _base(page: Page, found: Transaction) -> Instance | None:
    return page.archive.instance(found.id, found.number - 1, project=found.project) if found.number > 1 else None


def _so_far(found: Transaction, base: Instance | None) -> Deposit:
    before = {str(entry.path): entry.digests.get("sha256") for entry in base.files()} if base else {}
    entries = list(found.files())
    fresh = [entry for entry in entries if before.get(str(entry.path), "") != entry.digests.get("sha256")]
    shown = [(str(entry.path), entry.size or 0, entry.digests.get("sha256", "")) for entry in fresh[:_SHOWN]]
    warnings = [
        (finding.where, finding.found)
        for finding in islice(check_names(str(entry.path) for entry in entries), _WARNINGS)
    ]
    return Deposit(len(entries), len(fresh), sum(entry.size or 0 for entry in entries), shown, warnings)


def _text(base: Instance | None, name: str) -> str:
    value = base.metadata.get(name) if base else None
    return value if isinstance(value, str) else ""
