"""Routes that check and repair; what they find comes as JSON lines while they work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict

from fastapi import Request, Response

from muniment.content.events import Head
from muniment.errors.base import MunimentError
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.description import BINARY, BYTES, gives
from muniment.http.names import Project, Segment, text_of
from muniment.http.problems import problem
from muniment.http.representations import type_for
from muniment.http.streaming import PumpResponse
from muniment.http.throttling import ADMIN, READ, WRITE
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import AuditIn, Count, ParityOut, RepairIn

router = new_router("checks")

LINES = "application/jsonl"
_ANSWER: dict[int | str, dict[str, object]] = {
    200: {
        "content": {LINES: {"schema": {"type": "string"}}, BYTES: BINARY},
        "description": "A JSON object on each line; the last one is the summary.",
        **gives("Vary"),
    }
}


@router.post("/audit", operation_id="audit_archive", response_class=Response, responses=_ANSWER)
def audit(request: Request, given: AuditIn | None = None) -> Response:
    """Check that everything recorded is there and right. Without the line `summary` it was broken off."""
    access = authorized(request)
    wanted = given or AuditIn()
    place = _place(access, wanted.id, wanted.project, READ)
    since = Head.parse(wanted.since) if wanted.since else None
    metrics = access.authorizer.metrics

    def rows() -> Iterator[dict[str, object]]:
        counts: Counter[str] = Counter()
        failed = False
        found = access.archive.audit(
            wanted.id,
            project=place,
            fast=wanted.fast,
            every_digest=wanted.every_digest,
            resume=wanted.resume,
            since=since,
        )
        for finding in found:
            counts[finding.severity] += 1
            failed = failed or finding.failed
            metrics.findings.labels(str(finding.severity)).inc()
            yield {"finding": finding.as_json()}
        yield {"summary": {"ok": not failed, "counts": dict(counts)}}

    return _lines(request, rows, str(access.archive.path))


@router.post("/repair", operation_id="repair_archive", response_class=Response, responses=_ANSWER)
def repair(request: Request, given: RepairIn | None = None) -> Response:
    """Repair what an audit finds, from parity; name what cannot be repaired."""
    access = authorized(request)
    wanted = given or RepairIn()
    place = _place(access, wanted.id, wanted.project, ADMIN)

    def rows() -> Iterator[dict[str, object]]:
        failed = False
        for done in access.archive.repair(wanted.id, project=place):
            failed = failed or not done.repaired
            yield {"repair": asdict(done)}
        yield {"summary": {"ok": not failed}}

    return _lines(request, rows, str(access.archive.path))


@router.post("/resources/{id}/parity", operation_id="make_parity")
def protect(request: Request, id: Segment, project: Project = None) -> ParityOut:
    """Make the parity that a resource's instances lack."""
    access = authorized(request)
    name = text_of(id)
    place = access.project_of(name, project, WRITE)
    return ParityOut(count=access.archive.protect(name, place))


@router.post("/reindex", operation_id="rebuild_index")
def reindex(request: Request) -> Count:
    """Build the index anew from the files on disk."""
    access = authorized(request)
    access.require(ADMIN, None)
    return Count(count=access.archive.reindex())


@router.post("/recover", operation_id="finish_leftovers")
def recover(request: Request) -> dict[str, list[dict[str, object]]]:
    """Finish what a crash left; a server does it by itself now and then."""
    access = authorized(request)
    access.require(ADMIN, None)
    return {"events": [event.as_json() for event in access.archive.recover()]}


def _place(access: AuthorizedRequest, id: str | None, project: str | None, permission: str) -> str | None:
    if id is None:
        access.require(permission, None)
        return None
    place = access.project_of(id, project, permission)
    access.archive.instance(id, project=place)
    return place


def _lines(request: Request, rows: Callable[[], Iterator[dict[str, object]]], root: str) -> Response:
    headers = {"Content-Type": type_for(request, LINES), "Vary": "Accept", "Cache-Control": "no-store"}

    def pieces() -> Iterator[bytes]:
        # Said at once, so that whoever waits in between knows that the work has begun.
        yield b'{"begun":true}\n'
        try:
            for row in rows():
                yield json.dumps(_without(row, root), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        except MunimentError as error:
            yield json.dumps({"problem": problem(error, root=root)}).encode() + b"\n"

    return PumpResponse(pieces, headers=headers)


def _without(row: object, root: str) -> object:
    """A row whose places no longer say where on the server's disk the archive lies."""
    if isinstance(row, dict):
        return {name: _without(value, root) for name, value in row.items()}
    return row.replace(f"{root}/", "") if isinstance(row, str) else row
