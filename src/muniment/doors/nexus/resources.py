"""Resources: JSON-LD documents, each revision kept as it was sent, compacted and expanded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from muniment.archive import Transaction
from muniment.content.jsonld import JsonLd, Scope
from muniment.doors.nexus.addresses import UNCONSTRAINED
from muniment.doors.nexus.changes import Actor, Fill, MayRead, RevisionWriter, refuse_deprecated, refuse_stale, tagged
from muniment.doors.nexus.documents import plain
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.records import Records
from muniment.doors.nexus.resolution import Resolver
from muniment.doors.nexus.revision import COMPACTED, EXPANDED, SOURCE, Revision
from muniment.errors.delivery import InvalidJsonLd
from muniment.errors.nexus import FieldsReserved, IdTaken, NamedNotFound, SchemaUnknown, UnexpectedId

_LONGEST_SHOWN, _MOST_SHOWN = 40, 10

Taken = Callable[[str, str], bool]
"""Whether something outside of the archive (a selection) has an id in a project."""

Shown = Callable[[Revision], Mapping[str, object]]
"""The metadata a revision is shown with."""


def _nothing_shown(_: Revision) -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Resources:
    """Makes, changes and finds resources."""

    records: Records
    changing: RevisionWriter
    jsonld: JsonLd
    taken: Taken
    resolver: Resolver

    def find(self, project: Project, iri: str, kind: str = "Resource") -> Revision:
        """The newest revision of whatever has the IRI: resource, file or package.

        Raises:
            NamedNotFound: Nothing has.
        """
        found = self.records.find(project.name, iri, project.base)
        if found is None or (kind == "File" and not found.is_file):
            raise NamedNotFound(kind=kind, id=iri, project=project.name)
        return found

    def create(
        self, project: Project, iri: str | None, raw: bytes, payload: Any, by: Actor, *, tag: str | None = None
    ) -> Revision:
        """Make a resource from a document; `raw` is how it came, `payload` the same parsed, `tag` its first tag.

        Raises:
            InvalidJsonLd: The document cannot be used.
            FieldsReserved: It has fields that begin with '_'.
            UnexpectedId: It has another id than the address.
            IdTaken: The id is in use in the project.
        """
        _refuse_reserved(payload, {})
        node = self._expand(project, payload, iri, by)
        own = self._id(project, iri, node)
        self.refuse_taken(project, own)
        fill = self._forms(project, own, raw, payload, node, by)
        blank = Revision(
            project=project.name,
            id=own,
            iri=own,
            kind="resource",
            number=0,
            rev=0,
            schema=UNCONSTRAINED,
            tags={tag: 1} if tag else {},
        )
        return self.changing.create(blank, fill, by, message="Create the resource")

    def update(
        self,
        project: Project,
        iri: str,
        rev: int | None,
        raw: bytes,
        payload: Any,
        by: Actor,
        *,
        tag: str | None = None,
        shown: Shown = _nothing_shown,
    ) -> Revision:
        """Put another document in the place of the newest one; `tag` names the revision that is made.

        `shown` gives the metadata the newest one is shown with. Clients change what they fetched and send it
        back, metadata and all: what is still as it was shown is left out, anything else there is refused.

        Raises:
            NamedNotFound, RevIsStale, ThingIsDeprecated, UnexpectedId, InvalidJsonLd, FieldsReserved: It cannot be.
        """
        newest = self.find(project, iri)
        if newest.is_file:
            raise NamedNotFound(kind="Resource", id=iri, project=project.name)
        refuse_stale(newest, rev)
        refuse_deprecated(newest)
        if _refuse_reserved(payload, shown(newest)):
            payload = {key: value for key, value in payload.items() if not key.startswith("_")}
            raw = plain(payload)
        node = self._expand(project, payload, iri, by)
        self._id(project, iri, node)
        fill = self._forms(project, iri, raw, payload, node, by)
        return self.changing.revise(newest, rev, by, tagged(newest, tag), fill, message="Update the resource")

    def refuse_taken(self, project: Project, id: str) -> None:
        """Refuse an id that something in the project has, under its short name or as a selection.

        Raises:
            IdTaken: It is so.
        """
        if self.taken(project.name, id) or self.records.find(project.name, id, project.base) is not None:
            raise IdTaken(id=id, project=project.name)

    def scope(self, project: Project, may_read: MayRead) -> Scope:
        """What a project adds to its documents, with the contexts that can be found from it."""
        return project.scope(self.resolver.document(project, may_read))

    def _expand(self, project: Project, payload: object, iri: str | None, by: Actor) -> dict[str, object]:
        if not isinstance(payload, Mapping):
            raise InvalidJsonLd(reason="it is not a JSON object")
        return self.jsonld.expand(payload, self.scope(project, by.may_read), id=iri)

    @staticmethod
    def _id(project: Project, iri: str | None, node: Mapping[str, object]) -> str:
        found = str(node.get("@id") or "")
        if not found or found.startswith("_:"):
            return iri or f"{project.base}{uuid.uuid4()}"
        if iri is not None and found != iri:
            raise UnexpectedId(id=iri, found=found)
        return found

    def _forms(
        self, project: Project, id: str, raw: bytes, payload: Mapping[str, object], node: dict[str, Any], by: Actor
    ) -> Fill:
        scope = self.scope(project, by.may_read)
        named = {**node, "@id": id}
        compacted = self.jsonld.compact(named, self.jsonld.context_of(payload, scope), scope)
        contents = {SOURCE: raw, COMPACTED: plain(compacted), EXPANDED: plain(named)}

        def fill(transaction: Transaction, revision: Revision) -> Revision:
            for name, content in contents.items():
                if name in transaction:
                    transaction.replace(content, name)
                else:
                    transaction.add(content, name)
            return replace(revision, types=types, type_iris=tuple(named.get("@type", ())))

        kinds = compacted.get("@type", [])
        types = tuple(kinds) if isinstance(kinds, list) else (str(kinds),)
        return fill


def _refuse_reserved(payload: object, shown: Mapping[str, object]) -> bool:
    """Whether a document has fields of metadata, all as they are shown.

    Raises:
        FieldsReserved: It has others.
    """
    fields = {key: payload[key] for key in payload if key.startswith("_")} if isinstance(payload, Mapping) else {}
    refused = sorted(key for key, value in fields.items() if key not in shown or shown[key] != value)
    if refused:
        raise FieldsReserved(fields=", ".join(repr(key[:_LONGEST_SHOWN]) for key in refused[:_MOST_SHOWN]))
    return bool(fields)


def refuse_schema(project: Project, schema: str) -> None:
    """Refuse a schema other than the one that constrains nothing.

    Raises:
        SchemaUnknown: It is another.
    """
    if schema != UNCONSTRAINED:
        raise SchemaUnknown(schema=schema, project=project.name)
