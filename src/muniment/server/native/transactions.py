"""Routes of transactions: begin, say, leave out, prepare, commit, roll back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query, Request, Response

from muniment.archive import Transaction, described
from muniment.content.acceptable import check_json, check_object
from muniment.content.exclusions import LeftOut
from muniment.errors.archive import LeftoverNotFound, TransactionForbidden
from muniment.http.authorization import AuthorizedRequest, authorized, refuse_other_version, told
from muniment.http.description import AT_VERSION, gives
from muniment.http.names import After, FilePath, Limit, path_of
from muniment.http.throttling import ADMIN, READ, WRITE
from muniment.server.native.given import IdempotencyKey
from muniment.server.native.open_transactions import OpenTransactions
from muniment.server.native.resources import page_of_files, shown
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import (
    BeginNew,
    BeginOn,
    CommitIn,
    FilePage,
    InstanceOut,
    LeftoverOut,
    Leftovers,
    LinksIn,
    MetadataIn,
    PrepareIn,
    Removed,
    TransactionOut,
)

router = new_router("transactions", "/transactions")


@router.get("", operation_id="list_leftovers")
def leftovers(request: Request) -> Leftovers:
    """Transactions that were never closed and that nobody holds any more."""
    access = authorized(request)
    access.require(ADMIN, None)
    return Leftovers(transactions=[LeftoverOut(**asdict(item)) for item in access.archive.leftovers()])


@router.post(
    "", operation_id="begin_transaction", status_code=201, responses={201: gives("Location")}, openapi_extra=AT_VERSION
)
def begin(
    request: Request, response: Response, given: BeginNew | BeginOn, idempotency_key: IdempotencyKey = ""
) -> TransactionOut:
    """Begin a transaction for a new resource, or on one that is there (`If-Match` names its version)."""
    access = authorized(request)
    place = _place(access, given)

    def make() -> dict[str, Any]:
        return _begin(request, access, given, place).model_dump()

    record = request.app.state.idempotency.once(idempotency_key, access.caller.agent, given.model_dump(), make)
    response.headers["Location"] = f"{request.url.path}/{record['transaction']}"
    return TransactionOut(**record)


def _place(access: AuthorizedRequest, given: BeginNew | BeginOn) -> str:
    if isinstance(given, BeginOn):
        place = access.project_of(given.id, given.project, READ)
    else:
        place = given.project or access.archive.config.project
    access.require(WRITE, place)
    return place


def _begin(request: Request, access: AuthorizedRequest, given: BeginNew | BeginOn, place: str) -> TransactionOut:
    open_transactions: OpenTransactions = request.app.state.open_transactions
    if isinstance(given, BeginOn):
        refuse_other_version(request, access.archive.instance(given.id, project=place))
        transaction = access.archive.get(given.id, "a", project=place, message=given.message)
    else:
        transaction = access.archive.new(given.id, place, message=given.message)
    open_transactions.keep(transaction)
    request.app.state.authorizer.metrics.transactions.labels("begun").inc()
    return transaction_out(transaction, open_transactions)


@router.get("/{transaction}", operation_id="get_transaction")
def show(request: Request, transaction: str) -> TransactionOut:
    """A transaction; looking at it counts as use."""
    with held(request, transaction) as (_, found):
        return transaction_out(found, request.app.state.open_transactions)


@router.delete("/{transaction}", operation_id="roll_back_transaction", status_code=204)
def rollback(request: Request, transaction: str) -> None:
    """Undo everything: the archive is as it was before the transaction. Those with the right `admin` may, too."""
    metrics = request.app.state.authorizer.metrics
    access = authorized(request)
    if (
        access.may(ADMIN, None)
        and request.app.state.open_transactions.begun_by(transaction)[0] != access.archive.context.agent
    ):
        with told(metrics, "rolled back"):
            access.archive.roll_back(transaction)
        return
    with held(request, transaction) as (_, found), told(metrics, "rolled back"):
        found.rollback()


@router.get("/{transaction}/files", operation_id="list_transaction_files")
def files(
    request: Request,
    transaction: str,
    path: Annotated[str | None, Query(max_length=8192, description="Only this one.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> FilePage:
    """The files the instance would have now."""
    with held(request, transaction) as (_, found):
        entries = {entry.path: entry for entry in found.files() if path in {None, entry.path}}
        return page_of_files(list(entries), entries.__getitem__, after, limit)


@router.delete("/{transaction}/files/{path:path}", operation_id="leave_out_file")
def delete(request: Request, transaction: str, path: FilePath) -> Removed:
    """Leave a file, or a folder and all below it, out of the new instance."""
    name = path_of(path)
    with held(request, transaction) as (_, found):
        return Removed(removed=found.delete(name))


@router.put("/{transaction}/metadata", operation_id="set_metadata", status_code=204)
def say(request: Request, transaction: str, given: MetadataIn) -> None:
    """Say about the instance what its users should know."""
    check_object(given.metadata, "the metadata")
    check_json(given.provenance, "the provenance")
    with held(request, transaction) as (_, found):
        found.metadata.clear()
        found.metadata.update(given.metadata)
        if given.provenance is not None:
            found.provenance[:] = given.provenance


@router.post("/{transaction}/links", operation_id="note_links", status_code=204)
def links(request: Request, transaction: str, given: LinksIn) -> None:
    """Record symbolic links, as links, folders with nothing in them, and what was left out by which rule."""
    with held(request, transaction) as (_, found):
        if given.links or given.folders or not given.left_out:
            found.note_links(given.links, given.folders)
        if given.left_out:
            found.note_left_out(LeftOut(each.path, each.rule, each.given) for each in given.left_out)


@router.post("/{transaction}/prepare", operation_id="prepare_transaction", status_code=204)
def prepare(request: Request, transaction: str, given: PrepareIn) -> None:
    """Make everything ready, as part of a group that commits in all its archives or in none."""
    with held(request, transaction) as (_, found):
        found.prepare(given.group, given.decided_at)


@router.post("/{transaction}/commit", operation_id="commit_transaction", openapi_extra=AT_VERSION)
def commit(request: Request, transaction: str, given: CommitIn | None = None) -> InstanceOut:
    """Publish the new instance; on return it is on stable storage. `If-Match` names the resource's version before."""
    metrics = request.app.state.authorizer.metrics
    with held(request, transaction) as (access, found):
        if found.number > 1 and "if-match" in request.headers:
            refuse_other_version(request, access.archive.instance(found.id, project=found.project))
        with told(metrics, "committed"):
            done = found.commit(message=given.message if given else None)
        return shown(described(done))


@router.post("/{transaction}/replay", operation_id="replay_transaction")
def replay(request: Request, transaction: str) -> InstanceOut:
    """Commit a transaction that was left behind, with every file it had stored whole."""
    access = authorized(request)
    access.require(ADMIN, None)
    with told(access.authorizer.metrics, "replayed"):
        return shown(described(access.archive.replay(transaction)))


class held:  # noqa: N801 - used as a function in `with`
    """A transaction in the hands of the caller who began it and may write to its project."""

    def __init__(self, request: Request, transaction: str, **patience: float) -> None:
        """`patience` is how many seconds to `wait`, if not as long as usual."""
        self._access = allowed(request, transaction)
        self._hold = request.app.state.open_transactions.hold(transaction, self._access.archive, **patience)

    def __enter__(self) -> tuple[AuthorizedRequest, Transaction]:
        """Take it.

        Raises:
            LeftoverNotFound: There is none such.
            TransactionBusy: Others work on it for longer than one wants to wait.
        """
        return self._access, self._hold.__enter__()

    def __exit__(self, *error: object) -> None:
        """Let go of it."""
        self._hold.__exit__(*error)


def allowed(request: Request, transaction: str) -> AuthorizedRequest:
    """Let in who began a transaction and may write to its project, without taking it.

    Raises:
        LeftoverNotFound: There is none such, or none the caller may know of.
        TransactionForbidden: It is not theirs.
    """
    access = authorized(request)
    open_transactions: OpenTransactions = request.app.state.open_transactions
    known = open_transactions.known_to_be_begun_by(transaction)
    if known is None or not access.may(WRITE, known[1]):
        access.require_somewhere(WRITE)  # before anything is said about what there is
    agent, project = known or open_transactions.begun_by(transaction)
    if not access.may(WRITE, project):
        raise LeftoverNotFound(transaction=transaction)
    if access.archive.context.agent != agent:
        raise TransactionForbidden(transaction=transaction, agent=agent)
    return access


def transaction_out(found: Transaction, open_transactions: OpenTransactions) -> TransactionOut:
    """A transaction as a document."""
    return TransactionOut(
        transaction=found.transaction,
        id=found.id,
        project=found.project,
        number=found.number,
        prepared=found.prepared,
        metadata=found.metadata,
        provenance=found.provenance,
        expires_in=open_transactions.lease,
    )
