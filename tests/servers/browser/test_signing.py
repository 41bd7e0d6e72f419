"""Signing in and out in a browser, and what other sites' pages cannot do meanwhile."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from muniment.access import Authority, Identity
from muniment.access.authority import LOOK_SECONDS
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, make_key, serving
from tests.timing import eventually


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(site: Running, visitor: Visitor) -> None:
    asked = visitor.ask("GET", "/find?q=harbour")
    assert asked.status == 303
    assert asked.headers["location"] == "/sign-in?next=%2Ffind%3Fq%3Dharbour"
    form = visitor.get("/find?q=harbour")
    assert form.heading == "Who are you?"
    onward = next(each for each in form.page.every("input") if each.attributes.get("name") == "next").attributes[
        "value"
    ]
    assert onward == "/find?q=harbour"
    signed = visitor.post("/sign-in", {"key": site.key, "next": onward})
    assert (signed.status, signed.headers["location"]) == (303, onward)
    assert "keeper" in visitor.get(onward).page.the("body").text


def test_a_wrong_key_is_refused_and_not_repeated(visitor: Visitor) -> None:
    for wrong in ("mun_aaaaaaaaaaaaaaaa_" + "a" * 52, "nonsense", ""):
        answer = visitor.post("/sign-in", {"key": wrong, "next": "/"})
        assert answer.status == 401
        assert "You are not signed in." in answer.words
        assert not wrong or wrong not in answer.text
        assert not answer.cookies


def test_the_cookie_is_for_the_server_alone_and_the_database_holds_none_of_it(site: Running, visitor: Visitor) -> None:
    answer = visitor.post("/sign-in", {"key": site.key, "next": "/"})
    flags = answer.cookies[0].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "path=/" in flags
    token = visitor.cookies["muniment"]
    database = sqlite3.connect(site.place / "control.db")
    rows = database.execute("SELECT * FROM access_sessions").fetchall()
    database.close()
    assert rows
    assert token not in json.dumps(rows)


def test_next_leads_to_no_other_site(site: Running) -> None:
    for bad in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/sign-out",
        "\t//x",
    ):
        answer = Visitor(site.url).post("/sign-in", {"key": site.key, "next": bad})
        assert answer.headers["location"] == "/", bad


def test_signing_out_ends_the_session_also_for_who_copied_the_cookie(site: Running, visitor: Visitor) -> None:
    visitor.sign_in(site.key)
    copied = dict(visitor.cookies)
    assert visitor.get("/").heading
    assert visitor.post("/sign-out").status == 303
    assert visitor.cookies == {}
    visitor.cookies = copied
    assert visitor.get("/").heading == "Who are you?"


def test_signing_out_everywhere_ends_the_other_sessions(site: Running) -> None:
    here, there = Visitor(site.url).sign_in(site.key), Visitor(site.url).sign_in(site.key)
    here.post("/sign-out", {"everywhere": "1"})
    assert there.get("/").heading == "Who are you?"


def test_a_revoked_key_ends_its_sessions(site: Running, visitor: Visitor) -> None:
    key = make_key(site.place, "guest", {"/": {"resources/read"}})

    def signed_in() -> bool:
        return visitor.post("/sign-in", {"key": key, "next": "/"}).status == 303

    eventually(signed_in, every=2 * LOOK_SECONDS)
    assert visitor.get("/").heading != "Who are you?"
    with Authority.open(site.place / "control.db") as authority:
        authority.store.keys.revoke("guest")
    eventually(lambda: visitor.get("/").heading == "Who are you?", every=LOOK_SECONDS)


def test_other_sites_pages_change_nothing(site: Running, visitor: Visitor) -> None:
    visitor.sign_in(site.key)
    for shown in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": ""},
        {"Sec_Fetch_Site": "", "Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "", "Origin": "null"},
    ):
        assert visitor.post("/sign-out", **shown).status == 403, shown
        sent = {name: value for name, value in shown.items() if value}
        refused = visitor.ask("POST", "/archive/v1/transactions", b"{}", Content_Type="application/json", **sent)
        assert refused.status == 403, shown
        assert refused.headers["content-type"] == "application/problem+json"
    assert visitor.get("/").heading != "Who are you?"
    ours = {"Sec_Fetch_Site": "", "Origin": site.url.rstrip("/")}
    begun = visitor.ask(
        "POST", "/archive/v1/transactions", b"{}", Content_Type="application/json", Origin=ours["Origin"]
    )
    assert begun.status == 201
    assert visitor.post("/sign-out", **ours).status == 303


def test_a_key_in_a_header_needs_no_word_of_a_page(site: Running) -> None:
    program = Visitor(site.url)
    begun = program.ask(
        "POST", "/archive/v1/transactions", b"{}", Content_Type="application/json", Authorization=f"Bearer {site.key}"
    )
    assert begun.status == 201


def test_who_may_not_see_a_page_is_told_which_right_is_missing_and_sees_no_link_to_it(
    site: Running, visitor: Visitor
) -> None:
    key = make_key(site.place, "reader", {"/rivermark/odd": {"resources/read"}})
    eventually(lambda: visitor.post("/sign-in", {"key": key, "next": "/"}).status == 303, every=2 * LOOK_SECONDS)
    home = visitor.get("/")
    assert [link for link in home.page.every("a") if link.attributes["href"] == "/events"] == []
    events = visitor.get("/events")
    assert events.status == 403
    assert "events/read" in events.words
    found = visitor.get("/find?q=harbour")
    assert "Nothing here is called" in found.heading
    for hidden in ("/resources/harbour", "/resources/none", "/resources/harbour/files/soundings.csv"):
        assert visitor.get(hidden).status == 404, hidden
    there = visitor.get("/projects/rivermark/maps")
    nowhere = visitor.get("/projects/rivermark/none")
    assert (there.status, nowhere.status) == (403, 403)


def test_who_is_refused_is_told_why_whom_to_ask_and_after_too_many_tries_how_long_to_wait(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    with serving(place, key=key, serve_contact="The archive <archive@example.org>, room 3") as running:
        visitor = Visitor(running.url)
        before = visitor.get("/sign-in")
        assert "Whom to ask: The archive archive@example.org , room 3" in before.words
        assert 'href="mailto:archive@example.org"' in before.text
        wrong = {"key": "mun_" + "a" * 16 + "_" + "b" * 52}
        answers = [visitor.post("/sign-in", wrong)]
        assert (answers[0].status, "You are not signed in." in answers[0].words) == (401, True)
        assert "Whom to ask:" in answers[0].words
        while answers[-1].status == 401 and len(answers) < 50:
            answers.append(visitor.post("/sign-in", wrong))
        assert answers[-1].status == 429
        assert "Too many tries failed from here." in answers[-1].words
        assert re.search(r"Wait \d+ seconds", answers[-1].words)
        assert 0 < int(answers[-1].headers["retry-after"]) <= 61
        reader = make_key(place, "reader", {"/a/b": {"resources/read"}})
        other = Visitor(running.url)
        eventually(lambda: other.post("/sign-in", {"key": reader}).status == 303, every=2 * LOOK_SECONDS)
        lacking = other.get("/events")
        assert lacking.status == 403
        assert "Whom to ask: The archive" in lacking.words
        assert "Whom to ask" not in other.get("/resources/none").words


def test_the_user_a_proxy_names_needs_no_session(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    users = tmp_path / "users.csv"
    users.write_text("email_address,display_name\nann@example.org,Ann Lee\n")
    with Authority.open(place / "control.db") as authority:
        ann_lee = Identity.user("proxy", "ann@example.org")
        authority.store.rules.append("/", {ann_lee: frozenset({"admin"})}, 1, by="test")
    with serving(place, key=key, serve_trusted_proxies="127.0.0.1", proxy_users=str(users)) as running:
        ann = Visitor(running.url)
        ann.headers["Remote-User"] = "ann@example.org"
        home = ann.get("/")
        assert "Ann Lee" in home.page.the("body").text
        assert "Sign out" not in home.page.the("body").text
        refused = ann.ask(
            "POST", "/archive/v1/transactions", b"{}", Content_Type="application/json", Sec_Fetch_Site="cross-site"
        )
        assert refused.status == 403


@pytest.mark.parametrize("path", ["/", "/find", "/projects", "/events"])
def test_an_empty_archive_says_what_would_be_here(tmp_path: Path, path: str) -> None:
    with serving(tmp_path / "archive") as running:
        page = Visitor(running.url).sign_in(running.key).get(path)
        assert page.status == 200
        assert len(page.words) > 40
