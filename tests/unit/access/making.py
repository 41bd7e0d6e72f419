"""An issuer of tokens with real keys, whose documents are fetched without a socket."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

from joserfc import jwk, jws

from muniment.access import AccessStore, Authority, Realm

ISSUER = "https://sso.example.org/realms/museum"
AUDIENCE = "muniment"
CONFIG = f"{ISSUER}/.well-known/openid-configuration"
KEYS = f"{ISSUER}/certs"


@cache
def rsa_key(name: str) -> jwk.RSAKey:
    """An RSA key pair, made once for each name and run: it takes a while."""
    return jwk.RSAKey.generate_key(2048, {"kid": name, "use": "sig"}, private=True)


@cache
def ec_key(name: str) -> jwk.ECKey:
    return jwk.ECKey.generate_key("P-256", {"kid": name}, private=True)


@cache
def okp_key(name: str) -> jwk.OKPKey:
    return jwk.OKPKey.generate_key("Ed25519", {"kid": name}, private=True)


class Issuer:
    """Signs tokens, and answers for its documents as long as it is `up`."""

    def __init__(self, *keys: jwk.RSAKey | jwk.ECKey | jwk.OKPKey) -> None:
        self.keys = list(keys) or [rsa_key("one")]
        self.documents: dict[str, Any] = {CONFIG: {"issuer": ISSUER, "jwks_uri": KEYS}}
        self.asked: list[str] = []
        self.up = True

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if not self.up:
            raise TimeoutError("no answer")
        if url in self.documents:
            found = self.documents[url]
            return found if isinstance(found, bytes) else json.dumps(found).encode()
        assert url == KEYS, url
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    def token(self, _key: Any = None, _header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that holds, but for what the caller changes; a claim of None is left out."""
        key = _key or self.keys[0]
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
        header: dict[str, Any] = {"alg": algorithm, "kid": key.kid, "typ": "JWT"} | (_header or {})
        header = {name: value for name, value in header.items() if value is not None}
        return jws.serialize_compact(
            header, json.dumps(self.claims(**claims)).encode(), key, algorithms=[header["alg"]]
        )

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = time.time()
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "iat": now, "exp": now + 300, **changed}
        return {name: value for name, value in claims.items() if value is not None}


def by_hand(header: dict[str, Any], claims: Any, sign: Any = None) -> str:
    """A token no honest library would make; `sign` is given what is signed."""
    parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
    signature = sign(".".join(parts).encode()) if sign else b""
    return ".".join([*parts, encoded(signature)])


def hs256(secret: bytes) -> Any:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def realm(**settings: Any) -> Realm:
    return Realm(**{"label": "museum", "issuer": ISSUER, "audiences": (AUDIENCE,), **settings})


def authority_for(issuer: Issuer, store: AccessStore, **settings: Any) -> Authority:
    """An authority that trusts the issuer."""
    store.realms.create(realm(**settings))
    return Authority(store, fetch=issuer.fetch)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def basic(user: str, password: str = "") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
