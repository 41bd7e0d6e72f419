"""Routes that report: the preservation metadata of a resource, and the reports that were computed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from muniment.app.operations import job_document
from muniment.errors.archive import ResourcePurged
from muniment.errors.reports import ReportNotMade
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.description import gives
from muniment.http.names import Project, Segment, text_of
from muniment.http.representations import type_for
from muniment.http.streaming import PumpResponse
from muniment.http.throttling import ADMIN, EVENTS, READ
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import JobOut, ReportOut
from muniment.workflows.reports.premis import PremisRecord
from muniment.workflows.reports.rights import copies_of, grants_of
from muniment.workflows.reports.steps import submit_report
from muniment.workflows.reports.stored import WHOLE, ReportKind, StoredReports
from muniment.workflows.reports.write import pieces

router = new_router("reports")

XML = "application/xml"
_XML: dict[str, object] = {"schema": {"type": "string"}}


@router.get(
    "/resources/{id}/premis",
    operation_id="get_premis",
    response_class=Response,
    responses={
        200: {
            "content": {XML: _XML, "text/xml": _XML},
            "description": "PREMIS 3, or METS with the PREMIS in it.",
            **gives("Vary"),
        }
    },
)
def premis(
    request: Request,
    id: Segment,
    *,
    mets: Annotated[bool, Query(description="METS round the PREMIS.")] = False,
    project: Project = None,
) -> Response:
    """PREMIS 3 XML of a resource: objects with fixity and format, events, agents and rights.

    It is made while it is sent; a record that is damaged breaks it off. Checks of the whole archive are told to who
    may see all events, and who is granted what, and where copies are, to administrators.
    """
    access = authorized(request)
    name = text_of(id)
    place = _place(access, name, project)
    access.require(EVENTS, place)
    grants = grants_of(access.authorizer.authority.snapshot().rules, place, named=access.may(ADMIN, place))
    copies = copies_of(request.app.state.app.database(), place, name) if access.may(ADMIN, place) else []
    whole = access.may(EVENTS, None)
    record = PremisRecord(access.archive, name, place, grants=grants, copies=copies, whole=whole)
    headers = {"Content-Type": type_for(request, XML, "text/xml"), "Vary": "Accept", "Cache-Control": "no-store"}
    return PumpResponse(lambda: pieces(record, mets=mets), headers=headers)


@router.get("/reports/{kind}", operation_id="get_report")
def report(request: Request, kind: ReportKind, project: Project = None) -> ReportOut:
    """A report as it was last computed, of one project or of the whole archive: NDSA Levels, formats.

    The NDSA Levels name rules and stores: they are told to administrators of the project, or of everything. Formats
    are told to who may read it.
    """
    access = authorized(request)
    access.require(ADMIN if kind == "ndsa" else READ, project)
    found = StoredReports(request.app.state.app.database()).get(kind, project or WHOLE)
    if found is None:
        raise ReportNotMade(kind=kind, what=f"the project {project!r}" if project else "the whole archive")
    return ReportOut(kind=kind, project=project, made=found.made, report=dict(found.document))


@router.post("/reports/{kind}", operation_id="compute_report", status_code=202)
def compute_report(request: Request, kind: ReportKind) -> JobOut:
    """Have a report computed anew, for the whole archive and each project; the job that does it."""
    access = authorized(request)
    access.require(ADMIN, None)
    ledger = request.app.state.osf.ledger
    return JobOut(**job_document(submit_report(ledger, kind, access.caller.agent)))


def _place(access: AuthorizedRequest, id: str, project: str | None) -> str:
    """The project of a resource the caller may see, also of one that was purged."""
    try:
        return access.project_of(id, project, READ)
    except ResourcePurged:
        place = project or str(access.archive.config.project)
        if not access.may(READ, place):
            raise
        return place
