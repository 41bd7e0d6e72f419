"""Importing resources that have a history already: all of them with all their instances become visible, or nothing.

The instances are built one after the other in one staging folder, as the complete objects they will be.
Then, as for a commit: everything is put on stable storage, **one rename** gives each object its place,
and one append writes the events of all instances. The seal is written after the first sync, so a seal
that is found vouches for every file. Killed before the seal, nothing was imported and recovery removes
what was copied (its source still has it); after it, recovery finishes the work (`import_publication.py`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, write_file, writing
from muniment.archive.ingest.checking import (
    candidates,
    drafts_of,
    infected_places,
    set_infected_aside,
    tag_files_of,
)

# The commit point is one for commits and imports; its steps are used here, not written a second time.
from muniment.archive.ingest.commit import copy_records, instance_record, new_content, stage_tags
from muniment.archive.ingest.content_writer import ContentWriter
from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.import_publication import (
    CompleteResource,
    ObjectArea,
    abandon_import,
    inventory_digest,
    publish_import,
    seal_import,
)
from muniment.archive.ingest.staging import IMPORT, StagingArea, TransactionRecord
from muniment.archive.package.bag import payload_state, tag_files
from muniment.archive.package.inventory import Inventory, Version, default_message
from muniment.archive.package.names import keepable
from muniment.archive.package.objects import declare
from muniment.archive.parity.protect import protect
from muniment.content import Entry, LogicalPath, Progress, quiet
from muniment.content.acceptable import (
    check_agent,
    check_event,
    check_identifier,
    check_json,
    check_object,
    check_size,
    check_target,
    check_text,
)
from muniment.content.checks import CheckReport, Format
from muniment.content.config import Mode
from muniment.content.digests import refuse_mismatch
from muniment.content.events import Event
from muniment.content.exclusions import LeftOut
from muniment.content.identity import Agent, check_id, check_project, new_uuid, to_uri
from muniment.content.times import check_time, now
from muniment.content.trees import walk_tree
from muniment.errors.archive import ReadFailed, ResourceExists
from muniment.errors.base import BadInput, MunimentError, StorageError
from muniment.errors.checks import InfectedFiles

_STRONG = ("sha512", "sha256")
"""Digests by which content is known to be the same without reading it."""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One file of an imported instance: its entry with the digests it must have, and where its bytes are.

    `source` is a file's place on disk, or a function that opens a stream of it.
    """

    entry: Entry
    source: str | Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class ImportedInstance:
    """One instance as it comes from outside.

    An empty `instance` gets a new identifier, an empty `created` the present.
    """

    files: Iterable[ImportedFile]
    instance: str = ""
    created: str = ""
    agent: Agent | None = None
    message: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    provenance: Sequence[object] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Sequence[str] = ()
    left_out: Sequence[Mapping[str, str]] = ()
    detail: Mapping[str, object] = field(default_factory=dict)
    """What its ingestion event says beside the usual."""


@dataclass(frozen=True, slots=True)
class ImportedHistory:
    """A resource that is to be made: its instances, the oldest first, and events for the same append as theirs."""

    project: str
    resource: str
    instances: Iterable[ImportedInstance]
    events: Sequence[Event] = ()


NamedHistory = tuple[str | None, str | None, Iterable[ImportedInstance]]
"""An id (None for a new one), a project (None for the usual), and the instances, the oldest first."""


def make_resources(
    context: ArchiveContext,
    resources: Sequence[NamedHistory],
    events: Sequence[Event],
    refuse: Callable[[str, str], None],
    progress: Progress,
) -> list[tuple[str, str]]:
    """Make all `resources` or none, after `refuse` has seen each project and id; returns these.

    Raises:
        MunimentError: As `import_histories`, and what `refuse` raises.
    """
    histories = [_named_history(context, *each, events) for each in resources]
    for each in histories:
        refuse(each.project, each.resource)
    import_histories(context, histories, progress=progress)
    return [(each.project, each.resource) for each in histories]


def _named_history(
    context: ArchiveContext,
    id: str | None,
    project: str | None,
    instances: Iterable[ImportedInstance],
    events: Sequence[Event],
) -> ImportedHistory:
    """What is to be made, in the forms we keep: a new id where there is none, and whose events they are.

    Raises:
        BadId, BadProject, BadValue: Something cannot be used.
    """
    place = check_project(project or context.config.project)
    name = check_id(id) if id is not None else new_uuid()
    agent = f"{context.agent.name} <{context.agent.address}>"
    own = [check_event(replace(event, agent=event.agent or agent, project=place, resource=name)) for event in events]
    return ImportedHistory(place, name, instances, own)


def import_histories(
    context: ArchiveContext, histories: Sequence[ImportedHistory], *, progress: Progress = quiet
) -> None:
    """Make new resources, all of them or none: each is built and checked before the first is published.

    Killed after all were declared complete, recovery publishes all of them; killed earlier, none.

    Raises:
        ResourceExists: An id is taken, or given twice; nothing was imported.
        DigestMismatch, SourceUnreadable, SourceChanged: A file is not what it should be; nothing was imported.
        UnsafePath, PathCollides, PathTaken, BadValue: A name, or what is said, cannot be kept; nothing was imported.
        DiskFull, WriteFailed: The storage refused; nothing was imported.
        BadInput: There was no instance to import.
    """
    if not histories:
        return
    _refuse_existing(context, histories)
    area = _begin(context, histories[0])
    try:
        built: list[CompleteResource] = []
        events: list[Event] = []
        for history in histories:
            build = _Build(context, area, history)
            for imported in history.instances:
                build.add(imported, progress)
            built.append(build.complete())
            events += [*build.events, *history.events]
        seal_import(area, built, events)
        _refuse_existing(context, histories)
        publish_import(context, area)
    except BaseException:
        abandon_import(area)
        raise
    with contextlib.suppress(StorageError):
        area.discard()
    for each in built:
        _protect(context, each, area.record.agent, progress)


def _refuse_existing(context: ArchiveContext, histories: Sequence[ImportedHistory]) -> None:
    named: set[tuple[str, str]] = set()
    for history in histories:
        place = history.project, history.resource
        if place in named or context.newest_number(*place):
            raise ResourceExists(id=history.resource, project=history.project)
        named.add(place)


def _begin(context: ArchiveContext, first: ImportedHistory) -> StagingArea:
    agent = context.agent
    begun = now(), agent.name, agent.address
    place = first.project, first.resource
    record = TransactionRecord(new_uuid(), *place, 0, *begun, kind=IMPORT, log=context.log.head().seq)
    return StagingArea.begin(context.layout, record)


class _Build:
    """The object as far as it is built."""

    def __init__(self, context: ArchiveContext, area: StagingArea, history: ImportedHistory) -> None:
        self._context = context
        self._area = area
        self._record = replace(area.record, project=history.project, id=history.resource)
        self._algorithm = context.config.digests[0]
        self._inventory = Inventory(to_uri(history.project, history.resource), self._algorithm)
        self._known: dict[tuple[str, str], Entry] = {}
        self.events: list[Event] = []
        """What is to be written of the instances."""
        self._identifiers: set[str] = set()
        self._checked: dict[str, object] = {}
        self._formats: dict[str, tuple[Format, ...]] = {}
        self._log = context.log.settled_head()

    def add(self, imported: ImportedInstance, progress: Progress) -> None:
        """Build one more version."""
        number = self._inventory.head + 1
        imported = _checked(imported)
        agent = imported.agent or self._context.agent
        record = replace(
            self._record,
            transaction=imported.instance or new_uuid(),
            base=number - 1,
            agent_name=agent.name,
            agent_address=agent.address,
            message=imported.message,
        )
        if record.transaction in self._identifiers:
            raise BadInput(reason=f"two instances have the identifier {record.transaction!r}")
        self._identifiers.add(record.transaction)
        area = ObjectArea.of(self._area, record)
        make_folder(area.content)
        draft = Draft(record={"metadata": imported.metadata})
        writer = ContentWriter(self._context.copier, area, {}, set(self._inventory.manifest), self._context.pieces)
        for entry in self._store(writer, list(imported.files), draft, progress):
            draft.put(entry)
            for name in _STRONG:
                if name in entry.digests:
                    self._known[name, entry.digests[name]] = entry
        _note_others(draft, imported)
        self._complete(area, draft, writer.staged, imported)

    def _store(
        self, writer: ContentWriter, files: list[ImportedFile], draft: Draft, progress: Progress
    ) -> Iterable[Entry]:
        """The entries of `files`: by digest where the object holds the content already, else read and digested."""
        own = self._context.config.digests
        fresh: dict[str, ImportedFile] = {}
        streams: list[ImportedFile] = []
        for file in files:
            path = keepable(file.entry.path)
            draft.check_new(path)
            if file.entry.size is not None:
                check_size(file.entry.size)
            if file.entry.modified:
                when = check_time(file.entry.modified, f"the time of change of {path!r:.200}")
                file = replace(file, entry=replace(file.entry, modified=when))  # noqa: PLW2901 - the same file, in our words
            known = self._have(file.entry)
            if known:
                draft.put(replace(known, path=path, modified=file.entry.modified))
                continue
            # Held against `check_new` of those that follow; the true entry takes its place when it is read.
            draft.put(Entry(path, file.entry.size))
            judged = not file.entry.digests or any(name in own for name in file.entry.digests)
            if isinstance(file.source, str) and judged:
                fresh[path] = file
            else:
                streams.append(file)
        jobs = [(LogicalPath(path), str(file.source), file.entry.size or 0) for path, file in fresh.items()]
        for entry in writer.files(jobs, progress):
            wanted = fresh[entry.path].entry
            expected = {name: value for name, value in wanted.digests.items() if name in entry.digests}
            refuse_mismatch(entry.path, entry.digests, expected)
            yield replace(entry, modified=wanted.modified)
        for file in streams:
            with _opened(file.source) as stream:
                yield writer.stream(LogicalPath.parse(file.entry.path), stream, file.entry.digests, file.entry.modified)

    def _have(self, entry: Entry) -> Entry | None:
        for name in _STRONG:
            found = self._known.get((name, entry.digests.get(name, "")))
            if found and all(found.digests.get(also, value) == value for also, value in entry.digests.items()):
                return found
        return None

    def _complete(self, area: StagingArea, draft: Draft, staged: dict[str, str], imported: ImportedInstance) -> None:
        """Write tag files and inventory of a version whose files are in place."""
        record = area.record
        number = record.base + 1
        created = imported.created or now()
        entries = draft.entries
        checked = self._examine(area, draft, staged)
        described = instance_record(record, draft, created, list(imported.provenance), self._log, checked)
        content = new_content(self._inventory, draft, staged)
        state = payload_state(entries, self._algorithm)
        tags = tag_files(entries, described, self._context.config.digests, created[:10], tag_files_of(checked))
        stage_tags(area, tags, self._inventory, state, content)
        _drop_empty(area.content)
        message = imported.message or default_message(number, len(entries))
        agent = Agent(record.agent_name, record.agent_address)
        self._inventory.add_version(Version(created, state, message, agent), content)
        digest = self._inventory.write(area.version)
        # In worm mode the root keeps the first version's inventory, as it would had each been committed by itself.
        if number == 1:
            write_file(*declare(area.object))
        detail = {
            "files": len(entries),
            "bytes": sum(size or 0 for size in entries.sizes()),
            "message": message,
            "inventory": f"{self._algorithm}:{digest}",
            **imported.detail,
        }
        ingestion = self._event(number, detail)
        self.events += [ingestion, *(replace(ingestion, **found) for found in drafts_of(checked))]

    def _examine(self, area: StagingArea, draft: Draft, staged: Mapping[str, str]) -> CheckReport | None:
        """Have the checks look at one version that is being built."""
        checks = self._context.checks
        if checks is None:
            return None
        files = candidates(draft, staged, area.content, self._inventory, area.object, self._formats, self._algorithm)
        try:
            checked = checks.examine(files, self._checked)
        except InfectedFiles as error:
            set_infected_aside(self._context, area, error, infected_places(error, draft, staged, area, self._algorithm))
            raise
        self._checked = checked.record
        for path, found in (checked.formats or {}).items():
            self._formats[draft.entries[path].digests[self._algorithm]] = found
        return checked

    def complete(self) -> CompleteResource:
        """Make the object whole with the records in its root.

        Raises:
            BadInput: No version was built.
            DiskFull, WriteFailed: The storage refused.
        """
        head = self._inventory.head
        if not head:
            raise BadInput(reason="there is no instance to import")
        whole = ObjectArea.of(self._area, self._record).object
        shown = whole / ("v1" if self._context.config.mode is Mode.WORM else f"v{head}")
        copy_records(shown, whole, self._algorithm)
        digest = inventory_digest(self._context, whole / f"v{head}")
        return CompleteResource(self._record.project, self._record.id, head, digest)

    def _event(self, number: int, detail: dict[str, object]) -> Event:
        record = self._record
        agent = f"{record.agent_name} <{record.agent_address}>"
        return Event("ingestion", agent, record.project, record.id, number, detail=detail)


def _checked(imported: ImportedInstance) -> ImportedInstance:
    """An instance from outside in the forms we keep.

    Raises:
        BadValue: Something that is said about it cannot be kept.
    """
    if imported.instance:
        check_identifier(imported.instance)
    if imported.agent:
        check_agent(imported.agent)
    check_text(imported.message, "the message")
    check_object(imported.metadata, "the metadata")
    check_json(list(imported.provenance), "the provenance")
    check_object(imported.detail, "the event's detail")
    created = check_time(imported.created, "the time an instance was made") if imported.created else ""
    return replace(imported, created=created)


def _note_others(draft: Draft, imported: ImportedInstance) -> None:
    """Take in links, empty folders and what was left out beside the files that are there.

    Raises:
        UnsafePath, PathTaken, PathCollides: One of them cannot be where it is said to be.
        BadValue: A link's target cannot be kept, or what is said to be left out is not as we say it.
    """
    links: dict[str, str] = {keepable(link): check_target(target, link) for link, target in imported.links.items()}
    draft.add_others(links, [keepable(folder) for folder in imported.folders])
    draft.left_out += [LeftOut.parse(each).as_json() for each in imported.left_out]


def _protect(context: ArchiveContext, resource: CompleteResource, agent: Agent, progress: Progress) -> None:
    # The resource is there whatever happens here: parity can be made at any later time.
    if not context.parity:
        return
    root = context.layout.object(resource.project, resource.id)
    for number in range(1, resource.head + 1):
        try:
            protect(context, root, number, progress=progress)
        except (MunimentError, OSError) as error:
            detail = {"note": "no parity was made", "reason": str(error)}
            made = Event("creation", str(agent), resource.project, resource.id, number, "failure", detail)
            with contextlib.suppress(MunimentError):
                context.log.append([made])


def _drop_empty(content: Path) -> None:
    """Remove the folders in which only content lay that the object has already (OCFL 1.1 E024)."""
    with writing(content):
        for folder, folders, files in walk_tree(content, deepest_first=True):
            if not files and not any(os.path.isdir(os.path.join(folder, name)) for name in folders):
                os.rmdir(folder)


def _opened(source: str | Callable[[], BinaryIO]) -> contextlib.AbstractContextManager[BinaryIO]:
    if not isinstance(source, str):
        return source()
    try:
        return open(source, "rb", buffering=0)
    except OSError as error:
        raise ReadFailed(path=source, reason=error.strerror) from error
