"""Revisions: one state of a resource, a file or a package as Nexus sees it, with the files that are stored of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from muniment.archive import FilesKept
from muniment.content.jsonld import parse_json
from muniment.content.times import seconds
from muniment.errors.archive import DamagedFile, ReadFailed
from muniment.layouts.streams import Member

SOURCE, COMPACTED, EXPANDED = "source.json", "compacted.json", "expanded.json"
"""The stored forms of a resource."""


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
