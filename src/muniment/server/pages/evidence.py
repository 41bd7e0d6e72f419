"""Evidence: can it be proved to an auditor? The report as it was last computed, the log's seals, drills, PREMIS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.errors.base import BadInput
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN, EVENTS, READ
from muniment.server.pages.events import latest
from muniment.server.pages.page import Page, resource_path
from muniment.workflows.reports.ndsa.criteria import AREAS
from muniment.workflows.reports.ndsa.report import HIGHEST
from muniment.workflows.reports.steps import KIND, submit_report
from muniment.workflows.reports.stored import WHOLE, StoredReport, StoredReports

router = APIRouter(include_in_schema=False)
_SHOWN = 12
AREA_NAMES = {
    "storage": "Storage",
    "integrity": "Integrity",
    "control": "Control",
    "metadata": "Metadata",
    "content": "Content",
}
SHAPES = {True: "ok", False: "bad", None: "unknown"}


@dataclass(frozen=True, slots=True)
class AreaLevel:
    """One area at one level: its criteria with their facts."""

    area: str
    level: int
    criteria: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        """As it stands in an address."""
        return f"{self.area}-{self.level}"

    @property
    def met(self) -> int:
        """How many criteria are met."""
        return sum(each["met"] is True for each in self.criteria)

    @property
    def shape(self) -> str:
        """Met, not met, or not to be told; the worst counts."""
        found = {each["met"] for each in self.criteria}
        return "bad" if False in found else "unknown" if None in found else "ok"


def cells_of(report: StoredReport | None) -> dict[str, list[AreaLevel]]:
    """The table of a report: by area its four levels; empty without a report."""
    if report is None:
        return {}
    found: dict[str, list[AreaLevel]] = {}
    for area in report.document["areas"]:
        criteria = area["criteria"]
        found[area["area"]] = [
            AreaLevel(area["area"], level, tuple(each for each in criteria if each["level"] == level))
            for level in range(1, HIGHEST + 1)
        ]
    return {area: found[area] for area in AREAS if area in found}


@router.get("/evidence", operation_id="page_evidence")
def evidence(request: Request) -> Response:
    """The page, of the whole archive or of one project."""
    page = Page(request)
    project = page.asked("project", 130)
    page.access.require(EVENTS, project or None)
    stored = StoredReports(request.app.state.app.database())
    # What the report names of rules and stores is told to administrators, here as over HTTP.
    may_see = page.access.may(ADMIN, project or None)
    report = stored.get("ndsa", project or WHOLE) if may_see else None
    cells = cells_of(report)
    opened = page.asked("cell", 40)
    head = page.archive.head()
    seals = latest(page, lambda event: "seal" in event.detail, _SHOWN) if not project else []
    drills = latest(page, lambda event: "drill" in event.detail, _SHOWN)
    job = page.jobs.ledger.about(KIND, "ndsa") if may_see else None
    return page.show(
        "evidence.html",
        page.texts("Evidence"),
        "/evidence",
        heading=_heading(page, report, cells, may_see=may_see),
        project=project,
        projects=[each for each in stored.projects("ndsa") if page.access.may(ADMIN, each)],
        report=report,
        cells=cells,
        levels=list(range(1, HIGHEST + 1)),
        opened=next((cell for row in cells.values() for cell in row if cell.name == opened), None),
        area_names=AREA_NAMES,
        shapes=SHAPES,
        may_see=may_see,
        may_compute=page.access.may(ADMIN, None),
        computing=job if job is not None and not job.ended else None,
        head=head,
        seals=seals,
        drills=[(each, resource_path(each.project or "", each.resource or "")) for each in drills],
    )


@router.post("/evidence/ndsa", operation_id="page_evidence_compute")
def compute(request: Request) -> Response:
    """Have the NDSA Levels judged anew, in the background."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    job = submit_report(page.jobs.ledger, "ndsa", page.access.caller.agent)
    return page.go(f"/jobs/{job.id}")


@router.get("/evidence/premis", operation_id="page_evidence_premis")
def premis(request: Request) -> Response:
    """Lead to the PREMIS, or the METS, of a resource.

    Raises:
        BadInput: None is named.
    """
    page = Page(request)
    id = page.asked("id", 4000)  # noqa: A001 - the field's word
    if not id:
        raise BadInput(reason="no resource is named: its id is needed")
    place = page.access.project_of(id, page.asked("project", 130) or None, READ)
    mets = "&mets=true" if page.asked("form", 4) == "mets" else ""
    return page.go(f"/archive/v1/resources/{quote(id, safe='')}/premis?project={quote(place, safe='/')}{mets}")


def _heading(page: Page, report: StoredReport | None, cells: Mapping[str, list[AreaLevel]], *, may_see: bool) -> str:
    n, t = page.texts.counted, page.texts
    if not may_see:
        return str(t("What proves what this archive did"))
    if report is None:
        return str(t("The NDSA Levels were never judged here"))
    lowest = min((int(area["level"]) for area in report.document["areas"]), default=0)
    wrong = sum(cell.shape == "bad" for row in cells.values() for cell in row)
    if lowest == HIGHEST:
        return str(t("Every area is at level {level} of the NDSA Levels", level=lowest))
    if not lowest:
        return str(
            n(
                wrong,
                "Not every area is at NDSA level 1; one cell is not met|"
                "Not every area is at NDSA level 1; {n} cells are not met",
            )
        )
    return str(
        n(
            wrong,
            "Every area is at NDSA level {level} or above; one cell is not met|"
            "Every area is at NDSA level {level} or above; {n} cells are not met",
            level=lowest,
        )
    )
