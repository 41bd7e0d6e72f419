"""Selections: give these to somebody, as one tar or zip, for as long as a selection lives."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.doors.nexus.http.archives import WRITE as MAKE
from muniment.doors.nexus.nexus import Nexus
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.selections import Definition
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.nexus import SelectionNotFound
from muniment.http.browsers import refuse_other_sites
from muniment.http.files import ARCHIVE_TYPES, PlanResponse
from muniment.http.names import text_of
from muniment.http.throttling import READ
from muniment.layouts.selection import MAX_FILENAME, SelectionEntry, encode_id
from muniment.layouts.streams import Plan
from muniment.server.pages.choose import chosen_files
from muniment.server.pages.find import look
from muniment.server.pages.page import Page

router = APIRouter(include_in_schema=False)
_SHOWN = 200
_BASKET = 60
_MOST = 100_000
_FOUND = 20
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class SelectionItem:
    """One thing that somebody wants: a resource, or with a path one of its files; `rev` 0 for the newest."""

    project: str
    id: str
    rev: int = 0
    path: str = ""

    @property
    def text(self) -> str:
        """As it stands in an address."""
        return json.dumps([self.project, self.id, self.rev, self.path], ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> SelectionItem:
        """From an address.

        Raises:
            BadInput: It is none.
        """
        try:
            project, id, rev, path = json.loads(text)  # noqa: A001 - the field's word
            return cls(str(project), str(id), int(rev), str(path))
        except (ValueError, TypeError, RecursionError):
            raise BadInput(reason=f"{text[:100]!r} names nothing that could be selected") from None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an item cannot be given."""

    item: SelectionItem
    says: str


@router.get("/selections", operation_id="page_selections")
def selections(request: Request) -> Response:
    """Those that live, and how long still."""
    page = Page(request)
    page.access.require_somewhere(MAKE)
    nexus = _nexus(request)
    listed = nexus.selections.listed(_places(page), _SHOWN)
    now = nexus.selections.clock()
    projects = {name: nexus.projects.project(name) for name in {each.project for each in listed}}
    return page.show(
        "selections.html",
        page.texts("Selections"),
        "/selections",
        heading=page.texts.counted(len(listed), "One selection can be downloaded|{n} selections can be downloaded")
        if listed
        else page.texts("No selection waits to be downloaded"),
        selections=[(each, _path(each, projects[each.project]), each.left(now)) for each in listed],
        life=nexus.selections.life,
        hours=nexus.selections.life / _HOUR,
    )


@router.get("/selections/new", operation_id="page_selection_new")
def new(request: Request) -> Response:
    """The builder: what is found on the left, the basket on the right; the address holds all of it."""
    page = Page(request)
    page.access.require_somewhere(MAKE)
    items = _unique(SelectionItem.parse(text) for text in request.query_params.getlist("e"))
    return _builder(page, items)


@router.post("/selections", operation_id="page_selection_create")
async def create(request: Request) -> Response:
    """Make a selection of the items `e`, or of the files `path` of one resource."""
    async with request.form(max_files=0, max_fields=_MOST) as form:
        given = [(name, str(value)) for name, value in form.multi_items()]
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415 - used once, in the one asynchronous route

    return await run_in_threadpool(_create, request, given)


def _create(request: Request, given: list[tuple[str, str]]) -> Response:
    refuse_other_sites(request)
    page = Page(request)
    single = dict(given)
    place = single.get("place", "") or single.get("project", "")
    page.access.require(MAKE, place or None)
    items = [SelectionItem.parse(value) for name, value in given if name == "e"]
    if single.get("id"):
        number = single.get("instance", "")
        rev = int(number) if number.isdecimal() and len(number) < 10 else 0  # noqa: PLR2004 - as an instance's number
        of = (single.get("project", ""), single["id"], rev)
        items += _files_of(page, of, [value for name, value in given if name == "path"])
    items = _unique(items)
    nexus = _nexus(request)
    if not items:
        return _builder(page, items, wrong=str(page.texts("Nothing is chosen yet.")), status=400)
    project = nexus.projects.project(place)
    entries, problems = _entries(page, nexus, items)
    if problems:
        return _builder(page, items, status=422)
    made = nexus.selections.add(place, f"{project.base}{uuid.uuid4()}", entries, page.access.caller.agent)
    return page.go(_path(made, project))


@router.get("/selections/{org}/{name}/{id}", operation_id="page_selection")
def selection(request: Request, org: str, name: str, id: str) -> Response:
    """One selection: what is in it, how long it lives, and its downloads."""
    page, nexus, found = _asked(request, org, name, id)
    t = page.texts
    if found is None:
        return page.show(
            "selection_gone.html", t("Selection"), "/selections", status=404, hours=nexus.selections.life / _HOUR
        )
    plan, wrong = None, ""
    try:
        plan = _plan(page, nexus, found, "tar")
    except MunimentError as error:
        wrong = error.message
    places = sorted({each.project or found.project for each in found.entries})
    return page.show(
        "selection.html",
        t("Selection"),
        "/selections",
        heading=t.counted(len(plan.members), "One file, {size}|{n} files, {size}", size=t.bytes(plan.length))
        if plan
        else t("It cannot be downloaded as it is"),
        found=found,
        here=_path(found, nexus.projects.project(found.project)),
        left=found.left(nexus.selections.clock()),
        life=max(found.expires_at - found.created_at, 1),
        plan=plan,
        members=[(each.name, each.size) for each in plan.members[:_SHOWN]] if plan else [],
        more=max(len(plan.members) - _SHOWN, 0) if plan else 0,
        places=places,
        wrong=wrong,
        forms=[(form, _plan(page, nexus, found, form).length if plan else 0) for form in ARCHIVE_TYPES],
    )


@router.get("/selections/{org}/{name}/{id}/download", operation_id="page_selection_download")
def download(request: Request, org: str, name: str, id: str) -> Response:
    """The files, each compared with its digest while it is sent; ranges can be asked for.

    Raises:
        SelectionNotFound: There is none, or its life is over.
        BadInput: There is no such form.
    """
    page, nexus, found = _asked(request, org, name, id)
    if found is None:
        raise SelectionNotFound(id=id[:200], project=f"{org}/{name}"[:200])
    form = page.asked("form", 3) or "tar"
    if form not in ARCHIVE_TYPES:
        raise BadInput(reason=f"there is no form {form!r}; there are tar and zip")
    plan = _plan(page, nexus, found, form)
    own = {"Cache-Control": "private, no-cache"}
    done = nexus.delivering.done
    return PlanResponse(request, plan, f"selection.{form}", headers=own, done=done)


def _builder(page: Page, items: Sequence[SelectionItem], *, wrong: str = "", status: int = 200) -> Response:
    nexus = _nexus(page.request)
    q = page.asked("q", 300)
    answer = look(page.contents, q, page.readable) if q else None
    known = {(each.project, each.id, each.path) for each in items}
    hits = []
    for each in (answer.found if answer else [])[:_FOUND]:
        item = SelectionItem(each.summary.project, each.summary.id, 0, each.path)
        hits.append((item, each.title, (item.project, item.id, item.path) in known))
    entries, problems = _entries(page, nexus, items)
    length, names, said = 0, [], wrong
    if entries and not problems:
        try:
            place = items[0].project
            plan = nexus.delivering.plan(_unsaved(place, entries), lambda name: page.access.may(READ, name))
            length, names = plan.length, [member.name for member in plan.members[:_BASKET]]
        except MunimentError as error:
            said = said or error.message
    n, t = page.texts.counted, page.texts
    return page.show(
        "selection_new.html",
        t("New selection"),
        "/selections",
        status=status,
        heading=n(len(items), "One thing is chosen|{n} things are chosen") if items else t("What shall be given?"),
        q=q,
        hits=hits,
        items=items,
        problems=problems,
        length=length,
        names=names,
        wrong=said,
        places=[each for each in page.archive.projects() if page.access.may(MAKE, each)],
        full=len(items) >= _BASKET,
        hours=nexus.selections.life / _HOUR,
    )


def _unsaved(place: str, entries: Sequence[SelectionEntry]) -> Definition:
    """What a selection of these would be; its id is new, since plans are remembered by it."""
    return Definition(place, str(uuid.uuid4()), entries, 0.0, "", 0.0)


def _entries(page: Page, nexus: Nexus, items: Sequence[SelectionItem]) -> tuple[list[SelectionEntry], list[Problem]]:
    """The entries of a selection of these; and all that cannot be given, at once."""
    made: list[SelectionEntry] = []
    problems: list[Problem] = []
    projects: dict[str, Project | None] = {}
    for item in items:
        if item.project not in projects:
            projects[item.project] = _project(page, nexus, item.project)
        project = projects[item.project]
        revision = None if project is None else nexus.records.find(item.project, project.base + item.id, project.base)
        if project is None or revision is None:
            # The same whether it is not there or may not be read.
            problems.append(Problem(item, str(page.texts("There is nothing here, or nothing for you"))))
            continue
        number = item.rev or revision.number
        if item.path and item.path not in page.archive.instance(item.id, number, project=item.project):
            problems.append(Problem(item, str(page.texts("It has no such file"))))
            continue
        iri = f"{revision.iri}#{quote(item.path)}" if item.path else revision.iri
        name = f"{item.project}/{encode_id(item.id)}/{item.path}" if item.path else None
        if name is not None and len(name.rpartition("/")[2].encode("utf-16-le")) > 2 * MAX_FILENAME:
            name = None
        made.append(SelectionEntry("File", iri, item.project, name, item.rev or None))
    return made, problems


def _project(page: Page, nexus: Nexus, name: str) -> Project | None:
    if not page.access.may(READ, name):
        return None
    try:
        return nexus.projects.project(name)
    except MunimentError:
        return None


def _files_of(page: Page, of: tuple[str, str, int], paths: Sequence[str]) -> list[SelectionItem]:
    """The files below what was ticked: paths of files, and of folders for all that is below them."""
    project, id, rev = of  # noqa: A001 - the field's word
    page.access.require(READ, project)
    if not any(paths):
        return []
    instance = page.archive.instance(id, rev or None, project=project)
    return [SelectionItem(project, id, instance.number, each.path) for each in chosen_files(instance, paths)]


def _asked(request: Request, org: str, name: str, id: str) -> tuple[Page, Nexus, Definition | None]:
    page = Page(request)
    place = f"{org}/{name}"
    page.access.require(READ, place)
    nexus = _nexus(request)
    project = nexus.projects.project(place)
    try:
        return page, nexus, nexus.selections.get(place, project.space.expand(text_of(id), "Archive"))
    except SelectionNotFound:
        return page, nexus, None


def _plan(page: Page, nexus: Nexus, found: Definition, form: str) -> Plan:
    return nexus.delivering.plan(found, lambda name: page.access.may(READ, name), ARCHIVE_TYPES[form])


def _path(found: Definition, project: Project) -> str:
    short = found.id.removeprefix(project.base)
    return f"/selections/{found.project}/{quote(short, safe='')}"


def _places(page: Page) -> list[str] | None:
    if page.access.may(MAKE, None):
        return None
    return [place for place in page.archive.projects() if page.access.may(MAKE, place)]


def _unique(items: Iterator[SelectionItem] | Sequence[SelectionItem]) -> list[SelectionItem]:
    return list(dict.fromkeys(items))


def _nexus(request: Request) -> Nexus:
    found: Nexus = request.app.state.nexus.opened(request)
    return found
