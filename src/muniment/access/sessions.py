"""Sessions of people in a browser: rows of the control database that hold a digest of the cookie and never the cookie.

What a session says is who somebody is, not what they may do: rights are looked up with each request. A key that was
revoked and a realm that was withdrawn end their sessions at the next request.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from muniment.access.identities import KEYS_REALM, Caller, Identity
from muniment.database.access_tables import access_sessions, access_sign_ins
from muniment.errors.access import SessionEnded

if TYPE_CHECKING:
    from muniment.access.authority import Authority
    from muniment.database import Database

LIFE_SECONDS = 12 * 3600.0
SIGN_IN_SECONDS = 600.0
"""How long somebody may take at the issuer until they come back."""
_BYTES = 32
_LONGEST_TOKEN = 100


@dataclass(frozen=True, slots=True)
class SignIn:
    """What is remembered of somebody who was sent to an issuer, until they come back with the state."""

    realm: str
    nonce: str
    verifier: str
    """Proves to the issuer that who began is who comes back (RFC 7636 §4.1)."""
    onward: str


class Sessions:
    """Begins sessions, finds whose a cookie is, and ends them. Any number of processes may share the database."""

    def __init__(self, authority: Authority, life: float = LIFE_SECONDS) -> None:
        """Keep them in the authority's database; `life` is in seconds."""
        self.life = life
        self._authority = authority

    @property
    def _database(self) -> Database:
        return self._authority.store.database

    def begin(self, caller: Caller, key: str = "") -> str:
        """A new session of somebody who has just shown who they are; returns what their cookie holds.

        `key` is the id of the API key they showed.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        token = secrets.token_urlsafe(_BYTES)
        now = self._database.now()
        groups = sorted(each.name for each in caller.identities if each.kind == "group")
        row = {
            "digest": digest_of(token),
            "realm": caller.realm,
            "subject": caller.subject,
            "groups": json.dumps(groups, ensure_ascii=False),
            "display_name": caller.display_name,
            "email": caller.email,
            "key_id": key or None,
            "created_at": now,
            "expires_at": now + self.life,
        }

        def work(connection: Any) -> None:
            connection.execute(delete(access_sessions).where(access_sessions.c.expires_at <= now))
            connection.execute(insert(access_sessions).values(row))

        self._database.write(work)
        return token

    def caller(self, token: str) -> Caller:
        """Whose session this is.

        Raises:
            SessionEnded: It is over, or never was.
            DatabaseUnavailable: The database cannot be reached.
        """
        if len(token) > _LONGEST_TOKEN:
            raise SessionEnded
        query = select(access_sessions).where(access_sessions.c.digest == digest_of(token))
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        now = self._database.now()
        if row is None or row["expires_at"] <= now:
            raise SessionEnded
        return self._of(row, now)

    def _of(self, row: Mapping[Any, Any], now: float) -> Caller:
        snapshot = self._authority.snapshot()
        if row["realm"] == KEYS_REALM:
            stored = snapshot.keys.get(row["key_id"] or "")
            if stored is None or stored.key.dead(now):
                raise SessionEnded
            return stored.caller
        if row["realm"] not in {realm.label for realm in snapshot.realms.values()}:
            raise SessionEnded
        return Caller.known(
            Identity.user(row["realm"], row["subject"]),
            groups=tuple(json.loads(row["groups"])),
            display_name=row["display_name"],
            email=row["email"],
            scheme="token",
        )

    def end(self, token: str) -> None:
        """End a session; one that is over already stays so.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        mine = access_sessions.c.digest == digest_of(token[:_LONGEST_TOKEN])
        self._database.write(lambda connection: connection.execute(delete(access_sessions).where(mine)))

    def end_all(self, caller: Caller) -> int:
        """End every session of a user, on whatever machine; returns how many there were.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        c = access_sessions.c
        mine = delete(access_sessions).where((c.realm == caller.realm) & (c.subject == caller.subject))
        return self._database.write(lambda connection: connection.execute(mine).rowcount)

    # --- people who are at their issuer

    def send_away(self, realm: str, onward: str) -> tuple[str, SignIn]:
        """Remember somebody who goes to an issuer to sign in; returns the state they come back with.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        state = secrets.token_urlsafe(_BYTES)
        made = SignIn(realm, secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES), onward)
        now = self._database.now()
        row = {
            "digest": digest_of(state),
            "realm": realm,
            "nonce": made.nonce,
            "verifier": made.verifier,
            "onward": onward,
            "expires_at": now + SIGN_IN_SECONDS,
        }

        def work(connection: Any) -> None:
            connection.execute(delete(access_sign_ins).where(access_sign_ins.c.expires_at <= now))
            connection.execute(insert(access_sign_ins).values(row))

        self._database.write(work)
        return state, made

    def come_back(self, state: str) -> SignIn:
        """What was remembered of somebody who comes back; a state serves once.

        Raises:
            SessionEnded: It was used, is too old, or was never given out.
            DatabaseUnavailable: The database cannot be reached.
        """
        c = access_sign_ins.c
        mine = c.digest == digest_of(state[:_LONGEST_TOKEN])
        now = self._database.now()

        def work(connection: Any) -> Mapping[Any, Any] | None:
            found: Mapping[object, object] | None = (
                connection.execute(select(access_sign_ins).where(mine)).mappings().first()
            )
            # Of two who come back with one state only that one goes on whose row is still there to be erased.
            gone = connection.execute(delete(access_sign_ins).where(mine)).rowcount
            return found if gone else None

        row = self._database.write(work)
        if row is None or row["expires_at"] <= now:
            raise SessionEnded
        return SignIn(row["realm"], row["nonce"], row["verifier"], row["onward"])


def digest_of(token: str) -> str:
    """What is kept of a cookie. It has 256 bits of chance in it, so nobody can try them all."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
