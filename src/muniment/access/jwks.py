"""The public keys of a realm: found by the issuer's description, kept a while, fetched anew when they change."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwk
from joserfc.errors import JoseError

from muniment.access.realms import Realm, is_safe_address
from muniment.errors.access import RealmUnavailable

Fetch = Callable[[str], bytes]
"""Gets a URL and returns the body of its answer 200. Access itself opens no socket: time limits, redirects and
the guard against private addresses belong to whoever hands this in."""
Clock = Callable[[], float]
PublicKey = jwk.RSAKey | jwk.ECKey | jwk.OKPKey

KEEP_SECONDS = 3600.0
"""After this long the keys are fetched anew, so that one the issuer withdrew stops being trusted."""
STALE_SECONDS = 86400.0
"""While the issuer cannot be reached, its keys count this long."""
PAUSE_SECONDS = 30.0
"""Between two fetches at least: a stream of tokens with invented key ids must not become a stream of requests."""
_LARGEST_DOCUMENT = 1024 * 1024
_MOST_KEYS = 100
_LEAST_RSA_BITS = 2048


class RealmKeys:
    """The keys of one realm."""

    def __init__(self, realm: Realm, fetch: Fetch, clock: Clock = time.monotonic) -> None:
        self.realm = realm
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._trouble: RealmUnavailable | None = None
        self.generation = 0
        """Grows when the keys change: what was checked with the old ones counts no more."""

    def suitable(self, algorithm: str, key_id: str | None) -> list[PublicKey]:
        """The keys that may have made a signature. An unknown key id makes the keys be fetched anew, but not too often.

        Raises:
            RealmUnavailable: There are no keys, or only ones too old, and none can be fetched.
        """
        self.refresh()
        found = self._matching(algorithm, key_id)
        if not found and key_id is not None:
            self.refresh(wanted=key_id)
            found = self._matching(algorithm, key_id)
        return found

    def count(self) -> int:
        """How many keys the issuer has at this moment; they are fetched anew for it.

        Raises:
            RealmUnavailable: They cannot be had.
        """
        return len(self._read())

    def refresh(self, wanted: str | None = None) -> None:
        """Fetch the keys if they are old, or lack the `wanted` one.

        Raises:
            RealmUnavailable: There are no keys, or only ones too old, and none can be fetched.
        """
        if wanted is None and self._younger_than(KEEP_SECONDS):
            return
        with self._lock:
            # Somebody else may have fetched them while this thread waited.
            if wanted is None and self._younger_than(KEEP_SECONDS):
                return
            if wanted is not None and any(key.kid == wanted for key in self._keys):
                return
            if self._tried_at is None or self._clock() - self._tried_at >= PAUSE_SECONDS:
                self._tried_at = self._clock()
                self._load()
        if not self._younger_than(STALE_SECONDS):
            assert self._trouble is not None
            raise RealmUnavailable(**self._trouble.details)

    def _younger_than(self, seconds: float) -> bool:
        return self._fetched_at is not None and self._clock() - self._fetched_at < seconds

    def _matching(self, algorithm: str, key_id: str | None) -> list[PublicKey]:
        return [key for key in self._keys if (key_id is None or key.kid == key_id) and _fits(key, algorithm)]

    def _load(self) -> None:
        try:
            keys = self._read()
        except RealmUnavailable as error:
            self._trouble = error
            return
        if [key.as_dict() for key in keys] != [key.as_dict() for key in self._keys]:
            self.generation += 1
        self._keys = keys
        self._trouble = None
        self._fetched_at = self._clock()

    def _read(self) -> tuple[PublicKey, ...]:
        url = self.realm.discovery
        described = self._document(url)
        if described.get("issuer") != self.realm.issuer:
            raise RealmUnavailable(realm=self.realm.label, url=url, reason="it describes another issuer")
        where = described.get("jwks_uri")
        if not isinstance(where, str) or not is_safe_address(where) or _weaker(where, url):
            raise RealmUnavailable(realm=self.realm.label, url=url, reason="it names no https address of its keys")
        listed = self._document(where).get("keys")
        if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
            raise RealmUnavailable(realm=self.realm.label, url=where, reason="it holds no list of keys, or too many")
        keys = tuple(key for key in map(_public, listed) if key is not None)
        if not keys:
            raise RealmUnavailable(realm=self.realm.label, url=where, reason="it holds no key that can be used")
        return keys

    def _document(self, url: str) -> dict[str, object]:
        return document(self.realm.label, url, self._fetch)


def document(label: str, url: str, fetch: Fetch) -> dict[str, object]:
    """A JSON object that belongs to the realm `label`.

    Raises:
        RealmUnavailable: It cannot be had, is too large, or is no JSON object.
    """
    try:
        body = fetch(url)
    except Exception as error:
        # Whatever the fetch function raises means the same here: this realm cannot be reached.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RealmUnavailable(realm=label, url=url, reason=reason) from error
    if len(body) > _LARGEST_DOCUMENT:
        raise RealmUnavailable(realm=label, url=url, reason=f"the answer is larger than {_LARGEST_DOCUMENT} bytes")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RealmUnavailable(realm=label, url=url, reason="the answer is no JSON object")
    return value


def _weaker(where: str, than: str) -> bool:
    """Whether an address is less protected than the one that led to it."""
    return urlsplit(than).scheme == "https" and urlsplit(where).scheme != "https"


def _public(value: object) -> PublicKey | None:
    """A public key for signatures; None for any other, which an issuer may well list beside them."""
    if not isinstance(value, dict) or value.get("use", "sig") != "sig":
        return None
    operations = value.get("key_ops")
    if operations is not None and (not isinstance(operations, list) or "verify" not in operations):
        return None
    try:
        # Symmetric keys are left out: with one, whoever can check a signature could make it.
        match value.get("kty"):
            case "RSA" if len(value["n"]) * 6 < _LEAST_RSA_BITS:  # six bits to a letter of base64
                return None
            case "RSA":
                key: PublicKey = jwk.RSAKey.import_key(
                    {name: value[name] for name in ("kty", "n", "e")} | _named(value)
                )
            case "EC":
                key = jwk.ECKey.import_key({name: value[name] for name in ("kty", "crv", "x", "y")} | _named(value))
            case "OKP":
                key = jwk.OKPKey.import_key({name: value[name] for name in ("kty", "crv", "x")} | _named(value))
            case _:
                return None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return key


def _named(value: dict[str, Any]) -> dict[str, str]:
    return {name: value[name] for name in ("kid", "alg") if isinstance(value.get(name), str)}


_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}


def _fits(key: PublicKey, algorithm: str) -> bool:
    """Whether a key can have made signatures of this algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864)."""
    if key.alg not in {None, algorithm} and {key.alg, algorithm} != {"EdDSA", "Ed25519"}:
        return False
    if algorithm in _CURVES:
        return not isinstance(key, jwk.RSAKey) and key.curve_name == _CURVES[algorithm]
    return isinstance(key, jwk.RSAKey)
