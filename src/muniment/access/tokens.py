"""Bearer tokens of OIDC realms: which issuer, whose signature, what claims; anything in doubt is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from muniment.access.identities import Caller, Identity
from muniment.access.jwks import RealmKeys
from muniment.access.realms import ALGORITHMS, Realm
from muniment.errors.access import (
    AccessTokenDoesNotContainAnIssuer,
    AccessTokenDoesNotContainSubject,
    InvalidAccessToken,
    InvalidAccessTokenFormat,
    UnknownAccessTokenIssuer,
)

Claims = dict[str, object]

LONGEST_TOKEN = 16 * 1024
_MOST_GROUPS = 1000
_LONGEST_NAME = 512
_MOST_CANDIDATES = 8


class _Registry(jws.JWSRegistry):
    """Which signatures and headers are looked at: our own list, not the library's, which has HMAC in it."""

    max_header_length = 8 * 1024  # some issuers send their certificates along

    def get_alg(self, name: str) -> Any:
        """The algorithm of this name, if it is one of ours."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A token taken apart; nothing in it is to be believed yet."""

    text: str
    algorithm: str
    key_id: str | None
    claims: Claims

    @property
    def issuer(self) -> str:
        """Who the token says made it.

        Raises:
            AccessTokenDoesNotContainAnIssuer: It does not say.
        """
        found = self.claims.get("iss")
        if not isinstance(found, str) or not found:
            raise AccessTokenDoesNotContainAnIssuer
        return found


@dataclass(frozen=True, slots=True)
class Checked:
    """Who a token stands for, until when (seconds since 1970 UTC), and by which state of the realm's keys."""

    caller: Caller
    until: float
    generation: int


def take_apart(token: str) -> Unchecked:
    """Split a compact JWS into what is needed to choose a realm and a key.

    Raises:
        InvalidAccessTokenFormat: It is no JWT, or too long to be looked at.
    """
    if len(token) > LONGEST_TOKEN:
        raise InvalidAccessTokenFormat(reason=f"it has more than {LONGEST_TOKEN} characters")
    if token.count(".") != 2 or not token.isascii():  # noqa: PLR2004 - header, claims, signature
        raise InvalidAccessTokenFormat(reason="it does not have three parts")
    try:
        parts = jws.extract_compact(token.encode("ascii"), registry=_REGISTRY)
        claims = json.loads(parts.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise InvalidAccessTokenFormat(reason="its parts are no base64url of JSON") from None
    header = parts.headers()
    key_id = header.get("kid")
    if not isinstance(claims, dict) or not isinstance(header.get("alg"), str):
        raise InvalidAccessTokenFormat(reason="its header or its claims are not as RFC 7519 has them")
    if key_id is not None and not isinstance(key_id, str):
        raise InvalidAccessTokenFormat(reason="its key id is no text")
    if "crit" in header or "b64" in header:
        raise InvalidAccessTokenFormat(reason="it uses extensions that are not supported")
    return Unchecked(token, header["alg"], key_id, claims)


def check(token: Unchecked, keys: RealmKeys, now: Callable[[], float] = time.time, *, audience: str = "") -> Checked:
    """Check signature and claims against a realm; with an `audience` it must be meant for that one, not the realm's.

    Raises:
        InvalidAccessToken: Signature, times or audience do not hold.
        AccessTokenDoesNotContainSubject: It names no user.
        RealmUnavailable: The realm's keys cannot be fetched.
    """
    realm = keys.realm
    if token.issuer != realm.issuer:
        raise UnknownAccessTokenIssuer
    # The realm's list decides, never the token: it may say `none`, or HMAC with the public key as its secret.
    if token.algorithm not in realm.algorithms:
        raise InvalidAccessToken(reason="its algorithm is not allowed")
    keys.refresh()
    generation = keys.generation  # read before the keys: should they change meanwhile, the token is checked again
    _check_signature(token, keys)
    until = _check_times(token.claims, realm.leeway, now())
    _check_audience(token.claims.get("aud"), (audience,) if audience else realm.audiences)
    return Checked(_caller(token.claims, realm), until, generation)


def _check_signature(token: Unchecked, keys: RealmKeys) -> None:
    for key in keys.suitable(token.algorithm, token.key_id)[:_MOST_CANDIDATES]:
        try:
            jws.deserialize_compact(token.text, key, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError):
            continue
        return
    raise InvalidAccessToken(reason="its signature is by no key of the realm")


def _check_times(claims: Claims, leeway: int, now: float) -> float:
    """The time the token ends, in seconds since 1970 UTC (RFC 7519 §4.1.4 to §4.1.6)."""
    until, since, made = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
    if until is None:
        raise InvalidAccessToken(reason="it does not say when it ends")
    if now >= until + leeway:
        raise InvalidAccessToken(reason="it has expired")
    if since is not None and now < since - leeway:
        raise InvalidAccessToken(reason="it is not valid yet")
    if made is not None and now < made - leeway:
        raise InvalidAccessToken(reason="it was made in the future")
    return until + leeway


def _seconds(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # Comparisons with NaN are never true, so one would pass every test.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:  # noqa: PLR2004
        raise InvalidAccessToken(reason=f"its {name!r} is no time")
    return float(value)


def _check_audience(found: object, wanted: tuple[str, ...]) -> None:
    if not wanted:
        return
    meant = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    if not any(audience in wanted for audience in meant if isinstance(audience, str)):
        raise InvalidAccessToken(reason="it was made for another audience")


def _caller(claims: Claims, realm: Realm) -> Caller:
    subject = next((found for name in realm.subject_claims if (found := _name(claims.get(name)))), "")
    if not subject:
        raise AccessTokenDoesNotContainSubject
    shown = (_name(claims.get(name)) for name in ("name", "preferred_username", "email"))
    email = _name(claims.get("email")) if claims.get("email_verified") is True else ""
    return Caller.known(
        Identity.user(realm.label, subject),
        groups=_groups(claims, realm.groups_claim),
        display_name=next(filter(None, shown), subject),
        email=email if "@" in email else "",
        scheme="token",
    )


def _groups(claims: Claims, claim: str) -> tuple[str, ...]:
    found: object = claims.get(claim)
    if found is None:
        found = claims
        for step in claim.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return ()
    if len(found) > _MOST_GROUPS:
        raise InvalidAccessToken(reason=f"it lists more than {_MOST_GROUPS} groups")
    return tuple(name for name in map(_name, found) if name)


def _name(value: object) -> str:
    """A text that can be shown and stored; empty for anything else."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isprintable() else ""
