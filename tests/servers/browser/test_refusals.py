"""What is refused is a page for a browser and a problem document for a program, wherever it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.browser.conftest import fill
from tests.servers.browser.visiting import Answer, Visitor
from tests.servers.native.running import Running, make_archive, serving

LARGE = b"key=" + b"x" * 5000


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place: Path = tmp_path_factory.mktemp("strict") / "archive"
    key = make_archive(place)
    fill(place)
    with serving(place, key=key, serve_body=4096, serve_failures=2, serve_work=False) as running:
        yield running


def _refusals(visitor: Visitor, **headers: str) -> dict[int, Answer]:
    """One of each, by its status."""
    form = {"Content_Type": "application/x-www-form-urlencoded", **headers}
    ours = {"Sec_Fetch_Site": "same-origin", **form}
    return {
        403: visitor.ask("POST", "/sign-in", b"key=x", Sec_Fetch_Site="cross-site", **form),
        404: visitor.ask("GET", "/resources/none", **headers),
        405: visitor.ask("DELETE", "/find", Sec_Fetch_Site="same-origin", **headers),
        413: visitor.ask("POST", "/sign-in", LARGE, **ours),
        431: visitor.ask("GET", "/find", **{f"X_{number}": "x" for number in range(150)}, **headers),
    }


def test_a_browser_is_shown_a_page_that_says_what_to_do(strict: Running) -> None:
    reader = Visitor(strict.url).sign_in(strict.key)
    for status, answer in _refusals(reader).items():
        assert answer.status == status
        assert answer.page.the("h1").text.strip(), status
        assert "script-src 'self'" in answer.headers["content-security-policy"], status
        assert answer.headers["x-request-id"] in answer.text, status


def test_a_program_gets_a_problem_document(strict: Running) -> None:
    reader = Visitor(strict.url).sign_in(strict.key)
    for status, answer in _refusals(reader, Accept="application/json").items():
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json", status
        assert json.loads(answer.body)["status"] == status


def test_one_who_did_not_sign_in_is_led_there_and_back(strict: Running) -> None:
    stranger = Visitor(strict.url)
    answer = stranger.ask("GET", "/find?q=x")
    assert answer.status == 303
    assert answer.headers["location"] == "/sign-in?next=%2Ffind%3Fq%3Dx"
    assert stranger.ask("GET", "/find", Accept="application/json").status == 401


def test_too_many_tries_to_sign_in_say_how_long_to_wait(strict: Running) -> None:
    stranger = Visitor(strict.url)
    wrong = strict.key[:-1] + ("a" if strict.key[-1] != "a" else "b")
    tried = [stranger.post("/sign-in", {"key": wrong, "next": "/"}) for _ in range(4)]
    assert tried[-1].status == 429
    assert tried[-1].heading
    assert int(tried[-1].headers["retry-after"]) > 0
