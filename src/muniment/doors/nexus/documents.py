"""Documents: a revision in the forms in which it is handed out, with its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from muniment.archive import Archive
from muniment.content.jsonld import (
    FILES,
    METADATA,
    VOCABULARY,
    JsonLd,
    dot,
    dumps,
    expanded_with_metadata,
    n_quads,
    n_triples,
    print_source,
    quads,
    with_metadata,
)
from muniment.doors.nexus.addresses import FILE_SCHEMA, UNCONSTRAINED, Addresses
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.revision import COMPACTED, EXPANDED, SOURCE, Revision
from muniment.layouts.selection import Format

Json = dict[str, object]

_PACKAGE_CONTEXT: Json = {
    "@version": 1.1,
    "Package": f"{VOCABULARY}Package",
    "metadata": {"@id": f"{VOCABULARY}metadata", "@type": "@json"},
}
_DESCRIBED = {"name": "name", "description": "description", "keywords": "_keywords"}
"""How what a user says of a file is shown."""
_STORAGE = "https://bluebrain.github.io/nexus/vocabulary/diskStorageDefault"


@dataclass(frozen=True, slots=True)
class Documents:
    """Writes revisions. `archive` is asked for packages alone, whose metadata are not remembered."""

    archive: Archive
    jsonld: JsonLd
    addresses: Addresses

    def metadata(self, revision: Revision, project: Project) -> Json:
        """The keys with '_', as every answer about the revision has them."""
        address = self.addresses
        file = revision.is_file
        own = (
            address.file(project.name, project.space, revision.iri)
            if file
            else address.resource(project.name, project.space, revision.iri)
        )
        found: Json = {
            "_self": own,
            "_constrainedBy": FILE_SCHEMA if file else revision.schema or UNCONSTRAINED,
            "_project": address.project(project.name),
            "_rev": revision.rev,
            "_deprecated": revision.deprecated,
            "_createdAt": revision.created_at,
            "_createdBy": address.agent(revision.created_by),
            "_updatedAt": revision.updated_at,
            "_updatedBy": address.agent(revision.updated_by),
        }
        if file:
            return {**found, **self._file(revision, own)}
        return {
            **found,
            "_schemaProject": address.project(project.name),
            "_incoming": f"{own}/incoming",
            "_outgoing": f"{own}/outgoing",
        }

    def compacted(self, revision: Revision, project: Project) -> Json:
        """The revision in the words of its own context, with metadata."""
        meta = self.metadata(revision, project)
        if revision.is_file:
            return with_metadata({"@context": FILES, "@id": revision.iri, "@type": "File"}, meta)
        if revision.is_package:
            said = self._said(revision)
            package = {"@context": _PACKAGE_CONTEXT, "@id": revision.iri, "@type": "Package", "metadata": said}
            return with_metadata(package, meta)
        return with_metadata(revision.document(COMPACTED), meta)

    def summary(self, revision: Revision, project: Project) -> Json:
        """What is answered to a change: who and what it is now, not what it says."""
        if revision.is_file:
            return self.compacted(revision, project)
        kinds = list(revision.types)
        named = {"@type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
        return with_metadata({"@id": revision.iri, **named}, self.metadata(revision, project))

    def expanded(self, revision: Revision, project: Project) -> Json:
        """The revision as one node under full IRIs, metadata included."""
        meta = {"@id": revision.iri, **self.metadata(revision, project)}
        if revision.is_file:
            return self.jsonld.expand_metadata({**meta, "@type": "File"}, (FILES, METADATA))
        expanded = self.jsonld.expand_metadata(meta)
        if revision.is_package:
            said = [{"@type": "@json", "@value": self._said(revision)}]
            node = {"@id": revision.iri, "@type": [f"{VOCABULARY}Package"], f"{VOCABULARY}metadata": said}
            return expanded_with_metadata(node, expanded)
        return expanded_with_metadata(revision.document(EXPANDED), expanded)

    def source(self, revision: Revision, project: Project) -> object:
        """What was sent, parsed; of a file its description, of a package its metadata."""
        if revision.is_file:
            return self.compacted(revision, project)
        return self._said(revision) if revision.is_package else revision.document(SOURCE)

    def annotated(self, revision: Revision, project: Project) -> object:
        """What was sent with the metadata of the revision in it, and their context beside its own."""
        source = self.source(revision, project)
        meta = self.metadata(revision, project)
        if revision.is_file or not isinstance(source, Mapping):
            return source
        document = {"@context": _PACKAGE_CONTEXT, "metadata": source} if revision.is_package else source
        return with_metadata({"@id": revision.iri, **document}, meta)

    def written(self, revision: Revision, project: Project, form: Format) -> bytes:
        """The revision as it stands in an archive; equal for ever for one revision and one public base."""
        return self._writers()[form](revision, project)

    def _writers(self) -> Mapping[Format, Callable[[Revision, Project], bytes]]:
        return {
            Format.SOURCE: lambda revision, project: print_source(self.source(revision, project)),
            Format.ANNOTATED_SOURCE: lambda revision, project: print_source(self.annotated(revision, project)),
            Format.COMPACTED: lambda revision, project: print_source(self.compacted(revision, project)),
            Format.EXPANDED: lambda revision, project: print_source([self.expanded(revision, project)]),
            Format.N_TRIPLES: lambda revision, project: triples(self.expanded(revision, project)),
            Format.N_QUADS: lambda revision, project: named_quads(self.expanded(revision, project)),
            Format.DOT: lambda revision, project: graph(self.expanded(revision, project), revision.iri),
        }

    def _said(self, revision: Revision) -> object:
        instance = self.archive.instance(revision.id, revision.number, project=revision.project)
        return dict(instance.metadata)

    def _file(self, revision: Revision, own: str) -> Json:
        file = revision.file
        return {
            "_bytes": file["bytes"],
            "_digest": {"_algorithm": "SHA-256", "_value": file["sha256"]},
            "_filename": file["filename"],
            "_mediaType": file["media_type"],
            "_origin": "Client",
            "_storage": {"@id": _STORAGE, "@type": "DiskStorage", "_rev": 1},
            "_uuid": file["uuid"],
            **{_DESCRIBED[key]: value for key, value in file.get("described", {}).items()},
            "_incoming": f"{own}/incoming",
            "_outgoing": f"{own}/outgoing",
        }


def triples(node: Json) -> bytes:
    """A node as N-Triples."""
    return "".join(n_triples(quads(node))).encode()


def named_quads(node: Json) -> bytes:
    """A node as N-Quads, its own graph named."""
    return "".join(n_quads(quads(node, named=True))).encode()


def graph(node: Json, name: str) -> bytes:
    """A node as a graphviz digraph."""
    return "".join(dot(quads(node), name)).encode()


def plain(document: object) -> bytes:
    """JSON as it is answered: as short as it can be, in the order given."""
    return dumps(document).encode()
