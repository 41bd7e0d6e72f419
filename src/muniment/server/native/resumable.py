"""Routes of resumable uploads that other people's clients speak: tus 1.0.0, and the IETF's draft of the same idea.

Both send a file's bytes to an address of its own, by PATCH at the offset that HEAD tells. An answer has the fields
of both. What differs is read from the request: which protocol it names, and how it says that a file is complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate
from typing import Annotated

from fastapi import Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from muniment.archive import Upload, UploadRequest
from muniment.content import ALGORITHMS, Entry
from muniment.errors.base import MunimentError
from muniment.errors.content import DigestMismatch
from muniment.errors.remote import (
    BadRequest,
    BodyTooLarge,
    UnknownProtocol,
    UploadBusy,
    UploadNotFound,
    UploadPieceRefused,
    WrongMethod,
    WrongUploadOffset,
    WrongUploadType,
)
from muniment.http.authorization import authorized
from muniment.http.description import failures
from muniment.http.names import digest_fields, read_digest_fields
from muniment.http.streaming import pieces_of
from muniment.http.throttling import WRITE
from muniment.server.native.routes import new_router
from muniment.server.native.senders import Senders, until_told
from muniment.server.native.transactions import allowed, held
from muniment.server.native.upload_fields import (
    FLAG_FORM,
    METADATA_FORM,
    NUMBER_FORM,
    PIECE_TYPE,
    checksum_of,
    flag_of,
    number_of,
    request_of,
)
from muniment.server.native.uploads import (
    ReprDigest,
    begin_one,
    chained,
    finish_one,
    receive,
    upload_of,
    whole_piece,
)

router = new_router("uploads", "/transactions/{transaction}/resumable")

TUS = "1.0.0"
_EXTENSIONS = "creation,creation-with-upload,creation-defer-length,checksum,termination,expiration"
_LEASE_KEPT = 0.9
"""What a transaction lives on at least after bytes came: its lease is not written anew for each of them."""
_BUSY = 423
"""Locked (RFC 4918): clients of tus ask again, where they take any other refusal of HEAD for the upload's end."""

Resumable = Annotated[
    str | None, Header(alias="tus-resumable", description="The version of tus.", json_schema_extra={"enum": [TUS]})
]
Length = Annotated[str | None, Header(description="Bytes of the whole file.", json_schema_extra=NUMBER_FORM)]
Complete = Annotated[
    str | None,
    Header(description="IETF draft: whether the file ends with this body.", json_schema_extra=FLAG_FORM),
]
At = Annotated[str | None, Header(description="Where the bytes go on.", json_schema_extra=NUMBER_FORM)]
Checksum = Annotated[
    str | None,
    Header(
        description="tus: an algorithm, a space, and the digest of this body in base64.",
        json_schema_extra={"pattern": f"^({'|'.join(ALGORITHMS)}) [A-Za-z0-9+/]+=*$"},
    ),
]
_HEADERS: dict[str, dict[str, object]] = {
    name: {"description": said, "schema": {"type": "string"}}
    for name, said in {
        "Upload-Offset": "Bytes that have come and are on stable storage.",
        "Upload-Length": "Bytes of the whole file, if they are known.",
        "Upload-Complete": "Whether the file is the transaction's: ?1 or ?0.",
        "Upload-Expires": "When it is dropped unless more comes.",
        "Upload-Limit": "What is taken at most.",
        "Tus-Resumable": "The version of tus.",
    }.items()
}
_BYTES = "application/octet-stream"
_BODY = {
    "description": f"By tus as {PIECE_TYPE}, in the draft as application/partial-upload, or plainly as what it is.",
    "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
}
_PERHAPS_BYTES: dict[str, object] = {"requestBody": _BODY}
_PIECE: dict[str, object] = {"requestBody": {**_BODY, "required": True}}
_ANSWER: dict[int | str, dict[str, object]] = {204: {"description": "Done.", "headers": _HEADERS}}
_CREATED: dict[int | str, dict[str, object]] = {
    201: {
        "description": "Begun, and where.",
        "headers": {"Location": {"description": "The upload.", "schema": {"type": "string"}}, **_HEADERS},
    }
}
_REFUSED = failures(412, 415, 423, 460)


@router.options("", operation_id="resumable_options", status_code=204, response_class=Response)
def options(request: Request, transaction: str) -> Response:
    """What is spoken here: versions, extensions, limits."""
    del transaction
    return _spoken_here(request)


@router.options("/{upload}", operation_id="resumable_upload_options", status_code=204, response_class=Response)
def upload_options(request: Request, transaction: str, upload: str) -> Response:
    """The same, asked of an upload."""
    del transaction, upload
    return _spoken_here(request)


@router.post(
    "",
    operation_id="begin_resumable",
    status_code=201,
    response_class=Response,
    openapi_extra=_PERHAPS_BYTES,
    responses={**_REFUSED, **_CREATED},
)
async def begin(
    request: Request,
    transaction: str,
    path: Annotated[str | None, Query(max_length=8192, description="The file's path, if no metadata has it.")] = None,
    replace: Annotated[bool, Query(description="The path is there already.")] = False,  # noqa: FBT002 - a query field
    tus_resumable: Resumable = None,
    upload_length: Length = None,
    upload_defer_length: Annotated[str | None, Header(json_schema_extra={"enum": ["1"]})] = None,
    upload_metadata: Annotated[
        str | None,
        Header(
            description="What the file is: `path` (or relativePath, filename), `modified`, `replace`, a digest.",
            json_schema_extra=METADATA_FORM,
        ),
    ] = None,
    upload_complete: Complete = None,
    upload_checksum: Checksum = None,
    repr_digest: ReprDigest = "",
    content_disposition: Annotated[str | None, Header(description="IETF draft: may have the file's name.")] = None,
) -> Response:
    """Begin a file that comes in pieces, by tus or as the IETF's draft has it; some or all of it may come at once."""
    with _telling():
        await run_in_threadpool(allowed, request, transaction)
        last = _spoken(tus_resumable, upload_complete)
        size = number_of(upload_length, "Upload-Length")
        if tus_resumable and (size is None) == (not upload_defer_length):
            raise BadRequest(reason="it needs either Upload-Length or Upload-Defer-Length")
        if upload_defer_length not in {None, "1"}:
            raise BadRequest(reason="Upload-Defer-Length is not 1")
        body = _has_body(request)
        if tus_resumable and body:
            _refuse_other_type(request)
        announced = _announced(request)
        if last and size is None:
            size = announced
        if last and announced not in {None, size}:
            raise BadRequest(reason=f"it has {announced} bytes and says that the whole file has {size}")
        _refuse_too_large(request, size if size is not None else announced)
        asked = request_of(
            upload_metadata or "",
            path=path,
            replace=replace,
            size=size,
            disposition=content_disposition or "",
            digests=read_digest_fields(repr_digest),
        )
        upload = await run_in_threadpool(begin_one, request, transaction, asked)
        try:
            async with _senders(request).turn(upload.id) as told:
                entry = await _take(request, transaction, upload, 0, told, upload_checksum, last=last)
        except BaseException:
            # Nobody was told where it is.
            await run_in_threadpool(upload.discard)
            request.app.state.open_transactions.end_upload(transaction, upload.id)
            raise
        offset = (entry.size or 0) if entry else await run_in_threadpool(upload.received)
        found = _answer(request, 201, upload.request, offset, entry)
        found.headers["Location"] = f"{request.url.path}/{upload.id}"
        return found


@router.head(
    "/{upload}",
    operation_id="resumable_offset",
    status_code=204,
    response_class=Response,
    responses={**_REFUSED, **_ANSWER},
)
async def offset(request: Request, transaction: str, upload: str, tus_resumable: Resumable = None) -> Response:
    """Where an upload stands. A connection that still sends to it is ended: who asks is about to go on."""
    with _telling():
        found = await run_in_threadpool(upload_of, request, transaction, upload)
        _spoken(tus_resumable, "?0")
        async with _senders(request).turn(upload):
            size, entry = await run_in_threadpool(_standing, request, transaction, found)
        return _answer(request, 200 if tus_resumable else 204, found.request, size, entry)


@router.patch(
    "/{upload}",
    operation_id="append_resumable",
    status_code=204,
    response_class=Response,
    openapi_extra=_PIECE,
    responses={**_REFUSED, **_ANSWER},
)
async def append(
    request: Request,
    transaction: str,
    upload: str,
    tus_resumable: Resumable = None,
    upload_offset: At = None,
    upload_length: Length = None,
    upload_complete: Complete = None,
    upload_checksum: Checksum = None,
) -> Response:
    """Send the next bytes. When all have come, the file is the transaction's, and `Repr-Digest` says what it is."""
    with _telling():
        found = await run_in_threadpool(upload_of, request, transaction, upload)
        last = _spoken(tus_resumable, upload_complete)
        if tus_resumable:
            _refuse_other_type(request)
        start = number_of(upload_offset, "Upload-Offset")
        if start is None:
            raise BadRequest(reason="it has no Upload-Offset")
        async with _senders(request).turn(upload) as told:
            size, entry = await run_in_threadpool(_standing, request, transaction, found)
            if start != size or (entry is not None and _has_body(request)):
                raise WrongUploadOffset(upload=upload, found=size, given=start)
            if entry is None:
                announced, whole = _announced(request), number_of(upload_length, "Upload-Length")
                if last and announced is not None:
                    if whole not in {None, start + announced}:
                        raise BadRequest(reason=f"it ends at {start + announced}, and says it ends at {whole}")
                    whole = start + announced
                _refuse_too_large(request, whole if whole is not None else start + (announced or 0))
                if whole is not None:
                    await run_in_threadpool(found.announce, whole)
                entry = await _take(request, transaction, found, start, told, upload_checksum, last=last)
                size = (entry.size or 0) if entry else await run_in_threadpool(found.received)
        return _answer(request, 204, found.request, size, entry)


@router.delete(
    "/{upload}",
    operation_id="discard_resumable",
    status_code=204,
    response_class=Response,
    responses={**_REFUSED, **_ANSWER},
)
async def discard(request: Request, transaction: str, upload: str, tus_resumable: Resumable = None) -> Response:
    """Drop what has come of a file; one that is the transaction's already is left out of it again."""
    with _telling():
        found = await run_in_threadpool(upload_of, request, transaction, upload)
        _spoken(tus_resumable, "?0")
        async with _senders(request).turn(upload):
            await run_in_threadpool(_drop, request, transaction, found)
        return Response(status_code=204, headers={"Tus-Resumable": TUS})


@router.post(
    "/{upload}",
    operation_id="override_resumable",
    status_code=204,
    response_class=Response,
    openapi_extra=_PERHAPS_BYTES,
    responses={**_REFUSED, **_ANSWER},
)
async def override(
    request: Request,
    transaction: str,
    upload: str,
    x_http_method_override: Annotated[
        str | None, Header(description="What is meant.", json_schema_extra={"enum": ["PATCH", "HEAD", "DELETE"]})
    ] = None,
    tus_resumable: Resumable = None,
    upload_offset: At = None,
    upload_length: Length = None,
    upload_complete: Complete = None,
    upload_checksum: Checksum = None,
) -> Response:
    """The same for clients that cannot send PATCH, HEAD or DELETE (tus: X-HTTP-Method-Override)."""
    meant = (x_http_method_override or "").upper()
    if meant == "PATCH":
        return await append(
            request, transaction, upload, tus_resumable, upload_offset, upload_length, upload_complete, upload_checksum
        )
    if meant == "HEAD":
        return await offset(request, transaction, upload, tus_resumable)
    if meant == "DELETE":
        return await discard(request, transaction, upload, tus_resumable)
    await run_in_threadpool(upload_of, request, transaction, upload)
    raise WrongMethod(method=(meant or "POST")[:20], path=request.url.path[:200])


def _spoken_here(request: Request) -> Response:
    authorized(request).require_somewhere(WRITE)
    most = _most(request)
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": TUS,
            "Tus-Version": TUS,
            "Tus-Extension": _EXTENSIONS,
            "Tus-Max-Size": str(most),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            "Upload-Limit": f"max-size={most}",
            "Accept-Patch": f"application/partial-upload, {PIECE_TYPE}",
        },
    )


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Have refusals carry what answers of tus carry."""
    try:
        yield
    except MunimentError as error:
        if isinstance(error, UploadBusy):
            error.http_status = _BUSY  # type: ignore[misc] # only here
        version = {"Tus-Version": TUS} if isinstance(error, UnknownProtocol) else {}
        error.http_headers = {"Tus-Resumable": TUS, **version, **getattr(error, "http_headers", {})}  # type: ignore[attr-defined] # read where it is answered
        raise


def _spoken(tus: str | None, complete: str | None) -> bool:
    """Whether the request says that the file ends with its body: the draft's way; tus has a length for that.

    Raises:
        UnknownProtocol: It is another version, or none.
    """
    if tus:
        if tus != TUS:
            raise UnknownProtocol(reason=f"it asks for version {tus[:20]!r} of tus")
        return False
    if not complete:
        raise UnknownProtocol(reason="it has neither Tus-Resumable nor Upload-Complete")
    return flag_of(complete, "Upload-Complete")


async def _take(
    request: Request,
    transaction: str,
    upload: Upload,
    start: int,
    told: asyncio.Event,
    checksum: str | None,
    *,
    last: bool,
) -> Entry | None:
    """Take the body from `start` on, and give the file to the transaction when it is complete."""
    if _has_body(request):
        expected = checksum_of(checksum)
        pieces = until_told(pieces_of(request), told)
        if expected:
            pieces = chained(await _proven(pieces, expected), pieces)
        await receive(request, transaction, upload, start, pieces)
    received = await run_in_threadpool(upload.received)
    if last or received == upload.request.size:
        return await run_in_threadpool(_complete, request, transaction, upload)
    return None


async def _proven(pieces: AsyncIterator[bytes], expected: dict[str, str]) -> bytes:
    try:
        return await whole_piece(pieces, expected)
    except DigestMismatch as error:
        said = {name: error.details[name] for name in ("algorithm", "found", "expected")}
        raise UploadPieceRefused(**said) from error


def _standing(request: Request, transaction: str, upload: Upload) -> tuple[int, Entry | None]:
    """How many bytes have come, and the file if it is the transaction's; it becomes that, if nothing else lacks.

    Raises:
        UploadNotFound: It is over, or was lost on its way into the transaction.
    """
    upload.reread()
    try:
        size = upload.received()
    except UploadNotFound:
        return _taken(request, transaction, upload)
    if size != upload.request.size:
        return size, None
    # Whoever is told that all has come takes the file for stored: it has to be.
    return size, _complete(request, transaction, upload)


def _complete(request: Request, transaction: str, upload: Upload) -> Entry:
    try:
        return finish_one(request, transaction, upload, {}, remember=True)
    except UploadNotFound:
        entry = _taken(request, transaction, upload)[1]  # another request was quicker
        assert entry is not None
        return entry


def _taken(request: Request, transaction: str, upload: Upload) -> tuple[int, Entry | None]:
    with held(request, transaction) as (_, found):
        entry = upload.taken(found)
    if entry is None:
        upload.discard()
        raise UploadNotFound(transaction=transaction, upload=upload.id)
    return entry.size or 0, entry


def _drop(request: Request, transaction: str, upload: Upload) -> None:
    try:
        upload.received()
    except UploadNotFound:
        with held(request, transaction) as (_, found):
            entry = upload.taken(found)
            if entry is not None:
                found.delete(entry.path)
    upload.discard()
    request.app.state.open_transactions.end_upload(transaction, upload.id)


def _answer(request: Request, status: int, asked: UploadRequest, offset: int, entry: Entry | None) -> Response:
    life = request.app.state.open_transactions.lease * _LEASE_KEPT
    headers = {
        "Tus-Resumable": TUS,
        "Upload-Offset": str(offset),
        "Upload-Complete": "?0" if entry is None else "?1",
        "Upload-Limit": f"max-size={_most(request)}, max-age={int(life)}",
        "Cache-Control": "no-store",
    }
    if entry is None:
        headers["Upload-Expires"] = formatdate(time.time() + life, usegmt=True)
    else:
        headers["Repr-Digest"] = digest_fields(dict(entry.digests))
    if asked.size is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(asked.size)
    if asked.said:
        headers["Upload-Metadata"] = asked.said
    return Response(status_code=status, headers=headers)


def _has_body(request: Request) -> bool:
    return _announced(request) != 0


def _announced(request: Request) -> int | None:
    """The bytes of the body; None where it says itself where it ends."""
    if "transfer-encoding" in request.headers:
        return None
    text = request.headers.get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def _refuse_other_type(request: Request) -> None:
    found = request.headers.get("content-type", "")
    # The plain name too, which clients have that were made from the description: generators know no other.
    if found.partition(";")[0].strip().lower() not in {PIECE_TYPE, _BYTES}:
        raise WrongUploadType(expected=PIECE_TYPE, found=found[:100])


def _refuse_too_large(request: Request, size: int | None) -> None:
    if size is not None and size > _most(request):
        raise BodyTooLarge(limit=_most(request))


def _most(request: Request) -> int:
    return int(request.app.state.app.settings.serve_upload)


def _senders(request: Request) -> Senders:
    found: Senders = request.app.state.senders
    return found
