from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwk

from muniment.access import AccessStore, Authority, Identity
from muniment.errors.access import (
    AccessTokenDoesNotContainAnIssuer,
    AccessTokenDoesNotContainSubject,
    AuthenticationFailed,
    InvalidAccessToken,
    InvalidAccessTokenFormat,
    RealmUnavailable,
    UnknownAccessTokenIssuer,
)
from tests.timing import own_seconds
from tests.unit.access.making import (
    AUDIENCE,
    ISSUER,
    Issuer,
    authority_for,
    bearer,
    by_hand,
    ec_key,
    encoded,
    hs256,
    okp_key,
    realm,
    rsa_key,
)

HERE = "127.0.0.1"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def trusting(issuer: Issuer, store: AccessStore) -> Authority:
    return authority_for(issuer, store)


def test_a_good_token_names_user_groups_and_mail(issuer: Issuer, trusting: Authority) -> None:
    token = issuer.token(groups=["staff", "b\x00d", 7], name="Ann Lee", email="ann@example.org", email_verified=True)
    for scheme in ("Bearer", "bearer"):
        caller = trusting.identify({"authorization": f"{scheme} {token}"}, HERE)
        assert sorted(map(str, caller.identities)) == [
            "anonymous",
            "museum/authenticated",
            "museum/groups/staff",
            "museum/users/u-1",
        ]
        assert (caller.display_name, caller.email, caller.scheme) == ("Ann Lee", "ann@example.org", "token")


def test_a_mail_address_nobody_verified_is_not_believed(issuer: Issuer, trusting: Authority) -> None:
    for verified in (None, False, "true", 1):
        token = issuer.token(email="boss@example.org", email_verified=verified)
        assert trusting.identify(bearer(token), HERE).email == ""


@pytest.mark.parametrize("key", [rsa_key("r"), ec_key("e"), okp_key("o")], ids=["RSA", "EC", "Ed25519"])
def test_signatures_of_every_kind_of_key_hold(key: Any, store: AccessStore) -> None:
    issuer = Issuer(rsa_key("one"), key)
    assert authority_for(issuer, store).identify(bearer(issuer.token(key)), HERE).subject == "u-1"


def test_a_name_stands_in_for_a_missing_subject(issuer: Issuer, trusting: Authority) -> None:
    caller = trusting.identify(bearer(issuer.token(sub=None, preferred_username="ann")), HERE)
    assert caller.user == Identity.user("museum", "ann")


@pytest.mark.parametrize("audience", [AUDIENCE, ["other", AUDIENCE]], ids=["alone", "among others"])
def test_a_token_made_for_this_archive_is_taken(issuer: Issuer, trusting: Authority, audience: Any) -> None:
    assert trusting.identify(bearer(issuer.token(aud=audience)), HERE).subject == "u-1"


def test_groups_may_lie_deeper(issuer: Issuer, store: AccessStore) -> None:
    authority = authority_for(issuer, store, groups_claim="realm_access.roles")
    caller = authority.identify(bearer(issuer.token(realm_access={"roles": ["curator"]})), HERE)
    assert Identity.group("museum", "curator") in caller.identities
    for odd in ({"roles": {"x": 1}}, "curator", [1], {"roles": None}):
        found = authority.identify(bearer(issuer.token(realm_access=odd)), HERE)
        assert not any(identity.kind == "group" for identity in found.identities)


def public_pem(_: Issuer) -> bytes:
    return rsa_key("one").as_pem(private=False)


def rsa_signature(signed: bytes) -> bytes:
    private: Any = rsa_key("one").private_key
    signature: bytes = private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return signature


Make = Callable[[Issuer], str]
NOW = time.time()
RS256 = b'{"alg":"RS256"}'
ENDLESS = b'{"exp":' + b"9" * 6000 + b"}"
STRANGER = jwk.RSAKey.generate_key(2048, {"kid": "one"}, private=True)

BAD: dict[str, tuple[Make, type[AuthenticationFailed]]] = {
    "no algorithm": (lambda i: by_hand({"alg": "none"}, i.claims()), InvalidAccessToken),
    "no algorithm, in capitals": (lambda i: by_hand({"alg": "NONE", "kid": "one"}, i.claims()), InvalidAccessToken),
    "no signature": (lambda i: by_hand({"alg": "RS256", "kid": "one"}, i.claims()), InvalidAccessToken),
    "the public key as HMAC secret": (
        lambda i: by_hand({"alg": "HS256", "kid": "one"}, i.claims(), hs256(public_pem(i))),
        InvalidAccessToken,
    ),
    "the public key as HMAC secret, for RS256": (
        lambda i: by_hand({"alg": "RS256", "kid": "one"}, i.claims(), hs256(public_pem(i))),
        InvalidAccessToken,
    ),
    "a key in the token itself": (
        lambda i: i.token(STRANGER, {"kid": "mine", "jwk": STRANGER.as_dict(private=False)}),
        InvalidAccessToken,
    ),
    "an address of keys in the token itself": (
        lambda i: i.token(STRANGER, {"kid": "mine", "jku": "https://evil.example.com/keys"}),
        InvalidAccessToken,
    ),
    "a stranger's key under a known id": (lambda i: i.token(STRANGER), InvalidAccessToken),
    "a stranger's key without id": (lambda i: i.token(STRANGER, {"kid": None}), InvalidAccessToken),
    "an unknown key id": (lambda i: i.token(None, {"kid": "../../etc/passwd"}), InvalidAccessToken),
    "a key id that is no text": (
        lambda i: by_hand({"alg": "RS256", "kid": ["one"]}, i.claims()),
        InvalidAccessTokenFormat,
    ),
    "unknown critical extensions": (
        lambda i: by_hand({"alg": "RS256", "kid": "one", "crit": ["x"], "x": 1}, i.claims()),
        InvalidAccessTokenFormat,
    ),
    "expired": (lambda i: i.token(exp=time.time() - 31), InvalidAccessToken),
    "expired for ever": (lambda i: i.token(exp=0), InvalidAccessToken),
    "no end": (lambda i: i.token(exp=None), InvalidAccessToken),
    "an end that is text": (lambda i: i.token(exp="2999-01-01"), InvalidAccessToken),
    "an end that is true": (lambda i: i.token(exp=True), InvalidAccessToken),
    "an end that is no number": (lambda i: i.token(exp=float("nan")), InvalidAccessToken),
    "an end in all eternity": (lambda i: i.token(exp=float("inf")), InvalidAccessToken),
    "not valid yet": (lambda i: i.token(nbf=time.time() + 60), InvalidAccessToken),
    "made in the future": (lambda i: i.token(iat=time.time() + 60), InvalidAccessToken),
    "another audience": (lambda i: i.token(aud="wiki"), InvalidAccessToken),
    "part of the audience's name": (lambda i: i.token(aud=AUDIENCE[:-1]), InvalidAccessToken),
    "a list of other audiences": (lambda i: i.token(aud=["wiki", AUDIENCE + "2", [AUDIENCE]]), InvalidAccessToken),
    "no audience": (lambda i: i.token(aud=None), InvalidAccessToken),
    "an audience that is no text": (lambda i: i.token(aud={AUDIENCE: 1}), InvalidAccessToken),
    "a foreign issuer": (lambda i: i.token(iss="https://evil.example.com"), UnknownAccessTokenIssuer),
    "nearly the issuer": (lambda i: i.token(iss=ISSUER + "/"), UnknownAccessTokenIssuer),
    "no issuer": (lambda i: i.token(iss=None), AccessTokenDoesNotContainAnIssuer),
    "an issuer that is no text": (lambda i: i.token(iss=[ISSUER]), AccessTokenDoesNotContainAnIssuer),
    "no subject": (lambda i: i.token(sub=None), AccessTokenDoesNotContainSubject),
    "an empty subject": (lambda i: i.token(sub=""), AccessTokenDoesNotContainSubject),
    "a subject with control characters": (lambda i: i.token(sub="a\r\nb"), AccessTokenDoesNotContainSubject),
    "too many groups": (lambda i: i.token(groups=[str(n) for n in range(1001)]), InvalidAccessToken),
    "garbage": (lambda _: "garbage", InvalidAccessTokenFormat),
    "garbage in three parts": (lambda _: "a.b.c", InvalidAccessTokenFormat),
    "empty parts": (lambda _: "..", InvalidAccessTokenFormat),
    "five parts, an encrypted token": (lambda i: i.token() + ".x.y", InvalidAccessTokenFormat),
    "no ASCII": (lambda i: i.token() + "é", InvalidAccessTokenFormat),
    "claims that are a list": (lambda _: by_hand({"alg": "RS256"}, [1]), InvalidAccessTokenFormat),
    "a header that is a list": (
        lambda i: f"{encoded(b'[1]')}.{encoded(json.dumps(i.claims()).encode())}.x",
        InvalidAccessTokenFormat,
    ),
    "claims as deep as a well": (
        lambda _: f"{encoded(RS256)}.{encoded(b'[' * 5000)}.x",
        InvalidAccessTokenFormat,
    ),
    "a number without end": (
        lambda _: f"{encoded(RS256)}.{encoded(ENDLESS)}.x",
        InvalidAccessTokenFormat,
    ),
    "oversized": (lambda i: i.token(padding="x" * 17_000), InvalidAccessTokenFormat),
    "nothing": (lambda _: "", InvalidAccessTokenFormat),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_token_is_refused(
    what: str, issuer: Issuer, trusting: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make, expected = BAD[what]
    token = make(issuer)
    for _ in range(2):  # the second time nothing that was remembered may help it
        with pytest.raises(AuthenticationFailed) as refused:
            trusting.identify(bearer(token), HERE)
        assert type(refused.value) is expected
        assert refused.value.http_status == 401
        assert 'error="invalid_token"' in refused.value.challenges()[0]
        if len(token) > 10:
            assert token not in f"{refused.value!r} {refused.value.details} {caplog.text}"
    assert trusting.identify(bearer(issuer.token()), HERE).subject == "u-1"


def test_a_token_altered_in_one_letter_is_refused(issuer: Issuer, trusting: Authority) -> None:
    header, claims, signature = issuer.token(sub="u-1").split(".")
    forged = encoded(json.dumps(issuer.claims(sub="u-2")).encode())
    with pytest.raises(InvalidAccessToken):
        trusting.identify(bearer(f"{header}.{forged}.{signature}"), HERE)
    for at in range(0, len(signature) - 2, 17):
        other = "A" if signature[at] != "A" else "B"
        with pytest.raises(InvalidAccessToken):
            trusting.identify(bearer(f"{header}.{claims}.{signature[:at]}{other}{signature[at + 1 :]}"), HERE)


def test_clocks_may_differ_by_the_leeway(issuer: Issuer, trusting: Authority) -> None:
    for name, seconds in (("exp", -20), ("nbf", 20), ("iat", 20)):
        token = issuer.token(None, None, **{name: time.time() + seconds})
        assert trusting.identify(bearer(token), HERE).subject == "u-1"


def test_a_remembered_token_ends_when_it_ends(issuer: Issuer, store: AccessStore) -> None:
    store.realms.create(realm(leeway=0))
    moment = [time.time()]
    authority = Authority(store, fetch=issuer.fetch, clock=lambda: moment[0])
    token = issuer.token(exp=moment[0] + 10, iat=moment[0])
    assert authority.identify(bearer(token), HERE).subject == "u-1"
    end = moment[0] + 10
    moment[0] = end - 0.001
    assert authority.identify(bearer(token), HERE).subject == "u-1"
    moment[0] = end  # RFC 7519 §4.1.4: on that time it must not be accepted any more
    with pytest.raises(InvalidAccessToken, match="expired"):
        authority.identify(bearer(token), HERE)


def test_the_older_name_of_ed25519_is_understood(store: AccessStore) -> None:
    issuer = Issuer(okp_key("o"))
    header = {"alg": "EdDSA", "kid": "o"}
    private: Any = okp_key("o").private_key
    token = by_hand(header, issuer.claims(), private.sign)
    assert authority_for(issuer, store).identify(bearer(token), HERE).subject == "u-1"


def test_certificates_in_the_header_do_no_harm(issuer: Issuer, trusting: Authority) -> None:
    token = by_hand({"alg": "RS256", "kid": "one", "x5c": ["A" * 3000]}, issuer.claims(), rsa_signature)
    assert trusting.identify(bearer(token), HERE).subject == "u-1"


def test_an_algorithm_the_realm_does_not_allow_is_refused(store: AccessStore) -> None:
    issuer = Issuer(rsa_key("one"), ec_key("e"))
    authority = authority_for(issuer, store, algorithms=("ES256",))
    assert authority.identify(bearer(issuer.token(ec_key("e"))), HERE).subject == "u-1"
    with pytest.raises(InvalidAccessToken, match="algorithm"):
        authority.identify(bearer(issuer.token(rsa_key("one"))), HERE)


def test_a_realm_that_is_no_longer_trusted_lets_nobody_in(issuer: Issuer, trusting: Authority) -> None:
    token = issuer.token()
    trusting.identify(bearer(token), HERE)
    trusting.store.realms.deprecate("museum")
    with pytest.raises(UnknownAccessTokenIssuer):
        trusting.identify(bearer(token), HERE)
    trusting.store.realms.update(realm())
    assert trusting.identify(bearer(token), HERE).subject == "u-1"


def test_another_audience_in_the_settings_counts_for_tokens_already_known(issuer: Issuer, trusting: Authority) -> None:
    token = issuer.token()
    trusting.identify(bearer(token), HERE)
    trusting.store.realms.update(realm(audiences=("archive",)))
    with pytest.raises(InvalidAccessToken, match="audience"):
        trusting.identify(bearer(token), HERE)


def test_without_a_way_to_fetch_no_token_is_taken(issuer: Issuer, store: AccessStore) -> None:
    store.realms.create(realm())
    with pytest.raises(RealmUnavailable, match="no way to fetch"):
        Authority(store).identify(bearer(issuer.token()), HERE)


def test_a_known_token_is_checked_in_well_under_fifty_microseconds(issuer: Issuer, trusting: Authority) -> None:
    headers = bearer(issuer.token(padding="x" * 1000))

    def check() -> None:
        for _ in range(200):
            trusting.identify(headers, HERE)

    assert own_seconds(check) / 200 < 50e-6
