"""How long resources are kept, whatever anybody wants: set and extended with an event, never shortened in compliance.

A resource under retention, or on hold, is not purged. Where a policy has `keep`, a purge takes two people: the first
one asks, and the resource goes when another asks for the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, or_, select

from muniment.archive import Archive
from muniment.content.archive import Archive as AnyArchive
from muniment.content.durations import parse_duration
from muniment.content.locks import LockMode
from muniment.content.times import read_time
from muniment.database import Database
from muniment.database.tables import purge_requests, retentions
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.copies import ApprovalNeeded, BadDuration, NotShortened, StillRetained
from muniment.stores import Lock, Store
from muniment.workflows.copies.policies import EVENT, Policies
from muniment.workflows.copies.policy import Policy
from muniment.workflows.copies.record import read_record
from muniment.workflows.copies.registry import ARCHIVE
from muniment.workflows.copies.table import CopyRow

if TYPE_CHECKING:
    from muniment.workflows.copies.service import CopyService


@dataclass(frozen=True, slots=True)
class Retention:
    """Until when a resource is kept (seconds since 1970 UTC), how strictly, and whether a legal hold is on it."""

    project: str
    resource: str
    mode: LockMode
    until_at: float
    hold: bool = False

    @property
    def until(self) -> str:
        """The time in RFC 3339."""
        return datetime.fromtimestamp(int(self.until_at), UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """A purge that one person asked for and that waits for another; `requested_at` is seconds since 1970 UTC."""

    project: str
    resource: str
    reason: str
    requester: str
    requested_at: float


def purge_requests_of(database: Database, most: int = 200) -> list[PurgeRequest]:
    """The purges that wait for a second person, the oldest first."""
    query = select(purge_requests).order_by(purge_requests.c.requested_at).limit(most)
    rows = database.read(lambda connection: connection.execute(query).mappings().all())
    return [PurgeRequest(**{name: row[name] for name in PurgeRequest.__slots__}) for row in rows]


def purge_request_of(database: Database, project: str, resource: str) -> PurgeRequest | None:
    """The purge of a resource that waits for a second person, if one does."""
    query = select(purge_requests).where(purge_requests.c.project == project, purge_requests.c.resource == resource)
    row = database.read(lambda connection: connection.execute(query).mappings().first())
    return None if row is None else PurgeRequest(**{name: row[name] for name in PurgeRequest.__slots__})


def requester_of(archive: Archive) -> str:
    """Who asks for a purge through this archive, as a request names them."""
    agent = archive.context.agent
    return f"{agent.name} <{agent.address}>"


def withdraw_purge(database: Database, project: str, resource: str) -> None:
    """Let nobody wait for a second person any more: the resource stays, and a new request begins anew."""
    here = purge_requests.c.project == project, purge_requests.c.resource == resource
    database.write(lambda connection: connection.execute(delete(purge_requests).where(*here)))


def time_of(text: str, now: float) -> float:
    """Seconds since 1970 UTC of a date, a time, or a length of time from `now`.

    Raises:
        BadInput: It is none of these.
    """
    try:
        return now + parse_duration(text)
    except BadDuration:
        moment = read_time(text if "T" in text else f"{text}T00:00:00Z")
        if moment is None:
            raise BadInput(reason=f"{text!r} is neither a date nor a length of time such as 10y") from None
        return moment.timestamp()


class Retentions:
    """The retentions of one archive."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, project: str, resource: str) -> Retention | None:
        """What holds for a resource."""
        query = select(retentions).where(retentions.c.project == project, retentions.c.resource == resource)
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else _retention(dict(row))

    def all(self, *, ending_before: float | None = None, most: int | None = None) -> list[Retention]:
        """Every retention that has not ended, or those alone that end before a time; the first to end comes first."""
        now = self._database.now()
        query = (
            select(retentions)
            .where(or_(retentions.c.until_at > now, retentions.c.hold))
            .order_by(retentions.c.until_at)
            .limit(most)
        )
        if ending_before is not None:
            query = query.where(retentions.c.until_at < ending_before)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [_retention(dict(row)) for row in rows]

    def set(self, archive: AnyArchive, wanted: Retention, *, shorten: str = "") -> Retention:
        """Keep a resource as `wanted`. In compliance mode it is never shortened, nor made governance again.

        In governance it is shortened only where `shorten` says why; that goes into the log.

        Raises:
            ResourceNotFound: There is no such resource.
            NotShortened: It would be shortened.
            BadInput: It ends before now.
        """
        known = self.get(wanted.project, wanted.resource)
        now = self._database.now()
        if wanted.until_at <= now and not wanted.hold and (known is None or wanted.until_at > known.until_at):
            raise BadInput(reason=f"a retention until {wanted.until} is over already")
        if known is not None and known.until_at > now:
            reason = ""
            shorter = wanted.until_at < known.until_at
            if known.mode == "compliance" and (shorter or wanted.mode != "compliance"):
                reason = "in compliance nobody shortens or weakens it"
            elif shorter and not shorten.strip():
                reason = "`muniment retention shorten` does that, and says why"
            if reason:
                raise NotShortened(id=known.resource, until=known.until, mode=known.mode, reason=reason)
        about: dict[str, object] = {"mode": wanted.mode, "until": wanted.until, "hold": wanted.hold}
        if shorten and known is not None:
            about |= {"before": known.until, "reason": shorten.strip()}
        event = archive.record_event(
            EVENT, resource=wanted.resource, project=wanted.project, detail={"retention": about}
        )
        self._keep(wanted, event.seq)
        return wanted

    def rebuild(self, archive: AnyArchive) -> int:
        """Read from the log what holds; how many retentions that are."""
        self._database.write(lambda connection: connection.execute(delete(retentions)))
        for event in archive.events():
            about = event.detail.get("retention") if event.event == EVENT else None
            until = read_time(about.get("until")) if isinstance(about, Mapping) else None
            if isinstance(about, Mapping) and until is not None:
                mode: LockMode = "compliance" if about.get("mode") == "compliance" else "governance"
                hold = bool(about.get("hold"))
                self._keep(Retention(event.project, event.resource, mode, until.timestamp(), hold), event.seq)
        return len(self.all())

    def _keep(self, wanted: Retention, event: int) -> None:
        def work(connection: Connection) -> None:
            here = retentions.c.project == wanted.project, retentions.c.resource == wanted.resource
            connection.execute(delete(retentions).where(*here))
            connection.execute(insert(retentions), {**asdict(wanted), "event": event})

        self._database.write(work)

    def forget(self, project: str, resource: str) -> None:
        """A resource is gone: neither its retention nor a request to purge it holds any more."""

        def work(connection: Connection) -> None:
            for table in (retentions, purge_requests):
                connection.execute(delete(table).where(table.c.project == project, table.c.resource == resource))

        self._database.write(work)


def lock_of_copy(store: Store, record: str, known: CopyRow) -> dict[str, Any]:
    """What a store says of the lock on a copy, by its record's key, as columns of its row; else as known.

    The record is locked with all the rest of a copy, and is the last key that is put.
    """
    if not store.capabilities.locks:
        return {"lock_mode": "", "locked_until": None}
    try:
        there = store.locked(record)
    except MunimentError:
        return {"lock_mode": known.lock_mode, "locked_until": known.locked_until}
    until = read_time(there.until) if there is not None and there.until else None
    if there is None or not (there.hold or until):
        return {"lock_mode": "", "locked_until": None}
    mode = "hold" if there.hold else str(there.mode)
    return {"lock_mode": mode, "locked_until": None if until is None else until.timestamp()}


def lock_copies(service: CopyService, retention: Retention) -> dict[str, str]:
    """Lock the copies of a resource in stores that have locks; what could not be locked, by store, with the reason."""
    left: dict[str, str] = {}
    for row in service.table.of(retention.project, retention.resource):
        if row.state != "made" or row.store == ARCHIVE:
            continue
        try:
            store = service.registry.open(row.store)
            if not store.capabilities.locks:
                left[row.store] = "it has no locks"
                continue
            record = read_record(store, row)
            for key in (*(file.key for file in record.files), record.key):
                lock_key(store, key, retention)
            service.table.change(row, **lock_of_copy(store, record.key, row))
        except MunimentError as error:
            left[row.store] = error.message
    return left


def lock_key(store: Store, key: str, retention: Retention) -> None:
    """Let a key be locked as a retention has it, where it is not locked for longer or more strictly already.

    A legal hold is set and lifted whatever the lock is.

    Raises:
        MunimentError: As `Store.lock`.
    """
    if retention.until_at <= time.time():
        store.lock(key, Lock(hold=retention.hold))
        return
    there = store.locked(key)
    until = "" if there is None else there.until
    longer = bool(until) and (there_at := read_time(until)) is not None and there_at.timestamp() >= retention.until_at
    stricter = there is not None and there.mode == "compliance" and retention.mode != "compliance" and bool(until)
    if longer or stricter:
        if there is not None and there.hold != retention.hold:
            store.lock(key, Lock(hold=retention.hold))
        return
    store.lock(key, Lock(retention.mode, retention.until, retention.hold))


def shorten(
    service: CopyService, id: str, project: str | None, until_at: float, reason: str
) -> tuple[Retention, dict[str, str]]:
    """Let a retention in governance end earlier, here and in stores that have locks.

    The answer is the retention, and by store why its copies stay locked.

    `until_at` is seconds since 1970 UTC. Not below what the project's policy keeps: that would hold again at once.

    Raises:
        ResourceNotFound: There is no such resource.
        NotShortened: It is in compliance, or the policy keeps it longer.
        BadInput: It is under no retention, does not end later than that, or no reason is given.
    """
    newest = service.archive.instance(id, project=project)
    retentions, now = Retentions(service.table.database), service.table.now()
    known = retentions.get(newest.project, id)
    if known is None or known.until_at <= now:
        raise BadInput(reason=f"{id!r} is under no retention")
    if not now < until_at < known.until_at:
        raise BadInput(reason=f"it is kept until {known.until}: name a time before that, and not one that is over")
    if not reason.strip():
        raise BadInput(reason="it is not said why: that goes into the log")
    keep, moment = service.policies.of(newest.project).keep, read_time(newest.created)
    if keep is not None and moment is not None and moment.timestamp() + keep.seconds > until_at:
        because = "the project's policy keeps it so long; change that first"
        raise NotShortened(id=id, until=known.until, mode=known.mode, reason=because)
    wanted = retentions.set(service.archive, replace(known, until_at=until_at), shorten=reason)
    return wanted, _shorten_copies(service, wanted)


def _shorten_copies(service: CopyService, retention: Retention) -> dict[str, str]:
    """Shorten the locks on copies, never below what the rule of a copy asks for; what could not be, by store."""
    left: dict[str, str] = {}
    for row in service.table.of(retention.project, retention.resource):
        if row.state != "made" or row.store == ARCHIVE:
            continue
        rule = service.rule_of(row)
        floor = (row.made_at or 0.0) + rule.lock.seconds if rule is not None and rule.lock is not None else 0.0
        wanted = replace(retention, until_at=max(floor, retention.until_at))
        try:
            store = service.registry.open(row.store)
            if store.capabilities.locks:
                record = read_record(store, row)
                for key in (*(file.key for file in record.files), record.key):
                    _shorten_key(store, key, wanted.until)
                service.table.change(row, **lock_of_copy(store, record.key, row))
        except MunimentError as error:
            left[row.store] = error.message
    return left


def _shorten_key(store: Store, key: str, until: str) -> None:
    there = store.locked(key)
    ends = read_time(there.until) if there is not None else None
    wanted = read_time(until)
    if there is not None and ends is not None and wanted is not None and ends > wanted:
        store.shorten(key, replace(there, until=until))


def permit_purge(database: Database, archive: Archive, id: str, project: str | None, reason: str) -> str:
    """The reason under which a resource may be purged now, which names who asked for it first where two are needed.

    Raises:
        StillRetained: It is under retention or on hold.
        ApprovalNeeded: Its policy wants two people, and this is the first of them, whose request is kept.
        ResourceNotFound: There is no such resource.
    """
    place = archive.instance(id, project=project).project
    known = Retentions(database).get(place, id)
    if known is not None and (known.hold or known.until_at > database.now()):
        until = "its legal hold is lifted" if known.hold else known.until
        raise StillRetained(id=id, until=until, mode=known.mode)
    if Policies(database).of(place).keep is None:
        return reason
    if not reason.strip():
        return reason  # the archive refuses it
    me = requester_of(archive)
    found = purge_request_of(database, place, id)
    if found is None:
        row = {"project": place, "resource": id, "reason": reason, "requester": me, "requested_at": database.now()}
        database.write(lambda connection: connection.execute(insert(purge_requests), row))
        raise ApprovalNeeded(reason=f"{me} has asked for it now; it is done when somebody else asks for the same")
    if found.requester == me:
        raise ApprovalNeeded(reason=f"{me} has asked for it already; somebody else has to ask for the same")
    return f"{reason} (asked for by {found.requester}: {found.reason})"


def keep_new(database: Database, archive: AnyArchive, policy: Policy, place: tuple[str, str], created: str) -> None:
    """Let what a policy says of new instances (`keep`) hold for a resource, where that is longer than what holds.

    `place` is its project and id, `created` the time of its newest instance in RFC 3339.
    """
    rule, moment = policy.keep, read_time(created)
    if rule is None or moment is None:
        return
    retentions = Retentions(database)
    known = retentions.get(*place)
    until = moment.timestamp() + rule.seconds
    if until <= database.now() or (known is not None and known.until_at >= until):
        return
    mode: LockMode = "compliance" if "compliance" in {rule.mode, known.mode if known else ""} else rule.mode
    retentions.set(archive, Retention(*place, mode, until, hold=known.hold if known else False))


def _retention(row: Mapping[str, Any]) -> Retention:
    mode: LockMode = "compliance" if row["mode"] == "compliance" else "governance"
    return Retention(row["project"], row["resource"], mode, row["until_at"], bool(row["hold"]))
