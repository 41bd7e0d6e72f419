"""Plans the download of a selection, after the rights to and the existence and sizes of all entries are checked.

Nothing is sent before every entry was found, so what is wrong is an answer and not a broken download.
Entries that name no revision mean the newest one at this moment.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import BinaryIO
from urllib.parse import unquote

from muniment.archive import Archive, Instance
from muniment.content.events import UNREADABLE, Event, Head
from muniment.content.pieces import PIECE
from muniment.content.times import seconds
from muniment.doors.nexus.documents import Documents
from muniment.doors.nexus.manifest import MANIFEST, Manifest
from muniment.doors.nexus.projects import RESERVED, Project, Projects
from muniment.doors.nexus.records import Records, contents_of
from muniment.doors.nexus.remembered import Remembered
from muniment.doors.nexus.revision import Content, Revision
from muniment.doors.nexus.selections import Crcs, Definition
from muniment.errors.access import AuthorizationFailed
from muniment.errors.archive import DamagedRecord
from muniment.errors.nexus import EntryNotFound, ProjectNotFound, RevNotThere, TagNotFound
from muniment.layouts.selection import Format, NameLayout, Names, SelectionEntry, default_name, encode_id
from muniment.layouts.streams import MadeMembers, Member, MemberSource, Plan, TarPlan, ZipPlan

READ = "resources/read"
TAR, ZIP = TarPlan.media_type, ZipPlan.media_type

_KEPT_IN_MEMORY = 16 * 1024 * 1024
"""Bytes of written documents kept between the preflight and their turn; later ones are written twice."""
_PLANS = 8
_MEMBERS_REMEMBERED = 30_000
_EVENTS_LOOKED_AT = 500
"""Events since a plan was made that are gone through for what concerns it; they take a hundredth of a second."""

MayRead = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry and what it names: a revision, and for one file of a package also the path inside."""

    entry: SelectionEntry
    found: Remembered
    inside: str | None = None

    @property
    def revision(self) -> Revision:
        """The revision, made anew each time: of a hundred thousand each is needed for a moment."""
        return self.found.revision()


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan, a digest of what its entries named, and the log's head and the projects for which that was so."""

    plan: Plan
    state: bytes
    head: Head
    projects: frozenset[str]


class DeliveryPlanner:
    """Makes plans. `layout` says whose default names are given."""

    def __init__(
        self,
        archive: Archive,
        projects: Projects,
        records: Records,
        documents: Documents,
        crcs: Crcs,
        layout: NameLayout = NameLayout.SEED,
    ) -> None:
        self._archive = archive
        self._projects = projects
        self._records = records
        self._documents = documents
        self._crcs = crcs
        self._layout = layout
        self._plans: OrderedDict[tuple[object, ...], _Planned] = OrderedDict()
        self._lock = threading.Lock()

    def plan(
        self,
        definition: Definition,
        may_read: MayRead,
        form: str = TAR,
        *,
        ignore_missing: bool = False,
        manifest: bool = False,
    ) -> Plan:
        """The archive for a selection, its length and ETag known and nothing read of its files.

        With `manifest` a member more says of every other one what it is and its digest.

        Raises:
            AuthorizationFailed: One of the projects may not be read; always, whatever is ignored.
            EntryNotFound: An entry names what is not there.
            FilenameTooLong: See `muniment.layouts.selection`.
            MunimentError: A record cannot be read.
        """
        key = (definition.project, definition.id, definition.created_at, form, ignore_missing, manifest)
        with self._lock:
            before = self._plans.get(key)
        # Asked before anything is looked up: what is committed meanwhile counts the next time.
        head = self._archive.head()
        projects = definition.projects if before is None else before.projects
        _refuse_unreadable(projects, may_read)
        # A resumed download asks again and again; its names and headers need not be thought out anew.
        if before is not None and self._stands(before, head):
            return self._remember(key, replace(before, head=head))
        found = list(self._found(definition, ignore_missing=ignore_missing))
        state = _state(found)
        if before is not None and before.state == state:
            return self._remember(key, replace(before, head=head))
        made = self._made(definition, found, form, manifest=manifest)
        return self._remember(key, _Planned(made, state, head, projects))

    def _made(self, definition: Definition, found: Sequence[FoundEntry], form: str, *, manifest: bool) -> Plan:
        names = Names(each.entry.name for each in found if each.entry.name is not None and not _is_whole(each))
        # It gets its name first: only a given path can be in its way, and that is never changed.
        listed = Manifest(names.place(MANIFEST), definition) if manifest else None
        members = MadeMembers()
        for each, name, modified, source in self._of_entries(found, definition.project, names):
            members.add(name, modified, source)
            if listed is not None:
                listed.add(source.member(name, modified), each.revision, each.entry)
        if listed is not None:
            last = listed.member()
            members.add(last.name, last.modified, last)
        if form != ZIP:
            return TarPlan(members)
        self._crcs.load(":".join(proof) for member in members if (proof := member.proof()))
        plan = ZipPlan(members, self._crcs)
        self._crcs.forget()
        return plan

    def done(self) -> None:
        """After a download: keep what was learnt for later ones."""
        self._crcs.keep()

    def _remember(self, key: tuple[object, ...], made: _Planned) -> Plan:
        with self._lock:
            self._plans[key] = made
            self._plans.move_to_end(key)
            while len(self._plans) > 1 and (
                len(self._plans) > _PLANS
                or sum(len(each.plan.members) for each in self._plans.values()) > _MEMBERS_REMEMBERED
            ):
                self._plans.popitem(last=False)
        return made.plan

    def _stands(self, before: _Planned, head: Head) -> bool:
        """Whether the log shows that nothing a plan was made of has changed since; where it is long, that is not told.

        Two looks at the disk for each entry say the same, and take as long as sending a small file.
        """
        last = before.head
        if head == last:
            return True
        if not last.seq < head.seq <= last.seq + _EVENTS_LOOKED_AT:
            return False
        try:
            for count, event in enumerate(self._archive.events(last.seq)):
                if (count == 0 and event.previous != last.hash) or _concerns(event, before.projects):
                    return False
                if event.seq >= head.seq:
                    return True
        except DamagedRecord:
            pass  # a log that cannot be read tells nothing: every entry is looked up
        return False

    def _found(self, definition: Definition, *, ignore_missing: bool) -> Iterator[FoundEntry]:
        projects: dict[str, Project | None] = {}
        for entry in definition.entries:
            name = entry.project or definition.project
            # A selection of thousands names few projects; each is looked up once.
            if name not in projects:
                projects[name] = self._project(name)
            project = projects[name]
            found = None if project is None else self._find(entry, project)
            if found is not None:
                yield found
            elif not ignore_missing:
                version = f"?rev={entry.rev}" if entry.rev is not None else f"?tag={entry.tag}" if entry.tag else ""
                raise EntryNotFound(id=entry.resource_id + version, project=definition.project)

    def _project(self, name: str) -> Project | None:
        try:
            return self._projects.project(name)
        except ProjectNotFound:
            return None

    def _find(self, entry: SelectionEntry, project: Project) -> FoundEntry | None:
        name = project.name
        try:
            newest = self._records.find(name, entry.resource_id, project.base)
            inside = None
            if newest is None and entry.is_file:
                # '#' and a path after a package's id names one file of it (RFC 3986 §3.5).
                whole, mark, path = entry.resource_id.rpartition("#")
                newest = self._records.find(name, whole, project.base) if mark and path else None
                inside = unquote(path)
            if newest is None:
                return None
            revision = self._records.at(newest, entry.rev, entry.tag)
        except (RevNotThere, TagNotFound):
            return None
        if entry.is_file and revision.kind != ("package" if inside else revision.kind):
            return None
        if entry.is_file and not (revision.is_file or revision.is_package):
            return None
        if inside is not None and inside not in self._instance(revision):
            return None
        return FoundEntry(entry, self._records.remembered(revision), inside)

    def _of_entries(
        self, found: Sequence[FoundEntry], home: str, names: Names
    ) -> Iterator[tuple[FoundEntry, str, int, MemberSource]]:
        """What becomes of each entry: name, time and source of a member, or of all those of a package."""
        kept = 0
        for each in found:
            revision = each.revision
            if _is_whole(each):
                for name, modified, content in self._whole(each, revision, each.entry.project or home, names):
                    yield each, name, modified, self._with_book(content, name, modified)
                continue
            filename = _filename(each, revision)
            wanted = each.entry.name or default_name(each.entry, each.entry.project or home, filename, self._layout)
            name = wanted if each.entry.name else names.place(wanted)
            if each.entry.is_file:
                modified, source = self._file(each, revision, name)
                yield each, name, modified, source
                continue
            member, data = self._document(each, revision, name)
            if kept + len(data) <= _KEPT_IN_MEMORY:
                kept += len(data)
                member = Member(name, len(data), partial(_bytes_from, data), member.digests, member.modified)
            yield each, name, member.modified, member

    def _with_book(self, content: Content, name: str, modified: int) -> MemberSource:
        if content.size <= PIECE:
            return content
        return replace(content.member(name, modified), book=self._archive.context.pieces)

    def _document(self, each: FoundEntry, revision: Revision, name: str) -> tuple[Member, bytes]:
        project = self._projects.project(revision.project)
        form = each.entry.format or Format.COMPACTED
        data = self._documents.written(revision, project, form)
        digests = {"sha256": hashlib.sha256(data).hexdigest()}
        again = partial(self._written_from, each.found, project, form)
        return Member(name, len(data), again, digests, revision.modified), data

    def _written_from(self, found: Remembered, project: Project, form: Format, offset: int) -> BinaryIO:
        return _bytes_from(self._documents.written(found.revision(), project, form), offset)

    def _file(self, each: FoundEntry, revision: Revision, name: str) -> tuple[int, MemberSource]:
        if each.inside is not None:
            instance = self._instance(revision)
            content, modified = _content(instance, each.inside), _modified(instance, each.inside)
            return modified, self._with_book(content, name, modified)
        if len(revision.contents) == 1 and revision.content.size <= PIECE:
            # It is in memory already: of a hundred thousand nothing more has to be kept.
            return revision.modified, each.found
        return revision.modified, self._with_book(revision.content, name, revision.modified)

    def _whole(
        self, each: FoundEntry, revision: Revision, project: str, names: Names
    ) -> Iterator[tuple[str, int, Content]]:
        """All files of a package, below the entry's path or the package's encoded id."""
        instance = self._instance(revision)
        folder = each.entry.name or f"{project}/{encode_id(each.entry.resource_id)}"
        for path in instance:
            yield names.place(f"{folder}/{path}"), _modified(instance, path), _content(instance, path)

    def _instance(self, revision: Revision) -> Instance:
        return self._archive.instance(revision.id, revision.number, project=revision.project)


def _refuse_unreadable(projects: Iterable[str], may_read: MayRead) -> None:
    for project in sorted(projects):
        if not may_read(project):
            raise AuthorizationFailed(permission=READ, address=f"/{project}")


def _concerns(event: Event, projects: frozenset[str]) -> bool:
    """Whether an event may have changed what is in these projects, or what a project is."""
    if not event.project:
        return bool(event.resource) or event.event == UNREADABLE
    return event.project in projects or event.project.startswith(f"{RESERVED}/")


def _state(entries: Sequence[FoundEntry]) -> bytes:
    """A digest of what the entries name at this moment: keeping it all would cost hundreds of bytes for each."""
    hasher = hashlib.sha256()
    for each in entries:
        found = each.found
        named = (each.entry.resource_id, found.project, found.id, found.number, found.updated_at)
        hasher.update(repr((*named, each.entry.path, each.entry.format, each.inside)).encode("utf-8", "surrogatepass"))
    return hasher.digest()


def _is_whole(each: FoundEntry) -> bool:
    return each.entry.is_file and each.found.is_package and each.inside is None


def _filename(each: FoundEntry, revision: Revision) -> str:
    if not each.entry.is_file:
        return ""
    return revision.file["filename"] if each.inside is None else each.inside.rpartition("/")[2]


def _content(instance: Instance, path: str) -> Content:
    return contents_of(instance, path)[0]


def _modified(instance: Instance, path: str) -> int:
    return seconds(instance[path].modified or instance.created)


def _bytes_from(data: bytes, offset: int) -> BinaryIO:
    return BytesIO(data[offset:] if offset else data)
