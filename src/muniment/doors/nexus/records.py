"""Records: the revisions of what an archive holds, as Nexus sees them, read once and remembered.

A revision is an instance. What Nexus says about it lies in the instance's metadata under `nexus`; an
instance without that (a deposit, a registration) is a package that Nexus may read and not change.
What was read of an instance is remembered by its number: instances never change, so only the number of
the newest one has to be looked up again.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from types import MappingProxyType
from typing import Any, BinaryIO
from urllib.parse import unquote

from muniment.archive import Archive, FilesKept, Instance
from muniment.content.jsonld import parse_json
from muniment.content.times import seconds
from muniment.errors.archive import DamagedFile, ReadFailed, ResourceNotFound
from muniment.errors.content import BadId
from muniment.errors.nexus import RevNotThere, TagNotFound
from muniment.layouts.streams import Member

KEY = "nexus"
SOURCE, COMPACTED, EXPANDED = "source.json", "compacted.json", "expanded.json"
_REMEMBERED = 24_000
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Content:
    """One stored file of a revision: its name, size in bytes, SHA-256, and where its bytes lie.

    `kept` is the resource's and `place` one of its files: thousands are remembered, and what is the same only once.
    """

    name: str
    size: int
    sha256: str
    kept: FilesKept
    place: str

    def open(self, offset: int = 0) -> BinaryIO:
        """The bytes from `offset` on, unchecked: whoever sends them checks them.

        Raises:
            OSError, StorageError, RemoteError: They could not be had.
        """
        return self.kept.open(self.place, offset)

    def member(self, name: str, modified: int) -> Member:
        """It as a member of an archive."""
        return Member(name, self.size, self.open, {"sha256": self.sha256}, modified, read=self._small)

    def _small(self, size: int) -> bytes:
        return self.kept.read(self.place, size)

    def read(self) -> bytes:
        """All of it, checked; for documents, which are small.

        Raises:
            ReadFailed: The storage did not give it.
            DamagedFile: Its bytes are not those that were stored.
        """
        try:
            with self.kept.open(self.place) as file:
                data = file.read()
        except OSError as error:
            raise ReadFailed(path=self.place, reason=error.strerror) from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise DamagedFile(path=self.place, algorithm="sha256", found=found, expected=self.sha256)
        return data


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a resource, a file or a package: `kind` says which."""

    project: str
    id: str
    """The id in the archive: the IRI, but for packages often a shorter one."""
    iri: str
    kind: str
    number: int
    """The instance."""
    rev: int
    types: tuple[str, ...] = ()
    """As its document writes them."""
    type_iris: tuple[str, ...] | None = None
    """The same as IRIs; None of what was made before these were kept."""
    schema: str = ""
    deprecated: bool = False
    tags: Mapping[str, int] = field(default_factory=dict)
    created_at: str = ""
    created_by: str = ""
    updated_at: str = ""
    updated_by: str = ""
    file: Mapping[str, Any] = field(default_factory=dict)
    contents: tuple[Content, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether it was stored as a file."""
        return self.kind == "file"

    @property
    def is_package(self) -> bool:
        """Whether it was not made through Nexus."""
        return self.kind == "package"

    @property
    def content(self) -> Content:
        """The bytes of a file."""
        return self.stored(self.file["path"])

    def stored(self, name: str) -> Content:
        """One of the stored files; there are three at most.

        Raises:
            KeyError: There is none of that name.
        """
        for content in self.contents:
            if content.name == name:
                return content
        raise KeyError(name)

    @property
    def modified(self) -> int:
        """When it was made, in whole seconds since 1970 UTC."""
        return seconds(self.updated_at)

    def document(self, name: str) -> Any:
        """One of the stored forms of a resource, parsed.

        Raises:
            ReadFailed, DamagedFile: It cannot be had.
        """
        return parse_json(self.stored(name).read())

    def record(self) -> dict[str, object]:
        """What is kept in the instance's metadata."""
        return {
            "kind": self.kind,
            "rev": self.rev,
            "types": list(self.types),
            **({} if self.type_iris is None else {"type_iris": list(self.type_iris)}),
            "schema": self.schema,
            "deprecated": self.deprecated,
            "tags": dict(self.tags),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by,
            **({"file": dict(self.file)} if self.file else {}),
        }


@dataclass(slots=True)
class _Known:
    kept: FilesKept
    newest: Revision
    earlier: dict[int, Revision] | None = None
    """By instance; most resources have one alone, and twenty thousand empty dictionaries are megabytes."""

    def revision(self, number: int) -> Revision | None:
        if number == self.newest.number:
            return self.newest
        return self.earlier.get(number) if self.earlier else None

    def learn(self, found: Revision) -> None:
        if found.number < self.newest.number:
            self.earlier = {**(self.earlier or {}), found.number: found}
            return
        if found.number > self.newest.number:
            self.earlier = {**(self.earlier or {}), self.newest.number: self.newest}
        self.newest = found


class Records:
    """Finds revisions. Serves all threads of a process."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, project: str, iri: str, base: str = "") -> Revision | None:
        """The newest revision of what has the IRI in the project, or None.

        Where no resource has the IRI as its id and it begins with `base`, what follows is looked for, so
        that a package called `letters` can be named by its short id.

        Raises:
            ReadFailed, DamagedRecord: It is there and cannot be read.
        """
        found = self._newest(project, iri, iri)
        if found is None and base and iri.startswith(base) and len(iri) > len(base):
            short = unquote(iri[len(base) :])
            found = self._newest(project, short, iri)
        return found

    def at(self, newest: Revision, rev: int | None = None, tag: str | None = None) -> Revision:
        """An earlier revision, by its number or by a tag.

        Raises:
            RevNotThere, TagNotFound: There is none such.
        """
        if tag is not None:
            if tag not in newest.tags:
                raise TagNotFound(tag=tag)
            rev = newest.tags[tag]
        if rev is None or rev == newest.rev:
            return newest
        if not 1 <= rev < newest.rev:
            raise RevNotThere(provided=rev, current=newest.rev)
        # The revision is the instance's number, except where somebody merged instances on the way here.
        numbers = [rev, *range(newest.number, 0, -1)] if rev <= newest.number else range(newest.number, 0, -1)
        for number in numbers:
            found = self._revision(newest.project, newest.id, newest.iri, number)
            if found.rev == rev:
                return found
        raise RevNotThere(provided=rev, current=newest.rev)

    def forget(self, project: str, id: str) -> None:
        """Read anew, the next time."""
        with self._lock:
            self._known.pop((project, id), None)

    def _newest(self, project: str, id: str, iri: str) -> Revision | None:
        key = (project, id)
        with self._lock:
            known = self._known.get(key)
            newest = known.newest if known else None
        if known is not None and newest is not None and known.kept.is_newest(newest.number):
            return newest
        try:
            instance = self._archive.instance(id, project=project)
        except (ResourceNotFound, BadId):
            self.forget(project, id)
            return None
        return self.remember(instance, iri)

    def _revision(self, project: str, id: str, iri: str, number: int) -> Revision:
        with self._lock:
            known = self._known.get((project, id))
            found = known.revision(number) if known else None
        if found is not None:
            return found
        return self.remember(self._archive.instance(id, number, project=project), iri)

    def remember(self, instance: Instance, iri: str) -> Revision:
        """The revision an instance is; it need not be read again.

        Raises:
            ReadFailed, DamagedRecord: It cannot be read.
        """
        revision = revision_of(instance, iri)
        key = (instance.project, instance.id)
        with self._lock:
            known = self._known.get(key)
            if known is None:
                # The text its contents hold already: another copy of it for each would be megabytes.
                kept = revision.contents[0].kept if revision.contents else instance.kept()
                self._known[key] = _Known(kept, revision)
            else:
                known.learn(revision)
            self._known.move_to_end(key)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return revision


def revision_of(instance: Instance, iri: str) -> Revision:
    """What an instance says about itself.

    Raises:
        ReadFailed, DamagedRecord: It cannot be read.
    """
    said = instance.metadata.get(KEY)
    if not isinstance(said, dict) or "kind" not in said:
        return _package(instance, iri)
    # Thousands of these are remembered. What they have in common is kept once.
    contents = contents_of(instance)
    created, updated = said["created_at"], said["updated_at"]
    return Revision(
        project=instance.project,
        id=instance.id,
        iri=iri,
        kind=intern(str(said["kind"])),
        number=instance.number,
        rev=int(said["rev"]),
        types=tuple(map(intern, said["types"])),
        type_iris=tuple(map(intern, said["type_iris"])) if "type_iris" in said else None,
        schema=intern(said["schema"]),
        deprecated=bool(said["deprecated"]),
        tags=said["tags"] or _NOTHING,
        created_at=created,
        created_by=intern(said["created_by"]),
        updated_at=created if updated == created else updated,
        updated_by=intern(said["updated_by"]),
        file=_file(said["file"], contents) if "file" in said else _NOTHING,
        contents=contents,
    )


def contents_of(instance: Instance, *paths: str) -> tuple[Content, ...]:
    """The stored files of an instance, or those of them at `paths`.

    Raises:
        ReadFailed, DamagedRecord: It cannot be read.
    """
    kept = instance.kept()
    entries = (instance[path] for path in paths) if paths else instance.files()
    return tuple(
        Content(
            str(entry.path),
            entry.size or 0,
            entry.digests["sha256"],
            kept,
            instance.kept_at(entry.path),
        )
        for entry in entries
    )


def _file(said: Mapping[str, Any], contents: tuple[Content, ...]) -> Mapping[str, Any]:
    """What is said of a file; texts that stand in its `Content` too are kept once."""
    same = {text: text for content in contents for text in (content.name, content.sha256)}
    return {intern(key): same.get(value, value) if isinstance(value, str) else value for key, value in said.items()}


def _package(instance: Instance, iri: str) -> Revision:
    first = instance.earlier(1)
    # Its files are not listed here: there may be a million of them.
    return Revision(
        project=instance.project,
        id=instance.id,
        iri=iri,
        kind="package",
        number=instance.number,
        rev=instance.number,
        created_at=first.created,
        created_by=first.agent["address"],
        updated_at=instance.created,
        updated_by=instance.agent["address"],
    )
