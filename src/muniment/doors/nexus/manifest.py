"""Manifests of downloads: a member that says of every other one what it is, which revision, and its digest."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import BinaryIO

from muniment.content.jsonld import print_source
from muniment.doors.nexus.revision import Revision
from muniment.doors.nexus.selections import Definition
from muniment.layouts.selection import Format, SelectionEntry
from muniment.layouts.streams import Member

MANIFEST = "manifest-sha256.json"
"""Its name, where no given path has it."""


class Manifest:
    """The list of what is in one download, which is a member of it as well."""

    def __init__(self, name: str, definition: Definition) -> None:
        """Begin the list; `name` is its place in the archive."""
        self._name = name
        self._definition = definition
        self._entries: list[dict[str, object]] = []
        self._modified = int(definition.created_at)

    def add(self, member: Member, revision: Revision, entry: SelectionEntry) -> None:
        """Say what a member is: a file of a revision, or the revision's document in a form."""
        form = None if entry.is_file else (entry.format or Format.COMPACTED).value
        self._modified = max(self._modified, member.modified)
        said = {
            "path": member.name,
            "bytes": member.size,
            "sha256": member.digests["sha256"],
            "@id": revision.iri,
            "project": revision.project,
            "rev": revision.rev,
            "tag": entry.tag,
            "format": form,
        }
        self._entries.append({key: value for key, value in said.items() if value is not None})

    def member(self) -> Member:
        """The list as a member: equal for equal entries, so that a cut download can be gone on with."""
        listed = sorted(self._entries, key=lambda said: str(said["path"]))
        data = print_source(
            {"@id": self._definition.id, "project": self._definition.project, "algorithm": "sha256", "entries": listed}
        )

        def opened(offset: int) -> BinaryIO:
            return BytesIO(data[offset:] if offset else data)

        return Member(self._name, len(data), opened, {"sha256": hashlib.sha256(data).hexdigest()}, self._modified)
