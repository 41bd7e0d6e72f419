"""Policies: what a project asks of its copies, checked before it is in force; every change is a revision with undo."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.content.identity import check_project
from muniment.errors.access import IncorrectRev
from muniment.errors.base import MunimentError
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.jobs import Ledger
from muniment.server.pages.page import Page
from muniment.server.pages.revisions import RevisionRow
from muniment.workflows.copies.checking import troubles
from muniment.workflows.copies.policies import PolicyRevision
from muniment.workflows.copies.policy import EVERY_PROJECT, LONGEST, parse_policy
from muniment.workflows.copies.steps import schedule

router = APIRouter(include_in_schema=False)
_HERE = "/admin/policies"


@router.get(_HERE, operation_id="page_policies")
def policies(request: Request) -> Response:
    """The policy of a project, or of all that have none of their own, with its revisions."""
    page = Page(request)
    page.access.require(ADMIN, None)
    return _policy(page, _project(page.asked("project", 130)))


@router.post(_HERE, operation_id="page_policy_change")
def change(
    request: Request,
    project: Annotated[str, Form()] = EVERY_PROJECT,
    rev: Annotated[int, Form()] = 0,
    policy: Annotated[str, Form()] = "",
    do: Annotated[str, Form()] = "save",
) -> Response:
    """Check a policy, or put it in force if nobody changed it since it was shown."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    project = _project(project)
    text = policy[: LONGEST + 1].replace("\r\n", "\n")
    service = page.jobs.copy_service
    try:
        wanted = parse_policy(project, text)
        if do == "check":
            return _policy(page, project, kept=text, found=list(troubles(service, wanted)), checked=True)
        service.policies.set(page.archive, project, text, expected=rev)
    except IncorrectRev:
        return _policy(page, project, kept=text, clash=True, status=409)
    except MunimentError as error:
        return _policy(page, project, kept=text, wrong=error.message, status=error.http_status)
    ledger: Ledger = page.jobs.ledger
    schedule(ledger)  # what is owed by it is noted, and made, in the background
    return page.go(f"{_HERE}?project={project}" if project != EVERY_PROJECT else _HERE)


def _project(text: str) -> str:
    if text and text != EVERY_PROJECT:
        check_project(text)
    return text or EVERY_PROJECT


def _policy(
    page: Page,
    project: str,
    *,
    kept: str | None = None,
    found: list[str] | None = None,
    checked: bool = False,
    clash: bool = False,
    wrong: str = "",
    status: int = 200,
) -> Response:
    service = page.jobs.copy_service
    revisions: list[PolicyRevision] = service.policies.revisions(page.archive, project)
    now = revisions[0] if revisions else None
    newest = now.number if now is not None else 0
    shown = [
        RevisionRow(
            each.number,
            each.at,
            each.agent,
            each.text,
            undo=None if each is now else {"project": project, "rev": str(newest), "policy": each.text},
        )
        for each in revisions
    ]
    t = page.texts
    known = {each.project for each in service.policies.all()}
    heading = t("What is asked of the copies of {project}?", project=project)
    if project == EVERY_PROJECT:
        heading = t("What is asked of the copies of every project without a policy of its own?")
    return page.show(
        "policies.html",
        t("Policies"),
        _HERE,
        status=status,
        heading=heading,
        project=project,
        every=EVERY_PROJECT,
        projects=sorted({*known, *page.archive.projects(), EVERY_PROJECT}),
        own=known,
        now=shown[0] if shown else None,
        rev=newest,
        text=kept if kept is not None else now.text if now else "",
        revisions=shown,
        found=found or [],
        checked=checked,
        clash=clash,
        wrong=wrong,
        stores=[each.name for each in service.registry.all()],
    )
