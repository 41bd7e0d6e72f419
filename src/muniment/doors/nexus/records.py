"""Records: the revisions of what an archive holds, as Nexus sees them, read once and remembered.

A revision is an instance. What Nexus says about it lies in the instance's metadata under `nexus`; an
instance without that (a deposit, a registration) is a package that Nexus may read and not change.
What was read of an instance is remembered by its number: instances never change, so only the number of
the newest one has to be looked up again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from sys import intern
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from muniment.archive import Archive, Instance
from muniment.doors.nexus.remembered import Remembered, SharedFields
from muniment.doors.nexus.revision import Content, Revision
from muniment.errors.archive import ResourceNotFound
from muniment.errors.content import BadId
from muniment.errors.nexus import RevNotThere, TagNotFound

KEY = "nexus"
_REMEMBERED = 24_000
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Records:
    """Finds revisions. Serves all threads of a process."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: OrderedDict[tuple[str, str], Remembered] = OrderedDict()
        self._shapes = SharedFields()
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
        if known is not None and known.kept.is_newest(known.number):
            return known.revision()
        try:
            instance = self._archive.instance(id, project=project)
        except (ResourceNotFound, BadId):
            self.forget(project, id)
            return None
        return self.remember(instance, iri)

    def _revision(self, project: str, id: str, iri: str, number: int) -> Revision:
        with self._lock:
            known = self._known.get((project, id))
            found = known.at(number) if known else None
        if found is not None:
            return found.revision()
        return self.remember(self._archive.instance(id, number, project=project), iri)

    def remember(self, instance: Instance, iri: str) -> Revision:
        """The revision an instance is; it need not be read again.

        Raises:
            ReadFailed, DamagedRecord: It cannot be read.
        """
        revision = revision_of(instance, iri)
        found = self._packed(revision, instance)
        key = (found.project, found.id)
        with self._lock:
            known = self._known.get(key)
            self._known[key] = found if known is None else known.with_newer(found)
            self._known.move_to_end(key)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return revision

    def remembered(self, revision: Revision) -> Remembered:
        """A revision in few bytes, for who needs thousands: the very one that is remembered, while it is.

        Raises:
            ReadFailed, DamagedRecord: It has to be read again, and cannot be.
        """
        with self._lock:
            known = self._known.get((revision.project, revision.id))
            found = known.at(revision.number) if known else None
        if found is not None:
            return found
        return self._packed(revision, self._archive.instance(revision.id, revision.number, project=revision.project))

    def _packed(self, revision: Revision, instance: Instance) -> Remembered:
        kept = revision.contents[0].kept if revision.contents else instance.kept()
        return Remembered(revision, kept, self._shapes)


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
