"""Routes that bring files into a transaction: small ones in one request, large ones in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Query, Request, Response
from pydantic import Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from muniment.archive import Transaction, Upload, UploadRequest
from muniment.content import Entry, Hashers, parse_expected
from muniment.content.digests import refuse_mismatch
from muniment.content.times import check_time
from muniment.errors.remote import BadRequest, BodyTooLarge, UnusableRequest
from muniment.http.authorization import authorized
from muniment.http.description import BINARY, BYTES, gives
from muniment.http.middleware import BATCH
from muniment.http.names import (
    DIGEST_FIELD_FORM,
    TIME_FORM,
    FilePath,
    digest_fields,
    path_of,
    read_digest_fields,
)
from muniment.http.streaming import PIECE, pieces_of, pour
from muniment.server.native.given import IdempotencyKey
from muniment.server.native.open_transactions import OpenTransactions
from muniment.server.native.resources import file_out
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import Added, FileOut, FinishIn, UploadIn, UploadOut
from muniment.server.native.transactions import allowed, held

router = new_router("uploads", "/transactions/{transaction}")

ReprDigest = Annotated[
    str, Header(description="What the file must be (RFC 9530).", json_schema_extra=DIGEST_FIELD_FORM)
]
Modified = Annotated[
    str,
    Header(
        alias="Muniment-Modified", description="The file's time of change, in RFC 3339.", json_schema_extra=TIME_FORM
    ),
]
Offset = Annotated[int, Header(ge=0, le=1 << 60, description="Where the bytes go on.")]
_LIST = TypeAdapter(Annotated[list[UploadIn], Field(max_length=10_000)])
_BYTES: dict[str, object] = {"requestBody": {"required": True, "content": {BYTES: BINARY}}}
"""A body of any media type: its bytes are what counts."""
_DIGESTED: dict[int | str, dict[str, object]] = {201: gives("Repr-Digest")}
_STANDS: dict[int | str, dict[str, object]] = {204: gives("Upload-Offset")}


@router.put("/files/{path:path}", operation_id="put_file", status_code=201, responses=_DIGESTED, openapi_extra=_BYTES)
async def put(
    request: Request,
    response: Response,
    transaction: str,
    path: FilePath,
    repr_digest: ReprDigest = "",
    content_digest: ReprDigest = "",
    modified: Modified = "",
    replace: Annotated[bool, Query(description="The path is there already.")] = False,  # noqa: FBT002 - a query field
) -> FileOut:
    """Add a file. It counts only when all of it came and it has the digests that were promised."""
    asked = UploadRequest(
        path=path_of(path),
        size=announced(request),
        digests=read_digest_fields(repr_digest, content_digest),
        modified=modified or None,
        replace=replace,
    )
    if asked.size is None or asked.size >= PIECE:
        await run_in_threadpool(allowed, request, transaction)
    pieces = pieces_of(request)
    first = await _first(pieces)
    if len(first) < PIECE and (asked.size is None or asked.size == len(first)):
        rest = await _first(pieces)
        if not rest:
            entry = await run_in_threadpool(add_small, request, transaction, asked, first)
            response.headers["Repr-Digest"] = digest_fields(dict(entry.digests))
            return file_out(entry)
        first += rest
    upload = await run_in_threadpool(begin_one, request, transaction, asked)
    try:
        await receive(request, transaction, upload, 0, chained(first, pieces), lasting=False)
        entry = await run_in_threadpool(finish_one, request, transaction, upload, {})
    except BaseException:
        await run_in_threadpool(upload.discard)
        raise
    finally:
        request.app.state.open_transactions.end_upload(transaction, upload.id)
    response.headers["Repr-Digest"] = digest_fields(dict(entry.digests))
    return file_out(entry)


@router.post(
    "/files",
    operation_id="put_files",
    status_code=201,
    openapi_extra=_BYTES,
)
async def put_many(
    request: Request,
    transaction: str,
    again: Annotated[bool, Query(description="Pass over what is there with the same digest.")] = False,  # noqa: FBT002 - a query field
) -> Added:
    """Add many small files: a line of JSON (a list of what an upload says of its file), then their bytes in order.

    All of them count, or none.
    """
    body = await request.body()
    return await run_in_threadpool(_add_many, request, transaction, body, again=again)


@router.post("/uploads", operation_id="begin_upload", status_code=201, responses={201: gives("Location")})
def begin(
    request: Request, response: Response, transaction: str, given: UploadIn, idempotency_key: IdempotencyKey = ""
) -> UploadOut:
    """Begin a file that comes in pieces and may be resumed after a cut."""
    access = authorized(request)
    asked = UploadRequest(given.path, given.size, given.digests, given.modified or None, given.replace)

    def make() -> dict[str, object]:
        return {"upload": begin_one(request, transaction, asked).id, "offset": 0}

    record = request.app.state.idempotency.once(
        idempotency_key, access.caller.agent, [transaction, given.model_dump()], make
    )
    response.headers["Location"] = f"{request.url.path}/{record['upload']}"
    return UploadOut(**record)


@router.head("/uploads/{upload}", operation_id="head_upload", status_code=204, responses=_STANDS)
def offset(request: Request, response: Response, transaction: str, upload: str) -> None:
    """Where an upload stands, in `Upload-Offset`."""
    allowed(request, transaction)
    response.headers["Upload-Offset"] = str(request.app.state.open_transactions.upload(transaction, upload).received())


@router.get("/uploads/{upload}", operation_id="get_upload")
def show(request: Request, transaction: str, upload: str) -> UploadOut:
    """Where an upload stands."""
    return UploadOut(upload=upload, offset=upload_of(request, transaction, upload).received())


@router.patch(
    "/uploads/{upload}", operation_id="append_to_upload", status_code=204, responses=_STANDS, openapi_extra=_BYTES
)
async def append(
    request: Request,
    response: Response,
    transaction: str,
    upload: str,
    upload_offset: Offset,
    content_digest: ReprDigest = "",
) -> None:
    """Send the next bytes. What came before a cut is kept; ask where the upload stands and go on from there.

    Of a piece with a `Content-Digest` all counts or nothing; it has at most 32 MiB.
    """
    found = await run_in_threadpool(upload_of, request, transaction, upload)
    pieces = pieces_of(request)
    if content_digest:
        pieces = chained(await whole_piece(pieces, read_digest_fields(content_digest)), pieces)
    await receive(request, transaction, found, upload_offset, pieces)
    response.headers["Upload-Offset"] = str(found.received())


async def whole_piece(pieces: AsyncIterator[bytes], expected: dict[str, str]) -> bytes:
    """A piece that is as its digest says.

    Raises:
        BodyTooLarge: It is too large to be kept until it is known to be right.
        DigestMismatch: It is not as it was sent.
    """
    body = bytearray()
    while piece := await _first(pieces):
        body += piece
        if len(body) > BATCH:
            raise BodyTooLarge(limit=BATCH)
    hashers = Hashers(expected)
    hashers.update(body)
    refuse_mismatch("the piece", hashers.values(), expected)
    return bytes(body)


@router.post("/uploads/{upload}", operation_id="finish_upload", status_code=201, responses=_DIGESTED)
def finish(request: Request, response: Response, transaction: str, upload: str, given: FinishIn) -> FileOut:
    """Give the file to the transaction. With other digests than promised it is refused and gone."""
    entry = finish_one(request, transaction, upload_of(request, transaction, upload), dict(given.digests))
    request.app.state.open_transactions.end_upload(transaction, upload)
    response.headers["Repr-Digest"] = digest_fields(dict(entry.digests))
    return file_out(entry)


@router.delete("/uploads/{upload}", operation_id="discard_upload", status_code=204)
def discard(request: Request, transaction: str, upload: str) -> None:
    """Drop what has come of a file."""
    found = upload_of(request, transaction, upload)
    found.received()
    found.discard()
    request.app.state.open_transactions.end_upload(transaction, upload)


def upload_of(request: Request, transaction: str, upload: str) -> Upload:
    """An upload of a transaction the caller may go on with.

    Raises:
        UploadNotFound: There is none such.
        MunimentError: As `allowed`.
    """
    allowed(request, transaction)
    found: Upload = request.app.state.open_transactions.upload(transaction, upload)
    return found


def add_small(request: Request, transaction: str, asked: UploadRequest, data: bytes, **patience: float) -> Entry:
    """Give a file that came whole to a transaction; `patience` as for `held`."""
    with held(request, transaction, **patience) as (_, found):
        add = found.replace if asked.replace else found.add
        return add(data, asked.path, digests=asked.digests, modified=asked.modified)[0]


def _add_many(request: Request, transaction: str, body: bytes, *, again: bool) -> Added:
    files = _small_uploads(body)
    with held(request, transaction) as (_, found):
        there: dict[str, Entry] = {entry.path: entry for entry in found.files()} if again else {}
        fresh = [(given, data) for given, data in files if not _same(there.get(given.path), given)]
        paths = [given.path for given, _ in fresh]
        if len(set(paths)) != len(paths):
            raise UnusableRequest(where="the list", reason="it names a path twice")
        for given, data in fresh:
            _refuse_other(found, given, data)
        done: dict[str, Entry] = {}
        for given, data in fresh:
            add = found.replace if given.replace else found.add
            entry = add(data, given.path, modified=given.modified)[0]
            done[entry.path] = entry
        return Added(files=[file_out(done.get(given.path) or there[given.path]) for given, _ in files])


def _small_uploads(body: bytes) -> list[tuple[UploadIn, bytes]]:
    """The files of a batch.

    Raises:
        UnusableRequest: Its list cannot be read, or does not fit its bytes.
    """
    end = body.find(b"\n")
    try:
        listed = _LIST.validate_json(body[: max(end, 0)])
    except ValidationError as error:
        raise UnusableRequest(where="the list", reason=str(error.errors()[0]["msg"])) from None
    found = []
    position = end + 1
    for given in listed:
        if given.modified:
            check_time(given.modified, "the time of change")
        size = given.size or 0
        found.append((given, body[position : position + size]))
        position += size
    if position != len(body):
        raise UnusableRequest(where="the body", reason=f"the list speaks of {position - end - 1} bytes, it is not so")
    return found


def _same(entry: Entry | None, given: UploadIn) -> bool:
    return entry is not None and entry.digests.get("sha256") == given.digests.get("sha256", "")


def _refuse_other(found: Transaction, given: UploadIn, data: bytes) -> None:
    path = found.check_path(given.path, replace=given.replace)
    expected = parse_expected(given.digests)
    hashers = Hashers(expected)
    hashers.update(data)
    refuse_mismatch(path, hashers.values(), expected)


def begin_one(request: Request, transaction: str, asked: UploadRequest) -> Upload:
    """Begin an upload.

    Raises:
        MunimentError: As `held` and `Upload.begin`.
    """
    open_transactions: OpenTransactions = request.app.state.open_transactions
    with held(request, transaction) as (_, found):
        upload = Upload.begin(found, asked)
    open_transactions.begin_upload(transaction, upload)
    return upload


def finish_one(
    request: Request, transaction: str, upload: Upload, digests: dict[str, str], *, remember: bool = False
) -> Entry:
    """Give a file to its transaction.

    Raises:
        MunimentError: As `Upload.finish`.
    """
    with held(request, transaction) as (_, found):
        return upload.finish(found, digests, remember=remember)


async def receive(
    request: Request,
    transaction: str,
    upload: Upload,
    offset: int,
    pieces: AsyncIterator[bytes],
    *,
    lasting: bool = True,
) -> None:
    """Append what comes; on return it is on stable storage, if it is to be `lasting`.

    Raises:
        BadRequest: The client went away; what had come is kept.
        MunimentError: As `Upload.receiving` and `Upload.write`.
    """
    open_transactions: OpenTransactions = request.app.state.open_transactions

    def write(data: bytes) -> None:
        open_transactions.extend_lease(transaction)
        upload.write(data)

    receiving = upload.receiving(offset, lasting=lasting)
    await run_in_threadpool(receiving.__enter__)
    try:
        await pour(pieces, write)
    except ClientDisconnect:
        raise BadRequest(reason="the client went away before the end of the body") from None
    finally:
        await run_in_threadpool(receiving.__exit__, None, None, None)


async def _first(pieces: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(pieces, b"")
    except ClientDisconnect:
        raise BadRequest(reason="the client went away before the end of the body") from None


async def chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What was read already, and what comes after it."""
    if first:
        yield first
    async for piece in rest:
        yield piece


def announced(request: Request) -> int | None:
    """How many bytes a request says its body has."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None
