"""Signing in at an OIDC issuer by the code flow with PKCE, against an issuer that is a program of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from muniment.access import Authority, Identity, Realm
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the provider's own libraries are being renamed
    from oidc_provider_mock import run_server_in_thread  # type: ignore[import-untyped]  # it ships no types


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def signing(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("issuer") / "archive"
    key = make_archive(place)
    with Authority.open(place / "control.db") as authority:
        authority.store.realms.create(Realm(label="library", issuer=issuer, name="The library"), by="test")
        ann = Identity.user("library", "ann@example.org")
        authority.store.rules.append("/", {ann: frozenset({"resources/read"})}, 1, by="test")
    with serving(place, key=key, sign_in_clients="library=muniment:secret") as running:
        yield running


# The provider runs in this process, with its own old libraries.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _at_issuer(
    visitor: Visitor, begun_at: str = "/sign-in/library?next=%2Ffind", subject: str = "ann%40example.org"
) -> str:
    """The address somebody comes back with after they signed in at the issuer."""
    begun = visitor.ask("GET", begun_at)
    assert begun.status == 303
    place = begun.headers["location"]
    asked = parse_qs(urlsplit(place).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["client_id"] == ["muniment"]
    browser = Visitor(place)
    answer = browser.ask("POST", place, f"sub={subject}".encode(), Content_Type="application/x-www-form-urlencoded")
    assert answer.status in {302, 303}, answer.text
    return answer.headers["location"]


def test_somebody_signs_in_at_their_issuer_and_lands_where_they_wanted(signing: Running) -> None:
    visitor = Visitor(signing.url)
    assert "Sign in at The library" in visitor.get("/sign-in").words
    back = visitor.ask("GET", _at_issuer(visitor))
    assert (back.status, back.headers["location"]) == (303, "/find"), back.text
    home = visitor.get("/")
    assert home.status == 200
    assert "ann@example.org" in home.page.the("body").text
    assert visitor.get("/events").status == 403


def test_a_state_serves_once_and_in_the_browser_that_took_it_along(signing: Running) -> None:
    mine = Visitor(signing.url)
    address = _at_issuer(mine)
    other = Visitor(signing.url)
    assert other.ask("GET", address).status == 401
    assert "muniment" not in other.cookies
    cookies = dict(mine.cookies)
    assert mine.ask("GET", address).status == 303
    mine.cookies = cookies
    assert mine.ask("GET", address).status == 401


def test_a_code_that_was_tampered_with_is_refused_without_a_session(signing: Running) -> None:
    visitor = Visitor(signing.url)
    address = _at_issuer(visitor)
    code = parse_qs(urlsplit(address).query)["code"][0]
    refused = visitor.ask("GET", address.replace(code, "x" * len(code)))
    assert refused.status == 403
    assert "did not sign you in" in refused.words
    assert "muniment" not in visitor.cookies


def test_an_issuer_that_is_away_is_said_so(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    with Authority.open(place / "control.db") as authority:
        authority.store.realms.create(Realm(label="away", issuer="http://127.0.0.1:9"), by="test")
    with serving(place, key=key, sign_in_clients="away=muniment") as running:
        answer = Visitor(running.url).ask("GET", "/sign-in/away")
        assert answer.status == 503
        assert "cannot be fetched" in answer.words


def test_a_realm_without_a_client_has_no_button_and_no_way_in(signing: Running) -> None:
    assert Visitor(signing.url).ask("GET", "/sign-in/unknown").status == 404
