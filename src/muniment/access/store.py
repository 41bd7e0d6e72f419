"""The access store: keys, rules and realms in one database, and the snapshot of them that requests are checked by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection, text

from muniment.access import failures, keys, realms, rules
from muniment.access.permissions import Rules
from muniment.database import Database

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that counts for a request, as it was at one data version."""

    version: int
    keys: Mapping[str, keys.StoredKey]
    rules: Rules
    realms: Mapping[str, realms.Realm]
    """By issuer; without deprecated ones."""


class AccessStore:
    """Keys, rules and realms, with the means to change them."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`, which whoever opened it closes."""
        self.database = database
        self._opened_here = False
        self.keys = keys.Keys(self)
        self.rules = rules.AclStore(self)
        self.realms = realms.RealmStore(self)
        self.failures = failures.SignInFailures(self)
        self.changes = 0
        """Grows with each change made through this object, so that its own process need not look."""

    @classmethod
    def open(cls, place: str | Path, *, migrate: bool | None = None) -> Self:
        """Open the database at `place` (a file, or a `postgresql://` address) for keys and rules alone.

        Raises:
            DatabaseUnavailable, DatabaseNotThere, DatabaseBehind, DatabaseNewer: As `Database.open`.
        """
        opened = cls(Database.open(place, migrate=migrate))
        opened._opened_here = True
        return opened

    def __enter__(self) -> Self:
        """Use the store in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give up the database, if it was opened here."""
        if self._opened_here:
            self.database.close()

    def change(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction that every process with the store open will notice.

        Raises:
            DatabaseUnavailable: The database cannot be reached, or stays locked.
        """

        def noticed(connection: Connection) -> Result:
            result = work(connection)
            connection.execute(_NOTICE)
            return result

        try:
            return self.database.write(noticed, alone=ONE_WRITER)
        finally:
            self.changes += 1

    def version(self) -> int:
        """Which state of the data this is; grows with each change by anybody.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        return self.database.read(lambda connection: int(connection.scalar(_VERSION) or 0))

    def snapshot(self) -> Snapshot:
        """All of it at one moment.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """

        def work(connection: Connection) -> Snapshot:
            return Snapshot(
                int(connection.scalar(_VERSION) or 0),
                keys.stored(connection),
                {revision.address: revision.acl for revision in rules.current(connection)},
                {record.realm.issuer: record.realm for record in realms.records(connection) if not record.deprecated},
            )

        return self.database.read(work)


ONE_WRITER = "keys and rules"
"""Their changes are rare and depend on each other: one at a time."""
_NOTICE = text("UPDATE access_state SET data_version = data_version + 1")
_VERSION = text("SELECT data_version FROM access_state")
