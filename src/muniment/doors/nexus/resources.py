"""Resources: JSON-LD documents, each revision kept as it was sent, compacted and expanded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from muniment.archive import Transaction
from muniment.content.jsonld import JsonLd, parse_json
from muniment.doors.nexus.addresses import UNCONSTRAINED
from muniment.doors.nexus.changes import Actor, Fill, RevisionWriter, refuse_deprecated, refuse_stale
from muniment.doors.nexus.documents import plain
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.records import COMPACTED, EXPANDED, SOURCE, Records, Revision
from muniment.errors.delivery import InvalidJsonLd, NotJson
from muniment.errors.nexus import IdTaken, NamedNotFound, SchemaUnknown, UnexpectedId

Taken = Callable[[str, str], bool]
"""Whether something outside of the archive (a selection) has an id in a project."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Makes, changes and finds resources."""

    records: Records
    changing: RevisionWriter
    jsonld: JsonLd
    taken: Taken

    def find(self, project: Project, iri: str, kind: str = "Resource") -> Revision:
        """The newest revision of whatever has the IRI: resource, file or package.

        Raises:
            NamedNotFound: Nothing has.
        """
        found = self.records.find(project.name, iri, project.base)
        if found is None or (kind == "File" and not found.is_file):
            raise NamedNotFound(kind=kind, id=iri, project=project.name)
        return found

    def create(self, project: Project, iri: str | None, raw: bytes, payload: Any, by: Actor) -> Revision:
        """Make a resource from a document; `raw` is how it came, `payload` the same parsed.

        Raises:
            InvalidJsonLd: The document cannot be used.
            UnexpectedId: It has another id than the address.
            IdTaken: The id is in use in the project.
        """
        node = self._expand(project, payload, iri)
        own = self._id(project, iri, node)
        self.refuse_taken(project, own)
        fill, types = self._forms(project, own, raw, payload, node)
        blank = Revision(
            project=project.name,
            id=own,
            iri=own,
            kind="resource",
            number=0,
            rev=0,
            types=types,
            schema=UNCONSTRAINED,
        )
        return self.changing.create(blank, fill, by, message="Create the resource")

    def update(self, project: Project, iri: str, rev: int | None, raw: bytes, payload: Any, by: Actor) -> Revision:
        """Put another document in the place of the newest one.

        Raises:
            NamedNotFound, RevIsStale, ThingIsDeprecated, UnexpectedId, InvalidJsonLd: It cannot be.
        """
        newest = self.find(project, iri)
        if newest.is_file:
            raise NamedNotFound(kind="Resource", id=iri, project=project.name)
        refuse_stale(newest, rev)
        refuse_deprecated(newest)
        node = self._expand(project, payload, iri)
        self._id(project, iri, node)
        fill, types = self._forms(project, iri, raw, payload, node)
        return self.changing.revise(newest, rev, by, {"types": types}, fill, message="Update the resource")

    def refuse_taken(self, project: Project, id: str) -> None:
        """Refuse an id that something in the project has, under its short name or as a selection.

        Raises:
            IdTaken: It is so.
        """
        if self.taken(project.name, id) or self.records.find(project.name, id, project.base) is not None:
            raise IdTaken(id=id, project=project.name)

    def document(self, project: Project) -> Callable[[str], object | None]:
        """Finds the contexts of documents: what was sent for a resource of the same project."""

        def find(address: str) -> object | None:
            found = self.records.find(project.name, address)
            if found is None or found.kind != "resource":
                return None
            try:
                found_document: object = parse_json(found.stored(SOURCE).read())
            except NotJson:
                return None
            return found_document

        return find

    def _expand(self, project: Project, payload: object, iri: str | None) -> dict[str, object]:
        if not isinstance(payload, Mapping):
            raise InvalidJsonLd(reason="it is not a JSON object")
        return self.jsonld.expand(payload, project.scope(self.document(project)), id=iri)

    @staticmethod
    def _id(project: Project, iri: str | None, node: Mapping[str, object]) -> str:
        found = str(node.get("@id") or "")
        if not found or found.startswith("_:"):
            return iri or f"{project.base}{uuid.uuid4()}"
        if iri is not None and found != iri:
            raise UnexpectedId(id=iri, found=found)
        return found

    def _forms(
        self, project: Project, id: str, raw: bytes, payload: Mapping[str, object], node: dict[str, object]
    ) -> tuple[Fill, tuple[str, ...]]:
        scope = project.scope(self.document(project))
        named = {**node, "@id": id}
        compacted = self.jsonld.compact(named, self.jsonld.context_of(payload, scope), scope)
        contents = {SOURCE: raw, COMPACTED: plain(compacted), EXPANDED: plain(named)}

        def fill(transaction: Transaction, revision: Revision) -> Revision:
            for name, content in contents.items():
                if name in transaction:
                    transaction.replace(content, name)
                else:
                    transaction.add(content, name)
            return replace(revision, types=types)

        kinds = compacted.get("@type", [])
        types = tuple(kinds) if isinstance(kinds, list) else (str(kinds),)
        return fill, types


def refuse_schema(project: Project, schema: str) -> None:
    """Refuse a schema other than the one that constrains nothing.

    Raises:
        SchemaUnknown: It is another.
    """
    if schema != UNCONSTRAINED:
        raise SchemaUnknown(schema=schema, project=project.name)
