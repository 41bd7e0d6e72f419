"""Remembered revisions: what was read of thousands of instances, each in a few hundred bytes.

As the objects that the rest of Nexus works with, a revision takes 1.6 KB, most of it for what all have in common
and for Python's own upkeep. Here the common part is kept once, and the rest is one piece of bytes.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from sys import intern
from types import MappingProxyType
from typing import Any

from muniment.archive import FilesKept
from muniment.doors.nexus.revision import Content, Revision
from muniment.layouts.streams import Member

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_MOST_SHARED = 1_000
_SHARED = "media_type"
"""What is said of a file that others have in common with it."""

_Shape = tuple[Any, ...]
_Own = tuple[Any, ...]


class SharedFields:
    """What revisions have in common, each such once."""

    def __init__(self) -> None:
        self._shapes: dict[_Shape, _Shape] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def shared(self, shape: _Shape) -> _Shape:
        """The same, as it was first given."""
        if len(self._shapes) >= _MOST_SHARED:
            # Whoever has one keeps it; only that it is shared by later ones is lost.
            self._shapes.clear()
        return self._shapes.setdefault(shape, shape)


class Remembered:
    """One revision in few bytes, with those before it that were looked at. Of a file it is what a member is made of."""

    __slots__ = ("_own", "_shape", "earlier", "id", "kept", "number", "project")

    def __init__(self, revision: Revision, kept: FilesKept, shapes: SharedFields) -> None:
        file = revision.file
        self.project = intern(revision.project)
        self.id = revision.id
        self.kept = kept
        self.number = revision.number
        self.earlier: dict[int, Remembered] | None = None
        """By instance; most resources have one alone, and twenty thousand empty dictionaries are megabytes."""
        self._shape = shapes.shared(
            (
                revision.kind,
                revision.rev,
                revision.types,
                revision.type_iris,
                revision.schema,
                revision.deprecated,
                revision.created_by,
                revision.updated_by,
                tuple(file),
                file.get(_SHARED),
            )
        )
        own = (
            revision.iri if revision.iri != revision.id else None,
            dict(revision.tags) or None,
            revision.created_at,
            revision.updated_at if revision.updated_at != revision.created_at else None,
            (*(value for key, value in file.items() if key != _SHARED),),
            (*((each.name, each.size, each.sha256, each.place) for each in revision.contents),),
        )
        self._own: bytes | _Own
        try:
            self._own = marshal.dumps(own)
        except ValueError:
            self._own = own  # a value of a kind of its own: kept as it is

    def revision(self) -> Revision:
        """It as the rest of Nexus knows it."""
        kind, rev, types, type_iris, schema, deprecated, created_by, updated_by, keys, shared = self._shape
        iri, tags, created_at, updated_at, values, contents = self._unpacked()
        own = iter(values)
        return Revision(
            self.project,
            self.id,
            iri or self.id,
            kind,
            self.number,
            rev,
            types,
            type_iris,
            schema,
            deprecated,
            tags or _NOTHING,
            created_at,
            created_by,
            updated_at or created_at,
            updated_by,
            {key: shared if key == _SHARED else next(own) for key in keys} if keys else _NOTHING,
            tuple(Content(name, size, sha256, self.kept, place) for name, size, sha256, place in contents),
        )

    def member(self, name: str, modified: int) -> Member:
        """The one file of a revision of kind 'file', as a member of an archive."""
        stored, size, sha256, place = self._unpacked()[-1][0]
        return Content(stored, size, sha256, self.kept, place).member(name, modified)

    @property
    def is_package(self) -> bool:
        """As the revision has it."""
        return bool(self._shape[0] == "package")

    @property
    def updated_at(self) -> str:
        """As the revision has it."""
        _, _, created_at, updated_at, *_ = self._unpacked()
        return str(updated_at or created_at)

    def at(self, number: int) -> Remembered | None:
        """The revision of an instance, if that was looked at."""
        if number == self.number:
            return self
        return self.earlier.get(number) if self.earlier else None

    def with_newer(self, found: Remembered) -> Remembered:
        """What is to be remembered in its place when this other one was read as well: the newer of both."""
        if found.number == self.number:
            found.earlier = self.earlier
            return found
        newer, older = (found, self) if found.number > self.number else (self, found)
        # A new dictionary each time: others may be looking into the one there is.
        newer.earlier = {**(self.earlier or {}), older.number: older}
        if older is self:
            self.earlier = None
        return newer

    def _unpacked(self) -> _Own:
        own = self._own
        return marshal.loads(own) if isinstance(own, bytes) else own  # noqa: S302 - made above, never from outside
