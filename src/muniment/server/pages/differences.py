"""Differences: what changed from one instance to another, in files, in what is said, and line by line in texts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.archive import Instance
from muniment.content import Entry
from muniment.errors.base import MunimentError
from muniment.http.names import text_of
from muniment.http.throttling import READ
from muniment.server.pages.page import Page, file_path, resource_path
from muniment.server.pages.pictures import PICTURE_TYPES, ending_of
from muniment.server.pages.resources import said_of, title_of
from muniment.server.pages.tables import Column, table_of, wants

router = APIRouter(include_in_schema=False)
_LISTED = 500
_LARGEST_TEXT = 1 << 20
_LINES = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """A path that is not as it was: `kind` is added, removed, changed or renamed."""

    kind: str
    path: str
    before: int | None
    after: int | None
    was: str = ""


COLUMNS: tuple[Column[Change], ...] = (
    Column("change", lambda each: each.kind),
    Column("path", lambda each: each.path),
    Column("was", lambda each: each.was),
    Column("bytes_before", lambda each: each.before),
    Column("bytes_after", lambda each: each.after),
)


@router.get("/resources/{id}/changes", operation_id="page_changes")
def changes(request: Request, id: str) -> Response:
    """The page."""
    page = Page(request)
    name = text_of(id)
    place = page.access.project_of(name, page.asked("project", 130) or None, READ)
    newer = page.archive.instance(name, page.asked("to", 60) or None, project=place)
    older = page.archive.instance(name, page.asked("from", 60) or max(newer.number - 1, 1), project=place)
    found = changes_between(older, newer)
    if form := wants(request):
        return table_of(COLUMNS, found, form, "changes")
    path = page.asked("path", 4000)
    return page.show(
        "changes.html",
        title_of(newer) or newer.id,
        "/find",
        older=older,
        newer=newer,
        title_text=title_of(newer) or newer.id,
        here=resource_path(place, name),
        at=lambda rest, **fields: resource_path(place, name, rest, **fields),
        file_path=file_path,
        heading=_sentence(page, older, newer, found),
        changes=found[:_LISTED],
        more=max(len(found) - _LISTED, 0),
        said=_said_differently(older.metadata, newer.metadata),
        path=path,
        pair=_pair(older, newer, path),
        lines=_line_by_line(older, newer, path) if path and ending_of(path) not in PICTURE_TYPES else None,
    )


def _pair(older: Instance, newer: Instance, path: str) -> list[Instance]:
    """The instances whose picture at a path is shown beside the other's; none where it is no picture."""
    if ending_of(path) not in PICTURE_TYPES:
        return []
    return [found for found in (older, newer) if path in found]


def changes_between(older: Instance, newer: Instance) -> list[Change]:
    """Every path that differs; content that went from one path to another is a renaming."""
    before = {str(entry.path): entry for entry in older.files()}
    after = {str(entry.path): entry for entry in newer.files()}
    missing, fresh = sorted(before.keys() - after.keys(), reverse=True), sorted(after.keys() - before.keys())
    gone = {_content(before[path]): path for path in missing}
    found: list[Change] = []
    for path in fresh:
        was = gone.pop(_content(after[path]), "")
        if was:
            found.append(Change("renamed", path, before[was].size, after[path].size, was))
        else:
            found.append(Change("added", path, None, after[path].size))
    renamed = {each.was for each in found}
    found.extend(Change("removed", path, before[path].size, None) for path in missing if path not in renamed)
    found.extend(
        Change("changed", path, before[path].size, after[path].size)
        for path in before.keys() & after.keys()
        if _content(before[path]) != _content(after[path])
    )
    return sorted(found, key=lambda each: each.path)


def _content(entry: Entry) -> str:
    return entry.digests.get("sha512") or entry.digests.get("sha256") or next(iter(entry.digests.values()), "")


def _sentence(page: Page, older: Instance, newer: Instance, found: list[Change]) -> str:
    t, n = page.texts, page.texts.counted
    said = older.metadata != newer.metadata
    counts = {kind: sum(each.kind == kind for each in found) for kind in ("added", "removed", "changed", "renamed")}
    if not found and said:
        return str(
            t("The same content in instances {one} and {other}, said differently", one=older.number, other=newer.number)
        )
    if not found:
        return str(t("The same files in instances {one} and {other}", one=older.number, other=newer.number))
    words = {
        "added": "one file added|{n} files added",
        "removed": "one left out|{n} left out",
        "changed": "one changed|{n} changed",
        "renamed": "one renamed|{n} renamed",
    }
    parts = ", ".join(str(n(count, words[kind])) for kind, count in counts.items() if count)
    return str(t("Instance {other} against {one}: {parts}", one=older.number, other=newer.number, parts=parts))


def _said_differently(before: Mapping[str, object], after: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """What is said differently, name by name."""
    old, new = _joined(before), _joined(after)
    return [
        (name, old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _joined(said: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, text in islice(said_of(said), 500):
        found.setdefault(name, []).append(text)
    return {name: "; ".join(texts) for name, texts in found.items()}


def _line_by_line(older: Instance, newer: Instance, path: str) -> list[tuple[str, str]] | None:
    """The lines of a text that differ; None where it is no text, or too long."""
    texts: list[list[str]] = []
    for found in (older, newer):
        if path not in found:
            texts.append([])
            continue
        entry = found[path]
        if (entry.size or 0) > _LARGEST_TEXT:
            return None
        try:
            data = found.read_entry(entry)
            texts.append(data.decode("utf-8").splitlines())
        except (UnicodeDecodeError, MunimentError):
            return None
    kinds = {"+": "added", "-": "removed"}
    compared = difflib.unified_diff(texts[0], texts[1], lineterm="", n=3)
    return [(kinds.get(line[:1], ""), line) for line in islice(compared, 2, _LINES)]
