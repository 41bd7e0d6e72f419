"""The stores that are known: their names, addresses and sealed credentials; each is told from others by its mark."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from muniment.content.identity import new_uuid
from muniment.content.times import now
from muniment.database import Database
from muniment.database.tables import copies, store_revisions, stores, tapes
from muniment.errors.access import IncorrectRev
from muniment.errors.base import BadInput, BadSetting
from muniment.errors.copies import StoreExists, StoreNotEmpty, StoreUnknown, WrongStore
from muniment.errors.stores import KeyTaken, StoreNotReady
from muniment.jobs.keyring import Keyring
from muniment.stores import PutOptions, Store, open_store, put_bytes, read_bytes
from muniment.workflows.copies.keys import MARK, MARK_FORMAT

ARCHIVE = "archive"
"""The name that stands for the archive itself, where copies are listed."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LARGEST_MARK = 4096
_SEALED_AS = "store"


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """A store as it is known. Prices are of a thousand requests and of a gigabyte read, in whatever money."""

    name: str
    id: str
    address: str
    request_price: float = 0.0
    read_price: float = 0.0
    read_rate: float | None = None
    logged: int = 0
    reason: str = ""
    answered_at: float | None = None
    """When it could last be used; `total` and `free`, bytes, are of then."""
    silent_since: float | None = None
    total: int | None = None
    free: int | None = None
    rev: int = 1
    """The number of its newest revision."""


@dataclass(frozen=True, slots=True)
class StoreRevision:
    """A store as one change left it. Prices as in `StoreRecord`; times are seconds since 1970 UTC."""

    rev: int
    address: str
    request_price: float
    read_price: float
    credentials: str
    """Whether it had some: `none`, `given` with this change, or `kept` from before. They themselves are not here."""
    changed_at: float
    changed_by: str


@dataclass(frozen=True, slots=True)
class StoreChange:
    """What a store that is known is to be. `keys` are new credentials; None leaves those there are, {} removes them."""

    name: str
    address: str
    request_price: float = 0.0
    read_price: float = 0.0
    keys: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def address_in_full(self) -> str:
        """The address, a folder's from the root on."""
        return self.address if "://" in self.address else str(Path(self.address).absolute())

    def moves(self, known: StoreRecord) -> bool:
        """Whether the store is reached in another way than before, so that it has to be tried."""
        return self.keys is not None or self.address_in_full != known.address


@dataclass(frozen=True, slots=True)
class StoreFolders:
    """Where stores keep what they must remember (which tape holds what), and what is on its way."""

    records: Path
    scratch: Path


class StoreRegistry:
    """The stores of one archive, in its control database."""

    def __init__(
        self,
        database: Database,
        keyring: Callable[[], Keyring],
        archive: str,
        folders: StoreFolders,
        keys: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`archive` is the archive's id; `keys` are credentials from the environment, by name of a store."""
        self._database = database
        self._keyring = keyring
        self._archive = archive
        self._folders = folders
        self._keys = keys or {}

    def add(
        self,
        name: str,
        address: str,
        keys: Mapping[str, str] | None = None,
        *,
        request_price: float = 0.0,
        read_price: float = 0.0,
        by: str = "",
    ) -> StoreRecord:
        """Know a store from now on; it gets a mark, or has one of this archive already. `by` says who makes it known.

        Raises:
            BadInput, BadStore: The name or the address cannot be used.
            StoreExists: There is one of that name.
            WrongStore: It is another archive's.
            MunimentError: It cannot be used.
        """
        address, store = self.open_new(name, address, keys, make=True)
        store.preflight(PutOptions(warm=True), size=_LARGEST_MARK)
        known = StoreRecord(name, self._mark(name, address, store), address, request_price, read_price)
        row: dict[str, object] = {
            "name": name,
            "id": known.id,
            "address": address,
            "request_price": request_price,
            "read_price": read_price,
            "logged": 0,
            "reason": "",
            "added_at": self._database.now(),
            **self._sealed(name, keys),
        }
        change = StoreChange(name, address, request_price, read_price, keys)

        def work(connection: Connection) -> None:
            connection.execute(insert(stores), row)
            self._remember(connection, change, 1, "given" if keys else "none", by)

        self._database.write(work)
        return known

    def change(self, change: StoreChange, rev: int | None = None, *, by: str = "") -> StoreRecord:
        """Reach a store that is known in another way, or let it cost something else; its copies stay known.

        `rev` is its newest revision as the caller knows it; None goes without that check. Credentials that are
        replaced are erased: whoever undoes the change gives them again.

        Raises:
            StoreUnknown: There is none of that name.
            WrongStore: At the new address lies another, or none that has a mark.
            IncorrectRev: Somebody changed it in between.
            BadStore, StoreUnreachable, StoreRefused, StoreNotReady: It cannot be used so; it stays what it was.
        """
        known = self.get(change.name)
        if change.moves(known):
            self.open_changed(change)
        values: dict[str, object] = {
            "address": change.address_in_full,
            "request_price": change.request_price,
            "read_price": change.read_price,
        }
        if change.keys is not None:
            values |= self._sealed(change.name, change.keys)

        def work(connection: Connection) -> None:
            row = connection.execute(select(stores.c.rev, stores.c.sealed).where(stores.c.name == change.name)).first()
            newest = 0 if row is None else int(row.rev)
            expected = newest if rev is None else rev
            had = "none" if row is None or row.sealed is None else "kept"
            credentials = had if change.keys is None else "given" if change.keys else "none"
            # Of two at once the second waits here, and then finds another number.
            query = update(stores).where(stores.c.name == change.name, stores.c.rev == expected)
            if connection.execute(query.values(**values, rev=expected + 1)).rowcount != 1:
                raise IncorrectRev(provided=expected, expected=newest)
            self._remember(connection, change, expected + 1, credentials, by)

        self._database.write(work)
        return self.get(change.name)

    def revisions(self, name: str, most: int = 20) -> list[StoreRevision]:
        """What a store was after each change, the newest first."""
        columns = [store_revisions.c[each] for each in StoreRevision.__slots__]
        query = select(*columns).where(store_revisions.c.name == name).order_by(store_revisions.c.rev.desc())
        rows = self._database.read(lambda connection: connection.execute(query.limit(most)).mappings().all())
        return [StoreRevision(**row) for row in rows]

    def credentials_from(self, name: str) -> str:
        """Where a store's credentials come from: `environment`, `sealed`, or nowhere (empty)."""
        if name in self._keys:
            return "environment"
        query = select(stores.c.name).where(stores.c.name == name, stores.c.sealed.is_not(None))
        return "sealed" if self._database.read(lambda connection: connection.scalar(query)) else ""

    def _sealed(self, name: str, keys: Mapping[str, str] | None) -> dict[str, object]:
        if not keys:
            return {"key_id": None, "sealed": None}
        ring = self._keyring()
        return {"key_id": ring.first, "sealed": ring.seal(_SEALED_AS, name, dict(keys))}

    def _remember(self, connection: Connection, change: StoreChange, rev: int, credentials: str, by: str) -> None:
        row = {
            "name": change.name,
            "rev": rev,
            "address": change.address_in_full,
            "request_price": change.request_price,
            "read_price": change.read_price,
            "credentials": credentials,
            "changed_at": self._database.now(),
            "changed_by": by,
        }
        connection.execute(insert(store_revisions), row)

    def open_new(
        self, name: str, address: str, keys: Mapping[str, str] | None = None, *, make: bool = False
    ) -> tuple[str, Store]:
        """The address in full and the store there, which is not known yet; with `make` a folder is made where none is.

        Raises:
            BadInput, BadStore: The name or the address cannot be used.
            StoreExists: There is one of that name.
            StoreUnreachable, StoreRefused: It cannot be used.
        """
        if not _NAME.fullmatch(name) or name == ARCHIVE:
            raise BadInput(reason=f"{name!r} cannot be a store's name: small letters, digits, - and _, not {ARCHIVE!r}")
        if (known := self._find(name)) is not None:
            raise StoreExists(name=name, address=known.address)
        address = address if "://" in address else str(Path(address).absolute())
        chosen = {**(keys or {}), **self._keys.get(name, {})}
        return address, self._opened(name, address, chosen, make=make)

    def _mark(self, name: str, address: str, store: Store) -> str:
        """The id in the store's mark, which is made where there is none."""
        found = self._read_mark(name, address, store)
        if found is None:
            mark = {"format": MARK_FORMAT, "store": new_uuid(), "archive": self._archive, "created": now()}
            try:
                receipt = put_bytes(store, MARK, json.dumps(mark, indent=1).encode() + b"\n", PutOptions(warm=True))
                store.flush()
                store.check(receipt)
            except KeyTaken:
                mark = self._read_mark(name, address, store) or mark
            return str(mark["store"])
        if found["archive"] != self._archive:
            raise WrongStore(name=name, address=address, reason=f"it belongs to the archive {found['archive']}")
        return str(found["store"])

    @staticmethod
    def _read_mark(name: str, address: str, store: Store) -> dict[str, str] | None:
        if store.stat(MARK) is None:
            return None
        try:
            found = json.loads(read_bytes(store, MARK, _LARGEST_MARK))
            if found["format"] != MARK_FORMAT:
                raise WrongStore(name=name, address=address, reason=f"its mark has the format {found['format']!r}")
            uuid.UUID(found["store"])
            return {"store": str(found["store"]), "archive": str(found["archive"])}
        except (ValueError, KeyError, TypeError) as error:
            raise WrongStore(name=name, address=address, reason=f"its mark cannot be read ({error})") from error

    def open(self, name: str) -> Store:
        """A known store, when what is at its address is still that one.

        A folder is not made: one that is not there is most likely not mounted.

        Raises:
            StoreUnknown: There is none of that name.
            WrongStore: Another lies at its address, or none that has a mark.
            StoreUnreachable, StoreRefused, SecretUnreadable: It cannot be used now.
        """
        known = self.get(name)
        store = self._opened(name, known.address, self._credentials(name), make=False)
        with contextlib.suppress(StoreNotReady):  # a tape that is elsewhere: its own name tells it from others
            self._see_mark(known, known.address, store)
        return store

    def open_changed(self, change: StoreChange) -> tuple[str, Store]:
        """The new address in full and the store there, when it is the one that is known; nothing is changed.

        Raises:
            StoreUnknown: There is none of that name.
            WrongStore: At the new address lies another, or none that has a mark.
            BadStore, StoreUnreachable, StoreRefused, StoreNotReady, SecretUnreadable: It cannot be used so.
        """
        known, address = self.get(change.name), change.address_in_full
        keys = self._credentials(change.name) if change.keys is None else change.keys
        store = self._opened(change.name, address, {**keys, **self._keys.get(change.name, {})}, make=False)
        self._see_mark(known, address, store)
        return address, store

    def _see_mark(self, known: StoreRecord, address: str, store: Store) -> None:
        mark = self._read_mark(known.name, address, store)
        if mark is None:
            raise WrongStore(name=known.name, address=address, reason=f"it has no mark ({MARK})")
        if mark["store"] != known.id:
            raise WrongStore(name=known.name, address=address, reason=f"its mark says {mark['store']}, not {known.id}")

    def _opened(self, name: str, address: str, keys: Mapping[str, str], *, make: bool) -> Store:
        records = self._folders.records / name
        if address.startswith("ltfs://"):
            records.mkdir(parents=True, exist_ok=True)
        self._folders.scratch.mkdir(parents=True, exist_ok=True)
        return open_store(address, keys=keys, records=records, scratch=self._folders.scratch, make=make)

    def _credentials(self, name: str) -> Mapping[str, str]:
        if name in self._keys:
            return self._keys[name]
        query = select(stores.c.key_id, stores.c.sealed).where(stores.c.name == name)
        row = self._database.read(lambda connection: connection.execute(query).first())
        if row is None or row.sealed is None:
            return {}
        found = self._keyring().unseal(_SEALED_AS, name, row.key_id, row.sealed)
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}

    def get(self, name: str) -> StoreRecord:
        """A store by its name.

        Raises:
            StoreUnknown: There is none of that name.
        """
        found = self._find(name)
        if found is None:
            raise StoreUnknown(name=name, known=", ".join(each.name for each in self.all()) or "none")
        return found

    def all(self) -> list[StoreRecord]:
        """Every store, by name."""
        rows = self._database.read(
            lambda connection: connection.execute(select(stores).order_by(stores.c.name)).mappings().all()
        )
        return [_known(dict(row)) for row in rows]

    def _find(self, name: str) -> StoreRecord | None:
        query = select(stores).where(stores.c.name == name)
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else _known(dict(row))

    def note(self, name: str, **values: Any) -> None:
        """Keep what was found out about a store: `logged`, `read_rate`, and as `reason` why it cannot be used.

        An empty reason says that it answered.
        """
        now = self._database.now()
        if values.get("reason") == "":
            values |= {"answered_at": now, "silent_since": None}
        elif "reason" in values:
            values["silent_since"] = func.coalesce(stores.c.silent_since, now)
        query = update(stores).where(stores.c.name == name).values(**values)
        self._database.write(lambda connection: connection.execute(query))

    def forget(self, name: str, *, with_copies: bool = False) -> None:
        """Know a store no more, nor what it was before; what it holds stays there.

        Raises:
            StoreUnknown: There is none of that name.
            StoreNotEmpty: It holds copies, and they were not to be forgotten.
        """
        self.get(name)

        def work(connection: Connection) -> int:
            held = connection.scalar(
                select(func.count()).select_from(copies).where(copies.c.store == name, copies.c.state != "owed")
            )
            if held and not with_copies:
                return int(held)
            connection.execute(delete(copies).where(copies.c.store == name))
            connection.execute(delete(tapes).where(tapes.c.store == name))
            connection.execute(delete(store_revisions).where(store_revisions.c.name == name))
            connection.execute(delete(stores).where(stores.c.name == name))
            return 0

        if count := self._database.write(work):
            raise StoreNotEmpty(name=name, count=count)


def reseal(database: Database, keyring: Keyring) -> int:
    """Seal the credentials of all stores anew under the first key of the key file; how many stores have some.

    Raises:
        SecretUnreadable: Some cannot be opened; the others are sealed anew.
    """
    query = select(stores.c.name, stores.c.key_id, stores.c.sealed).where(stores.c.sealed.is_not(None))
    rows = database.read(lambda connection: connection.execute(query).all())
    for row in rows:
        value = keyring.unseal(_SEALED_AS, row.name, row.key_id, row.sealed)
        values = {"key_id": keyring.first, "sealed": keyring.seal(_SEALED_AS, row.name, value)}
        change = update(stores).where(stores.c.name == row.name).values(values)
        database.write(lambda connection, change=change: connection.execute(change))  # type: ignore[misc] # bound at once
    return len(rows)


def read_keys(path: Path) -> dict[str, str]:
    """Credentials from a file of `name = value` lines that its owner alone may read.

    Raises:
        BadInput: It cannot be read, others may read it, or a line is none.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput(reason=f"others than its owner may read {path}; run `chmod 600`")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(reason=f"the file with the credentials cannot be read: {error}") from error
    return parse_keys(lines, str(path))


def parse_keys(lines: Iterable[str], where: str) -> dict[str, str]:
    """Credentials from lines `name = value`; empty ones and those that begin with # say nothing.

    Raises:
        BadInput: A line is none; it is not repeated.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, mark, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not mark or not name.strip():
            raise BadInput(reason=f"line {number} of {where} is not `name = value`")
        found[name.strip()] = value.strip()
    return found


def keys_of(text: str) -> dict[str, dict[str, str]]:
    """Credentials from the setting `store_keys`: JSON, name of a store to its credentials.

    Raises:
        BadSetting: It is not that; it is not repeated.
    """
    try:
        found = json.loads(text)
        return {str(name): {str(key): str(value) for key, value in keys.items()} for name, keys in found.items()}
    except (ValueError, AttributeError):
        raise BadSetting(reason="MUNIMENT_STORE_KEYS is a JSON object: name of a store to its credentials") from None


def _known(row: Mapping[str, Any]) -> StoreRecord:
    return StoreRecord(**{name: row[name] for name in StoreRecord.__slots__})
