"""Nexus as a whole: an archive with what the API needs around it, built once for a process."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from muniment.archive import Archive, Summary
from muniment.content.jsonld import IdSpace, JsonLd
from muniment.database import Database
from muniment.doors.nexus.addresses import Addresses
from muniment.doors.nexus.changes import MayRead, RevisionWriter, nowhere
from muniment.doors.nexus.delivery import DeliveryPlanner
from muniment.doors.nexus.documents import Documents
from muniment.doors.nexus.files import Files
from muniment.doors.nexus.links import Links
from muniment.doors.nexus.listing import Listing
from muniment.doors.nexus.parity import Failed, ParityMaker
from muniment.doors.nexus.projects import Project, Projects, is_project_name
from muniment.doors.nexus.records import Records
from muniment.doors.nexus.resolution import Resolver
from muniment.doors.nexus.resources import Resources
from muniment.doors.nexus.revision import Revision
from muniment.doors.nexus.selections import Definition, Selections
from muniment.errors.delivery import InvalidFileAddress
from muniment.errors.nexus import ProjectNotFound
from muniment.layouts.selection import NameLayout, archive_id, decode_selection, ids_of, refuse_too_many

_PARTS_OF_FILE = 3
_LONGEST_SHOWN = 300

DOCUMENT = 32 * 1024 * 1024
"""Bytes a JSON body may have: a selection of 100,000 entries has ten million."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a keeper may set about Nexus.

    `base` is the public address with its `/v1`; `life` a selection's life in seconds; `entries` the most
    a selection may have; `document` and `file` the most bytes of a JSON body and of an uploaded file.
    """

    base: str
    life: float = 5 * 60 * 60
    layout: NameLayout = NameLayout.SEED
    entries: int = 100_000
    document: int = DOCUMENT
    file: int | None = None

    def at(self, base: str) -> Options:
        """The same with this base."""
        return replace(self, base=base)


class Nexus:
    """The parts of the API's domain, put together on one archive."""

    def __init__(self, archive: Archive, options: Options, *, database: Database, failed: Failed | None = None) -> None:
        """Use `archive`; selections are kept in `database`; `failed` is told of parity not made.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        self.archive = archive
        self.options = options
        self.addresses = Addresses(options.base.rstrip("/"))
        self.records = Records(archive)
        self.protecting = ParityMaker(archive, failed=failed)
        self.changing = RevisionWriter(archive, self.records, self.protecting.owe)
        self.jsonld = JsonLd()
        self.projects = Projects(archive, self.records, self.changing, self.addresses)
        self.selections = Selections(database, life=options.life)
        self.selections.erase_expired()
        self.resolver = Resolver(archive, self.records)
        self.resources = Resources(self.records, self.changing, self.jsonld, self.selections.has, self.resolver)
        self.files = Files(self.resources, self.changing)
        self.documents = Documents(archive, self.jsonld, self.addresses)
        crcs = self.selections.crcs()
        self.delivering = DeliveryPlanner(archive, self.projects, self.records, self.documents, crcs, options.layout)

    def select(
        self, project: Project, iri: str | None, payload: object, by: str, may_read: MayRead = nowhere
    ) -> Definition:
        """Keep a selection; without an IRI, in address or payload, it gets one.

        Its context may be a resource of any project that `may_read` allows.

        Raises:
            DecodingFailed, InvalidJsonLd, UnexpectedArchiveId: The payload cannot be used.
            IdTaken: The id is in use in the project.
        """
        context = payload.get("@context") if isinstance(payload, dict) else None
        scope = self.resources.scope(project, may_read)
        refuse_too_many(payload, self.options.entries)
        # Also a context that nothing is resolved with has to be one that can be had.
        resolve = self.jsonld.resolver(context, scope, ids_of(payload))
        own = archive_id(payload, iri, resolve) or f"{project.base}{uuid.uuid4()}"
        entries = decode_selection(
            payload, project=project.name, iri=resolve, limit=self.options.entries, file_at=self.file_at
        )
        if self.records.find(project.name, own, project.base) is not None:
            self.resources.refuse_taken(project, own)
        return self.selections.add(project.name, own, entries, by)

    def file_at(self, address: str) -> tuple[str, str]:
        """Project and IRI of the file at an address of this server, as its `_self` has it.

        Whether there is such a file, or even such a project, is not said: whoever asks may perhaps not know it.

        Raises:
            InvalidFileAddress: It is no such address.
        """
        stem = f"{self.addresses.root}/files/"
        parts = address.removeprefix(stem).split("/")
        name = "/".join(parts[:2])
        if not address.startswith(stem) or len(parts) != _PARTS_OF_FILE or not is_project_name(name):
            raise InvalidFileAddress(value=address[:_LONGEST_SHOWN], stem=stem)
        try:
            space = self.projects.project(name).space
        except ProjectNotFound:
            space = IdSpace(self.addresses.base(name))
        return name, space.expand(parts[2], "File")

    def revision_of(self, project: Project, item: Summary) -> Revision | None:
        """The newest revision of what a list shows."""
        found = self.records.find(project.name, item.id)
        if found is not None and found.is_package and ":" not in item.id:
            return self.records.find(project.name, project.base + item.id, project.base)
        return found

    @property
    def links(self) -> Links:
        """Follows links between documents."""
        return Links(self.archive, self.records)

    @property
    def listing(self) -> Listing:
        """Looks through projects."""
        return Listing(self.archive, self.revision_of, self.addresses.agent)

    def close(self) -> None:
        """End the making of parity; archive and database are their owner's."""
        self.protecting.close()
