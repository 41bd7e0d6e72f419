"""API keys: how one is made, written, told from other tokens, and kept without its secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Row, text

from muniment.access import rules
from muniment.access.identities import KEYS_REALM, Caller, Identity
from muniment.access.permissions import Scope
from muniment.errors.access import ApiKeyNotFound, BadKeyName, KeyChanged, KeyNameTaken

if TYPE_CHECKING:
    from muniment.access.store import AccessStore

Result = TypeVar("Result")

PREFIX = "mun_"
_ID_BYTES = 10
_SECRET_BYTES = 32
_FORM = re.compile(r"mun_([a-z2-7]{16})_([a-z2-7]{52})\Z")
_LONGEST_NAME = 64
_SHORT_PATIENCE = 0.1
"""Seconds a request may wait just to leave a note."""
_NO_DIGEST = "0" * 64
"""What an unknown id is compared with, so that it takes as long as a known one."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is kept: everything but the secret. Times are seconds since 1970 UTC."""

    id: str
    name: str
    created_at: float
    created_by: str
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None
    """When it was last used, to the hour."""
    scope: Scope | None = None
    """What it may be used for at most; None for all that its name is granted."""

    def dead(self, now: float) -> str:
        """Why the key is no longer taken; empty while it is."""
        if self.revoked_at is not None:
            return "this key was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "this key has expired"
        return ""

    @property
    def identity(self) -> Identity:
        """The user that rules name; a renewed key keeps its name and so its rights."""
        return Identity.user(KEYS_REALM, self.name)

    def as_json(self) -> dict[str, object]:
        """The key as the command line prints it."""
        return {
            "id": self.id,
            "name": self.name,
            "identity": str(self.identity),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "used_at": self.used_at,
            "scope": None
            if self.scope is None
            else {"places": sorted(self.scope.places), "permissions": sorted(self.scope.permissions)},
        }


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment at which its text is known."""

    key: Key
    _secret: str

    @property
    def text(self) -> str:
        """What its holder needs, `mun_<id>_<secret>`. It is kept nowhere."""
        return f"{PREFIX}{self.key.id}_{self._secret}"

    def __repr__(self) -> str:
        """Without the secret, so that it gets into no log."""
        return f"NewKey({self.key!r})"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key with what its secret is checked against."""

    key: Key
    digest: str
    caller: Caller

    def __repr__(self) -> str:
        """Without the digest: it is of no use to anybody who reads a log."""
        return f"StoredKey({self.key!r})"


def looks_like_key(token: str) -> bool:
    """Whether a token claims to be one of our keys."""
    return token.startswith(PREFIX)


def checked(token: str, keys: Mapping[str, StoredKey]) -> StoredKey | None:
    """The key whose secret this token shows, revoked and expired ones too; None if it shows none.

    Takes as long for an unknown id as for a wrong secret.
    """
    parts = _FORM.match(token)
    if parts is None:
        return None
    stored = keys.get(parts[1])
    expected = stored.digest if stored else _NO_DIGEST
    return stored if hmac.compare_digest(_digest(parts[2]), expected) else None


def _digest(secret: str) -> str:
    # The secret has 256 random bits: there is nothing to guess, so a slow hash would only slow us down.
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode("ascii").rstrip("=").lower()


def check_name(name: str) -> str:
    """Accept the name of a key.

    Raises:
        BadKeyName: It is empty, too long, or holds what cannot be printed.
    """
    if not name or name != name.strip() or not name.isprintable():
        raise BadKeyName(
            name=name[:_LONGEST_NAME], reason="it is empty, or holds blanks at an end or control characters"
        )
    if len(name) > _LONGEST_NAME:
        raise BadKeyName(
            name=f"{name[:_LONGEST_NAME]}…", reason=f"it has {len(name)} characters, at most {_LONGEST_NAME}"
        )
    if name.startswith(PREFIX):
        raise BadKeyName(name=PREFIX + "…", reason="it looks like a key itself, and names are shown")
    return name


class Keys:
    """The keys in the store."""

    def __init__(self, store: AccessStore) -> None:
        self._store = store

    def create(
        self,
        name: str,
        *,
        grants: Mapping[str, frozenset[str]] | None = None,
        expires_at: float | None = None,
        scope: Scope | None = None,
        by: str = "",
    ) -> NewKey:
        """Make a key and, in the same transaction, the rules that grant it something: `{address: permissions}`.

        Raises:
            BadKeyName, KeyNameTaken: It cannot be called so.
            BadAddress, UnknownPermissions: The grants name what is not there.
            DatabaseUnavailable: The database cannot be reached.
        """
        check_name(name)
        made = _new(name, expires_at, by, scope)
        identity = made.key.identity

        def work(connection: Connection) -> NewKey:
            if _named(connection, name):
                raise KeyNameTaken(name=name)
            _insert(connection, made)
            for address, permissions in (grants or {}).items():
                rules.add(connection, address, {identity: permissions}, by=by)
            return made

        return self._change(work)

    def renew(self, name: str, *, expires_at: float | None = None, keep: bool = False, by: str = "") -> NewKey:
        """Make a new secret for a name that has its rights already, and revoke the old ones unless `keep`.

        It has the scope of the newest one before: a new secret is no way to get more rights.

        Raises:
            ApiKeyNotFound: No key was ever called so.
            DatabaseUnavailable: The database cannot be reached.
        """

        def work(connection: Connection) -> NewKey:
            before = [_key(row) for row in connection.execute(_BY_NAME, {"key": name})]
            if not before:
                raise ApiKeyNotFound(key=name)
            made = _new(name, expires_at, by, before[-1].scope)
            if not keep:
                connection.execute(_REVOKE_NAME, {"key": name, "now": time.time()})
            _insert(connection, made)
            return made

        return self._change(work)

    def rotate(self, name: str, *, grace: float, newest: str = "", by: str = "") -> NewKey:
        """Make the next secret of a name; those before it count for `grace` more seconds and end then by themselves.

        It has the scope of the newest one before, and lives as long as that was made to live. With `newest`, an id,
        only if that is still the newest one: of two people who renew it the second would end the first one's.

        Raises:
            ApiKeyNotFound: No key is called so that is taken now.
            KeyChanged: Somebody renewed it in between.
            DatabaseUnavailable: The database cannot be reached.
        """

        def work(connection: Connection) -> NewKey:
            now = time.time()
            living = [key for row in connection.execute(_BY_NAME, {"key": name}) if not (key := _key(row)).dead(now)]
            if not living:
                raise ApiKeyNotFound(key=name[:_LONGEST_NAME])
            last = living[-1]
            if newest not in {"", last.id}:
                raise KeyChanged(key=name[:_LONGEST_NAME], at=f"{datetime.fromtimestamp(last.created_at, UTC):%F %T}")
            ends = None if last.expires_at is None else now + last.expires_at - last.created_at
            made = _new(name, ends, by, last.scope)
            connection.execute(_END_NAME, {"key": name, "ends": now + grace})
            _insert(connection, made)
            return made

        return self._change(work)

    def revoke(self, key: str) -> list[Key]:
        """Revoke one key by its id or its whole text, or all of a name; the keys concerned.

        Raises:
            ApiKeyNotFound: There is none of that id or name.
            DatabaseUnavailable: The database cannot be reached.
        """

        def work(connection: Connection) -> list[Key]:
            revoke, select = (_REVOKE_NAME, _BY_NAME) if _named(connection, wanted) else (_REVOKE_ID, _BY_ID)
            connection.execute(revoke, {"key": wanted, "now": time.time()})
            return [_key(row) for row in connection.execute(select, {"key": wanted})]

        whole = _FORM.match(key)
        wanted = whole[1] if whole else key
        found = self._change(work)
        if not found:
            raise ApiKeyNotFound(key=PREFIX + "…" if looks_like_key(wanted) else wanted[:_LONGEST_NAME])
        return found

    def all(self) -> list[Key]:
        """All keys that ever were, oldest first.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        return self._store.database.read(lambda connection: [_key(row) for row in connection.execute(_ALL)])

    def touch(self, id: str, now: float) -> None:
        """Note that a key was used, unless another writer is at work. No process reads its rules anew for that.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        self._store.database.write(
            lambda connection: connection.execute(_TOUCH, {"key": id, "now": now}), patience=_SHORT_PATIENCE
        )

    def _change(self, work: Callable[[Connection], Result]) -> Result:
        return self._store.change(work)


def stored(connection: Connection) -> dict[str, StoredKey]:
    """All keys by their id, with what is needed to check them."""
    found: dict[str, StoredKey] = {}
    for row in connection.execute(_ALL):
        key = _key(row)
        caller = Caller.known(key.identity, display_name=key.name, scheme="key", scope=key.scope)
        found[key.id] = StoredKey(key, str(row.digest), caller)
    return found


def _new(name: str, expires_at: float | None, by: str, scope: Scope | None = None) -> NewKey:
    key = Key(_random(_ID_BYTES), name, time.time(), by, expires_at, None, None, scope if str(scope or "") else None)
    return NewKey(key, _random(_SECRET_BYTES))


def _named(connection: Connection, name: str) -> bool:
    return connection.execute(_BY_NAME, {"key": name}).first() is not None


def _insert(connection: Connection, made: NewKey) -> None:
    key = made.key
    values = {
        "id": key.id,
        "name": key.name,
        "digest": _digest(made._secret),  # noqa: SLF001 - this module's own class
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "scope": str(key.scope or ""),
    }
    connection.execute(_INSERT, values)


def _key(row: Row[object]) -> Key:
    scope = Scope.parse(row.scope)
    return Key(row.id, row.name, row.created_at, row.created_by, row.expires_at, row.revoked_at, row.used_at, scope)


_ALL = text("SELECT * FROM access_keys ORDER BY created_at, id")
_BY_NAME = text("SELECT * FROM access_keys WHERE name = :key ORDER BY created_at, id")
_BY_ID = text("SELECT * FROM access_keys WHERE id = :key")
_REVOKE_NAME = text("UPDATE access_keys SET revoked_at = :now WHERE name = :key AND revoked_at IS NULL")
_END_NAME = text(
    "UPDATE access_keys SET expires_at = :ends"
    " WHERE name = :key AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :ends)"
)
_REVOKE_ID = text("UPDATE access_keys SET revoked_at = :now WHERE id = :key AND revoked_at IS NULL")
_TOUCH = text("UPDATE access_keys SET used_at = :now WHERE id = :key")
_INSERT = text(
    "INSERT INTO access_keys (id, name, digest, created_at, created_by, expires_at, scope)"
    " VALUES (:id, :name, :digest, :created_at, :created_by, :expires_at, :scope)"
)
