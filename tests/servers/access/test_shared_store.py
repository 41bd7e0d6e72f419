"""Keys and rules in PostgreSQL, where several machines share them."""

from __future__ import annotations

import threading

import pytest

from muniment.access import AccessStore, Authority, Identity, Realm
from muniment.errors.access import IncorrectRev, InvalidAccessToken, KeyNameTaken
from muniment.errors.database import DatabaseUnavailable
from muniment.jobs import Ledger
from tests.timing import eventually

READ = frozenset({"resources/read"})


def header(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def still_in(authority: Authority, text: str) -> bool:
    try:
        authority.identify(header(text), "")
    except InvalidAccessToken:
        return False
    return True


def test_a_key_made_on_one_machine_counts_and_ends_on_another(place: str) -> None:
    with AccessStore.open(place, migrate=True) as one, AccessStore.open(place, migrate=True) as two:
        there = Authority(two)
        made = one.keys.create("alice", grants={"/o": READ})
        caller = there.identify(header(made.text), "")
        assert there.permissions(caller, "o/p") == READ
        assert two.keys.all()[0].used_at is not None
        with pytest.raises(KeyNameTaken):
            two.keys.create("alice")
        one.keys.revoke("alice")
        eventually(lambda: not still_in(there, made.text))


def test_rules_keep_their_revisions(place: str) -> None:
    alice = Identity.user("keys", "alice")
    with AccessStore.open(place, migrate=True) as store:
        store.rules.replace("/o", {alice: READ}, 0, by="é")
        store.rules.delete("/o", 1)
        assert [store.rules.fetch("/o", rev).acl for rev in (1, 2)] == [{alice: READ}, {}]
        with pytest.raises(IncorrectRev):
            store.rules.append("/o", {alice: READ}, 1)


def test_of_many_who_add_at_once_nobody_is_lost(place: str) -> None:
    with AccessStore.open(place, migrate=True) as store:

        def add(number: int) -> None:
            store.rules.append("/o", {Identity.user("keys", f"u{number}"): READ})

        threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(store.rules.fetch("/o").acl), store.rules.fetch("/o").rev) == (8, 8)


def test_many_who_make_the_book_at_once_make_one(place: str) -> None:
    made: list[AccessStore] = []
    threads = [threading.Thread(target=lambda: made.append(AccessStore.open(place, migrate=True))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 4
    made[0].realms.create(Realm("museum", "https://sso.example.org", ("a",)))
    assert [record.deprecated for record in made[1].realms.all()] == [False]
    for store in made:
        store.close()


def test_ledger_and_rules_share_the_database(place: str) -> None:
    with Ledger.open(place, migrate=True), AccessStore.open(place) as store, Ledger.open(place):
        store.keys.create("alice")
        assert [key.name for key in store.keys.all()] == ["alice"]


def test_a_password_of_the_database_is_in_no_message() -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        AccessStore.open("postgresql://muniment:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in f"{refused.value!r} {refused.value.details}"
