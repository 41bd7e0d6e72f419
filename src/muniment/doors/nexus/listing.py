"""Lists with filters: what in some projects fits, in the order that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from muniment.archive import Archive, Summary
from muniment.content.jsonld import VOCABULARY
from muniment.doors.nexus.addresses import FILE_SCHEMA, UNCONSTRAINED
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.revision import EXPANDED, Revision
from muniment.errors.nexus import TooManyToFilter

MOST = 100_000
"""Resources that are looked at for one list with filters: each has to be read, at some 20,000 a second."""

SORTS: Mapping[str, Callable[[Revision], object]] = {
    "@id": lambda found: found.iri,
    "@type": lambda found: found.types,
    "_constrainedBy": lambda found: found.schema or UNCONSTRAINED,
    "_createdAt": lambda found: found.created_at,
    "_createdBy": lambda found: found.created_by,
    "_deprecated": lambda found: found.deprecated,
    "_project": lambda found: found.project,
    "_rev": lambda found: found.rev,
    "_updatedAt": lambda found: found.updated_at,
    "_updatedBy": lambda found: found.updated_by,
}
"""What a list can be sorted by, and its value in a revision."""

RevisionOf = Callable[[Project, Summary], Revision | None]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shall hold; what is None or empty is not asked for.

    `types` are as they were given and, where that can be told, as IRIs: one of them has to fit. `sort`
    names fields, the first one deciding, each with whether it falls.
    """

    kind: str = ""
    deprecated: bool | None = None
    types: frozenset[str] = frozenset()
    created_by: str = ""
    updated_by: str = ""
    id: str = ""
    schema: str = ""
    rev: int | None = None
    sort: tuple[tuple[str, bool], ...] = ()

    def fits(self, found: Revision, agent: Callable[[str], str]) -> bool:
        """Whether a revision is one of those asked for; `agent` makes the address of who did something."""
        return (
            (not self.kind or found.kind == self.kind)
            and (self.deprecated is None or found.deprecated == self.deprecated)
            and (self.rev is None or found.rev == self.rev)
            and (not self.id or found.iri == self.id)
            and (not self.schema or schema_of(found) == self.schema)
            and (not self.created_by or agent(found.created_by) == self.created_by)
            and (not self.updated_by or agent(found.updated_by) == self.updated_by)
            and (not self.types or bool(self.types & types_of(found)))
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """Looks through projects. `agent` makes the address of who did something."""

    archive: Archive
    revision_of: RevisionOf
    agent: Callable[[str], str]

    def found(self, projects: Sequence[Project], wanted: Filter) -> list[tuple[Project, Revision]]:
        """All that fits, by id, or as `wanted` has it sorted.

        Raises:
            TooManyToFilter: There is more to look through than is looked at for one answer.
            ReadFailed, DamagedRecord: Something cannot be read.
        """
        count = sum(self.archive.count(project.name) for project in projects)
        if count > MOST:
            raise TooManyToFilter(count=count, most=MOST)
        found = [each for project in projects for each in self._fitting(project, wanted)]
        if len(projects) > 1:
            found.sort(key=lambda each: (each[1].iri, each[1].project))
        # Python's sort keeps the order of equals, so the field that decides first comes last.
        for name, falling in reversed(wanted.sort):
            value = SORTS[name]
            found.sort(key=lambda each: value(each[1]), reverse=falling)  # type: ignore[arg-type, return-value]
        return found

    def _fitting(self, project: Project, wanted: Filter) -> Iterator[tuple[Project, Revision]]:
        for item in self.archive.resources(project.name):
            found = self.revision_of(project, item)
            if found is not None and wanted.fits(found, self.agent):
                yield project, found


def schema_of(found: Revision) -> str:
    """The schema a revision is shown with."""
    return FILE_SCHEMA if found.is_file else found.schema or UNCONSTRAINED


def types_of(found: Revision) -> frozenset[str]:
    """The types of a revision: as its document writes them, and as IRIs."""
    if found.is_file:
        return frozenset({"File", f"{VOCABULARY}File"})
    if found.is_package:
        return frozenset({"Package", f"{VOCABULARY}Package"})
    # What was made before the IRIs were kept has them in its expanded form.
    iris = found.type_iris if found.type_iris is not None else found.document(EXPANDED).get("@type", ())
    return frozenset((*found.types, *iris))
