from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from muniment.access import AccessStore, Authority
from muniment.cli.main import run
from muniment.errors.access import InvalidAccessToken
from muniment.errors.base import EXIT_CONFLICT, EXIT_INPUT, EXIT_MISSING
from tests.unit.access.making import bearer

KEY = re.compile(r"mun_[a-z2-7]{16}_[a-z2-7]{52}")


class Terminal:
    """Runs `muniment` on one archive and reads what it prints."""

    def __init__(self, archive: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.archive = archive
        self._captured = captured
        self.errors = ""

    def __call__(self, *words: str, status: int = 0) -> str:
        assert run(["--archive", str(self.archive), *words]) == status
        out, self.errors = self._captured.readouterr()
        return out

    def authority(self) -> Authority:
        return Authority(AccessStore.open(self.archive / "control.db"))


@pytest.fixture
def muniment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    terminal = Terminal(tmp_path / "archive", capsys)
    terminal("init")
    return terminal


def test_init_prints_one_administrator_key_that_may_do_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(tmp_path / "a", capsys)
    printed = terminal("init")
    (key,) = KEY.findall(printed)
    assert "administrator's key" in printed
    assert "only this once" in printed
    with terminal.authority() as authority:
        caller = authority.identify(bearer(key), "")
        authority.require(caller, "admin")
        authority.require(caller, "resources/write", "any/project")
    assert KEY.search(terminal("key", "list")) is None


def test_init_gives_the_key_as_a_field_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(tmp_path / "a", capsys)
    given = json.loads(terminal("init", "--json"))
    assert KEY.fullmatch(given["administrator_key"])
    assert given["mode"] == "preservation"


def test_init_beside_older_rules_makes_no_second_administrator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "state")
    for name, count in (("a", 1), ("b", 0)):
        assert run(["--archive", str(tmp_path / name), "--state", state, "init"]) == 0
        assert len(KEY.findall(capsys.readouterr().out)) == count


def test_a_new_key_is_printed_alone(muniment: Terminal) -> None:
    key = muniment("key", "create", "ci", "--admin").removesuffix("\n")
    assert KEY.fullmatch(key)
    assert muniment.errors == ""
    with muniment.authority() as authority:
        authority.require(authority.identify(bearer(key), ""), "events/read", "o/p")


def test_a_key_may_do_what_it_was_made_for_and_no_more(muniment: Terminal) -> None:
    words = ("--permission", "resources/read", "--permission", "files/write", "--project", "o/p")
    key = muniment("key", "create", "reader", *words).strip()
    with muniment.authority() as authority:
        caller = authority.identify(bearer(key), "")
        assert authority.permissions(caller, "o/p") == {"resources/read", "files/write"}
        assert authority.permissions(caller, "o") == set()
    assert muniment("access", "rights", "keys/users/reader", "--on", "o/p") == "files/write\nresources/read\n"


def test_a_key_without_rights_is_made_with_a_word_of_advice(muniment: Terminal) -> None:
    assert KEY.fullmatch(muniment("key", "create", "idle").strip())
    assert "muniment access grant keys/users/idle" in muniment.errors


def test_keys_are_listed_renewed_and_revoked(muniment: Terminal) -> None:
    old = muniment("key", "create", "ci").strip()
    new = json.loads(muniment("key", "renew", "ci", "--json"))
    listed = {item["id"]: item for item in json.loads(muniment("key", "list", "--json"))}
    assert listed[old.split("_")[1]]["revoked_at"] is not None
    assert listed[new["id"]]["revoked_at"] is None
    assert "digest" not in str(listed)
    assert "revoked" in muniment("key", "revoke", "ci")
    with muniment.authority() as authority:
        for key in (old, new["key"]):
            with pytest.raises(InvalidAccessToken):
                authority.identify(bearer(key), "")


def test_a_key_can_be_made_to_end(muniment: Terminal) -> None:
    muniment("key", "create", "short", "--days", "1")
    key = muniment("key", "create", "over", "--days", "0").strip()
    text = muniment("key", "list")
    assert re.search(r"short  .*, ends ", text)
    assert re.search(r"over  .*, expired ", text)
    with muniment.authority() as authority, pytest.raises(InvalidAccessToken, match="expired"):
        authority.identify(bearer(key), "")


def test_mistakes_are_told_and_leave_nothing(muniment: Terminal) -> None:
    muniment("key", "create", "administrator", status=EXIT_CONFLICT)
    assert "muniment key renew" in muniment.errors
    muniment("key", "create", "x", "--permission", "resources/fly", status=EXIT_INPUT)
    assert "resources/read" in muniment.errors
    muniment("key", "create", "x", "--permission", "resources/read", "--project", "a/b/c", status=EXIT_INPUT)
    muniment("key", "revoke", "nobody", status=EXIT_MISSING)
    muniment("access", "grant", "nobody", "resources/read", status=EXIT_INPUT)
    muniment("access", "withdraw", "anonymous", "resources/read", "--on", "o", status=EXIT_MISSING)
    muniment("access", "clear", "o", status=EXIT_MISSING)
    assert [item["name"] for item in json.loads(muniment("key", "list", "--json"))] == ["administrator"]


def test_rules_are_granted_shown_withdrawn_and_cleared(muniment: Terminal) -> None:
    muniment("access", "grant", "anonymous", "resources/read", "--on", "o/p")
    muniment("access", "grant", "museum/groups/staff", "resources/read", "resources/write", "--on", "/o")
    assert "/o/p  (revision 1" in muniment("access", "show")
    assert muniment("access", "rights", "museum/users/ann", "museum/groups/staff", "--on", "o/p").split() == [
        "resources/read",
        "resources/write",
    ]
    muniment("access", "withdraw", "museum/groups/staff", "resources/write", "--on", "o")
    (shown,) = json.loads(muniment("access", "show", "o", "--json"))
    assert (shown["rev"], shown["rules"]) == (2, {"museum/groups/staff": ["resources/read"]})
    muniment("access", "clear", "o")
    assert "/o " not in muniment("access", "show")
    assert "admin\n" in muniment("access", "permissions")


def test_an_issuer_is_trusted_changed_and_distrusted(muniment: Terminal) -> None:
    muniment("access", "trust", "museum", "https://sso.example.org", status=EXIT_INPUT)
    assert "--audience" in muniment.errors
    muniment("access", "trust", "museum", "https://sso.example.org", "--audience", "archive")
    muniment("access", "trust", "museum", "https://sso.example.org", "--any-audience", "--groups", "roles")
    (realm,) = json.loads(muniment("access", "realms", "--json"))
    assert (realm["audiences"], realm["groups_claim"], realm["rev"]) == ([], "roles", 2)
    muniment("access", "distrust", "museum")
    assert "no longer trusted" in muniment("access", "realms")


def test_what_is_no_archive_gets_no_keys(tmp_path: Path) -> None:
    assert run(["--archive", str(tmp_path), "key", "create", "x"]) != 0
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_with_a_scope_and_rotated(muniment: Terminal) -> None:
    words = ("--admin", "--days", "30", "--scope", "o/p", "--scope-permission", "resources/read")
    old = muniment("key", "create", "narrow", *words).strip()
    new = json.loads(muniment("key", "rotate", "narrow", "--grace", "1", "--json"))
    with muniment.authority() as authority:
        for text in (old, new["key"]):
            caller = authority.identify(bearer(text), "")
            assert authority.permissions(caller, "o/p") == {"resources/read"}
            assert authority.permissions(caller, None) == set()
    listed = muniment("key", "list")
    assert listed.count("for resources/read on /o/p at most") == 2
    narrow = [item for item in json.loads(muniment("key", "list", "--json")) if item["name"] == "narrow"]
    ends = sorted(item["expires_at"] for item in narrow)
    assert ends[1] - ends[0] > 28 * 86400
