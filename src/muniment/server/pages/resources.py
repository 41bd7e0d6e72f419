"""Resource: what is this, is it whole, and how do I get it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.archive import Event, Instance, LastCheck, Mode
from muniment.content import Entry
from muniment.http.names import segment, text_of
from muniment.http.throttling import ADMIN, EVENTS, READ
from muniment.server.native.recent import RecentInstances
from muniment.server.pages.copies import SHAPES, copies_of
from muniment.server.pages.page import Page, file_path, resource_path

router = APIRouter(include_in_schema=False)
_INSTANCES = 30
_FILES = 200
_EVENTS = 8
_DEEP = 4
_LONGEST_SAID = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a folder's listing: a folder with what is below it, or a file."""

    name: str
    path: str
    folder: bool
    size: int
    files: int = 1
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder, a page of it."""

    folder: str
    rows: list[Row]
    total: int
    following: str


@dataclass(frozen=True, slots=True)
class State:
    """Whether a resource is whole, in a shape, a word and a sentence."""

    shape: str
    word: str
    says: str


def asked_instance(page: Page, id: str) -> Instance:
    """The instance the address names, for who may read it.

    Raises:
        MunimentError: There is none, or none for this reader.
    """
    name = text_of(id)
    place = page.access.project_of(name, page.asked("project", 130) or None, READ)
    number = page.asked("instance", 100)
    recent: RecentInstances = page.request.app.state.recent
    return recent.asked(page.archive, name, number or "newest", place)


@router.get("/resources/{id}", operation_id="page_resource")
def resource(request: Request, id: str) -> Response:
    """The page."""
    page = Page(request)
    found = asked_instance(page, id)
    title = title_of(found)
    check = page.contents.last_check(found.project, found.id)
    whole = page.contents.last_check()
    listing = listed(found, page.asked("folder", 4000), page.asked("filter", 200), page.asked("after", 4000))
    newest = found.earlier(found.head)
    numbers = range(found.head, max(found.head - _INSTANCES, 0), -1)
    size = sum(entry.size or 0 for entry in found.files())
    return page.show(
        "resource.html",
        title or found.id,
        "/find",
        found=found,
        title_text=title,
        here=resource_path(found.project, found.id),
        at=lambda rest, **fields: resource_path(found.project, found.id, rest, **fields),
        native=f"/archive/v1/resources/{segment(found.id)}",
        file_path=file_path,
        newest=newest,
        instances=[found.earlier(number) for number in numbers],
        older=max(found.head - _INSTANCES, 0),
        size=size,
        listing=listing,
        state=state_of(page, found, check, whole),
        said=list(said_of(found.metadata)),
        events=latest_events(page, found) if page.access.may(EVENTS, found.project) else None,
        may_write=page.access.may("resources/write", found.project),
        redundancy=page.archive.config.redundancy,
        may_purge=page.archive.config.mode is Mode.DYNAMIC and page.access.may(ADMIN, found.project),
        filter=page.asked("filter", 200),
        copies=copies_of(page, found.project, found.id) if page.access.may(EVENTS, found.project) else [],
        copy_shapes=SHAPES,
        mentions=page.contents.mentions(found.project, found.id, 1000)
        if page.access.may(EVENTS, found.project)
        else [],
    )


def title_of(found: Instance) -> str:
    """What its makers call it; empty where they do not."""
    said = found.metadata
    for name in ("title", "name", "label"):
        value = said.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def state_of(page: Page, found: Instance, check: LastCheck | None, whole: LastCheck | None) -> State:
    """What the newest check says of a resource: its own, or that of everything if it came later."""
    t, n = page.texts, page.texts.counted
    last = max((each for each in (check, whole) if each is not None), key=lambda each: each.seq, default=None)
    newest = found.earlier(found.head).created
    if check is not None and check.errors:
        says = n(
            check.errors,
            "The check found one thing that is not as recorded.|The check found {n} things that are not as recorded.",
        )
        return State("bad", str(t("Damaged")), str(says))
    if check is not None and check.unknown:
        return State(
            "unknown", str(t("Could not tell")), str(t("Something of it could not be read when it was checked."))
        )
    if last is None:
        return State(
            "unknown", str(t("Not checked yet")), str(t("Each file is checked against its digest when it is sent."))
        )
    if not _after(last.at, newest):
        return State(
            "wait",
            str(t("Not checked yet")),
            str(t("The newest instance came after the last check. Each file is compared when it is sent.")),
        )
    if last.fast or last.errors or last.unknown:
        return State(
            "unknown",
            str(t("Not read lately")),
            str(t("The last check did not read it, or found something elsewhere.")),
        )
    return State("ok", str(t("Whole")), str(t("All of it was read and is as recorded.")))


def _after(one: str, other: str) -> bool:
    """Whether one time is later than another, both in RFC 3339."""
    return datetime.fromisoformat(one) > datetime.fromisoformat(other)


def listed(found: Instance, folder: str, part: str = "", after: str = "") -> Listing:
    """A page of a folder; with `part` the files anywhere below it whose path has that in it."""
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    rows = _filtered(found, prefix, part.casefold()) if part else _folder(found, prefix)
    ordered = sorted(rows, key=lambda row: (not row.folder, row.path))
    start = next((at + 1 for at, row in enumerate(ordered) if row.path == after), 0) if after else 0
    page = ordered[start : start + _FILES]
    more = start + _FILES < len(ordered)
    return Listing(prefix.rstrip("/"), page, len(ordered), page[-1].path if more else "")


def _filtered(found: Instance, prefix: str, part: str) -> list[Row]:
    return [
        _file(entry, entry.path)
        for entry in found.files()
        if entry.path.startswith(prefix) and part in entry.path.casefold()
    ]


def _folder(found: Instance, prefix: str) -> list[Row]:
    files: list[Row] = []
    folders: dict[str, tuple[int, int]] = {}
    for entry in found.files():
        if not entry.path.startswith(prefix):
            continue
        name, slash, _ = entry.path[len(prefix) :].partition("/")
        if not slash:
            files.append(_file(entry, name))
        else:
            count, size = folders.get(name, (0, 0))
            folders[name] = (count + 1, size + (entry.size or 0))
    return [*(Row(name, prefix + name, True, size, count) for name, (count, size) in folders.items()), *files]  # noqa: FBT003 - a field


def _file(entry: Entry, name: str) -> Row:
    algorithm, value = next(iter(entry.digests.items()), ("", ""))
    return Row(name, entry.path, False, entry.size or 0, digest=f"{algorithm}:{value}")  # noqa: FBT003 - a field


def latest_events(page: Page, found: Instance, most: int = _EVENTS) -> list[Event]:
    """The newest events about a resource."""
    numbers = page.contents.mentions(found.project, found.id, most)
    return [event for number in numbers for event in islice(page.archive.events(number - 1), 1)]


def said_of(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """What was said about an instance as lines of name and text."""
    if isinstance(value, Mapping) and depth < _DEEP:
        for key, item in value.items():
            yield from said_of(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list) and depth < _DEEP:
        for item in value[:50]:
            yield from said_of(item, name, depth + 1)
    elif str(value or ""):
        yield name, str(value)[:_LONGEST_SAID]
