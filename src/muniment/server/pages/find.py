"""Find: where is it? One field that knows ids, titles, file names, digests and dates."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from muniment.archive import EVERYTHING, ContentIndex, FacetQuery, Facets, Found
from muniment.http.throttling import READ
from muniment.server.pages.names import shown
from muniment.server.pages.page import Page, file_path, resource_path
from muniment.server.pages.resources import states_of
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_PAGE = 50
_DIGEST = re.compile(
    r"(?:urn:)?(?:(?P<algorithm>sha-?512|sha-?256|md5)[:=-])?(?P<hex>[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{128})\Z",
    re.IGNORECASE,
)

_YEAR = re.compile(r"[0-9]{4}\Z")
STATES = ("damaged", "unknown")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?\Z")

COLUMNS: tuple[Column[Found], ...] = (
    Column("project", lambda each: each.summary.project),
    Column("id", lambda each: each.summary.id),
    Column("title", lambda each: each.title),
    Column("path", lambda each: each.path),
    Column("instance", lambda each: each.last or each.summary.head),
    Column("files", lambda each: each.summary.files),
    Column("bytes", lambda each: each.summary.bytes),
    Column("modified", lambda each: each.summary.modified),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, how the input was read, and where the next page begins."""

    read_as: str
    found: list[Found]
    following: str = ""


@router.get("/find", operation_id="page_find")
def find(request: Request) -> Response:
    """The page; as CSV or JSON for who asks so."""
    page = Page(request)
    page.access.require_somewhere(READ)
    asked = page.asked("q")
    project = page.asked("project", 130)
    kind = page.asked("kind", 10)
    places = _places(page, project)
    only = FacetQuery(
        page.asked("year", 4) if _YEAR.match(page.asked("year", 4)) else "",
        page.asked("type", 100),
        page.asked("source", 40),
        state if (state := page.asked("state", 10)) in STATES else "",
        *(day if _DAY.match(day := page.asked(name, 10)) else "" for name in ("from", "to")),
    )
    answer = look(page.contents, asked, places, kind, page.asked("after", 4000), only)
    if form := wants(request):
        return table_of(COLUMNS, answer.found, form, "find", {"next": answer.following})
    by_words = answer.read_as in {"words", "newest", "id"} and kind == ""
    chosen = {"q": asked, "project": project, **asdict(only)}
    chosen |= {"from": chosen.pop("since"), "to": chosen.pop("until")}
    facets = page.contents.facets(asked, places, only) if by_words and answer.found else None
    return page.show(
        "find.html",
        page.texts("Find"),
        "/find",
        heading=_heading(page, asked, answer, facets),
        q=asked,
        project=project,
        kind=kind,
        only=only,
        chosen=chosen,
        narrowed=lambda field, value: {**chosen, field: value},
        widened=lambda field: {**chosen, field: ""},
        facets=facets,
        nearest=page.contents.nearest(asked, places) if by_words and not answer.found else "",
        answer=answer,
        rows=list(
            zip(
                answer.found,
                [_path(each) for each in answer.found],
                states_of(page, [each.summary for each in answer.found]),
                strict=True,
            )
        ),
        projects=page.archive.projects() if page.readable is None else page.readable,
        total=page.contents.totals(places).resources,
        behind=page.contents.behind(),
    )


def _heading(page: Page, asked: str, answer: Answer, facets: Facets | None) -> Markup:
    """The answer in a sentence; what is not counted says so."""
    t, n, quoted = page.texts, page.texts.counted, _quoted(asked)
    if not asked:
        return t("What is it?")
    if not answer.found:
        return t("Nothing here is called {asked}.", asked=quoted)
    if answer.read_as == "words" and facets is not None and facets.total:
        if facets.capped:
            return t("Over {n} places for {asked}", n=page.texts.number(facets.total), asked=quoted)
        return n(max(facets.total, len(answer.found)), "One place for {asked}|{n} places for {asked}", asked=quoted)
    if answer.following or page.asked("after", 4000):
        return t("More than {n} places for {asked}", n=page.texts.number(_PAGE), asked=quoted)
    return n(len(answer.found), "One place for {asked}|{n} places for {asked}", asked=quoted)


@router.get("/find/digest/{digest}", operation_id="page_find_digest")
def find_digest(request: Request, digest: str) -> Response:
    """Where the archive holds a content: what a file dropped on the field is asked for, digested in the browser."""
    page = Page(request)
    page.access.require_somewhere(READ)
    match = _DIGEST.match(digest)
    found = page.contents.holding(match["hex"].lower(), page.readable, _PAGE) if match else []
    places = [
        {"project": each.summary.project, "id": each.summary.id, "path": each.path, "at": _path(each)} for each in found
    ]
    return JSONResponse({"digest": digest[:200], "places": places})


def look(
    contents: ContentIndex,
    asked: str,
    places: list[str] | None,
    kind: str = "",
    after: str = "",
    only: FacetQuery = EVERYTHING,
) -> Answer:
    """What an input means, and what there is of it; `only` keeps to some resources."""
    if not asked:
        return _newest(contents, places, after, only)
    digest = _DIGEST.match(asked.strip())
    if digest and kind in {"", "digest"}:
        value = digest["hex"].lower()
        found = contents.holding(value, places, _PAGE)
        if found or kind == "digest" or digest["algorithm"]:
            return Answer("digest", found)
    if kind == "file":
        return _files(contents, asked, places, after)
    exact = contents.with_id(asked, places, only) if not after else []
    known = {(each.summary.project, each.summary.id) for each in exact}
    skip = int(after) if after.isdecimal() and len(after) < 7 else 0  # noqa: PLR2004 - nobody turns a million pages
    about = contents.about(asked, places, _PAGE + 1, skip, only)
    listed = [*exact, *(each for each in about[:_PAGE] if (each.summary.project, each.summary.id) not in known)]
    if listed:
        return Answer("id" if exact and not about else "words", listed, str(skip + _PAGE) if len(about) > _PAGE else "")
    if only:
        return Answer("words", [])
    if _DAY.match(asked):
        found = contents.put_in(asked, places, _PAGE + 1, skip)
        return Answer("date", found[:_PAGE], str(skip + _PAGE) if len(found) > _PAGE else "")
    files = _files(contents, asked, places, after)
    return files if files.found else Answer("words", [])


def _newest(contents: ContentIndex, places: list[str] | None, after: str, only: FacetQuery) -> Answer:
    moment, _, key = after.rpartition(" ")
    before = (moment, int(key)) if moment and key.isdecimal() else None
    found = contents.newest(places, before, _PAGE + 1, only)
    if len(found) <= _PAGE:
        return Answer("newest", found)
    last = found[_PAGE - 1]
    return Answer("newest", found[:_PAGE], f"{last.summary.modified} {contents.key_of(last)}")


def _files(contents: ContentIndex, asked: str, places: list[str] | None, after: str) -> Answer:
    row, _, name = after.partition(" ")
    start = (name, int(row)) if name and row.isdecimal() else ("", 0)
    found = contents.named(asked.rpartition("/")[2], places, _PAGE + 1, start)
    if len(found) <= _PAGE:
        return Answer("file", [each for _, each in found])
    number, last = found[_PAGE - 1]
    return Answer("file", [each for _, each in found[:_PAGE]], f"{number} {last.path.rpartition('/')[2]}")


def _places(page: Page, project: str) -> list[str] | None:
    if not project:
        return page.readable
    page.access.require(READ, project)
    return [project]


def _quoted(asked: str) -> Markup:
    return Markup("“{}”").format(shown(asked, 60))


def _path(found: Found) -> str:
    if found.path:
        return resource_path(
            found.summary.project, found.summary.id, f"files/{file_path(found.path)}", instance=found.last
        )
    return resource_path(found.summary.project, found.summary.id)
