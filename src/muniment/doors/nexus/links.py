"""Links: what a document names, and what in its project names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from muniment.archive import Archive
from muniment.content.jsonld import dumps
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.records import Records
from muniment.doors.nexus.revision import EXPANDED, Revision
from muniment.errors.nexus import TooManyToFilter

MOST = 20_000
"""Resources of a project that are looked through for what names one: each is a file to read."""


@dataclass(frozen=True, slots=True)
class Link:
    """What is at the other end of a link, and the properties that lead there, from the top of the document down."""

    iri: str
    path: tuple[str, ...]
    revision: Revision | None
    """None where it is not in the project."""


@dataclass(frozen=True, slots=True)
class Links:
    """Follows links by the documents themselves: there is no index of them."""

    archive: Archive
    records: Records

    def outgoing(self, project: Project, revision: Revision) -> list[Link]:
        """What a document names, in its own order; a file and a package name nothing.

        Raises:
            ReadFailed, DamagedFile: It cannot be read.
        """
        if revision.kind != "resource":
            return []
        named = dict.fromkeys(_named(revision.document(EXPANDED)))
        found = {iri: self.records.find(project.name, iri, project.base) for iri in {iri for iri, _ in named}}
        return [Link(iri, path, found[iri]) for iri, path in named]

    def incoming(self, project: Project, iri: str) -> list[Link]:
        """The documents of the project that name the IRI, by id.

        Raises:
            TooManyToFilter: The project has more than are looked through.
            ReadFailed, DamagedFile: One of them cannot be read.
        """
        count = self.archive.count(project.name)
        if count > MOST:
            raise TooManyToFilter(count=count, most=MOST)
        written = dumps(iri).encode()
        links: list[Link] = []
        for item in self.archive.resources(project.name):
            revision = self.records.find(project.name, item.id)
            # Most documents name it nowhere: that is seen without reading them as JSON.
            if revision is None or revision.kind != "resource" or written not in revision.stored(EXPANDED).read():
                continue
            paths = dict.fromkeys(path for named, path in _named(revision.document(EXPANDED)) if named == iri)
            links.extend(Link(revision.iri, path, revision) for path in paths)
        return links


def _named(node: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The IRIs that an expanded node names below itself, each with the properties that lead there."""
    waiting: list[tuple[object, tuple[str, ...]]] = [(node, ())]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, path) for item in reversed(value))
        elif isinstance(value, Mapping) and "@value" not in value:
            name = value.get("@id")
            if path and isinstance(name, str) and not name.startswith("_:"):
                yield name, path
            below = [(item, path if key.startswith("@") else (*path, key)) for key, item in value.items()]
            waiting.extend(reversed([each for each in below if not isinstance(each[0], str)]))
