"""Projects: what is in one, and who may do what there."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.access import address_of
from muniment.access.permissions import ancestors
from muniment.archive import Totals
from muniment.errors.base import MunimentError
from muniment.errors.remote import NoSuchProject
from muniment.http.throttling import ADMIN, READ, WRITE
from muniment.server.pages.page import Page, resource_path
from muniment.server.pages.policy_words import words_for
from muniment.server.pages.resources import states_of

router = APIRouter(include_in_schema=False)
_PAGE = 50


@router.get("/projects", operation_id="page_projects")
def projects(request: Request) -> Response:
    """All projects that may be read, with what they hold."""
    page = Page(request)
    page.access.require_somewhere(READ)
    found = [(place, held) for place, held in page.contents.by_project() if page.access.may(READ, place)]
    n = page.texts.counted
    heading = (
        n(len(found), "One project holds something|{n} projects hold something")
        if found
        else page.texts("No project holds anything yet")
    )
    return page.show("projects.html", page.texts("Projects"), "/projects", heading=heading, projects=found)


@router.get("/projects/{organization}/{name}", operation_id="page_project")
def project(request: Request, organization: str, name: str) -> Response:
    """One project.

    Raises:
        NoSuchProject: Nothing was ever put into it, and no policy is set for it.
    """
    page = Page(request)
    place = f"{organization}/{name}"
    page.access.require(READ, place)
    if place not in page.archive.projects() and not _has_policy(page, place):
        raise NoSuchProject(project=place[:200])
    held = page.contents.totals([place])
    after = page.asked("after", 100)
    moment, _, key = after.rpartition(" ")
    before = (moment, int(key)) if moment and key.isdecimal() else None
    found = page.contents.newest([place], before, _PAGE + 1)
    following = ""
    if len(found) > _PAGE:
        last = found[_PAGE - 1]
        following = f"{last.summary.modified} {page.contents.key_of(last)}"
    return page.show(
        "project.html",
        place,
        "/projects",
        project=place,
        heading=_heading(page, place, held),
        held=held,
        rows=list(
            zip(
                found[:_PAGE],
                [resource_path(place, each.summary.id) for each in found[:_PAGE]],
                states_of(page, [each.summary for each in found[:_PAGE]]),
                strict=True,
            )
        ),
        following=following,
        rules=_rules(page, place) if page.access.may("acls/read", place) else None,
        promise=words_for(page, place),
        may_set=page.access.may(ADMIN, None),
        may_write=page.access.may(WRITE, place),
        failed=page.contents.failed_of(place),
    )


def _has_policy(page: Page, place: str) -> bool:
    try:
        return any(each.project == place for each in page.jobs.copy_service.policies.all())
    except MunimentError:
        return False


def _heading(page: Page, place: str, held: Totals) -> str:
    if not held.resources:
        return str(page.texts("Nothing is in {project} yet", project=place))
    return str(
        page.texts.counted(held.resources, "One resource is in {project}|{n} resources are in {project}", project=place)
    )


def _rules(page: Page, place: str) -> list[tuple[str, str, list[str]]]:
    """Whom which rule grants what here."""
    rules = page.access.authorizer.authority.snapshot().rules
    return [
        (address, str(identity), sorted(rights))
        for address in ancestors(address_of(place))
        for identity, rights in sorted(rules.get(address, {}).items())
    ]
