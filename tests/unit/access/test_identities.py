from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.access import ANONYMOUS, NOBODY, Caller, Identity
from muniment.errors.access import BadIdentity

FORMS = {
    "anonymous": ({"@type": "Anonymous"}, "anonymous"),
    "keys/authenticated": ({"@type": "Authenticated", "realm": "keys"}, "realms/keys/authenticated"),
    "keys/users/alice": ({"@type": "User", "realm": "keys", "subject": "alice"}, "realms/keys/users/alice"),
    "sso/groups/a/b c": ({"@type": "Group", "realm": "sso", "group": "a/b c"}, "realms/sso/groups/a%2Fb%20c"),
    "sso/users/auth0|é": ({"@type": "User", "realm": "sso", "subject": "auth0|é"}, "realms/sso/users/auth0%7C%C3%A9"),
}


@pytest.mark.parametrize("text", FORMS)
def test_an_identity_is_the_same_in_all_its_forms(text: str) -> None:
    as_json, path = FORMS[text]
    identity = Identity.parse(text)
    assert str(identity) == text
    assert identity.as_json() == as_json
    assert identity.path == path
    assert Identity.from_json(as_json) == identity
    assert Identity.from_json({name: value for name, value in as_json.items() if name != "@type"}) == identity


@given(st.sampled_from([Identity.user, Identity.group]), st.text(min_size=1, max_size=60).filter(str.isprintable))
def test_every_name_survives_its_text(make: Any, name: str) -> None:
    identity = make("realm-1", name)
    assert Identity.parse(str(identity)) == identity
    assert Identity.from_json(identity.as_json()) == identity


@pytest.mark.parametrize(
    "text",
    [
        *("", "Anonymous", "keys", "keys/", "keys/users", "keys/users/", "keys/robots/x", "/users/x", "a b/users/x"),
        *("k/users/a\nb", "k/users/" + "x" * 513, "x" * 65 + "/users/a", "k/authenticated/x"),
    ],
)
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(BadIdentity):
        Identity.parse(text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "anonymous",
        [],
        {"@type": "User"},
        {"realm": 1},
        {"realm": "a b"},
        {"realm": "r", "subject": "s", "group": "g"},
        {"realm": "r", "subject": 1},
        {"realm": "r", "subject": ""},
        {"realm": "r", "group": "\x00"},
        {"subject": "s"},
        {"@type": "Anonymous", "realm": "r", "subject": "s"},
    ],
)
def test_json_that_names_nobody_is_refused(value: Any) -> None:
    with pytest.raises(BadIdentity):
        Identity.from_json(value)


def test_the_log_names_a_caller_by_name_and_address() -> None:
    known = Caller.known(Identity.user("sso", "u/1"), groups=("g",), display_name="Ann Lee", email="ann@example.org")
    assert (known.agent_name, known.agent_address) == ("Ann Lee", "mailto:ann@example.org")
    assert known.agent == "Ann Lee (sso/users/u/1)"
    bare = Caller.known(Identity.user("sso", "u/1"))
    assert (bare.agent_name, bare.agent_address) == ("u/1", "urn:muniment:realms:sso:users:u%2F1")
    assert (NOBODY.agent, NOBODY.agent_name, NOBODY.agent_address) == (
        "anonymous",
        "anonymous",
        "urn:muniment:anonymous",
    )
    assert NOBODY.anonymous
    assert NOBODY.identities == {ANONYMOUS}
