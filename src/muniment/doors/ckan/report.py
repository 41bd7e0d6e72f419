"""What is reported of a portal: broken links by organisation with their drill-down, and the record of each link.

Nothing is counted here: the figures are rows that every check keeps current.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select, tuple_

from muniment.database.tables import ckan_counters as counters
from muniment.database.tables import ckan_datasets as datasets
from muniment.database.tables import ckan_links as links
from muniment.doors.ckan.counters import AGAIN, DAY, ONCE
from muniment.doors.ckan.statuses import Status, broken_in_words
from muniment.jobs.ledger import Ledger

_COUNTED = ("links", "broken", "unknown", "kept", "broken_kept", "datasets", "broken_datasets", "bytes")
COLUMNS = (
    "organization",
    "dataset_name",
    "dataset_title",
    "resource_position",
    "resource_id",
    "resource_url",
    "status",
    "reason",
    "first_failure",
    "last_success",
    "last_updated",
    "failure_count",
    "url_redirected_to",
    "cache_url",
)
BROKEN, UNKNOWN = "broken", "unknown"
STATES = (BROKEN, AGAIN, ONCE, UNKNOWN)
"""Which links a report lists: all that are broken, or those that failed several times, once only, could not be told."""
_CELL_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """Which links are listed; what is None, or empty, is not asked for."""

    state: str = BROKEN
    organization: str | None = None
    host: str | None = None
    cause: str | None = None
    since: float | None = None
    """Those alone that began to fail after this time."""
    kept: bool | None = None
    begins: str = ""
    """How the address of the link begins, or the name of its dataset."""

    def conditions(self, portal: str) -> ColumnElement[bool]:
        """What a row has to be."""
        broken = None if self.state == UNKNOWN else True
        mine = (links.c.portal == portal) & links.c.is_broken.is_(broken) & links.c.gone.is_(False)
        mine &= links.c.status.is_not(None)
        if self.state == ONCE:
            mine &= links.c.failure_count <= 1
        elif self.state == AGAIN:
            mine &= links.c.failure_count > 1
        said = ((links.c.organization, self.organization), (links.c.host, self.host), (links.c.cause, self.cause))
        for column, value in said:
            if value is not None:
                mine &= column == value
        if self.since is not None:
            mine &= links.c.first_failure >= self.since
        if self.kept is not None:
            mine &= links.c.kept_as.is_not(None) if self.kept else links.c.kept_as.is_(None)
        if self.begins:
            end = self.begins + "\U0010ffff"
            if "://" in self.begins:
                return mine & (links.c.url >= self.begins) & (links.c.url < end)
            named = (datasets.c.portal == portal) & (datasets.c.name >= self.begins) & (datasets.c.name < end)
            mine &= links.c.dataset.in_(select(datasets.c.id).where(named))
        return mine


class Reports:
    """Reports on one control database. `cache_url` gives the address of a link's newest copy."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def totals(self, portal: str) -> dict[str, int]:
        """The whole portal's figures."""
        found = self.by(portal, "all")
        return {name: found[0][name] for name in _COUNTED} if found else dict.fromkeys(_COUNTED, 0)

    def by(self, portal: str, dimension: str) -> list[dict[str, Any]]:
        """The newest figures by organisation, host, status or size of the copy, the most broken first."""
        query = _newest(portal, dimension)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        made = [_figures(row) for row in rows if row["links"] or row["datasets"]]
        return sorted(made, key=lambda each: (-each["broken_datasets"], -each["broken"], each["name"]))

    def days(self, portal: str, dimension: str = "all", name: str = "", since: float = 0.0) -> list[dict[str, Any]]:
        """The value at the end of each day on which something changed, the oldest first."""
        c = counters.c
        mine = (c.portal == portal) & (c.dimension == dimension) & (c.name == name) & (c.day >= int(since // DAY))
        query = select(counters).where(mine).order_by(c.day)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [
            {"day": datetime.fromtimestamp(row["day"] * DAY, UTC).date().isoformat(), **_figures(row)} for row in rows
        ]

    def broken(
        self,
        portal: str,
        *,
        organization: str | None = None,
        host: str | None = None,
        after: str = "",
        limit: int = 50,
        broken: bool | None = True,
    ) -> list[dict[str, Any]]:
        """Broken links with their dataset, by resource id; `after` is the last id of the page before."""
        mine = (links.c.portal == portal) & links.c.is_broken.is_(broken) & links.c.gone.is_(False)
        mine &= (links.c.resource > after) & links.c.status.is_not(None)
        if organization is not None:
            mine &= links.c.organization == organization
        if host is not None:
            mine &= links.c.host == host
        joined = links.join(datasets, (datasets.c.portal == links.c.portal) & (datasets.c.id == links.c.dataset))
        named = (datasets.c.name.label("dataset_name"), datasets.c.title.label("dataset_title"))
        query = select(links, *named).select_from(joined).where(mine).order_by(links.c.resource).limit(limit)
        return [dict(row) for row in self._database.read(lambda c: c.execute(query).mappings().all())]

    def listed(self, portal: str, wanted: LinkFilter, *, after: str = "", limit: int = 50) -> list[dict[str, Any]]:
        """Links with their dataset, the longest broken first; `after` is the last one's before, by `place_of`."""
        mine = wanted.conditions(portal)
        order = (links.c.first_failure, links.c.resource)
        since, _, resource = after.partition(" ")
        if resource:
            mine &= tuple_(*order) > tuple_(_seconds(since), resource)
        joined = links.join(datasets, (datasets.c.portal == links.c.portal) & (datasets.c.id == links.c.dataset))
        named = (datasets.c.name.label("dataset_name"), datasets.c.title.label("dataset_title"))
        query = select(links, *named).select_from(joined).where(mine).order_by(*order).limit(limit)
        return [dict(row) for row in self._database.read(lambda c: c.execute(query).mappings().all())]

    def every(self, portal: str, wanted: LinkFilter) -> Iterator[dict[str, Any]]:
        """All links that are asked for, a page at a time."""
        after = ""
        while rows := self.listed(portal, wanted, after=after, limit=500):
            yield from rows
            after = place_of(rows[-1])

    def once_only(self, portal: str) -> int:
        """How many of the broken links failed once only."""
        return sum(each["broken"] for each in self.by(portal, "failed") if each["name"] == ONCE)

    def every_broken(self, portal: str, organization: str | None = None) -> Iterator[dict[str, object]]:
        """All broken links, a page at a time."""
        after = ""
        while rows := self.broken(portal, organization=organization, after=after, limit=500):
            yield from rows
            after = rows[-1]["resource"]

    def sizes(self, portal: str) -> list[dict[str, int]]:
        """How many copies there are of which size, in bins of powers of ten, named by their upper end in bytes."""
        found = sorted((int(each["name"]), each["kept"]) for each in self.by(portal, "size"))
        return [{"up_to": up_to, "copies": copies} for up_to, copies in found]


def place_of(row: Mapping[Any, Any]) -> str:
    """Where a link stands among those that are listed, for the page after it."""
    return f"{row['first_failure'] or 0.0!r} {row['resource']}"


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _newest(portal: str, dimension: str) -> Select[Any]:
    """The newest row of each name, by one step of the key from name to name: a year's history is not read for it."""

    def mine(table: FromClause) -> ColumnElement[bool]:
        return (table.c.portal == portal) & (table.c.dimension == dimension)

    first = select(func.min(counters.c.name).label("name")).where(mine(counters)).cte("names", recursive=True)
    later, days = counters.alias("later"), counters.alias("days")
    step = select(func.min(later.c.name)).where(mine(later) & (later.c.name > first.c.name))
    names = first.union_all(select(step.correlate(first).scalar_subquery()).where(first.c.name.is_not(None)))
    newest = select(func.max(days.c.day)).where(mine(days) & (days.c.name == names.c.name))
    day = newest.correlate(names).scalar_subquery()
    joined = names.join(counters, mine(counters) & (counters.c.name == names.c.name) & (counters.c.day == day))
    return select(counters).select_from(joined)


def resource_record(row: Mapping[Any, Any], cache_url: str = "") -> dict[str, object]:
    """The record of a link in the shape of `archiver_resource_show`, so that tools around CKAN read it as they did."""
    status = None if row["status"] is None else Status(row["status"])
    return {
        "resource_id": row["resource"],
        "package_id": row["dataset"],
        "status_id": row["status"],
        "status": status.text if status is not None else None,
        "is_broken": row["is_broken"],
        "is_broken_printable": broken_in_words(row["is_broken"]) if status is not None else "Not sure if broken",
        "reason": row["reason"],
        "url_redirected_to": row["redirected_to"],
        "url_moved_to": row["moved_to"],
        "cache_url": cache_url or None,
        "cached_before_broken": row["kept_as"] is not None and row["is_broken"] is True,
        "size": row["size"],
        "mimetype": row["mimetype"],
        "hash": row["md5"],
        "sha256": row["sha256"],
        "etag": row["etag"],
        "last_modified": row["last_modified"],
        "first_failure": iso(row["first_failure"]),
        "last_success": iso(row["last_success"]),
        "failure_count": row["failure_count"],
        "created": iso(row["created"]),
        "updated": iso(row["updated"]),
        "notes": json.loads(row["notes"] or "{}"),
    }


def broken_row(row: Mapping[Any, Any], cache_url: str = "") -> dict[str, object]:
    """A line of the report of broken links."""
    return {
        "organization": row["organization"],
        "dataset_name": row["dataset_name"],
        "dataset_title": row["dataset_title"],
        "resource_position": row["position"],
        "resource_id": row["resource"],
        "resource_url": row["url"],
        "status": Status(row["status"]).text,
        "reason": row["reason"],
        "first_failure": iso(row["first_failure"]),
        "last_success": iso(row["last_success"]),
        "last_updated": iso(row["updated"]),
        "failure_count": row["failure_count"],
        "url_redirected_to": row["redirected_to"],
        "cache_url": cache_url or None,
    }


def as_csv(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    """The report as CSV, with all texts quoted; what a spreadsheet would run as a formula is shown as text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    yield buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow({name: _cell(value) for name, value in row.items()})
        yield buffer.getvalue()


def iso(seconds: float | None) -> str | None:
    """A time in seconds since 1970 as RFC 3339 in UTC, to the second."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_CELL_BEGINS_FORMULA) else value


def _figures(row: Mapping[Any, Any]) -> dict[str, Any]:
    figures = {name: int(row[name]) for name in _COUNTED}
    share = round(100 * figures["broken"] / figures["links"], 1) if figures["links"] else 0.0
    of_datasets = round(100 * figures["broken_datasets"] / figures["datasets"], 1) if figures["datasets"] else 0.0
    return {"name": row["name"], **figures, "broken_percent": share, "broken_datasets_percent": of_datasets}
