"""A container by page: each service with what came, each callback with its next try, and a new credential."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.settings import Secret, Settings
from muniment.testing.servers import Reply
from muniment.testing.servers.web import WebServer
from tests.servers.browser.visiting import Answer, Visitor
from tests.servers.native.running import Running, make_archive, serving
from tests.servers.osf.house import KEY, Sink, container, http
from tests.timing import eventually

SMALL = 500


class Deaf(Sink):
    """Hears nothing."""

    def answer(self, request: object) -> Reply:
        del request
        return Reply(503)


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, WebServer]]:
    files = {"d/small.txt": b"x" * 100, "d/large.txt": b"y" * 2 * SMALL}
    with WebServer(style="json") as free, WebServer(password="right-word") as closed, WebServer() as busy:
        free.files = files
        closed.files = busy.files = {"d/a.txt": b"1"}
        busy.fail("/d/$", times=1, status=429, headers={"Retry-After": "120"})
        yield {"free": free, "closed": closed, "busy": busy}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, BackgroundServices]]:
    place = tmp_path_factory.mktemp("containers") / "archive"
    key = make_archive(place)
    with Deaf() as deaf:
        settings: dict[str, Any] = {
            "allow_private_addresses": True,
            "max_file_size": SMALL,
            "registration_stores": str(place.parent / "store"),
            "scratch": place.parent / "scratch",
            "hmac_key": Secret(KEY),
            "callback_addresses": Secret(f"{deaf.url}/told"),
        }
        with serving(place, key=key, serve_work=True, **settings) as running:
            working = BackgroundServices(App(Settings(archive=str(place), **settings)))
            try:
                yield running, working
            finally:
                working.close()


@pytest.fixture(scope="module")
def keeper(platform: tuple[Running, BackgroundServices]) -> Visitor:
    return Visitor(platform[0].url).sign_in(platform[0].key)


def rows_of(answer: Answer) -> str:
    return " ".join(each.text for each in answer.page.every("tr"))


def test_each_service_says_what_came_what_did_not_and_what_it_waits_for(
    platform: tuple[Running, BackgroundServices], keeper: Visitor, sites: dict[str, WebServer]
) -> None:
    child = container("below", [http(sites["closed"], "d/", username="reader", password="wrong-word")])
    free = http(sites["free"], "d/")
    # A host that asks for patience is left alone whole, so this one is asked by another name than the others.
    busy = {"http": {"url": sites["busy"].url.replace("127.0.0.1", "localhost") + "/d/"}}
    platform[1].foreman().submit(_body(container("whole", [free, busy], [child])), requester="t")

    def page() -> Answer:
        return keeper.get("/containers/whole")

    eventually(lambda: all(word in rows_of(page()) for word in ("Refused", "Waits", "Not everything")), every=0.2)
    shown = page()
    assert "Tried again" in rows_of(shown)
    assert "large.txt" in shown.words
    assert "File is too large." in shown.words
    assert "wrong-word" not in shown.text
    assert [row for row in keeper.get("/containers/whole?format=csv").text.splitlines() if "large.txt" in row]
    refused, partly, waiting = json.loads(keeper.get("/containers/whole?format=json").body)["services"]
    assert [each["state"] for each in (refused, partly, waiting)] == ["refused", "partly", "waiting"]
    assert (partly["files"], partly["failures"]) == (1, 1)
    assert waiting["again"] > 0
    assert json.loads(keeper.get("/containers/below?format=json").body)["services"] == [refused]


def test_a_callback_that_is_not_taken_says_how_often_it_was_tried_and_when_again(
    platform: tuple[Running, BackgroundServices], keeper: Visitor, sites: dict[str, WebServer]
) -> None:
    locked = container("locked", [http(sites["closed"], "d/", username="reader", password="wrong-word")])
    platform[1].foreman().submit(_body(locked), requester="t")

    def shown() -> Answer:
        return keeper.get("/containers/locked")

    eventually(lambda: "503" in shown().words and "Tried again" in shown().words, every=0.2)
    page = shown()
    assert "Owed" in page.words
    assert "Give a new credential" in page.words
    field = next(each for each in page.page.every("input") if each.attributes.get("type") == "password")
    given = {field.attributes["name"]: "right-word"}
    assert keeper.post("/containers/locked/again", given).status == 303
    eventually(lambda: shown().heading == "It is registered, complete", every=0.2)
    assert "right-word" not in shown().text


def _body(document: object) -> bytes:
    return json.dumps(document).encode()
