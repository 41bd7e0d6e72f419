from __future__ import annotations

from typing import Any

import pytest

from muniment.access import AccessStore, Authority
from muniment.errors.access import BadRealm, IncorrectRev, RealmNotFound, RealmTaken, RealmUnavailable
from tests.unit.access.making import AUDIENCE, CONFIG, ISSUER, Issuer, bearer, realm


@pytest.mark.parametrize(
    "settings",
    [
        {"label": "keys"},
        {"label": "proxy"},
        {"label": "a b"},
        {"label": ""},
        {"issuer": "http://sso.example.org"},
        {"issuer": "sso.example.org"},
        {"issuer": "https://user:pw@sso.example.org"},
        {"issuer": "https://[broken"},
        {"config_url": "http://sso.example.org/x"},
        {"config_url": "file:///etc/passwd"},
        {"algorithms": ()},
        {"algorithms": ("none",)},
        {"algorithms": ("RS256", "HS256")},
        {"subject_claims": ()},
        {"subject_claims": ("",)},
        {"leeway": -1},
        {"leeway": 86400},
        {"audiences": ("",)},
    ],
)
def test_a_realm_that_would_be_unsafe_is_refused(store: AccessStore, settings: dict[str, Any]) -> None:
    with pytest.raises(BadRealm):
        store.realms.create(realm(**settings))
    assert store.realms.all() == []


def test_a_realm_is_read_as_it_was_written(store: AccessStore) -> None:
    given = realm(name="Museum", groups_claim="roles", leeway=5, logo="https://x.example.org/l.png")
    record = store.realms.create(given, by="keys/users/root")
    assert (record.realm, record.rev, record.deprecated, record.created_by) == (given, 1, False, "keys/users/root")
    assert store.realms.fetch("museum") == record
    changed = store.realms.update(realm(name="New"), 1, by="x")
    assert (changed.realm.name, changed.rev, changed.created_by, changed.changed_by) == (
        "New",
        2,
        "keys/users/root",
        "x",
    )


def test_neither_label_nor_issuer_can_be_taken_twice(store: AccessStore) -> None:
    store.realms.create(realm())
    with pytest.raises(RealmTaken):
        store.realms.create(realm(issuer="https://other.example.org"))
    with pytest.raises(RealmTaken):
        store.realms.create(realm(label="second", issuer=ISSUER))
    store.realms.deprecate("museum")
    with pytest.raises(RealmTaken):
        store.realms.create(realm())


def test_a_stale_revision_is_refused(store: AccessStore) -> None:
    store.realms.create(realm())
    with pytest.raises(IncorrectRev):
        store.realms.update(realm(name="x"), 7)
    with pytest.raises(IncorrectRev):
        store.realms.deprecate("museum", 7)
    assert store.realms.fetch("museum").rev == 1


def test_a_realm_that_is_not_there_cannot_be_changed(store: AccessStore) -> None:
    with pytest.raises(RealmNotFound):
        store.realms.update(realm())
    with pytest.raises(RealmNotFound):
        store.realms.deprecate("museum")


def test_a_realm_is_discovered_by_the_address_of_its_description(store: AccessStore) -> None:
    issuer = Issuer()
    authority = Authority(store, fetch=issuer.fetch)
    store.realms.create(authority.discover("museum", CONFIG, name="Museum", audiences=(AUDIENCE,)))
    found = store.realms.fetch("museum").realm
    assert (found.issuer, found.config_url) == (ISSUER, CONFIG)
    assert authority.identify(bearer(issuer.token()), "").subject == "u-1"


@pytest.mark.parametrize("document", [b"<html>", {}, {"issuer": 7}])
def test_what_is_no_description_discovers_nothing(store: AccessStore, document: Any) -> None:
    issuer = Issuer()
    issuer.documents[CONFIG] = document
    with pytest.raises(RealmUnavailable):
        Authority(store, fetch=issuer.fetch).discover("museum", CONFIG)


def test_nothing_is_discovered_where_it_is_not_safe(store: AccessStore) -> None:
    issuer = Issuer()
    for address in ("http://sso.example.org/x", "file:///etc/passwd", "https://a:b@sso.example.org/x"):
        with pytest.raises(BadRealm):
            Authority(store, fetch=issuer.fetch).discover("museum", address)
    assert issuer.asked == []
    issuer.documents[CONFIG] = {"issuer": "http://elsewhere.example.org"}
    with pytest.raises(BadRealm):
        Authority(store, fetch=issuer.fetch).discover("museum", CONFIG)
