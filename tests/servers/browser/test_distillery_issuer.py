"""The Distillery's form for people who sign in at an issuer: for a verified address that is on the list."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.access import Authority, Realm
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.small_collection import write_settings
from tests.servers.browser.test_issuer import _at_issuer
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the provider's own libraries are being renamed
    from oidc_provider_mock import (  # type: ignore[import-untyped]  # it ships no types
        User,
        run_server_in_thread,
    )

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PEOPLE = {
    "ann": {"email": "ann@example.org", "email_verified": True},
    "ben": {"email": "ben@example.org", "email_verified": True},
    "claimant": {"email": "ann@example.org", "email_verified": False},
    "nameless": {},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("distillery")
    (place / "scans").mkdir()
    (place / "cloud").mkdir()
    (place / "users.csv").write_text("email_address,display_name\nann@example.org,Ann Archer\n")
    people = [User(sub=name, claims=claims) for name, claims in PEOPLE.items()]
    with run_server_in_thread(user_claims=people) as issuer, ArchivesSpaceServer() as catalogue:
        settings = _settings(place, catalogue)
        key = make_archive(place / "A")
        with Authority.open(place / "A/control.db") as authority:
            where = f"http://localhost:{issuer.server_port}"
            authority.store.realms.create(Realm(label="library", issuer=where, name="The library"), by="test")
        with serving(
            place / "A",
            key=key,
            sign_in_clients="library=muniment:secret",
            distillery=settings,
            allow_private_addresses=True,
            scratch=place / "scratch",
        ) as made:
            yield made


def _settings(place: Path, catalogue: ArchivesSpaceServer) -> Path:
    settings = write_settings(place / "distillery.toml", catalogue, cloud=f'address = "{place}/cloud"')
    text = settings.read_text()
    settings.write_text(text.replace("[distillery]\n", '[distillery]\nusers = "users.csv"\n', 1))
    return settings


@pytest.mark.parametrize(("name", "status"), [("ann", 200), ("ben", 403), ("claimant", 403), ("nameless", 403)])
def test_the_form_is_for_whose_verified_address_is_on_the_list(running: Running, name: str, status: int) -> None:
    visitor = Visitor(running.url)
    assert visitor.get("/distillery/new").url.endswith("/sign-in?next=%2Fdistillery%2Fnew")
    back = visitor.ask("GET", _at_issuer(visitor, "/sign-in/library?next=%2Fdistillery%2Fnew", name))
    assert (back.status, back.headers["location"]) == (303, "/distillery/new"), back.text
    for path in ("/distillery", "/distillery/new"):
        assert visitor.get(path).status == status, path
