"""The authority: says who makes a request and what they may do, for every door alike."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from muniment.access import keys
from muniment.access.identities import NOBODY, Caller
from muniment.access.permissions import address_of, effective
from muniment.access.proxy import TrustedProxy
from muniment.access.store import AccessStore, Snapshot
from muniment.errors.access import (
    AuthenticationFailed,
    AuthorizationFailed,
    BadRealm,
    InvalidAccessToken,
    InvalidAccessTokenFormat,
    RealmUnavailable,
    Unauthenticated,
    UnknownAccessTokenIssuer,
)
from muniment.errors.database import DatabaseBroken, DatabaseUnavailable

if TYPE_CHECKING:
    from muniment.access.jwks import Fetch, RealmKeys
    from muniment.access.realms import Realm
    from muniment.access.tokens import Checked

LOOK_SECONDS = 0.5
"""How often a process looks whether another one has changed keys, rules or realms."""
_USE_SECONDS = 3600.0
_MOST_REMEMBERED = 10_000
_LONGEST_HEADER = 32 * 1024


class _Present:
    """What counts now, with all that was concluded from it: they are dropped together."""

    __slots__ = ("holders", "rights", "snapshot", "tokens")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.rights: dict[tuple[Caller, str | None], frozenset[str]] = {}
        self.holders: dict[bytes, keys.StoredKey] = {}
        self.tokens: OrderedDict[bytes, tuple[RealmKeys, Checked]] = OrderedDict()


class Authority:
    """Identifies callers and answers what they may do. One for a process; its methods may run in many threads."""

    def __init__(
        self,
        store: AccessStore,
        *,
        proxy: TrustedProxy | None = None,
        fetch: Fetch | None = None,
        look_every: float = LOOK_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Decide by `store`.

        `proxy` is the reverse proxy whose users are believed. `fetch` gets the public keys of OIDC realms by
        their URL; without it no token of theirs is taken. `look_every` are the seconds after which a change by
        another process counts at the latest; `clock` gives seconds since 1970 UTC.
        """
        self.store = store
        self._proxy = proxy
        self._fetch = fetch
        self._look_every = look_every
        self.clock = clock
        self._lock = threading.Lock()
        self._present: _Present | None = None
        self._look_at = 0.0
        self._changes = -1
        self._realm_keys: dict[str, RealmKeys] = {}
        self._used: dict[str, float] = {}

    @classmethod
    def open(cls, place: str | Path, *, proxy: TrustedProxy | None = None, fetch: Fetch | None = None) -> Self:
        """An authority on the store in the database at `place`: the archive's `control.db`, or `postgresql://...`.

        Raises:
            DatabaseUnavailable, DatabaseNotThere, DatabaseBehind, DatabaseNewer: As `Database.open`.
        """
        return cls(AccessStore.open(place), proxy=proxy, fetch=fetch)

    def close(self) -> None:
        """Give up the database."""
        self.store.close()

    def __enter__(self) -> Self:
        """Use the authority in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # ------------------------------------------------------------------------------------------ who

    def identify(self, headers: Mapping[str, str], client_address: str) -> Caller:
        """Who makes a request with these headers; `NOBODY` for one that shows nothing.

        The names of headers are small letters, or the mapping does not care. `client_address` is the peer of
        the socket itself, never what a header claims; empty for a Unix socket. What is shown but wrong is an
        error, not anonymous: the holder of a revoked key must learn of it.

        Raises:
            AuthenticationFailed: A key or token does not hold; its subclasses say why.
            UserNotListed, BadUsersFile: The reverse proxy's user is not let in.
            RealmUnavailable: The issuer of a token cannot be asked for its keys.
            DatabaseUnavailable: The database cannot be reached.
        """
        shown = headers.get("authorization") or headers.get("Authorization") or ""
        if not shown:
            return self._proxied(headers, client_address) or NOBODY
        scheme, _, credentials = shown.strip().partition(" ")
        if len(shown) > _LONGEST_HEADER:
            raise InvalidAccessTokenFormat(reason=f"it has more than {_LONGEST_HEADER} characters")
        match scheme.lower():
            case "bearer":
                return self._bearer(credentials.strip(), shown)
            case "basic":
                token = _basic_user(credentials.strip())
                if keys.looks_like_key(token):
                    holder = self._key(token)
                    if holder is None:
                        raise AuthenticationFailed
                    return holder
                # A proxy that checks passwords itself passes them on as well.
                caller = self._proxied(headers, client_address)
                if caller is not None:
                    return caller
        raise AuthenticationFailed

    def _proxied(self, headers: Mapping[str, str], client_address: str) -> Caller | None:
        return self._proxy.caller(headers, client_address) if self._proxy else None

    def holder(self, shown: str) -> Caller | None:
        """Who has the key that this very `Authorization` header showed before; None where `identify` is to look.

        What was concluded from other keys, rules and realms than those that count now is forgotten.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        found = self._now().holders.get(_name_of(shown))
        return None if found is None or found.key.dead(self.clock()) else self._taken(found)

    def _bearer(self, token: str, shown: str) -> Caller:
        if not keys.looks_like_key(token):
            return self._token(token)
        present = self._now()
        found = keys.checked(token, present.snapshot.keys)
        if found is None:
            raise InvalidAccessToken(reason="there is no such key")
        caller = self._taken(found)
        if len(present.holders) >= _MOST_REMEMBERED:
            present.holders.clear()
        present.holders[_name_of(shown)] = found
        return caller

    def _key(self, token: str) -> Caller | None:
        """Who has this key; None where there is none such."""
        found = keys.checked(token, self.snapshot().keys)
        return None if found is None else self._taken(found)

    def _taken(self, found: keys.StoredKey) -> Caller:
        now = self.clock()
        dead = found.key.dead(now)
        if dead:
            # Who shows the secret may know what became of it.
            raise InvalidAccessToken(reason=dead)
        if now - self._used.get(found.key.id, found.key.used_at or 0.0) >= _USE_SECONDS:
            self._note_use(found.key.id, now)
        return found.caller

    def _note_use(self, key: str, now: float) -> None:
        self._used[key] = now
        # A read-only or busy database must not turn a valid key away; the next hour tries again.
        with contextlib.suppress(DatabaseUnavailable, DatabaseBroken):
            self.store.keys.touch(key, now)

    def _token(self, token: str) -> Caller:
        from muniment.access import tokens  # noqa: PLC0415 - keys alone need no cryptography

        present = self._now()
        name = _name_of(token)
        known = present.tokens.get(name)
        if known is not None:
            realm_keys, checked = known
            realm_keys.refresh()
            if checked.generation == realm_keys.generation and self.clock() < checked.until:
                return checked.caller
        apart = tokens.take_apart(token)
        realm = present.snapshot.realms.get(apart.issuer)
        if realm is None:
            raise UnknownAccessTokenIssuer
        realm_keys = self.keys_of(realm)
        checked = tokens.check(apart, realm_keys, self.clock)
        with self._lock:
            present.tokens[name] = (realm_keys, checked)
            if len(present.tokens) > _MOST_REMEMBERED:
                present.tokens.popitem(last=False)
        return checked.caller

    def keys_of(self, realm: Realm) -> RealmKeys:
        """The public keys of a realm.

        Raises:
            RealmUnavailable: There is no way to fetch them.
        """
        from muniment.access.jwks import RealmKeys  # noqa: PLC0415 - as in `_token`

        if self._fetch is None:
            raise RealmUnavailable(realm=realm.label, url=realm.discovery, reason="no way to fetch is configured")
        with self._lock:
            found = self._realm_keys.get(realm.label)
            if found is None or found.realm != realm:
                found = self._realm_keys[realm.label] = RealmKeys(realm, self._fetch)
            return found

    def discover(self, label: str, config_url: str, **settings: Any) -> Realm:
        """The realm that an issuer's description at `config_url` speaks of, for `store.realms` to create or update.

        `settings` are further fields of `Realm`, such as audiences.

        Raises:
            BadRealm: The address is not safe, or what was found cannot be used.
            RealmUnavailable: The description cannot be fetched, or names no issuer.
        """
        from muniment.access import jwks, realms  # noqa: PLC0415 - as in `_token`

        if not realms.is_safe_address(config_url):
            raise BadRealm(realm=label[:64], reason="its description is not at an https address")
        if self._fetch is None:
            raise RealmUnavailable(realm=label[:64], url=config_url, reason="no way to fetch is configured")
        issuer = jwks.document(label[:64], config_url, self._fetch).get("issuer")
        if not isinstance(issuer, str):
            raise RealmUnavailable(realm=label[:64], url=config_url, reason="it names no issuer")
        return realms.Realm(label=label, issuer=issuer, config_url=config_url, **settings).check()

    # ---------------------------------------------------------------------------------- what they may

    def permissions(self, caller: Caller, project: str | None = None) -> frozenset[str]:
        """All that a caller may do on a project (`org/project`), an organisation (`org`) or, for None, on `/`.

        Raises:
            BadAddress: `project` is neither.
            DatabaseUnavailable: The database cannot be reached.
        """
        present = self._now()
        rights = present.rights
        known = rights.get((caller, project))
        if known is None:
            address = address_of(project)
            known = effective(present.snapshot.rules, caller.identities, address)
            if caller.scope is not None:
                known = caller.scope.within(known, address)
            if len(rights) > _MOST_REMEMBERED:
                rights.clear()
            rights[caller, project] = known
        return known

    def allowed(self, caller: Caller, permission: str, project: str | None = None) -> bool:
        """Whether a caller has a permission on a project, an organisation or `/`.

        Raises:
            BadAddress: `project` is neither.
            DatabaseUnavailable: The database cannot be reached.
        """
        return permission in self.permissions(caller, project)

    def require(self, caller: Caller, permission: str, project: str | None = None) -> None:
        """Go on only if a caller has a permission. The same is said whether or not the project exists.

        Raises:
            Unauthenticated: They have not, and nobody knows who they are: they may say so and try again.
            AuthorizationFailed: They have not.
            BadAddress: `project` is none.
            DatabaseUnavailable: The database cannot be reached.
        """
        if permission in self.permissions(caller, project):
            return
        if caller.anonymous:
            raise Unauthenticated(reason="anonymous callers may not do this")
        raise AuthorizationFailed(permission=permission, address=address_of(project))

    # ------------------------------------------------------------------------------------ what counts

    def snapshot(self) -> Snapshot:
        """The keys, rules and realms that count now; changes by other processes within `look_every` seconds.

        Raises:
            DatabaseUnavailable: The database cannot be reached. Nothing is decided by an old snapshot.
        """
        return self._now().snapshot

    def _now(self) -> _Present:
        present = self._present
        if present is not None and time.monotonic() < self._look_at and self._changes == self.store.changes:
            return present
        with self._lock:
            present = self._present
            changes = self.store.changes
            now = time.monotonic()
            if present is None or self._changes != changes or now >= self._look_at:
                if present is None or self._changes != changes or present.snapshot.version != self.store.version():
                    present = self._present = _Present(self.store.snapshot())
                self._changes = changes
                self._look_at = now + self._look_every
            return present


def _name_of(secret: str) -> bytes:
    """By what is remembered that something was shown: a secret itself is not kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _basic_user(credentials: str) -> str:
    """The user name out of Basic credentials (RFC 7617 §2); the password is of no interest."""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise AuthenticationFailed from None
    return decoded.partition(":")[0]
