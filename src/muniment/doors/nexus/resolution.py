"""Resolution: what an IRI means to a project, looked for in the project first and then in those the caller may read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from muniment.archive import Archive
from muniment.content.jsonld import parse_json
from muniment.doors.nexus.changes import MayRead
from muniment.doors.nexus.projects import ORGANIZATIONS, PROJECTS, Project
from muniment.doors.nexus.records import Records
from muniment.doors.nexus.revision import SOURCE, Revision
from muniment.errors.delivery import NotJson

_OWN = {ORGANIZATIONS, PROJECTS}


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds what has an IRI. The same lookup answers `/v1/resolvers` and gives documents their contexts."""

    archive: Archive
    records: Records

    def find(self, project: Project, iri: str, may_read: MayRead) -> Revision | None:
        """The newest revision of what has the IRI: in the project, else in the first other one by name.

        A package is found in another project by its whole id alone, for what a short one means is said by
        the project's base.

        Raises:
            ReadFailed, DamagedRecord: It is there and cannot be read.
        """
        found = self.records.find(project.name, iri, project.base)
        if found is not None:
            return found
        for name in self.archive.context.caught_up_index().projects_of(iri):
            if name not in _OWN and name != project.name and may_read(name):
                found = self.records.find(name, iri)
                if found is not None:
                    return found
        return None

    def document(self, project: Project, may_read: MayRead) -> Callable[[str], object | None]:
        """Finds the contexts of documents: what was sent for the resource of that address."""

        def find(address: str) -> object | None:
            found = self.find(project, address, may_read)
            if found is None or found.kind != "resource":
                return None
            try:
                found_document: object = parse_json(found.stored(SOURCE).read())
            except NotJson:
                return None
            return found_document

        return find
