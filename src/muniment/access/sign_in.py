"""Sign-in at an OIDC issuer by the code flow with PKCE, for people in a browser.

The rules are those of OpenID Connect Core 1.0 §3.1 and RFC 7636.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from muniment.access import jwks, tokens
from muniment.access.authority import Authority
from muniment.access.identities import Caller
from muniment.access.realms import Realm, is_safe_address
from muniment.access.sessions import SignIn
from muniment.errors.access import RealmNotFound, RealmUnavailable, SignInRefused

Exchange = Callable[[str, Mapping[str, str], Mapping[str, str]], bytes]
"""Posts a form with these headers to a URL and returns the body of its answer, whatever its status."""

_LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Client:
    """What an issuer calls this archive, and the secret it has for it, if it has one."""

    id: str
    secret: str = ""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Client({self.id!r})"


def clients_of(text: str) -> dict[str, Client]:
    """The clients of a setting: `realm=client` or `realm=client:secret`, with commas between.

    Raises:
        ValueError: It is not that.
    """
    found: dict[str, Client] = {}
    for word in filter(None, (each.strip() for each in text.split(","))):
        realm, equals, rest = word.partition("=")
        id, _, secret = rest.partition(":")  # noqa: A001 - the standard's word
        if not equals or not realm.strip() or not id:
            message = "it is a list of realm=client or realm=client:secret"
            raise ValueError(message)
        found[realm.strip()] = Client(id.strip(), secret)
    return found


class CodeFlow:
    """The way to the issuers and back."""

    def __init__(
        self, authority: Authority, clients: Mapping[str, Client], fetch: jwks.Fetch | None, exchange: Exchange
    ) -> None:
        """`fetch` gets an issuer's description and keys, `exchange` swaps a code for tokens."""
        self._authority = authority
        self._clients = clients
        self._fetch = fetch
        self._exchange = exchange

    def realms(self) -> list[Realm]:
        """The realms at which somebody can sign in, by their labels."""
        known = self._authority.snapshot().realms.values()
        return sorted((realm for realm in known if realm.label in self._clients), key=lambda realm: realm.label)

    def address(self, label: str, state: str, made: SignIn, back: str) -> str:
        """Where to send somebody who wants to sign in; `back` is where the issuer sends them then.

        Raises:
            RealmNotFound: One cannot sign in there.
            RealmUnavailable: The issuer's description cannot be had, or names no place to sign in.
        """
        realm = self._realm(label)
        asked = {
            "response_type": "code",
            "client_id": self._clients[label].id,
            "redirect_uri": back,
            "scope": "openid profile email",
            "state": state,
            "nonce": made.nonce,
            "code_challenge": challenge(made.verifier),
            "code_challenge_method": "S256",
        }
        place = self._endpoint(realm, "authorization_endpoint")
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(asked)}"

    def caller(self, made: SignIn, code: str, back: str) -> Caller:
        """Who came back with a code.

        Raises:
            SignInRefused: The issuer does not give a token for it, or one that was not made for this sign-in.
            InvalidAccessToken: The token cannot be believed.
            RealmNotFound, RealmUnavailable: As `address`.
        """
        realm = self._realm(made.realm)
        client = self._clients[made.realm]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": client.id,
            "code_verifier": made.verifier,
        }
        headers = {}
        if client.secret:
            pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"  # RFC 6749 §2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        place = self._endpoint(realm, "token_endpoint")
        try:
            answer = self._exchange(place, form, headers)
        except OSError as error:
            raise RealmUnavailable(realm=realm.label, url=place, reason=str(error)) from error
        return self._believed(_token_of(realm, answer), realm, client, made.nonce)

    def _believed(self, text: str, realm: Realm, client: Client, nonce: str) -> Caller:
        apart = tokens.take_apart(text)
        if apart.issuer != realm.issuer:
            raise SignInRefused(realm=realm.label, reason="its token names another issuer")
        checked = tokens.check(apart, self._authority.keys_of(realm), self._authority.clock, audience=client.id)
        given = apart.claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise SignInRefused(realm=realm.label, reason="its token was made for another sign-in")
        return checked.caller

    def _realm(self, label: str) -> Realm:
        found = next((realm for realm in self.realms() if realm.label == label), None)
        if found is None:
            raise RealmNotFound(realm=label[:64])
        return found

    def _endpoint(self, realm: Realm, name: str) -> str:
        if self._fetch is None:
            raise RealmUnavailable(realm=realm.label, url=realm.discovery, reason="no way to fetch is configured")
        described = jwks.document(realm.label, realm.discovery, self._fetch)
        place = described.get(name)
        if described.get("issuer") != realm.issuer:
            raise RealmUnavailable(realm=realm.label, url=realm.discovery, reason="it describes another issuer")
        if not isinstance(place, str) or not is_safe_address(place):
            raise RealmUnavailable(realm=realm.label, url=realm.discovery, reason=f"it names no https {name}")
        return place


def challenge(verifier: str) -> str:
    """What an issuer is told of a verifier before it sees it (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _token_of(realm: Realm, answer: bytes) -> str:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise SignInRefused(realm=realm.label, reason="its answer cannot be read")
    token = document.get("id_token")
    if not isinstance(token, str):
        said = document.get("error")
        word = said[:_LONGEST_WORD] if isinstance(said, str) and said.isprintable() else "it sent no token"
        raise SignInRefused(realm=realm.label, reason=word)
    return token
