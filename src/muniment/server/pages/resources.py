"""Resource: what is this, is it whole, and how do I get it?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.archive import Event, Instance, LastCheck, Mode, Summary
from muniment.content import Entry
from muniment.content.checks import Format
from muniment.doors.distillery.batches import AccessCopy, Batches
from muniment.errors.base import MunimentError
from muniment.http.browsers import refuse_other_sites
from muniment.http.names import segment, text_of
from muniment.http.throttling import ADMIN, EVENTS, READ
from muniment.jobs import Job, JobState
from muniment.server.native.recent import RecentInstances
from muniment.server.pages.copies import COPY_WORDS, SHAPES, copies_of
from muniment.server.pages.instance_facts import InstanceFacts, named_damage
from muniment.server.pages.page import Page, file_path, resource_path
from muniment.server.pages.picture_listing import pictures_of
from muniment.server.pages.policy_words import words_for
from muniment.server.pages.tables import Column, table_of, wants
from muniment.workflows.copies.repairs import KIND_REPAIR, repair_subject, request_repair
from muniment.workflows.copies.retention import Retention, Retentions

router = APIRouter(include_in_schema=False)
_INSTANCES = 30
_FILES = 200
_LISTED = 100_000
"""Files in one answer as CSV or JSON."""
_EVENTS = 8
_DEEP = 4
_LONGEST_SAID = 2000
LABELS = {
    "title": "Title",
    "creator": "Creator",
    "contributor": "Contributor",
    "date": "Date",
    "description": "Description",
    "identifier": "Identifier",
    "language": "Language",
    "publisher": "Publisher",
    "rights": "Rights",
    "license": "Licence",
    "source": "Source",
    "subject": "Subject",
    "type": "Type",
}
"""What the commonest names of what is said about things are called; others stay as they were given."""
_ORDER = {name: place for place, name in enumerate(LABELS)}
EVENT_WORDS = {
    "access refusal": "Access was refused",
    "capture": "Taken from where it lives",
    "creation": "The archive was made",
    "deletion": "Removed for ever",
    "exporting": "Taken out",
    "fixity check": "Fixity check",
    "format identification": "Formats were told",
    "ingestion": "Put in",
    "message digest calculation": "Digests were computed",
    "metadata modification": "What is said was changed",
    "migration": "Moved from another archive",
    "policy assignment": "A policy was set",
    "quarantine": "Set aside",
    "recovery": "Finished after a crash",
    "repair": "Repaired",
    "replication": "Copied",
    "validation": "Validated",
    "virus check": "Virus check",
}
"""What the verbs of the log mean; a verb that is not here stays as it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a folder's listing: a folder with what is below it, or a file."""

    name: str
    path: str
    folder: bool
    size: int
    files: int = 1
    digest: str = ""
    format: str = ""
    puid: str = ""
    shape: str = ""
    word: str = ""


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
    if form := wants(request):
        return _all_paths(page, found, form)
    title = title_of(found)
    check = page.contents.last_check(found.project, found.id)
    whole = page.contents.last_check()
    facts: InstanceFacts = page.request.app.state.facts
    listing = listed(found, page.asked("folder", 4000), page.asked("filter", 200), page.asked("after", 4000))
    instances = [found.earlier(number) for number in range(found.head, max(found.head - _INSTANCES, 0), -1)]
    state = state_of(page, instances[0].created, check, whole)
    places = named_damage(page, check)
    wrong, unknown = places.paths(found, places.wrong), places.paths(found, places.unknown)
    sees_events = page.access.may(EVENTS, found.project)
    copies = copies_of(page, found.project, found.id) if sees_events else []
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
        instances=instances,
        counts=facts.changes(instances, len(found)),
        older=max(found.head - _INSTANCES, 0),
        size=found.payload()[0],
        tar=facts.length(page, found),
        listing=described(page, facts, found, listing, state, (wrong, unknown, places.all)),
        state=state,
        wrong=wrong,
        unknown=unknown,
        check=check,
        checked_at=whole.at if whole is not None and state.shape == "ok" else "",
        note_heading=_note_heading(page, found, state, wrong, unknown),
        repairing=_repairing(page, found) if state.shape != "ok" else None,
        strip=pictures_of(found, page.asked("show", 4000)),
        labels=LABELS,
        cited=cited(page, found, title),
        promise=words_for(page, found.project),
        parity=page.request.app.state.monitor.owes_parity(found.project, found.id),
        parity_needs=places.needs,
        parity_blocks=facts.blocks(page, found) if page.archive.config.redundancy else None,
        head=page.archive.head().seq if sees_events else 0,
        said=sorted(said_of(found.metadata), key=lambda line: _ORDER.get(line[0], len(_ORDER))),
        events=latest_events(page, found) if sees_events else None,
        may_write=page.access.may("resources/write", found.project),
        redundancy=page.archive.config.redundancy,
        may_purge=page.archive.config.mode is Mode.DYNAMIC and page.access.may(ADMIN, found.project),
        filter=page.asked("filter", 200),
        may_repair=page.access.may(ADMIN, found.project),
        copies=[row for row in copies if row.number == found.number or row.state != "made"],
        earlier_copies=[row for row in copies if row.number != found.number and row.state == "made"],
        whole_copies=sum(row.state == "made" for row in copies),
        copy_shapes=SHAPES,
        copy_words=COPY_WORDS,
        kept=_kept(page, found) if sees_events else None,
        mentions=page.contents.mentions(found.project, found.id, 1000) if sees_events else [],
        event_words=EVENT_WORDS,
        now=time.time(),
        access_copy=_access_copy(page, found),
    )


def _all_paths(page: Page, found: Instance, form: str) -> Response:
    """The files of an instance in all its folders, or in one, as CSV or JSON; `next` is where the following begin."""
    prefix, part, after = page.asked("folder", 4000), page.asked("filter", 200).casefold(), page.asked("after", 4000)
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    formats = page.request.app.state.facts.formats(found)
    columns: list[Column[Entry]] = [
        Column("path", lambda each: str(each.path)),
        Column("size", lambda each: each.size or 0),
        Column("puid", lambda each: ", ".join(known.puid for known in formats.get(each.path, ()) if known.puid)),
        *(Column(name, lambda each, name=name: each.digests.get(name, "")) for name in page.archive.config.digests),  # type: ignore[misc] # bound at once
    ]
    wanted = (path for path in found.paths_after(after, len(found)) if path.startswith(below))
    chosen = list(islice((path for path in wanted if part in path.casefold()), _LISTED + 1))
    more = {"next": chosen[_LISTED - 1]} if len(chosen) > _LISTED else {}
    return table_of(columns, (found[path] for path in chosen[:_LISTED]), form, "files", more)


@router.post("/resources/{id}/repair", operation_id="page_resource_repair")
def repair(request: Request, id: str, project: Annotated[str, Form()] = "") -> Response:
    """Ask that it be checked, and repaired where something is found; what becomes of it stands on its page."""
    refuse_other_sites(request)
    page = Page(request)
    name = text_of(id)
    place = page.access.project_of(name, project or None, READ)
    page.access.require(ADMIN, place)
    page.archive.instance(name, project=place)
    request_repair(page.jobs.ledger, place, name, requester=page.access.caller.agent)
    return page.go(resource_path(place, name))


def _note_heading(page: Page, found: Instance, state: State, wrong: list[str], unknown: list[str]) -> str:
    n, whole = page.texts.counted, len(found)
    if wrong and len(wrong) == whole == 1:
        return str(page.texts("Its one file is damaged on disk"))
    if wrong:
        said = "{n} of {whole} files is damaged on disk|{n} of {whole} files are damaged on disk"
        return str(n(len(wrong), said, whole=page.texts.number(whole)))
    if unknown:
        said = "{n} of {whole} files could not be read|{n} of {whole} files could not be read"
        return str(n(len(unknown), said, whole=page.texts.number(whole)))
    return state.word


def _repairing(page: Page, found: Instance) -> Job | None:
    """The job that checks and repairs it, while one is under way, for who may see jobs."""
    if not page.access.may(ADMIN, None):
        return None
    try:
        job: Job | None = page.jobs.ledger.about(KIND_REPAIR, repair_subject(found.project, found.id))
    except MunimentError:
        return None
    return job if job is not None and job.state == JobState.RUNNING else None


def _kept(page: Page, found: Instance) -> Retention | None:
    try:
        return Retentions(page.jobs.copy_service.table.database).get(found.project, found.id)
    except MunimentError:
        return None


def _access_copy(page: Page, found: Instance) -> AccessCopy | None:
    """Where its access copy is seen, if the Distillery published one."""
    try:
        shown = Batches(page.jobs.copy_service.table.database).shown(found.project, found.id)
    except MunimentError:
        return None
    web = ("https://", "http://")  # an address comes from the settings, and nothing else becomes a link
    if shown is None or not shown.url.startswith(web):
        return None
    return shown if shown.manifest.startswith(web) else replace(shown, manifest="")


def cited(page: Page, found: Instance, title: str) -> str:
    """How to cite an instance: whoever has this can find it again, and prove that it is what was cited."""
    said = dict(islice(said_of(found.metadata), 100))
    who, when = said.get("creator", ""), said.get("date", "")
    begin = f"{who} ({when}). " if who and when else f"{who}. " if who else f"({when}). " if when else ""
    settings = page.request.app.state.app.settings
    place = settings.serve_title or "Muniment"
    address = f"{settings.public_url.rstrip('/')}{resource_path(found.project, found.id, instance=found.number)}"
    parts = [
        f"{begin}{title or found.id}. {place}, {found.project}, {found.id}",
        str(page.texts("instance {number} of {day}", number=found.number, day=found.created[:10]).unescape()),
    ]
    if settings.public_url:
        parts.append(address)
    return ", ".join([*parts, found.instance])


def described(
    page: Page,
    facts: InstanceFacts,
    found: Instance,
    listing: Listing,
    state: State,
    failed: tuple[list[str], list[str], bool],
) -> Listing:
    """A listing with the state and the format of what is in it; `failed` is as `NamedDamage` has it, as paths."""
    formats = facts.formats(found) if any(not row.folder for row in listing.rows) else {}
    return replace(listing, rows=[_described(page, row, formats, state, failed) for row in listing.rows])


def _described(
    page: Page,
    row: Row,
    formats: Mapping[str, tuple[Format, ...]],
    state: State,
    failed: tuple[list[str], list[str], bool],
) -> Row:
    t, n = page.texts, page.texts.counted
    wrong, unknown, named = failed
    shape, word = state.shape, state.word
    if state.shape in {"bad", "unknown"} and (wrong or unknown):
        # The check that named these has read all the others, unless there were more than it names.
        shape, word = ("ok", str(t("Whole"))) if named else ("unknown", str(t("Could not tell")))
    below = [path for path in wrong if _is_at(row, path)], [path for path in unknown if _is_at(row, path)]
    if below[1]:
        shape, word = "unknown", str(t("Could not tell"))
    if below[0]:
        shape, word = "bad", str(n(len(below[0]), "{n} damaged|{n} damaged") if row.folder else t("Damaged"))
    known = formats.get(row.path, ()) if not row.folder else ()
    return replace(
        row,
        shape=shape,
        word=word,
        format=" / ".join(f"{each.name} {each.version}".strip() for each in known if each.name),
        puid=", ".join(each.puid for each in known if each.puid),
    )


def _is_at(row: Row, path: str) -> bool:
    return path.startswith(f"{row.path}/") if row.folder else path == row.path


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


def state_of(page: Page, newest: str, check: LastCheck | None, whole: LastCheck | None) -> State:
    """What the newest check says of a resource: its own, or that of everything if it came later.

    `newest` is when its newest instance came in, in RFC 3339.
    """
    t, n = page.texts, page.texts.counted
    last = max((each for each in (check, whole) if each is not None), key=lambda each: each.seq, default=None)
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
            "wait", str(t("Not checked yet")), str(t("Each file is checked against its digest when it is sent."))
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


def states_of(page: Page, summaries: Iterable[Summary]) -> list[State]:
    """What the newest checks say of each of some resources in a list."""
    whole = page.contents.last_check()
    return [state_of(page, each.modified, page.contents.last_check(each.project, each.id), whole) for each in summaries]


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
