"""Facets of a search: what it can be kept to, and how many resources it has of each project, year, type and source."""

from __future__ import annotations

import json
import mimetypes
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from muniment.archive.index.words import search_for
from muniment.content.entries import Entry

OTHER_TYPE = "other"
"""The type of files whose name says none."""
STATES = ("damaged", "unknown")
_STATE = "(r.project, r.id) IN (SELECT project, id FROM checks WHERE outcome = 'failure' AND errors {} 0)"
_KEPT_BY = ("ckan", "distillery", "nexus")
"""Records that a door leaves in the metadata of what it brought, by its own name."""
_TYPES = mimetypes.MimeTypes()
"""What Python knows by itself: what machines know besides differs, and an index is the same wherever it is made."""
for _ending, _type in (
    (".geojson", "application/geo+json"),
    (".jp2", "image/jp2"),
    (".jsonld", "application/ld+json"),
    (".md", "text/markdown"),
    (".parquet", "application/vnd.apache.parquet"),
    (".warc", "application/warc"),
):
    _TYPES.add_type(_type, _ending)
Rows = Callable[[str, Iterable[object]], list[Any]]


@dataclass(frozen=True, slots=True)
class FacetQuery:
    """What a search is kept to; an empty field keeps to nothing.

    `year` is that of the newest instance, `since` and `until` the first and last day of it as RFC 3339 begins, `type`
    a media type one of its files has, `source` where it was brought from, `state` what its own newest check found:
    `damaged` or `unknown`.
    """

    year: str = ""
    type: str = ""
    source: str = ""
    state: str = ""
    since: str = ""
    until: str = ""

    def conditions(self) -> tuple[list[str], list[Any]]:
        """What a query on resources `r` asks for besides, and the values that go with it."""
        found: list[str] = []
        given: list[Any] = []
        if self.year:
            found.append("r.modified >= ? AND r.modified < ?")
            given += [self.year, f"{self.year}\uffff"]
        if self.since:
            found.append("r.modified >= ?")
            given.append(self.since)
        if self.until:
            found.append("r.modified < ?")
            given.append(f"{self.until}\uffff")
        if self.type:
            found.append("r.key IN (SELECT resource FROM types WHERE type = ?)")
            given.append(self.type)
        if self.source:
            found.append("r.source = ?")
            given.append(self.source)
        if self.state in STATES:
            found.append(_STATE.format(">" if self.state == "damaged" else "="))
        return found, given

    def __bool__(self) -> bool:
        return any((self.year, self.type, self.source, self.state, self.since, self.until))


EVERYTHING = FacetQuery()


@dataclass(frozen=True, slots=True)
class Facets:
    """How many resources a search has by project, year of the newest instance, media type, source and state.

    `capped` says that there are more than were counted.
    """

    MOST: ClassVar[int] = 10_000
    projects: list[tuple[str, int]]
    years: list[tuple[str, int]]
    capped: bool
    types: list[tuple[str, int]] = field(default_factory=list)
    sources: list[tuple[str, int]] = field(default_factory=list)
    states: list[tuple[str, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many resources were counted, at the most `MOST`."""
        return min(sum(count for _, count in self.projects), self.MOST)


def within(projects: list[str] | None, column: str, only: FacetQuery = EVERYTHING) -> tuple[str, tuple[Any, ...]]:
    """The condition that keeps to these projects, None being all, and to what is chosen besides."""
    conditions, given = only.conditions()
    if projects is not None:
        conditions.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - a column's name of ours
        given.append(json.dumps(projects))
    return " AND ".join(conditions) or "1", tuple(given)


def count_facets(rows: Rows, text: str, projects: list[str] | None, only: FacetQuery) -> Facets:
    """Count what a search by words has, or all where `text` is empty; `rows` asks the database.

    Of a search, and of all that is kept to something, the first `Facets.MOST` are counted: a word that is in
    everything costs no more.
    """
    asked = search_for(text) if text else ""
    if text and not asked:
        return Facets([], [], capped=False)
    where, given = within(projects, "r.project", only)
    limited = bool(text or only or projects is not None)
    columns = "r.key AS key, r.project AS project, r.id AS id, substr(r.modified, 1, 4) AS year, r.source AS source"
    if text:
        source = f"SELECT {columns} FROM words JOIN resources r ON r.key = words.rowid WHERE words MATCH ? AND {where} LIMIT ?"  # noqa: S608, E501 - built here
        values: tuple[Any, ...] = (asked, *given, Facets.MOST + 1)
    else:
        source = f"SELECT {columns} FROM resources r WHERE {where}" + (" LIMIT ?" if limited else "")  # noqa: S608 - as above
        values = (*given, Facets.MOST + 1) if limited else given
    by_project: Counter[str] = Counter()
    by_year: Counter[str] = Counter()
    if limited:
        by_source: Counter[str] = Counter()
        query = f"SELECT project, year, source, count(*) FROM ({source}) GROUP BY 1, 2, 3"  # noqa: S608 - as above
        for project, year, name, count in rows(query, values):
            by_project[project] += count
            by_year[year] += count
            by_source[name] += count
        sources = by_source.most_common()
        types = rows(
            f"SELECT t.type, count(*) FROM ({source}) s JOIN types t ON t.resource = s.key "  # noqa: S608 - as above
            "GROUP BY 1 ORDER BY 2 DESC, 1",
            values,
        )
    else:
        # Each from an index of its own, which holds nothing else.
        query = "SELECT project, substr(modified, 1, 4), count(*) FROM resources GROUP BY 1, 2"
        for project, year, count in rows(query, ()):
            by_project[project] += count
            by_year[year] += count
        sources = rows("SELECT source, count(*) FROM resources GROUP BY source ORDER BY 2 DESC, 1", ())
        types = rows("SELECT type, count(*) FROM types GROUP BY type ORDER BY 2 DESC, 1", ())
    return Facets(
        by_project.most_common(),
        sorted(by_year.items(), reverse=True),
        limited and sum(by_project.values()) > Facets.MOST,
        [(str(name), int(count)) for name, count in types],
        [(str(name), int(count)) for name, count in sources if name],
        _states(rows, source, values),
    )


def _states(rows: Rows, source: str, values: tuple[Any, ...]) -> list[tuple[str, int]]:
    """How many of these were found damaged, or could not be read, by the newest check of their own."""
    failed = "SELECT project, id, errors FROM checks WHERE outcome = 'failure' AND id != ''"
    if not rows(f"{failed} LIMIT 1", ()):
        return []
    query = (
        f"SELECT CASE WHEN c.errors > 0 THEN 'damaged' ELSE 'unknown' END, count(*) FROM ({failed}) c "  # noqa: S608 - as above
        f"JOIN ({source}) s ON s.project = c.project AND s.id = c.id GROUP BY 1 ORDER BY 1"
    )
    return [(str(name), int(count)) for name, count in rows(query, values)]


def types_of(entries: Iterable[Entry]) -> set[str]:
    """The media types of files, by their names."""
    return {_TYPES.guess_type(entry.path)[0] or OTHER_TYPE for entry in entries}


def source_of(metadata: object) -> str:
    """Where a resource was brought from, as its record says; empty where it says nothing.

    A fetch records its services, a door what it did under its own name, a container of the OSF its services.
    """
    said = metadata if isinstance(metadata, Mapping) else {}
    fetched = said.get("fetched")
    sources = fetched.get("sources") if isinstance(fetched, Mapping) else said.get("services")
    if isinstance(sources, list) and ("fetched" in said or "submission" in said):
        first = next((each for each in sources if isinstance(each, Mapping)), {})
        return str(first.get("service", ""))[:40]
    return next((name for name in _KEPT_BY if isinstance(said.get(name), Mapping)), "")
