"""Realms: the OIDC issuers whose tokens count, and what is asked of these tokens."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, text

from muniment.access.identities import KEYS_REALM, PROXY_REALM, is_label
from muniment.errors.access import BadRealm, IncorrectRev, RealmNotFound, RealmTaken

if TYPE_CHECKING:
    from muniment.access.store import AccessStore

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a private key that only the issuer has. Neither `none` nor HMAC can be allowed: whoever knows
the public key could then sign."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LONGEST_LEEWAY = 600


@dataclass(frozen=True, slots=True)
class Realm:
    """An OIDC issuer and what its tokens must hold."""

    label: str
    issuer: str
    """Letter by letter what the tokens have as `iss`."""
    audiences: tuple[str, ...] = ()
    """A token must be meant for one of these (`aud`). None at all takes any token of the issuer, whichever
    service it was made for: only for issuers that serve this archive alone."""
    name: str = ""
    config_url: str = ""
    """The issuer's description; by default `<issuer>/.well-known/openid-configuration`."""
    algorithms: tuple[str, ...] = ALGORITHMS
    groups_claim: str = "groups"
    """Where the token lists groups; a dot leads inwards: `realm_access.roles`."""
    subject_claims: tuple[str, ...] = ("sub", "preferred_username")
    """The first of these that the token holds is the user. Only `sub` is never given to somebody else."""
    leeway: int = 30
    """Seconds by which the issuer's clock may differ from ours."""
    logo: str = ""

    @property
    def discovery(self) -> str:
        """Where the issuer's description lies (OpenID Connect Discovery 1.0 §4)."""
        return self.config_url or self.issuer.rstrip("/") + "/.well-known/openid-configuration"

    def check(self) -> Realm:
        """Accept settings that can be used and are safe.

        Raises:
            BadRealm: They are not.
        """
        for reason, wrong in (
            ("its label is not 1 to 64 letters, digits, '-' or '_'", not is_label(self.label)),
            ("the name belongs to Muniment", self.label in {KEYS_REALM, PROXY_REALM}),
            ("the issuer is no https address", not is_safe_address(self.issuer)),
            ("its description is not at an https address", not is_safe_address(self.discovery)),
            ("it allows no algorithm", not self.algorithms),
            (f"it may allow {', '.join(ALGORITHMS)} only", not set(self.algorithms) <= set(ALGORITHMS)),
            ("it names no claim for the user", not self.subject_claims or not all(self.subject_claims)),
            (f"the leeway is not 0 to {_LONGEST_LEEWAY} seconds", not 0 <= self.leeway <= _LONGEST_LEEWAY),
            ("an audience is empty", not all(self.audiences)),
        ):
            if wrong:
                raise BadRealm(realm=self.label[:64], reason=reason)
        return self


@dataclass(frozen=True, slots=True)
class RealmRecord:
    """A realm as the store has it. Times are seconds since 1970 UTC."""

    realm: Realm
    rev: int
    deprecated: bool
    """No token of it is taken any more; its name stays taken, since rules may hold it."""
    created_at: float
    created_by: str
    changed_at: float
    changed_by: str

    def as_json(self) -> dict[str, object]:
        """The realm as the command line prints it."""
        return {**asdict(self.realm), "rev": self.rev, "deprecated": self.deprecated}


@dataclass(frozen=True, slots=True)
class RealmRevision:
    """A realm as one change left it. Times are seconds since 1970 UTC."""

    realm: Realm
    rev: int
    deprecated: bool
    changed_at: float
    changed_by: str


def is_safe_address(address: str) -> bool:
    """Whether what comes from this address cannot be changed on its way: https, or http on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username or parts.password or parts.fragment or not address.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


class RealmStore:
    """The realms in the store."""

    def __init__(self, store: AccessStore) -> None:
        self._store = store

    def all(self) -> list[RealmRecord]:
        """All realms, deprecated ones too, by label.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        return self._store.database.read(records)

    def fetch(self, label: str) -> RealmRecord:
        """One realm.

        Raises:
            RealmNotFound: There is none of that label.
            DatabaseUnavailable: The database cannot be reached.
        """
        for record in self.all():
            if record.realm.label == label:
                return record
        raise RealmNotFound(realm=label[:64])

    def revisions(self, label: str, most: int = 20) -> list[RealmRevision]:
        """What a realm was after each change, the newest first.

        Raises:
            DatabaseUnavailable: The database cannot be reached.
        """
        asked = {"label": label, "most": most}
        rows = self._store.database.read(lambda connection: connection.execute(_REVISIONS, asked).all())
        return [
            RealmRevision(_realm(row.settings), row.rev, bool(row.deprecated), row.changed_at, row.changed_by)
            for row in rows
        ]

    def create(self, realm: Realm, *, by: str = "") -> RealmRecord:
        """Trust an issuer.

        Raises:
            BadRealm: Its settings cannot be used.
            RealmTaken: Its label or its issuer is there already.
            DatabaseUnavailable: The database cannot be reached.
        """
        return self._put(realm.check(), 0, deprecated=False, by=by)

    def update(self, realm: Realm, rev: int | None = None, *, by: str = "") -> RealmRecord:
        """Change a realm's settings; a deprecated one is trusted again.

        Raises:
            BadRealm, RealmNotFound, RealmTaken: It cannot be so.
            IncorrectRev: Somebody changed it in between.
            DatabaseUnavailable: The database cannot be reached.
        """
        self.fetch(realm.check().label)
        return self._put(realm, rev, deprecated=False, by=by)

    def deprecate(self, label: str, rev: int | None = None, *, by: str = "") -> RealmRecord:
        """Trust an issuer no longer.

        Raises:
            RealmNotFound: There is no such realm.
            IncorrectRev: Somebody changed it in between.
            DatabaseUnavailable: The database cannot be reached.
        """
        return self._put(self.fetch(label).realm, rev, deprecated=True, by=by)

    def _put(self, realm: Realm, rev: int | None, *, deprecated: bool, by: str) -> RealmRecord:
        def work(connection: Connection) -> RealmRecord:
            there = {record.realm.label: record for record in records(connection)}
            old = there.get(realm.label)
            newest = old.rev if old else 0
            if rev is not None and rev != newest:
                raise RealmTaken(realm=realm.label) if rev == 0 else IncorrectRev(provided=rev, expected=newest)
            if any(other.realm.issuer == realm.issuer for label, other in there.items() if label != realm.label):
                raise RealmTaken(realm=realm.label)
            values = {
                "label": realm.label,
                "rev": newest + 1,
                "issuer": realm.issuer,
                "settings": json.dumps(asdict(realm), ensure_ascii=False),
                "deprecated": deprecated,
                "now": time.time(),
                "by": by,
            }
            connection.execute(_UPDATE if old else _INSERT, values)
            connection.execute(_INSERT_REVISION, values)
            return {record.realm.label: record for record in records(connection)}[realm.label]

        return self._store.change(work)


def records(connection: Connection) -> list[RealmRecord]:
    """All realms by label."""
    return [_record(row) for row in connection.execute(_ALL)]


def _record(row: Row[object]) -> RealmRecord:
    realm = _realm(row.settings)
    rest = (row.created_at, row.created_by, row.changed_at, row.changed_by)
    return RealmRecord(realm, row.rev, bool(row.deprecated), *rest)


def _realm(text_: str) -> Realm:
    settings = json.loads(text_)
    for name in ("audiences", "algorithms", "subject_claims"):
        settings[name] = tuple(settings[name])
    return Realm(**settings)


_ALL = text("SELECT * FROM access_realms ORDER BY label")
_INSERT = text(
    "INSERT INTO access_realms"
    " (label, rev, issuer, settings, deprecated, created_at, created_by, changed_at, changed_by)"
    " VALUES (:label, :rev, :issuer, :settings, :deprecated, :now, :by, :now, :by)"
)
_REVISIONS = text("SELECT * FROM access_realm_revisions WHERE label = :label ORDER BY rev DESC LIMIT :most")
_INSERT_REVISION = text(
    "INSERT INTO access_realm_revisions (label, rev, settings, deprecated, changed_at, changed_by)"
    " VALUES (:label, :rev, :settings, :deprecated, :now, :by)"
)
_UPDATE = text(
    "UPDATE access_realms SET rev = :rev, issuer = :issuer, settings = :settings, deprecated = :deprecated,"
    " changed_at = :now, changed_by = :by WHERE label = :label"
)
