"""Tokens of a real OpenID Connect provider, got as a browser would get them."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from muniment.access import AccessStore, Authority, Identity, Realm
from muniment.errors.access import InvalidAccessToken, InvalidAccessTokenFormat, RealmUnavailable

SignIn = Callable[[str], dict[str, str]]
HERE = "127.0.0.1"


@pytest.fixture
def sign_in(provider: str) -> SignIn:
    """The tokens a client gets for its user, by the authorization code flow."""

    def run(client: str) -> dict[str, str]:
        back = "https://archive.example.org/back"
        asked = {"client_id": client, "redirect_uri": back, "response_type": "code", "scope": "openid profile email"}
        with warnings.catch_warnings(), httpx2.Client() as browser:
            warnings.simplefilter("ignore")  # the provider runs in this process, with its own old libraries
            answer = browser.post(f"{provider}/oauth2/authorize", params=asked, data={"sub": "ann-1"})
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            given = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
            answer = browser.post(f"{provider}/oauth2/token", data=given, auth=(client, "secret"))
            answer.raise_for_status()
        tokens: dict[str, str] = answer.json()
        return tokens

    return run


def fetch(url: str) -> bytes:
    return httpx2.get(url).raise_for_status().content


@pytest.fixture
def authority(tmp_path: Path, provider: str) -> Authority:
    store = AccessStore.open(tmp_path / "control.db")
    store.realms.create(Realm("museum", provider, ("archive",)))
    store.rules.append("/o", {Identity.group("museum", "staff"): frozenset({"resources/read"})})
    return Authority(store, fetch=fetch)


def test_a_user_signs_in_and_has_the_rights_of_the_group(sign_in: SignIn, authority: Authority) -> None:
    token = sign_in("archive")["id_token"]
    caller = authority.identify({"authorization": f"Bearer {token}"}, HERE)
    assert caller.user == Identity.user("museum", "ann-1")
    assert (caller.display_name, caller.email) == ("Ann Lee", "ann@example.org")
    assert authority.permissions(caller, "o/p") == {"resources/read"}
    assert authority.permissions(caller, "other/p") == set()


def test_a_token_for_another_client_is_refused(sign_in: SignIn, authority: Authority) -> None:
    with pytest.raises(InvalidAccessToken, match="audience"):
        authority.identify({"authorization": f"Bearer {sign_in('wiki')['id_token']}"}, HERE)


def test_a_token_that_is_no_jwt_is_refused(sign_in: SignIn, authority: Authority) -> None:
    with pytest.raises(InvalidAccessTokenFormat):
        authority.identify({"authorization": f"Bearer {sign_in('archive')['access_token']}"}, HERE)


def test_a_token_with_the_claims_of_somebody_else_is_refused(sign_in: SignIn, authority: Authority) -> None:
    header, claims, signature = sign_in("archive")["id_token"].split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": "root"}
    claims = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    with pytest.raises(InvalidAccessToken, match="signature"):
        authority.identify({"authorization": f"Bearer {header}.{claims}.{signature}"}, HERE)


def test_a_provider_that_is_gone_makes_tokens_wait_not_pass(tmp_path: Path, sign_in: SignIn, provider: str) -> None:
    token = sign_in("archive")["id_token"]

    def unreachable(_: str) -> bytes:
        return fetch("http://127.0.0.1:9/nothing-listens-here")

    with AccessStore.open(tmp_path / "other.db") as store:
        store.realms.create(Realm("museum", provider, ("archive",)))
        with pytest.raises(RealmUnavailable) as refused:
            Authority(store, fetch=unreachable).identify({"authorization": f"Bearer {token}"}, HERE)
    assert refused.value.http_status == 503
    assert token not in str(refused.value)
