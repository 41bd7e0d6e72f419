"""What is known of every link: the latest attempt, the last success, the history of failures. One row a link.

The rules are those of CKAN's own archiver: a failure keeps what the last success left, so that the copy is still
offered as it was before the link broke; a success begins the count of failures anew.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, select, update

from muniment.database.tables import ckan_attempts as attempts
from muniment.database.tables import ckan_datasets as datasets
from muniment.database.tables import ckan_links as links
from muniment.doors.ckan.causes import cause_of
from muniment.doors.ckan.counters import DatasetState, LinkState, Tally
from muniment.doors.ckan.link import Checked, EarlierAttempt
from muniment.doors.ckan.statuses import Status
from muniment.errors.catalogues import LinkNotFound
from muniment.jobs.ledger import Ledger

Row = Mapping[Any, Any]

_PAGE = 500
_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class DatasetChanges:
    """What was new in a dataset's description: links that have to be checked, and those that are gone."""

    changed: tuple[str, ...]
    all: tuple[str, ...]
    gone: tuple[str, ...]
    organization: str


class Links:
    """The links of all portals in one control database."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    # --- what the portal says

    def describe(self, portal: str, record: Mapping[str, object]) -> DatasetChanges:
        """Take a dataset's own description over: new links, changed addresses, those that are gone."""
        now = self._database.now()
        id = _text(record.get("id"))  # noqa: A001 - the field's name
        organization = _organization(record)
        wanted = {_text(each.get("id")): each for each in _resources(record) if each.get("id")}

        def work(connection: Connection) -> DatasetChanges:
            tally = Tally(portal, now)
            of_dataset = (links.c.portal == portal) & (links.c.dataset == id)
            known: dict[str, Row] = {
                row["resource"]: row for row in connection.execute(select(links).where(of_dataset)).mappings()
            }
            moved = self._elsewhere(connection, portal, [each for each in wanted if each not in known])
            known |= moved
            changed = [
                each
                for position, (each, resource) in enumerate(wanted.items())
                if _upsert(connection, tally, portal, id, organization, position, resource, known.get(each), now)
            ]
            gone = [each for each, row in known.items() if each not in wanted and not row["gone"]]
            for each in gone:
                connection.execute(update(links).where(_is(portal, each)).values(gone=True))
                tally.link(LinkState.of(known[each]), None)
            self._note_dataset(connection, tally, portal, record, organization, now)
            tally.apply(connection)
            return DatasetChanges(tuple(changed), tuple(wanted), tuple(gone), organization)

        return self._database.write(work)

    def forget_dataset(self, portal: str, id: str) -> None:
        """A dataset is gone from its portal: its links count no more. What is kept of them stays."""
        now = self._database.now()

        def work(connection: Connection) -> None:
            tally = Tally(portal, now)
            of_dataset = (links.c.portal == portal) & (links.c.dataset == id) & links.c.gone.is_(False)
            for row in connection.execute(select(links).where(of_dataset)).mappings().all():
                tally.link(LinkState.of(row), None)
            connection.execute(update(links).where(of_dataset).values(gone=True))
            mine = (datasets.c.portal == portal) & (datasets.c.id == id)
            before = connection.execute(select(datasets).where(mine)).mappings().first()
            if before is not None and not before["gone"]:
                tally.dataset(DatasetState(before["organization"], before["broken"] > 0), None)
                connection.execute(update(datasets).where(mine).values(gone=True, links=0, broken=0))
            tally.apply(connection)

        self._database.write(work)

    def unseen_datasets(self, portal: str, since: float) -> list[str]:
        """The datasets that were not described again since a time: a sweep that began then did not meet them."""
        mine = (datasets.c.portal == portal) & (datasets.c.seen_at < since) & datasets.c.gone.is_(False)
        query = select(datasets.c.id).where(mine).order_by(datasets.c.id)
        return list(self._database.read(lambda c: c.execute(query).scalars().all()))

    def names_missing(self, portal: str, names: Sequence[str]) -> list[str]:
        """Of these names of datasets those that nothing is known of."""
        query = select(datasets.c.name).where(
            (datasets.c.portal == portal) & datasets.c.name.in_(names) & datasets.c.gone.is_(False)
        )
        known = set(self._database.read(lambda c: c.execute(query).scalars().all()))
        return [name for name in names if name not in known]

    def settled(self, portal: str, records: Sequence[Mapping[str, object]]) -> dict[str, list[Row]]:
        """Of a page of datasets those that stand as they were taken over, each with its links.

        Raises:
            DatabaseUnavailable: The ledger cannot be read.
        """
        ids = [_text(each.get("id")) for each in records]
        of_portal = (datasets.c.portal == portal) & datasets.c.id.in_(ids) & datasets.c.gone.is_(False)
        of_links = (links.c.portal == portal) & links.c.dataset.in_(ids) & links.c.gone.is_(False)

        def work(connection: Connection) -> dict[str, list[Row]]:
            modified = connection.execute(select(datasets.c.id, datasets.c.modified).where(of_portal)).all()
            known: dict[str, list[Row]] = {}
            for row in connection.execute(select(links).where(of_links)).mappings():
                known.setdefault(row["dataset"], []).append(row)
            taken_over = {row.id: row.modified for row in modified if row.modified}
            return {
                each: known.get(each, [])
                for each, record in zip(ids, records, strict=True)
                if taken_over.get(each) == record.get("metadata_modified")
                and {row["resource"]: row["url"] for row in known.get(each, [])}
                == {_text(one.get("id")): _text(one.get("url")) for one in _resources(record) if one.get("id")}
            }

        return self._database.read(work)

    def note_figures(self, portal: str, ids: Sequence[str]) -> None:
        """Datasets were met again as they were."""
        now = self._database.now()
        mine = (datasets.c.portal == portal) & datasets.c.id.in_(ids)
        self._database.write(lambda c: c.execute(update(datasets).where(mine).values(seen_at=now)))

    def note_taken_over(self, portal: str, id: str, modified: str) -> None:
        """Everything that a dataset's description asks for, as it was at `modified`, was done."""
        mine = (datasets.c.portal == portal) & (datasets.c.id == id)
        self._database.write(lambda c: c.execute(update(datasets).where(mine).values(modified=modified)))

    # --- what was found out

    def record_unchanged(self, portal: str, found: Sequence[tuple[Row, Checked]]) -> None:
        """Record of kept links that they are as they were, in one transaction; what was recorded since is left."""
        now = self._database.now()

        def work(connection: Connection) -> None:
            tally = Tally(portal, now)
            for before, checked in found:
                values = _after(before, checked, now, asked="", kept_as=None, read=False)
                same = links.c.updated == before["updated"]
                done = connection.execute(update(links).where(_is(portal, before["resource"]) & same).values(values))
                if done.rowcount != 1:
                    continue
                tally.link(LinkState.of(before), LinkState.of({**before, **values}))
                if before["status"] != values["status"]:
                    line = {"portal": portal, "resource": before["resource"], "at": now, "status": values["status"]}
                    connection.execute(insert(attempts), {**line, "reason": values["reason"], "kept_as": None})
            tally.apply(connection)

        self._database.write(work)

    def record(
        self, portal: str, resource: str, found: Checked, *, asked: str, kept_as: str | None = None, read: bool = False
    ) -> Row:
        """Record an attempt; the row as it is then.

        `asked` is the address that was asked; `kept_as` names the new copy; `read` says that the bytes were read whole.

        Raises:
            LinkNotFound: The link is not described.
        """
        now = self._database.now()

        def work(connection: Connection) -> Row:
            before = connection.execute(select(links).where(_is(portal, resource)).with_for_update()).mappings().first()
            if before is None:
                raise LinkNotFound(portal=portal, id=resource)
            values = _after(before, found, now, asked=asked, kept_as=kept_as, read=read)
            connection.execute(update(links).where(_is(portal, resource)).values(values))
            after = {**before, **values}
            tally = Tally(portal, now)
            tally.link(LinkState.of(before), LinkState.of(after))
            if before["is_broken"] is not after["is_broken"] or before["status"] is None:
                self._recount(connection, tally, portal, before["dataset"])
            tally.apply(connection)
            if before["status"] != after["status"] or before["reason"] != after["reason"] or kept_as:
                line = {"portal": portal, "resource": resource, "at": now, "status": after["status"]}
                connection.execute(insert(attempts), {**line, "reason": after["reason"], "kept_as": kept_as})
            return after

        return self._database.write(work)

    def clear_copy(self, portal: str, resource: str) -> None:
        """Forget the copy of a link, whose bytes were purged."""
        now = self._database.now()

        def work(connection: Connection) -> None:
            before = connection.execute(select(links).where(_is(portal, resource))).mappings().first()
            if before is None:
                return
            values = dict.fromkeys(("kept_as", "size", "md5", "sha256", "etag", "last_modified", "fresh_until"))
            connection.execute(update(links).where(_is(portal, resource)).values(values))
            tally = Tally(portal, now)
            tally.link(LinkState.of(before), LinkState.of({**before, **values}))
            tally.apply(connection)

        self._database.write(work)

    # --- looking

    def get(self, portal: str, resource: str) -> Row:
        """What is known of a link.

        Raises:
            LinkNotFound: Nothing.
        """
        row = self.find(portal, resource)
        if row is None:
            raise LinkNotFound(portal=portal, id=resource)
        return row

    def find(self, portal: str, resource: str) -> Row | None:
        """What is known of a link, or None."""
        query = select(links).where(_is(portal, resource))
        return self._database.read(lambda c: c.execute(query).mappings().first())

    def some(self, portal: str, resources: Sequence[str]) -> list[Row]:
        """What is known of these links, of those that are still there."""
        mine = (links.c.portal == portal) & links.c.resource.in_(resources) & links.c.gone.is_(False)
        query = select(links).where(mine).order_by(links.c.resource)
        return list(self._database.read(lambda c: c.execute(query).mappings().all()))

    def history(self, portal: str, resource: str, limit: int = 200) -> list[Row]:
        """The changes of a link's state, the newest first."""
        mine = (attempts.c.portal == portal) & (attempts.c.resource == resource)
        query = select(attempts).where(mine).order_by(attempts.c.at.desc()).limit(limit)
        return list(self._database.read(lambda c: c.execute(query).mappings().all()))

    def of_dataset(self, portal: str, dataset: str) -> list[Row]:
        """The links of a dataset, by id, in its order."""
        mine = (links.c.portal == portal) & (links.c.dataset == dataset) & links.c.gone.is_(False)
        query = select(links).where(mine).order_by(links.c.position, links.c.resource)
        return list(self._database.read(lambda c: c.execute(query).mappings().all()))

    def find_dataset(self, portal: str, name: str) -> Row | None:
        """A dataset by id or name."""
        query = select(datasets).where(
            (datasets.c.portal == portal) & ((datasets.c.id == name) | (datasets.c.name == name))
        )
        return self._database.read(lambda c: c.execute(query).mappings().first())

    def all(self, portal: str, *, gone: bool | None = None) -> Iterator[Row]:
        """All links of a portal, a page at a time."""
        after = ""
        while True:
            mine = (links.c.portal == portal) & (links.c.resource > after)
            if gone is not None:
                mine &= links.c.gone.is_(gone)
            query = select(links).where(mine).order_by(links.c.resource).limit(_PAGE)
            rows = self._database.read(lambda c, query=query: c.execute(query).mappings().all())  # type: ignore[misc]
            yield from rows
            if len(rows) < _PAGE:
                return
            after = rows[-1]["resource"]

    def same_content(self, portal: str, resource: str, sha256: str, limit: int = 20) -> list[tuple[str, str]]:
        """Other links that gave the same bytes: portal and resource."""
        mine = (links.c.sha256 == sha256) & links.c.gone.is_(False)
        query = select(links.c.portal, links.c.resource).where(mine).limit(limit + 1)
        found = self._database.read(lambda c: c.execute(query).all())
        return [(row.portal, row.resource) for row in found if (row.portal, row.resource) != (portal, resource)][:limit]

    # --- inside

    @staticmethod
    def _elsewhere(connection: Connection, portal: str, ids: Sequence[str]) -> dict[str, Row]:
        """Links that are known from another dataset: a resource that moved keeps its history."""
        query = select(links).where((links.c.portal == portal) & links.c.resource.in_(ids))
        return {row["resource"]: row for row in connection.execute(query).mappings()} if ids else {}

    @staticmethod
    def _note_dataset(
        connection: Connection, tally: Tally, portal: str, record: Mapping[str, object], organization: str, now: float
    ) -> None:
        id = _text(record.get("id"))  # noqa: A001 - the field's name
        mine = (datasets.c.portal == portal) & (datasets.c.id == id)
        before = connection.execute(select(datasets).where(mine)).mappings().first()
        state = {"name": _text(record.get("name")), "title": _text(record.get("title")), "organization": organization}
        if before is None:
            fresh = {"portal": portal, "id": id, "links": 0, "broken": 0, "seen_at": now, "gone": False, **state}
            connection.execute(insert(datasets), fresh)
        else:
            connection.execute(update(datasets).where(mine).values({**state, "seen_at": now, "gone": False}))
        was = None if before is None or before["gone"] else DatasetState(before["organization"], before["broken"] > 0)
        tally.dataset(was, DatasetState(organization, was is not None and was.broken))
        Links._recount(connection, tally, portal, id)

    @staticmethod
    def _recount(connection: Connection, tally: Tally, portal: str, dataset: str) -> None:
        """Count a dataset's own links, of which there are few."""
        mine = (datasets.c.portal == portal) & (datasets.c.id == dataset)
        before = connection.execute(select(datasets).where(mine).with_for_update()).mappings().first()
        if before is None or before["gone"]:
            return
        of_dataset = (links.c.portal == portal) & (links.c.dataset == dataset) & links.c.gone.is_(False)
        states = connection.execute(select(links.c.is_broken).where(of_dataset)).scalars().all()
        broken = sum(state is True for state in states)
        connection.execute(update(datasets).where(mine).values(links=len(states), broken=broken))
        if (before["broken"] > 0) != (broken > 0):
            tally.dataset(
                DatasetState(before["organization"], before["broken"] > 0),
                DatasetState(before["organization"], broken > 0),
            )


def earlier_attempt(row: Row | None) -> EarlierAttempt:
    """What a check has to know of the attempts before it."""
    if row is None or row["status"] is None:
        return EarlierAttempt()
    return EarlierAttempt(
        url=row["fetched_url"] or "",
        etag=row["etag"] or "",
        last_modified=row["last_modified"] or "",
        size=row["size"],
        mimetype=row["mimetype"] or "",
        fresh_until=row["fresh_until"] or 0.0,
        fetched_at=row["fetched_at"] or 0.0,
        kept=row["kept_as"] is not None,
        working=row["is_broken"] is False,
    )


def aggregate(rows: Sequence[Row]) -> dict[str, object]:
    """A dataset's own state: that of its worst link, a broken one before one that nobody is sure of."""
    tried = [row for row in rows if row["status"] is not None]
    if not tried:
        return {"status_id": None, "status": None, "reason": None, "is_broken": None}
    weight = {True: 2, None: 1, False: 0}
    worst = max(tried, key=lambda row: (weight[row["is_broken"]], row["status"]))
    return {
        "status_id": worst["status"],
        "status": Status(worst["status"]).text,
        "reason": worst["reason"],
        "is_broken": worst["is_broken"],
    }


def _after(
    before: Row, found: Checked, now: float, *, asked: str, kept_as: str | None, read: bool
) -> dict[str, object]:
    status = found.status
    values: dict[str, object] = {
        "status": int(status),
        "is_broken": status.is_broken,
        "reason": found.reason[:_LONGEST_REASON],
        "cause": cause_of(status, found.reason),
        "redirected_to": found.redirected_to or None,
        "moved_to": found.moved_to or None,
        "notes": json.dumps(dict(found.notes), sort_keys=True),
        "asked_url": before["url"],
        "updated": now,
    }
    if status.is_broken is False:
        values |= {"last_success": now, "first_failure": None, "failure_count": 0}
        values |= {"fresh_until": found.fresh_until or None}
        for name in ("etag", "last_modified"):
            if read or getattr(found, name):
                values[name] = getattr(found, name) or None
    elif before["status"] is None or before["is_broken"] is False:
        values |= {"first_failure": now, "failure_count": 1}
    else:
        values |= {"failure_count": before["failure_count"] + 1}
    if status is Status.ARCHIVED:
        values["mimetype"] = found.mimetype or None
        values["fetched_url"] = asked
    if status is Status.NOT_CHOSEN and before["kept_as"] is None:
        values |= {"mimetype": found.mimetype or None, "size": found.size}
    if read:
        values |= {"size": found.size, "md5": found.md5, "sha256": found.sha256, "fetched_at": now}
    if kept_as is not None:
        values["kept_as"] = kept_as
    return values


def _upsert(
    connection: Connection,
    tally: Tally,
    portal: str,
    dataset: str,
    organization: str,
    position: int,
    resource: Mapping[str, object],
    before: Row | None,
    now: float,
) -> bool:
    """Take one resource's description over; whether it has to be checked because of it."""
    id, url = _text(resource.get("id")), _text(resource.get("url"))  # noqa: A001 - the field's name
    described = {
        "dataset": dataset,
        "organization": organization,
        "position": position,
        "name": _text(resource.get("name")),
        "format": _text(resource.get("format")),
        "url": url,
        "url_type": _text(resource.get("url_type")),
        "host": host_of(url),
        "gone": False,
    }
    if before is None:
        fresh = {"portal": portal, "resource": id, "reason": "", "notes": "{}", "failure_count": 0, "created": now}
        fresh["cause"] = ""
        connection.execute(insert(links), {**fresh, **described})
        tally.link(None, LinkState(organization, host_of(url), None, None, kept=False, size=0))
        return True
    different = {name for name, value in described.items() if before[name] != value}
    if different:
        connection.execute(update(links).where(_is(portal, id)).values(described))
        tally.link(LinkState.of(before), LinkState.of({**before, **described}))
    return before["asked_url"] != url or "gone" in different


def host_of(url: str) -> str:
    """The host of an address, in small letters; nothing for one that has none."""
    try:
        return (urlsplit(url.strip()).hostname or "").lower()[:253]
    except ValueError:
        return ""


def server_of(url: str) -> str:
    """The host of an address and the port where it is not the usual one: what is asked politely, and may be down."""
    host = host_of(url)
    with contextlib.suppress(ValueError):  # a port that is no number: the check says so
        port = urlsplit(url.strip()).port
        return host if port in {None, 80, 443} else f"{host}:{port}"
    return host


def _is(portal: str, resource: str) -> Any:
    return (links.c.portal == portal) & (links.c.resource == resource)


def _organization(record: Mapping[str, object]) -> str:
    found = record.get("organization")
    return _text(found.get("name") or found.get("id")) if isinstance(found, Mapping) else ""


def _resources(record: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = record.get("resources")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _text(value: object) -> str:
    """A value of a portal's JSON as text that both databases can hold."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:8000]
