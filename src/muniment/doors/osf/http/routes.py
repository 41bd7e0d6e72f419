"""The routes of the foreman's interface; each is there with and without a slash at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from structlog import get_logger

from muniment.doors.osf import Foreman
from muniment.doors.osf.http import documents
from muniment.doors.osf.http.content import content
from muniment.doors.osf.submission import read_body
from muniment.errors.database import DatabaseUnavailable
from muniment.errors.registration import ContainerField, NoCallbackKey, SubmissionNotJson
from muniment.errors.remote import UnusableRequest
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.problems import MEDIA_TYPE, problem
from muniment.http.throttling import READ, WRITE
from muniment.workflows.signing import CALLBACK

PREFIX = "/api/v1/archives"
_MOST_LISTED = 1000

router = APIRouter(prefix=PREFIX, tags=["osf"])


def both(
    method: str,
    path: str,
    name: str,
    status: int = 200,
    *,
    answers: Mapping[int | str, Mapping[str, Any]],
    more: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a route with and without a slash at its end; the description has it once.

    `answers` are all it may give, and `more` what else the description says of it.
    """

    def register(route: Callable[..., Any]) -> Callable[..., Any]:
        known: dict[str, Any] = {"methods": [method], "response_class": Response, "status_code": status}
        said: dict[str, Any] = {"responses": {**answers}, "openapi_extra": dict(more or {})}
        router.add_api_route(f"{path}/", route, operation_id=name, **known, **said)
        router.add_api_route(path, route, include_in_schema=False, **known)
        if method == "GET":
            for place in (f"{path}/", path):
                router.add_api_route(place, route, include_in_schema=False, **{**known, "methods": ["HEAD"]})
        return route

    return register


@both("GET", "", "osf_list_containers", answers={**documents.READ, 200: {"model": documents.ContainersOut}})
def list_containers(request: Request, after: str = "", limit: int | None = None) -> Response:
    """The ids of all registered containers; with `limit` a page of them, and the `next` page's `after`.

    Raises:
        UnusableRequest: The limit is none.
    """
    if limit is not None and not 1 <= limit <= _MOST_LISTED:
        raise UnusableRequest(where="query.limit", reason=f"it is not between 1 and {_MOST_LISTED}")
    foreman = _foreman(request, READ)
    found, further = foreman.containers(after=after, limit=limit)
    answer: dict[str, object] = {"containers": found}
    return JSONResponse({**answer, "next": further} if limit is not None else answer)


@both("POST", "", "osf_submit_container", 201, answers=documents.SUBMITTED, more=documents.SUBMISSION)
async def submit(request: Request) -> Response:
    """Take a container in: it is checked whole, recorded, and archived in the background."""
    access = await run_in_threadpool(_access, request, WRITE)
    body = await request.body()
    return await run_in_threadpool(_submit, request, access, body)


def _submit(request: Request, access: AuthorizedRequest, body: bytes) -> Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        foreman: Foreman = request.app.state.osf.foreman
        accepted = foreman.submit(body, requester=access.caller.agent, headers=headers)
    except ContainerField as error:
        return JSONResponse(
            {**problem(error), "details": {"field": error.details["field"]}, "errors": error.details["errors"]},
            error.http_status,
            media_type=MEDIA_TYPE,
        )
    except DatabaseUnavailable as error:
        get_logger().error("not taken in", error=error.code(), message=str(error))
        answer = {"id": _id_in(body), "date": int(time.time()), "status": "ERROR"}
        reason = "the queue could not be reached; nothing was recorded, try again"
        return JSONResponse({**answer, "reason": reason}, error.http_status, {"Retry-After": "5"})
    answer = {"id": accepted.id, "date": accepted.date, "status": "STARTED"}
    where = f"{request.scope.get('root_path', '')}{PREFIX}/{accepted.id}/status"
    return JSONResponse(answer, 201, {"Location": where})


def _id_in(body: bytes) -> str | None:
    try:
        return str(read_body(body)["container"]["metadata"]["id"])
    except (SubmissionNotJson, KeyError, TypeError):
        return None


@both("POST", "/callback", "osf_receive_callback", answers=documents.CALLED, more=documents.CALLBACK)
@both("POST", "/callbacks", "osf_receive_callback_too", answers=documents.CALLED, more=documents.CALLBACK)
async def callback(request: Request) -> Response:
    """Take a callback, as a platform would: check its signature and write it into the log.

    Raises:
        SubmissionNotJson: The body is none.
        UnusableRequest: It has no status.
        NotSigned: Its signature was not accepted.
        NoCallbackKey: There is none to check it with.
    """
    await run_in_threadpool(_access, request, READ)
    body = await request.body()
    document = read_body(body)
    if not isinstance(document, dict) or "status" not in document:
        raise SubmissionNotJson(reason="it is not an object with a status")
    headers = {name.lower(): value for name, value in request.headers.items()}
    foreman: Foreman = await run_in_threadpool(lambda: request.app.state.osf.foreman)
    if foreman.registration_context.signer is None:
        raise NoCallbackKey
    foreman.registration_context.signer.check(headers, body, document, CALLBACK)
    failures = document.get("failures")
    get_logger().info(
        "callback",
        container=str(document.get("id"))[:100],
        outcome=str(document["status"])[:20],
        failures=len(failures) if isinstance(failures, list) else 0,
    )
    return Response()


@both("GET", "/{container}", "osf_get_manifest", answers={**documents.READ, 200: {"model": documents.ManifestOut}})
def manifest(request: Request, container: str, service: str | None = None) -> Response:
    """The manifest of a container, or of the service named."""
    return JSONResponse(dict(_foreman(request, READ).manifest(container, service)))


@both("GET", "/{container}/status", "osf_get_status", answers={**documents.READ, 200: {"model": documents.StatusOut}})
def status(request: Request, container: str) -> Response:
    """How far a container is, what failed, and who was told."""
    return JSONResponse(_foreman(request, READ).status(container), headers={"Cache-Control": "no-store"})


@both("GET", "/{container}/files", "osf_list_files", answers={**documents.READ, 200: {"model": documents.FilesOut}})
def files(request: Request, container: str) -> Response:
    """The files of a container's own services."""
    return JSONResponse({"files": _foreman(request, READ).files(container)})


@both("GET", "/{container}/files/{sha256}", "osf_get_file", 302, answers=documents.FILE, more=documents.METADATA)
def file(request: Request, container: str, sha256: str, name: str = "") -> Response:
    """A link to a file's bytes, good for a while; with `metadata` what is known of it."""
    foreman = _foreman(request, READ)
    if "metadata" in request.query_params:
        return JSONResponse(foreman.file_metadata(container, sha256))
    # An address that a store signs for reading answers no HEAD; a link of ours does.
    found = foreman.download(container, sha256, name, ours=request.method == "HEAD")
    root = request.scope.get("root_path", "")
    where = found.url or f"{root}{PREFIX}/{container}/files/{sha256}/content?{found.query}"
    return Response(status_code=302, headers={"Location": where, "Cache-Control": "no-store"})


@both(
    "GET",
    "/{container}/files/{sha256}/content",
    "osf_read_linked_file",
    answers=documents.CONTENT,
    more=documents.RANGED,
)
def linked(
    request: Request, container: str, sha256: str, expires: str = "", signature: str = "", name: str = ""
) -> Response:
    """The bytes of a file, for whoever has the link: the link itself is what lets in."""
    foreman: Foreman = request.app.state.osf.foreman
    store, key, disposition = foreman.linked(container, sha256, name=name, expires=expires, signature=signature)
    return content(request, store, key, sha256, disposition, request.app.state.archive.context.pieces)


def _access(request: Request, permission: str) -> AuthorizedRequest:
    access = authorized(request)
    access.require(permission, request.app.state.osf.project)
    return access


def _foreman(request: Request, permission: str) -> Foreman:
    """The foreman, for who may do this.

    Raises:
        MunimentError: 401 or 403; or the foreman cannot be put together.
    """
    _access(request, permission)
    foreman: Foreman = request.app.state.osf.foreman
    return foreman
