"""Routes that carry whole resources in and out, as tars and zips."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from muniment.archive import receiving
from muniment.content import Hashers
from muniment.content.archive import PackageForm
from muniment.content.digests import refuse_mismatch
from muniment.errors.remote import BadRequest, UnusableRequest
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.description import BINARY, BYTES, OF_FILE, OF_PART, gives, takes
from muniment.http.files import PlanResponse
from muniment.http.names import DIGEST_FIELD_FORM, Project, Segment, read_digest_fields, text_of
from muniment.http.representations import type_for
from muniment.http.streaming import pieces_of, pour
from muniment.http.throttling import READ, WRITE
from muniment.layouts.packages import folder_name
from muniment.server.native.given import IdempotencyKey
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import Imported
from muniment.workflows.export import layouts, plan_package
from muniment.workflows.imports import UNNAMED, import_package

router = new_router("packages")

TAR = "application/x-tar"
_PACKED = {TAR: BINARY, "application/zip": BINARY, BYTES: BINARY}
_PACKAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": _PACKED,
        "description": "A tar or zip of exactly the length that is announced.",
        **gives(*OF_FILE, "Vary"),
    },
    206: {"content": _PACKED, "description": "A part of it.", **gives(*OF_PART, "Vary")},
}
_ASKED = takes("Range", "If-Range", "Want-Repr-Digest", "Want-Content-Digest")


@router.get(
    "/resources/{id}/export",
    operation_id="export_resource",
    response_class=Response,
    responses=_PACKAGE,
    openapi_extra=_ASKED,
)
@router.head(
    "/resources/{id}/export",
    operation_id="head_export",
    response_class=Response,
    responses={status: {**said, "content": {}} for status, said in _PACKAGE.items()},
    openapi_extra=_ASKED,
)
def export(
    request: Request,
    id: Segment,
    layout: Annotated[str, Query(json_schema_extra={"enum": layouts()})] = "bag",
    instance: Annotated[str | None, Query(max_length=100, description="An earlier instance.")] = None,
    form: Annotated[PackageForm, Query(description="How it is packed.")] = "tar",
    project: Project = None,
) -> Response:
    """A resource as a package in a tar or zip; every file is checked while it is sent."""
    access = authorized(request)
    name = text_of(id)
    place = access.project_of(name, project, READ)
    plan = plan_package(access.archive, name, layout, project=place, instance=instance, form=form)
    tag = f'"{hashlib.sha256(plan.etag.encode()).hexdigest()}"'
    kind = {"Content-Type": type_for(request, plan.media_type), "Vary": "Accept"}
    return PlanResponse(request, plan, f"{folder_name(name)}.{form}", etag=tag, headers=kind)


@router.post(
    "/imports",
    operation_id="import_package",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {BYTES: BINARY}}},
)
async def import_(
    request: Request,
    id: Annotated[str | None, Query(max_length=4096, description="The id to give it, if not its own.")] = None,
    project: Project = None,
    staged: Annotated[  # noqa: FBT002 - a query field
        bool, Query(description="Make an OCFL object's staged changes (0005) its newest instance.")
    ] = False,
    name: Annotated[str, Query(max_length=255, description="What the package is called in messages and events.")] = "",
    repr_digest: Annotated[
        str, Header(description="What the package must be (RFC 9530).", json_schema_extra=DIGEST_FIELD_FORM)
    ] = "",
    idempotency_key: IdempotencyKey = "",
) -> Imported:
    """Take in a package (a bag, an OCFL object or root, an RO-Crate) as a tar or zip: whole, or not at all."""
    access = await run_in_threadpool(_let_in, request, project)
    expected = read_digest_fields(repr_digest)
    hashers = Hashers(["sha256", *expected])
    with receiving(access.archive, ".tar") as file:

        def write(data: bytes) -> None:
            hashers.update(data)
            file.write(data)

        try:
            await pour(pieces_of(request), write)
        except ClientDisconnect:
            raise BadRequest(reason="the client went away before the end of the body") from None
        if not hashers.size:
            raise UnusableRequest(where="the body", reason="it is empty, where a tar or zip was expected")
        refuse_mismatch("the package", hashers.values(), expected)
        asked = {"id": id, "project": project, "staged": staged, "sha256": hashers.values()["sha256"]}

        def make() -> dict[str, object]:
            notices: list[dict[str, str]] = []
            ids = import_package(
                access.archive,
                file.path,
                id=id,
                project=project,
                staged=staged,
                called=PurePath(name).name or UNNAMED,
                notice=lambda finding: notices.append(finding.as_json()),
            )
            return Imported(ids=ids, notices=notices).model_dump()

        once = request.app.state.idempotency.once
        return Imported(**await run_in_threadpool(once, idempotency_key, access.caller.agent, asked, make))


def _let_in(request: Request, project: str | None) -> AuthorizedRequest:
    """Who may import: without a project a package says itself where it goes, so that needs a right to all."""
    access = authorized(request)
    access.require(WRITE, project)
    return access
