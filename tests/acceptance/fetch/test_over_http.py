"""Fetches asked of a server: who may, how far they are, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from muniment import Archive
from muniment.testing.servers.web import WebServer
from tests.acceptance.fetch.keeping import Keeper
from tests.servers.native.running import Running, serving
from tests.timing import eventually

FETCHES = "archive/v1/fetches"
WRITER = {"resources/read", "resources/write"}


@pytest.fixture(scope="module")
def site() -> Iterator[WebServer]:
    with WebServer(style="json") as server:
        server.files = {"data/a.txt": b"alpha", "data/b.bin": b"\x00" * 3000}
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    with serving(folder / "archive", allow_private_addresses=True, scratch=folder / "scratch") as server:
        yield server


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, auth=(running.key, ""), timeout=30) as found:
        yield found


def asked(client: httpx.Client, *sources: dict[str, Any], **further: Any) -> httpx.Response:
    return client.post(FETCHES, json={"sources": list(sources), **further})


def ended(client: httpx.Client, place: str) -> dict[str, Any]:
    eventually(lambda: client.get(place).json()["state"] != "running")
    found: dict[str, Any] = client.get(place).json()
    return found


def test_a_fetch_is_accepted_and_becomes_an_instance(client: httpx.Client, site: WebServer) -> None:
    answer = asked(client, {"http": {"url": f"{site.url}/data/"}}, id="tides", message="from the web")
    assert answer.status_code == 202
    done = ended(client, answer.headers["Location"])
    assert (done["state"], done["result"]["instance"], done["result"]["failed"]) == ("done", 1, 0)
    assert done["bytes"] == 3005
    assert client.get("archive/v1/resources/tides/instances/1/files/a.txt").content == b"alpha"
    listed = client.get(FETCHES).json()["fetches"]
    assert done["fetch"] in [each["fetch"] for each in listed]


def test_the_same_key_for_the_same_request_is_one_fetch(client: httpx.Client, site: WebServer) -> None:
    given = {"sources": [{"http": {"url": f"{site.url}/data/"}}], "id": "once"}
    answers = {client.post(FETCHES, json=given, headers={"Idempotency-Key": "k"}).json()["fetch"] for _ in range(2)}
    assert len(answers) == 1
    ended(client, f"/{FETCHES}/{answers.pop()}")


@pytest.mark.parametrize(
    ("sources", "where", "reason"),
    [
        ([{"http": {}}], "body.sources.0.http.url", "missing the field url"),
        ([{"http": {"url": "https://a.example/"}}, {"gopher": {}}], "body.sources.1.gopher", "Unsupported service"),
        ([{"local": {"path": "/etc"}}], "body.sources.0.local", "Unsupported service"),
        ([{"http": {}, "git": {}}], "body.sources.0", ""),
        ([], "body.sources", ""),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_its_place(
    client: httpx.Client, sources: list[Any], where: str, reason: str
) -> None:
    answer = client.post(FETCHES, json={"sources": sources})
    assert answer.status_code == 422
    assert where in answer.text
    assert reason in answer.text


def test_credentials_are_in_no_answer(client: httpx.Client) -> None:
    with WebServer(style="json", password="correct-horse") as site:
        site.files = {"d/a": b"1"}
        fields = {"url": f"{site.url}/d/", "username": "reader", "password": "correct-horse"}
        answer = asked(client, {"http": fields}, id="sealed")
        done = ended(client, answer.headers["Location"])
    assert done["state"] == "done", done
    assert "correct-horse" not in answer.text + client.get(FETCHES).text + str(done)


def test_rights_on_the_project_are_asked_for_fetching_looking_and_cancelling(
    running: Running, client: httpx.Client, site: WebServer
) -> None:
    mine, reader, other = (
        running.new_key(name, **{place: rights})
        for name, place, rights in (
            ("mine", "_sea_north", WRITER),
            ("reader", "_sea_north", {"resources/read"}),
            ("other", "_sea_south", WRITER),
        )
    )
    source = {"http": {"url": f"{site.url}/data/"}}

    def ask(key: str, method: str, place: str, **given: Any) -> httpx.Response:
        return client.request(method, place, auth=(key, ""), **given)

    body = {"sources": [source], "project": "sea/north", "id": "x"}
    assert ask(reader, "POST", FETCHES, json=body).status_code == 403
    assert ask(other, "POST", FETCHES, json=body).status_code == 403
    assert httpx.post(f"{running.url}{FETCHES}", json=body).status_code == 401
    place = ask(mine, "POST", FETCHES, json=body).headers["Location"]
    assert ask(reader, "GET", place).status_code == 200
    assert ask(other, "GET", place).status_code == 404
    assert ask(reader, "DELETE", place).status_code == 403
    assert ask(other, "DELETE", place).status_code == 404
    assert ask(other, "GET", FETCHES).json()["fetches"] == []
    assert {each["project"] for each in ask(mine, "GET", FETCHES).json()["fetches"]} == {"sea/north"}
    ended(client, place)


def test_pages_of_fetches_go_on_after_each_other(client: httpx.Client, site: WebServer) -> None:
    for number in range(3):
        ended(client, asked(client, {"http": {"url": f"{site.url}/data/"}}, id=f"p{number}").headers["Location"])
    whole = [each["fetch"] for each in client.get(FETCHES).json()["fetches"]]
    found, following = [], None
    while True:
        page = client.get(FETCHES, params={"limit": 2, **({"after": following} if following else {})}).json()
        found += [each["fetch"] for each in page["fetches"]]
        following = page["next"]
        if following is None:
            break
    assert found == whole
    assert client.get(FETCHES, params={"after": "nobody"}).status_code == 404


def test_the_command_has_a_server_do_it(running: Running, site: WebServer, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, running.url, {"MUNIMENT_KEY": running.key})
    assert keeper.run("fetch", f"{site.url}/data/", "--id", "by-server").stdout == "by-server\n"
    with Archive(running.url, key=running.key) as archive:
        assert archive.get("by-server").read("a.txt") == b"alpha"
    refused = keeper.run("fetch", str(tmp_path), status=4)
    assert "muniment add" in refused.stderr
    site.fail(r"a\.txt$", status=403, times=99)
    assert "not had: a.txt" in keeper.run("fetch", f"{site.url}/data/", "--id", "partly", status=1).stderr
    assert "could not be fetched" in keeper.run("fetch", f"{site.url}/no/", "--id", "never", status=8).stderr
