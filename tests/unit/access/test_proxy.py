from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from muniment.access import NOBODY, AccessStore, Authority, Identity, TrustedProxy
from muniment.errors.access import AuthenticationFailed, BadProxy, BadUsersFile, Forbidden, InvalidAccessToken
from tests.unit.access.making import basic, bearer

PROXY = "10.1.2.3"
ANN = {"remote-user": "ann@example.org"}


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.write_text("email_address,display_name\nann@example.org,Ann Lee\n", encoding="utf-8")
    return path


@pytest.fixture
def behind(store: AccessStore, users: Path) -> Authority:
    return Authority(store, proxy=TrustedProxy(["10.0.0.0/8", "::1"], users))


def settle(path: Path) -> None:
    """As if the file had been written a while ago."""
    past = time.time() - 60
    os.utime(path, (past, past))


def test_the_user_the_proxy_names_is_known(behind: Authority) -> None:
    caller = behind.identify(ANN, PROXY)
    assert caller.user == Identity.user("proxy", "ann@example.org")
    assert caller.display_name == "Ann Lee"
    assert caller.agent_address == "mailto:ann@example.org"
    assert Identity.authenticated("proxy") in caller.identities


@pytest.mark.parametrize("address", ["127.0.0.1", "11.0.0.1", "::2", "", "unix", "nonsense", "::ffff:11.0.0.1"])
def test_from_anywhere_else_the_header_means_nothing(behind: Authority, address: str) -> None:
    assert behind.identify(ANN, address) is NOBODY


@pytest.mark.parametrize("address", ["10.255.0.1", "::ffff:10.0.0.1", "::1"])
def test_networks_of_both_kinds_are_trusted(behind: Authority, address: str) -> None:
    assert behind.identify(ANN, address).subject == "ann@example.org"


def test_without_a_proxy_the_header_means_nothing(authority: Authority) -> None:
    assert authority.identify(ANN, PROXY) is NOBODY


def test_a_unix_socket_is_trusted_when_named(store: AccessStore, users: Path) -> None:
    authority = Authority(store, proxy=TrustedProxy(["unix"], users))
    assert authority.identify(ANN, "").subject == "ann@example.org"
    assert authority.identify(ANN, PROXY) is NOBODY


def test_mail_addresses_are_the_same_in_capital_letters(behind: Authority) -> None:
    assert behind.identify({"remote-user": "Ann@Example.ORG"}, PROXY).subject == "ann@example.org"


def test_who_is_not_listed_is_refused_and_not_taken_for_anonymous(behind: Authority) -> None:
    with pytest.raises(Forbidden, match=r"bob@example\.org"):
        behind.identify({"remote-user": "bob@example.org"}, PROXY)


def test_an_empty_header_names_nobody(behind: Authority) -> None:
    assert behind.identify({"remote-user": "  "}, PROXY) is NOBODY


def test_an_edit_of_the_list_counts_at_once(behind: Authority, users: Path) -> None:
    settle(users)
    assert behind.identify(ANN, PROXY).display_name == "Ann Lee"
    users.write_text("email_address,display_name\nbob@example.org,Bob\n", encoding="utf-8")
    assert behind.identify({"remote-user": "bob@example.org"}, PROXY).display_name == "Bob"
    with pytest.raises(Forbidden):
        behind.identify(ANN, PROXY)


def test_two_edits_within_one_tick_of_the_clock_are_both_seen(behind: Authority, users: Path) -> None:
    now = time.time()
    for name in ("Ann", "Eve"):
        users.write_text(f"email_address,display_name\nann@example.org,{name}\n", encoding="utf-8")
        os.utime(users, (now, now))
        assert behind.identify(ANN, PROXY).display_name == name


def test_a_list_replaced_by_another_file_counts_at_once(behind: Authority, users: Path, tmp_path: Path) -> None:
    settle(users)
    behind.identify(ANN, PROXY)
    new = tmp_path / "new.csv"
    new.write_text("email_address,display_name\nbob@example.org,Ann Lee\n", encoding="utf-8")
    settle(new)
    new.replace(users)
    with pytest.raises(Forbidden):
        behind.identify(ANN, PROXY)


def test_an_unchanged_list_is_read_once(behind: Authority, users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(users)
    time.sleep(2.1)  # the time of the change of its metadata cannot be set
    behind.identify(ANN, PROXY)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("it was read again"))
    assert behind.identify(ANN, PROXY).display_name == "Ann Lee"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ann@example.org,Ann\n",
        b"email,name\nann@example.org,Ann\n",
        b"email_address,display_name\nann@example.org,\xff\n",
        b'email_address,display_name\n"ann@example.org,Ann\n',
        b"email_address,display_name\n\x07@example.org,Ann\n",
    ],
)
def test_a_list_that_cannot_be_read_lets_nobody_in(behind: Authority, users: Path, content: bytes) -> None:
    users.write_bytes(content)
    with pytest.raises(BadUsersFile) as refused:
        behind.identify(ANN, PROXY)
    assert refused.value.http_status == 503


def test_a_missing_list_lets_nobody_in(behind: Authority, users: Path) -> None:
    behind.identify(ANN, PROXY)
    users.unlink()
    with pytest.raises(BadUsersFile):
        behind.identify(ANN, PROXY)


def test_a_list_as_spreadsheets_write_it_is_read(behind: Authority, users: Path) -> None:
    text = (
        '\ufeffDisplay_Name, Email_Address ,Note\r\n"Lee, Ann",ann@example.org,x\r\n\r\n,,\r\nBob,bob@example.org\r\n'
    )
    users.write_bytes(text.encode("utf-8"))
    assert behind.identify(ANN, PROXY).display_name == "Lee, Ann"
    assert behind.identify({"remote-user": "bob@example.org"}, PROXY).display_name == "Bob"


def test_a_key_goes_before_the_user_of_the_proxy(behind: Authority, store: AccessStore) -> None:
    made = store.keys.create("robot")
    assert behind.identify(bearer(made.text) | ANN, PROXY).subject == "robot"
    assert behind.identify(basic(made.text) | ANN, PROXY).subject == "robot"
    store.keys.revoke("robot")
    with pytest.raises(InvalidAccessToken):
        behind.identify(bearer(made.text) | ANN, PROXY)


def test_a_password_the_proxy_has_checked_is_left_to_it(behind: Authority) -> None:
    headers = basic("ann", "her password") | ANN
    assert behind.identify(headers, PROXY).subject == "ann@example.org"
    with pytest.raises(AuthenticationFailed):
        behind.identify(headers, "127.0.0.1")


@pytest.mark.parametrize(
    ("trusted", "header"),
    [([], "remote-user"), (["10.0.0.0/33"], "remote-user"), (["10.0.0.1/8"], "remote-user"), (["proxy"], "remote-user")]
    + [(["10.0.0.1"], name) for name in ("", "a b", "Authorization", "Cookie", "host", "x:y")],
)
def test_a_proxy_that_cannot_be_meant_is_refused(users: Path, trusted: list[str], header: str) -> None:
    with pytest.raises(BadProxy):
        TrustedProxy(trusted, users, header=header)


def test_the_header_may_have_another_name(store: AccessStore, users: Path) -> None:
    authority = Authority(store, proxy=TrustedProxy([PROXY], users, header="X-Shib-Mail"))
    assert authority.identify({"x-shib-mail": "ann@example.org"}, PROXY).subject == "ann@example.org"
    assert authority.identify(ANN, PROXY) is NOBODY
