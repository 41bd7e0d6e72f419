from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from muniment.access.jwks import KEEP_SECONDS, PAUSE_SECONDS, STALE_SECONDS, RealmKeys
from muniment.errors.access import RealmUnavailable
from tests.unit.access.making import CONFIG, ISSUER, KEYS, Issuer, ec_key, encoded, realm, rsa_key


class Watch:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def keys(issuer: Issuer, watch: Watch) -> RealmKeys:
    return RealmKeys(realm(), issuer.fetch, watch)


def ids(found: list[Any]) -> list[str | None]:
    return [key.kid for key in found]


def test_keys_are_found_through_the_description_and_kept(issuer: Issuer, keys: RealmKeys) -> None:
    for _ in range(5):
        assert ids(keys.suitable("RS256", "one")) == ["one"]
    assert issuer.asked == [CONFIG, KEYS]


def test_a_new_key_is_found_by_its_id(issuer: Issuer, keys: RealmKeys, watch: Watch) -> None:
    keys.suitable("RS256", "one")
    issuer.keys = [rsa_key("one"), rsa_key("two")]
    watch.time += PAUSE_SECONDS
    assert ids(keys.suitable("RS256", "two")) == ["two"]
    assert keys.generation == 2


def test_invented_key_ids_do_not_become_a_stream_of_requests(issuer: Issuer, keys: RealmKeys, watch: Watch) -> None:
    for number in range(1000):
        assert keys.suitable("RS256", f"invented-{number}") == []
    assert len(issuer.asked) == 2
    watch.time += PAUSE_SECONDS
    for number in range(1000):
        assert keys.suitable("RS256", f"invented-{number}") == []
    assert len(issuer.asked) == 4


def test_a_withdrawn_key_stops_being_trusted_within_the_hour(issuer: Issuer, keys: RealmKeys, watch: Watch) -> None:
    assert ids(keys.suitable("RS256", "one")) == ["one"]
    issuer.keys = [rsa_key("two")]
    watch.time += KEEP_SECONDS
    assert keys.suitable("RS256", "one") == []
    assert ids(keys.suitable("RS256", None)) == ["two"]


def test_while_the_issuer_is_down_its_keys_count_for_a_day(issuer: Issuer, keys: RealmKeys, watch: Watch) -> None:
    keys.suitable("RS256", "one")
    issuer.up = False
    begun = watch.time
    while watch.time + 1000 < begun + STALE_SECONDS:
        watch.time += 1000
        assert ids(keys.suitable("RS256", "one")) == ["one"]
    watch.time = begun + STALE_SECONDS
    with pytest.raises(RealmUnavailable, match="no answer") as refused:
        keys.suitable("RS256", "one")
    assert refused.value.http_status == 503
    issuer.up = True
    watch.time += PAUSE_SECONDS
    assert ids(keys.suitable("RS256", "one")) == ["one"]


def test_an_issuer_that_is_down_is_not_asked_all_the_time(issuer: Issuer, keys: RealmKeys, watch: Watch) -> None:
    issuer.up = False
    for _ in range(100):
        with pytest.raises(RealmUnavailable):
            keys.suitable("RS256", "one")
    assert issuer.asked == [CONFIG]


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b" " * (1024 * 1024 + 1),
        {},
        {"issuer": ISSUER},
        {"issuer": ISSUER + "/", "jwks_uri": KEYS},
        {"issuer": ISSUER, "jwks_uri": 7},
        {"issuer": ISSUER, "jwks_uri": "http://sso.example.org/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://127.0.0.1/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": "https://user:pw@sso.example.org/keys"},
    ],
)
def test_a_description_that_cannot_be_trusted_is_refused(issuer: Issuer, keys: RealmKeys, document: Any) -> None:
    issuer.documents[CONFIG] = document
    with pytest.raises(RealmUnavailable):
        keys.suitable("RS256", "one")


def listed(*entries: Any) -> dict[str, Any]:
    return {"keys": list(entries)}


PUBLIC: dict[str, Any] = dict(rsa_key("one").as_dict(private=False))
WEAK_NUMBER = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n
WEAK = {"kty": "RSA", "e": "AQAB", "n": encoded(WEAK_NUMBER.to_bytes(128, "big")), "kid": "one"}


@pytest.mark.parametrize(
    "document",
    [
        b"nonsense",
        {},
        {"keys": {}},
        listed(),
        listed(None, 7, "x", [], {}),
        listed(*[PUBLIC] * 101),
        listed({"kty": "oct", "k": "c2VjcmV0", "kid": "one"}),
        listed({**PUBLIC, "use": "enc"}),
        listed({**PUBLIC, "key_ops": ["encrypt"]}),
        listed({**PUBLIC, "n": 7}),
        listed({**PUBLIC, "n": "%%%"}),
        listed(WEAK),
        listed({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"}),
    ],
)
def test_keys_that_cannot_be_used_are_not_used(issuer: Issuer, keys: RealmKeys, document: Any) -> None:
    issuer.documents[KEYS] = document
    with pytest.raises(RealmUnavailable):
        keys.suitable("RS256", "one")


def test_good_keys_are_taken_from_among_bad_ones(issuer: Issuer, keys: RealmKeys) -> None:
    issuer.documents[KEYS] = listed({"kty": "new"}, {**PUBLIC, "use": "enc", "kid": "e"}, PUBLIC, None)
    assert ids(keys.suitable("RS256", None)) == ["one"]


def test_a_private_key_that_was_published_by_mistake_is_used_as_a_public_one(issuer: Issuer, keys: RealmKeys) -> None:
    issuer.documents[KEYS] = listed(rsa_key("one").as_dict(private=True))
    (found,) = keys.suitable("RS256", "one")
    assert not found.is_private


def test_a_key_is_only_asked_for_its_own_algorithms(issuer: Issuer, keys: RealmKeys) -> None:
    issuer.documents[KEYS] = listed(
        {**PUBLIC, "alg": "PS256"}, {**rsa_key("two").as_dict(private=False)}, ec_key("e").as_dict(private=False)
    )
    assert ids(keys.suitable("RS256", None)) == ["two"]
    assert ids(keys.suitable("PS256", None)) == ["one", "two"]
    assert ids(keys.suitable("ES256", None)) == ["e"]
    assert ids(keys.suitable("ES384", None)) == []
    assert ids(keys.suitable("EdDSA", None)) == []
