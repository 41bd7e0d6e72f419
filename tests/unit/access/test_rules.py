from __future__ import annotations

import re
import threading
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.access import (
    ADMIN,
    ANONYMOUS,
    EVERY_PERMISSION,
    NOBODY,
    PERMISSIONS,
    AccessStore,
    Authority,
    Caller,
    Identity,
    address_of,
)
from muniment.access.permissions import effective
from muniment.errors.access import (
    AclCannotContainEmptyPermissionCollection,
    AclIsEmpty,
    AclNotFound,
    AuthorizationFailed,
    BadAddress,
    Forbidden,
    IncorrectRev,
    NothingToBeUpdated,
    RevisionNotFound,
    Unauthenticated,
    UnknownPermissions,
)
from tests.unit.access.making import bearer

ALICE = Identity.user("keys", "alice")
STAFF = Identity.group("museum", "staff")
READ = frozenset({"resources/read"})
WRITE = frozenset({"resources/write"})


def test_a_new_archive_grants_nothing_to_anybody(store: AccessStore, authority: Authority) -> None:
    made = store.keys.create("alice")
    caller = authority.identify(bearer(made.text), "127.0.0.1")
    for project in (None, "o", "o/p"):
        assert authority.permissions(NOBODY, project) == set()
        assert authority.permissions(caller, project) == set()


def test_a_grant_counts_there_and_below_but_nowhere_else(store: AccessStore, authority: Authority) -> None:
    store.rules.append("/o", {ALICE: READ})
    store.rules.append("/o/p", {ALICE: WRITE})
    alice = Caller.known(ALICE)
    assert authority.permissions(alice, None) == set()
    assert authority.permissions(alice, "o") == READ
    assert authority.permissions(alice, "o/p") == READ | WRITE
    assert authority.permissions(alice, "o/other") == READ
    assert authority.permissions(alice, "other/p") == set()
    assert authority.permissions(alice, "o2/p") == set()


def test_what_anonymous_may_do_everybody_may(store: AccessStore, authority: Authority) -> None:
    store.rules.append("/", {ANONYMOUS: READ})
    assert authority.allowed(NOBODY, "resources/read", "o/p")
    assert authority.allowed(Caller.known(ALICE), "resources/read", "o/p")


def test_a_group_of_another_realm_is_another_group(store: AccessStore, authority: Authority) -> None:
    store.rules.append("/", {STAFF: READ})
    member = Caller.known(Identity.user("museum", "u"), groups=("staff",))
    stranger = Caller.known(Identity.user("sso", "u"), groups=("staff",))
    user_of_that_name = Caller.known(Identity.user("museum", "staff"))
    assert authority.allowed(member, "resources/read")
    assert not authority.allowed(stranger, "resources/read")
    assert not authority.allowed(user_of_that_name, "resources/read")


def test_admin_stands_for_everything_there_and_below(store: AccessStore, authority: Authority) -> None:
    store.rules.append("/o", {ALICE: frozenset({ADMIN})})
    alice = Caller.known(ALICE)
    assert authority.permissions(alice, "o/p") == EVERY_PERMISSION == set(PERMISSIONS)
    assert authority.permissions(alice, None) == set()


def test_who_is_unknown_is_asked_and_who_is_known_is_refused(authority: Authority) -> None:
    with pytest.raises(Unauthenticated) as asked:
        authority.require(NOBODY, "resources/read", "o/p")
    assert asked.value.http_status == 401
    assert asked.value.challenges()
    with pytest.raises(Forbidden) as refused:
        authority.require(Caller.known(ALICE), "resources/read", "o/p")
    assert refused.value.http_status == 403
    assert isinstance(refused.value, AuthorizationFailed)
    assert (
        str(refused.value) == "The permission 'resources/read' required for accessing a resource at '/o/p' is missing."
    )


@pytest.mark.parametrize("project", ["", "o/p/q", "o//p", "o/", "../p", "o p", "o/\n", "o" * 65, "é"])
def test_only_projects_and_organisations_have_rights(authority: Authority, project: str) -> None:
    with pytest.raises(BadAddress):
        authority.permissions(NOBODY, project)


def test_addresses_are_written_with_or_without_their_first_slash() -> None:
    assert [address_of(text) for text in (None, "/", "o", "/o", "o/p", "/o/p")] == [
        "/",
        "/",
        "/o",
        "/o",
        "/o/p",
        "/o/p",
    ]


def test_a_change_of_rules_counts_at_once(store: AccessStore) -> None:
    authority = Authority(store, look_every=3600)
    alice = Caller.known(ALICE)
    assert not authority.allowed(alice, "resources/read", "o/p")
    store.rules.append("/o/p", {ALICE: READ})
    assert authority.allowed(alice, "resources/read", "o/p")
    store.rules.delete("/o/p")
    assert not authority.allowed(alice, "resources/read", "o/p")


def test_each_change_is_a_revision_and_all_stay(store: AccessStore) -> None:
    first = store.rules.replace("/o", {ALICE: READ}, 0, by="keys/users/root")
    assert (first.rev, first.acl, first.changed_by) == (1, {ALICE: READ}, "keys/users/root")
    assert store.rules.append("/o", {ALICE: WRITE, STAFF: READ}, 1, by="x").acl == {ALICE: READ | WRITE, STAFF: READ}
    assert store.rules.subtract("/o", {ALICE: READ, STAFF: READ}, 2).acl == {ALICE: WRITE}
    gone = store.rules.delete("/o", 3)
    assert (gone.rev, gone.acl) == (4, {})
    assert gone.created_by == "keys/users/root"
    assert gone.created_at == first.created_at
    assert [store.rules.fetch("/o", rev).acl for rev in (1, 2, 3, 4)] == [
        {ALICE: READ},
        {ALICE: READ | WRITE, STAFF: READ},
        {ALICE: WRITE},
        {},
    ]
    assert store.rules.fetch("/o").rev == 4
    assert store.rules.all() == []
    assert store.rules.append("/o", {ALICE: READ}, 4).rev == 5


def test_a_stale_revision_is_refused_and_changes_nothing(store: AccessStore) -> None:
    store.rules.replace("/o", {ALICE: READ}, 0)
    for change, rev in product(("replace", "append", "subtract"), (0, 2, -1)):
        with pytest.raises(IncorrectRev) as refused:
            getattr(store.rules, change)("/o", {ALICE: READ}, rev)
        assert refused.value.details == {"provided": rev, "expected": 1}
    with pytest.raises(IncorrectRev):
        store.rules.delete("/o", 7)
    with pytest.raises(IncorrectRev):
        store.rules.append("/never", {ALICE: READ}, 1)
    assert store.rules.fetch("/o").rev == 1


def test_changes_that_change_nothing_are_refused(store: AccessStore) -> None:
    with pytest.raises(AclNotFound):
        store.rules.subtract("/o", {ALICE: READ})
    with pytest.raises(AclNotFound):
        store.rules.delete("/o")
    with pytest.raises(AclNotFound):
        store.rules.fetch("/o")
    store.rules.append("/o", {ALICE: READ})
    with pytest.raises(NothingToBeUpdated):
        store.rules.append("/o", {ALICE: READ})
    with pytest.raises(NothingToBeUpdated):
        store.rules.subtract("/o", {ALICE: WRITE})
    with pytest.raises(NothingToBeUpdated):
        store.rules.subtract("/o", {STAFF: READ})
    with pytest.raises(RevisionNotFound):
        store.rules.fetch("/o", 2)
    store.rules.delete("/o")
    with pytest.raises(AclIsEmpty):
        store.rules.delete("/o")


def test_rules_that_make_no_sense_are_refused(store: AccessStore) -> None:
    with pytest.raises(AclCannotContainEmptyPermissionCollection, match="keys/users/alice"):
        store.rules.replace("/", {ALICE: frozenset()})
    with pytest.raises(UnknownPermissions, match="resources/fly"):
        store.rules.append("/", {ALICE: frozenset({"resources/fly", "resources/read"})})
    with pytest.raises(BadAddress):
        store.rules.append("/a/b/c", {ALICE: READ})
    assert store.rules.all() == []


def test_of_many_who_change_the_same_revision_one_wins(store: AccessStore) -> None:
    results: list[object] = []

    def change(number: int) -> None:
        try:
            results.append(store.rules.append("/o", {Identity.user("keys", f"u{number}"): READ}, 0).rev)
        except IncorrectRev as error:
            results.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results.count(1) == 1
    assert sum(isinstance(result, IncorrectRev) for result in results) == 7
    assert len(store.rules.fetch("/o").acl) == 1


def test_of_many_who_add_without_a_revision_nobody_is_lost(store: AccessStore) -> None:
    def change(number: int) -> None:
        store.rules.append("/o", {Identity.user("keys", f"u{number}"): READ})

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(store.rules.fetch("/o").acl) == 8
    assert store.rules.fetch("/o").rev == 8


labels = st.sampled_from(["a", "b", "c"])
addresses = st.one_of(
    st.just("/"), labels.map(lambda one: f"/{one}"), st.tuples(labels, labels).map(lambda two: f"/{two[0]}/{two[1]}")
)
identities = st.sampled_from(
    [
        ANONYMOUS,
        ALICE,
        STAFF,
        Identity.authenticated("museum"),
        Identity.user("museum", "alice"),
        Identity.group("museum", "alice"),
    ]
)
permissions = st.frozensets(st.sampled_from(PERMISSIONS), min_size=1, max_size=4)
all_rules = st.dictionaries(addresses, st.dictionaries(identities, permissions, max_size=4), max_size=6)


@settings(max_examples=300, deadline=None)
@given(all_rules, st.frozensets(identities), addresses)
def test_rights_are_the_union_over_ancestors_and_identities(
    rules: dict[str, dict[Identity, frozenset[str]]], who: frozenset[Identity], address: str
) -> None:
    expected: set[str] = set()
    for place, acl in rules.items():
        above = place in {"/", address} or address.startswith(place + "/")
        for identity, granted in acl.items():
            if above and identity in who:
                expected |= granted
    if "admin" in expected:
        expected = set(PERMISSIONS)
    assert effective(rules, who, address) == expected


@settings(max_examples=200, deadline=None)
@given(all_rules, st.frozensets(identities), identities, addresses)
def test_more_identities_never_have_fewer_rights(
    rules: dict[str, dict[Identity, frozenset[str]]], who: frozenset[Identity], more: Identity, address: str
) -> None:
    assert effective(rules, who, address) <= effective(rules, who | {more}, address)


def test_the_names_of_permissions_are_those_that_the_how_to_tells() -> None:
    page = (Path(__file__).parents[3] / "docs/howto/access.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"\$ muniment access permissions\n([^`$]*)```", page)
    assert told.split() == list(PERMISSIONS)


def test_what_is_remembered_of_who_may_do_what_is_bounded(
    store: AccessStore, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.access.authority._MOST_REMEMBERED", 3)
    store.rules.append("/", {ANONYMOUS: frozenset({"resources/read"})})
    for number in range(20):
        assert authority.permissions(NOBODY, f"org/p{number}") == {"resources/read"}
    present = authority._now()
    assert 1 <= len(present.rights) <= 4


def test_what_is_remembered_of_callers_is_bounded_and_used(
    store: AccessStore, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(rules: object, identities: object, address: str) -> frozenset[str]:
        asked.append(address)
        return effective(rules, identities, address)  # type: ignore[arg-type]

    monkeypatch.setattr("muniment.access.authority.effective", counted)
    monkeypatch.setattr("muniment.access.authority._MOST_REMEMBERED", 10)
    alice = Caller.known(ALICE)
    for _ in range(3):
        for number in range(5):
            authority.permissions(alice, f"o/p{number}")
    assert len(asked) == 5, "asked again, it is known"
    for number in range(100):
        authority.permissions(alice, f"o/p{number}")
    assert len(authority._now().rights) <= 11
