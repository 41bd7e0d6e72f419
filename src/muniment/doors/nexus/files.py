"""Files: bytes with a name and a media type, streamed into the archive."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from muniment.archive import Transaction
from muniment.doors.nexus.addresses import FILE_SCHEMA
from muniment.doors.nexus.changes import Actor, Fill, RevisionWriter, refuse_deprecated, refuse_stale, tagged
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.resources import Resources
from muniment.doors.nexus.revision import Revision
from muniment.errors.nexus import FieldsRefused
from muniment.layouts.selection import safe_filename

_LONGEST_NAME = 200
"""Bytes of a file's name on disk; the whole name is kept in the metadata."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it comes: its name, its media type, and its bytes piece by piece."""

    filename: str
    media_type: str
    pieces: Iterator[bytes]
    described: Mapping[str, object] | None = None
    """What its user says of it: `name`, `description`, `keywords`. None says nothing, and leaves what was said."""


@dataclass(frozen=True, slots=True)
class Files:
    """Makes, changes and finds files."""

    resources: Resources
    changing: RevisionWriter

    def find(self, project: Project, iri: str) -> Revision:
        """The newest revision of a file.

        Raises:
            NamedNotFound: There is no file with this IRI.
        """
        return self.resources.find(project, iri, "File")

    def create(
        self, project: Project, iri: str | None, upload: Upload, by: Actor, *, tag: str | None = None
    ) -> Revision:
        """Store a file; without an IRI it gets one. `tag` is its first tag.

        Raises:
            IdTaken: The id is in use in the project.
        """
        own = iri or f"{project.base}{uuid.uuid4()}"
        self.resources.refuse_taken(project, own)
        blank = Revision(
            project=project.name,
            id=own,
            iri=own,
            kind="file",
            number=0,
            rev=0,
            types=("File",),
            schema=FILE_SCHEMA,
            tags={tag: 1} if tag else {},
        )
        return self.changing.create(blank, _storing(upload), by, message="Store the file")

    def update(
        self, project: Project, iri: str, rev: int | None, upload: Upload, by: Actor, *, tag: str | None = None
    ) -> Revision:
        """Put another file in the place of the newest one; `tag` names the revision that is made.

        Raises:
            NamedNotFound, RevIsStale, ThingIsDeprecated: It cannot be.
        """
        newest = self.find(project, iri)
        refuse_stale(newest, rev)
        refuse_deprecated(newest)
        return self.changing.revise(newest, rev, by, tagged(newest, tag), _storing(upload), message="Replace the file")

    def describe(
        self,
        project: Project,
        iri: str,
        rev: int | None,
        described: Mapping[str, object],
        by: Actor,
        *,
        tag: str | None = None,
    ) -> Revision:
        """Say something else of a file; its bytes stay.

        Raises:
            NamedNotFound, RevIsStale, ThingIsDeprecated: It cannot be.
        """
        newest = self.find(project, iri)
        refuse_stale(newest, rev)
        refuse_deprecated(newest)
        file = {**{key: value for key, value in newest.file.items() if key != "described"}, "described": described}
        return self.changing.revise(newest, rev, by, {"file": file, **tagged(newest, tag)}, message="Describe the file")


def description_of(said: object) -> dict[str, object]:
    """What a user says of a file: a name, a description, and keywords, each a word with its text.

    Raises:
        FieldsRefused: It is something else.
    """
    if not isinstance(said, Mapping):
        raise FieldsRefused(details="The custom metadata of the file are not a JSON object.")
    found: dict[str, object] = {}
    for key, value in said.items():
        if key in {"name", "description"} and isinstance(value, str):
            found[key] = value
        elif key == "keywords" and isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
            found[key] = dict(value)
        else:
            raise FieldsRefused(
                details="The custom metadata of a file are a text 'name', a text 'description' and 'keywords', "
                "an object of texts."
            )
    return found


def _storing(upload: Upload) -> Fill:
    def fill(transaction: Transaction, revision: Revision) -> Revision:
        for before in list(transaction):
            transaction.delete(before)
        [entry] = transaction.add(upload.pieces, _stored_name(upload.filename))
        file: dict[str, object] = {
            "filename": upload.filename,
            "media_type": upload.media_type,
            "bytes": entry.size,
            "sha256": entry.digests["sha256"],
            "path": str(entry.path),
            "uuid": str(uuid.uuid4()),
        }
        described = revision.file.get("described") if upload.described is None else upload.described
        if described:
            file["described"] = dict(described)
        return replace(revision, file=file)

    return fill


def _stored_name(filename: str) -> str:
    """The file's name as it can lie on any disk: long ones lose their middle, never their extension."""
    name = safe_filename(filename)
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = f"{dot}{extension}".encode()[:20] if stem else b""
    return (raw[: _LONGEST_NAME - len(tail)] + tail).decode("utf-8", "ignore")
