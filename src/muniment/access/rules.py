"""Access rules: which permissions whom is granted on which address, each change a new revision."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Row, text

from muniment.access.identities import Identity
from muniment.access.permissions import Acl, check_address, check_permissions
from muniment.errors.access import (
    AclCannotContainEmptyPermissionCollection,
    AclIsEmpty,
    AclNotFound,
    IncorrectRev,
    NothingToBeUpdated,
    RevisionNotFound,
)

if TYPE_CHECKING:
    from muniment.access.store import AccessStore


@dataclass(frozen=True, slots=True)
class AclRevision:
    """The rules on one address as one revision has them. Times are seconds since 1970 UTC."""

    address: str
    rev: int
    acl: Mapping[Identity, frozenset[str]]
    created_at: float
    created_by: str
    changed_at: float
    changed_by: str

    def as_json(self) -> list[dict[str, object]]:
        """The rules as the Nexus interface writes them under `acl`, sorted."""
        return [
            {"identity": identity.as_json(), "permissions": sorted(permissions)}
            for identity, permissions in sorted(self.acl.items())
        ]


class AclStore:
    """The rules in the store.

    `rev` is the newest revision as the caller knows it, 0 where there is none; None goes without that check.
    `by` says who makes the change.
    """

    def __init__(self, store: AccessStore) -> None:
        self._store = store

    def fetch(self, address: str, rev: int | None = None) -> AclRevision:
        """The rules on an address, by default the newest.

        Raises:
            BadAddress: There can be none on such an address.
            AclNotFound: There never were any.
            RevisionNotFound: There is no such revision.
            DatabaseUnavailable: The database cannot be reached.
        """
        check_address(address)

        def work(connection: Connection) -> AclRevision:
            newest = _newest(connection, address)
            if newest is None:
                raise AclNotFound(address=address)
            if rev is None or rev == newest.rev:
                return newest
            found = _revision(connection.execute(_AT_REV, {"address": address, "rev": rev}).first())
            if found is None:
                raise RevisionNotFound(rev=rev, newest=newest.rev)
            return found

        return self._store.database.read(work)

    def all(self) -> list[AclRevision]:
        """The newest rules of every address that has some, by address.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        return self._store.database.read(current)

    def replace(self, address: str, acl: Acl, rev: int | None = None, *, by: str = "") -> AclRevision:
        """Put these rules in the place of all that were on the address.

        Raises:
            BadAddress, UnknownPermissions, AclCannotContainEmptyPermissionCollection: They cannot be kept.
            IncorrectRev: Somebody changed them in between.
            DatabaseUnavailable: The database cannot be reached.
        """
        given = _checked(address, acl)
        return self._change(address, rev, by, lambda _: given)

    def append(self, address: str, acl: Acl, rev: int | None = None, *, by: str = "") -> AclRevision:
        """Grant more.

        Raises:
            NothingToBeUpdated: All of it was granted already.
            BadAddress, UnknownPermissions, AclCannotContainEmptyPermissionCollection, IncorrectRev: As `replace`.
            DatabaseUnavailable: The database cannot be reached.
        """
        given = _checked(address, acl)

        def work(old: AclRevision | None) -> Acl:
            new = _sum(old.acl if old else {}, given)
            if old is not None and new == old.acl:
                raise NothingToBeUpdated(address=address)
            return new

        return self._change(address, rev, by, work)

    def subtract(self, address: str, acl: Acl, rev: int | None = None, *, by: str = "") -> AclRevision:
        """Grant less.

        Raises:
            AclNotFound: There are no rules on the address.
            NothingToBeUpdated: None of it was granted.
            BadAddress, UnknownPermissions, AclCannotContainEmptyPermissionCollection, IncorrectRev: As `replace`.
            DatabaseUnavailable: The database cannot be reached.
        """
        given = _checked(address, acl)

        def work(old: AclRevision | None) -> Acl:
            if old is None:
                raise AclNotFound(address=address)
            left = {who: what - given.get(who, frozenset()) for who, what in old.acl.items()}
            new = {who: what for who, what in left.items() if what}
            if new == old.acl:
                raise NothingToBeUpdated(address=address)
            return new

        return self._change(address, rev, by, work)

    def delete(self, address: str, rev: int | None = None, *, by: str = "") -> AclRevision:
        """Take all rules off the address; the revisions stay.

        Raises:
            BadAddress: There can be none on such an address.
            AclNotFound, AclIsEmpty: There are none.
            IncorrectRev: Somebody changed them in between.
            DatabaseUnavailable: The database cannot be reached.
        """
        check_address(address)

        def work(old: AclRevision | None) -> Acl:
            if old is None:
                raise AclNotFound(address=address)
            if not old.acl:
                raise AclIsEmpty(address=address)
            return {}

        return self._change(address, rev, by, work)

    def _change(self, address: str, rev: int | None, by: str, work: Callable[[AclRevision | None], Acl]) -> AclRevision:
        def write(connection: Connection) -> AclRevision:
            old = _newest(connection, address)
            newest = old.rev if old else 0
            if rev is not None and rev != newest:
                raise IncorrectRev(provided=rev, expected=newest)
            return _record(connection, address, newest + 1, work(old), by)

        return self._store.change(write)


def add(connection: Connection, address: str, acl: Acl, *, by: str) -> None:
    """Grant more within a transaction of the caller's; nothing happens where it was granted already.

    Raises:
        BadAddress, UnknownPermissions, AclCannotContainEmptyPermissionCollection: They cannot be kept.
    """
    given = _checked(address, acl)
    old = _newest(connection, address)
    new = _sum(old.acl if old else {}, given)
    if old is None or new != old.acl:
        _record(connection, address, (old.rev if old else 0) + 1, new, by)


def current(connection: Connection) -> list[AclRevision]:
    """The newest rules of every address that has some, by address."""
    found = (_revision(row) for row in connection.execute(_CURRENT))
    return [revision for revision in found if revision is not None and revision.acl]


def _checked(address: str, acl: Acl) -> dict[Identity, frozenset[str]]:
    check_address(address)
    empty = sorted(str(identity) for identity, permissions in acl.items() if not permissions)
    if empty:
        raise AclCannotContainEmptyPermissionCollection(identities=", ".join(empty)[:500])
    return {identity: check_permissions(permissions) for identity, permissions in acl.items()}


def _sum(one: Acl, other: Acl) -> dict[Identity, frozenset[str]]:
    nothing: frozenset[str] = frozenset()
    return {who: one.get(who, nothing) | other.get(who, nothing) for who in {*one, *other}}


def _newest(connection: Connection, address: str) -> AclRevision | None:
    return _revision(connection.execute(_NEWEST, {"address": address}).first())


def _record(connection: Connection, address: str, rev: int, acl: Acl, by: str) -> AclRevision:
    written = json.dumps({str(who): sorted(what) for who, what in sorted(acl.items())}, ensure_ascii=False)
    values = {"address": address, "rev": rev, "acl": written, "now": time.time(), "by": by}
    connection.execute(_INSERT, values)
    made = _newest(connection, address)
    assert made is not None
    return made


def _revision(row: Row[object] | None) -> AclRevision | None:
    if row is None:
        return None
    acl = {Identity.parse(who): frozenset(what) for who, what in json.loads(row.acl).items()}
    return AclRevision(row.address, row.rev, acl, row.created_at, row.created_by, row.changed_at, row.changed_by)


_COLUMNS = """SELECT r.address, r.rev, r.acl, r.changed_at, r.changed_by,
    f.changed_at AS created_at, f.changed_by AS created_by
    FROM access_rules r JOIN access_rules f ON f.address = r.address AND f.rev = 1"""
_NEWEST = text(f"{_COLUMNS} WHERE r.address = :address ORDER BY r.rev DESC LIMIT 1")
_AT_REV = text(f"{_COLUMNS} WHERE r.address = :address AND r.rev = :rev")
_CURRENT = text(
    f"{_COLUMNS} WHERE r.rev = (SELECT max(n.rev) FROM access_rules n WHERE n.address = r.address)"  # noqa: S608 - as above
    " ORDER BY r.address"
)
_INSERT = text(
    "INSERT INTO access_rules (address, rev, acl, changed_at, changed_by) VALUES (:address, :rev, :acl, :now, :by)"
)
