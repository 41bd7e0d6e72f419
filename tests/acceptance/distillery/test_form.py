"""The Distillery over HTTP: who is let in, form, preview, run, the live log from its first line, audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.small_collection import describe_collection, write_scans, write_settings
from tests.servers.native.running import Running, serving
from tests.timing import eventually

PAGE = {"Accept": "text/html"}
WAY_IN = {"Remote-User": "Ann@example.org"}


@pytest.fixture
def server() -> Iterator[ArchivesSpaceServer]:
    with ArchivesSpaceServer() as running:
        describe_collection(running)
        yield running
    assert running.dropped == []


@pytest.fixture
def users(tmp_path: Path) -> Path:
    place = tmp_path / "users.csv"
    place.write_text("email_address,display_name\nann@example.org,Ann Archer\n")
    return place


@pytest.fixture
def running(tmp_path: Path, server: ArchivesSpaceServer, users: Path) -> Iterator[Running]:
    for name in ("cloud", "scans"):
        (tmp_path / name).mkdir()
    settings = write_settings(tmp_path / "distillery.toml", server, cloud=f'address = "{tmp_path}/cloud"')
    text = settings.read_text().replace("[distillery]\n", '[distillery]\nusers = "users.csv"\n')
    settings.write_text(text)
    with serving(
        tmp_path / "A",
        distillery=settings,
        allow_private_addresses=True,
        scratch=tmp_path / "scratch",
        proxy_users=users,
        serve_trusted_proxies="127.0.0.1",
    ) as found:
        yield found


@pytest.fixture
def ann(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, headers=WAY_IN, timeout=60) as client:
        yield client


def ended(client: httpx.Client, location: str) -> dict[str, Any]:
    def document() -> Any:
        answer = client.get(location)
        assert answer.status_code == 200, answer.text
        return answer.json()

    eventually(lambda: document()["state"] != "running", every=0.1)
    found: dict[str, Any] = document()
    return found


def events(client: httpx.Client, location: str, **headers: str) -> list[tuple[str, Any]]:
    """All events of a log's stream, to its end."""
    found: list[tuple[str, Any]] = []
    with client.stream("GET", location, headers={"Accept": "text/event-stream", **headers}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


ROUTES = [
    ("GET", "distillery"),
    ("GET", "distillery/new"),
    ("POST", "distillery/new"),
    ("GET", "distillery/x"),
    ("GET", "distillery/x/preview"),
    ("POST", "distillery/x/run"),
    ("POST", "distillery/x/stop"),
    ("GET", "distillery/x/log"),
    ("GET", "distillery/x/log.txt"),
    ("GET", "distillery/x/audit"),
    ("POST", "distillery/x/audit"),
    ("POST", "distillery/x/pause"),
    ("POST", "distillery/x/resume"),
]


def test_every_route_refuses_who_is_not_on_the_list(running: Running) -> None:
    with httpx.Client(base_url=running.url) as client:
        for method, path in ROUTES:
            assert client.request(method, path).status_code == 401, path
            stranger = client.request(method, path, headers={"Remote-User": "eve@example.org"})
            assert stranger.status_code == 403, path


def test_a_user_who_is_added_to_the_list_is_let_in_without_a_restart(running: Running, users: Path) -> None:
    with httpx.Client(base_url=running.url, headers={"Remote-User": "eve@example.org"}) as client:
        assert client.get("distillery").status_code == 403
        users.write_text("email_address,display_name\neve@example.org,Eve\n")
        shown = client.get("distillery/new", headers=PAGE)
        assert shown.status_code == 200
        assert "Eve" in shown.text


def test_a_key_that_may_write_to_the_project_is_let_in(running: Running) -> None:
    with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {running.key}"}) as client:
        assert client.get("distillery").json() == {"batches": []}


def test_a_collection_goes_from_the_form_to_the_audit(
    ann: httpx.Client, tmp_path: Path, server: ArchivesSpaceServer
) -> None:
    write_scans(tmp_path / "scans", width=120, height=80)
    assert "HBF" in ann.get("distillery/new", headers=PAGE).text
    asked = ann.post("distillery/new", data={"collection": " HBF ", "to": ["cloud"]}, headers=PAGE)
    assert asked.status_code == 303
    seen = ended(ann, asked.headers["location"])
    assert seen["preview"]["ready"] == ["HBF_1_05", "HBF_1_06"]
    assert server.writes == []
    shown = ann.get(asked.headers["location"], headers=PAGE).text
    assert "2 of 2 folders of Papers of a Board are ready" in shown
    assert "Letters &amp; Drafts" in shown
    begun = ann.post(asked.headers["location"].replace("/preview", "/run"), headers=PAGE)
    assert begun.status_code == 303
    batch = begun.headers["location"]
    lines = events(ann, f"{batch}/log")
    assert ended(ann, batch)["state"] == "done"
    assert [data["number"] for name, data in lines if name == "line"] == list(range(1, len(lines)))
    assert lines[-1] == ("end", {"state": "done"})
    assert lines[-2][1]["kind"] == "finished"
    again = events(ann, f"{batch}/log", **{"Last-Event-ID": "3"})
    assert again == lines[3:]
    text = ann.get(f"{batch}/log.txt")
    assert len(text.text.splitlines()) == len(lines) - 1
    shown = ann.get(batch, headers=PAGE).text
    assert "Papers of a Board: 2 of 2 folders are safe and recorded" in shown
    assert all(f'id="L{number}"' in shown for number in range(1, len(lines)))
    never = ann.get(f"{batch}/audit").json()
    assert (never["state"], never["differences"]) == ("not asked for", None)
    assert "HBF was not audited yet" in ann.get(f"{batch}/audit", headers=PAGE).text
    assert ann.post(f"{batch}/audit", headers=PAGE).status_code == 303
    eventually(lambda: "is as the batch left it" in ann.get(f"{batch}/audit", headers=PAGE).text, every=0.1)
    stored = next((tmp_path / "cloud").rglob("*.tif"))
    stored.write_bytes(b"damaged")
    # The page says what was found last; only a new audit finds what came since.
    assert "is as the batch left it" in ann.get(f"{batch}/audit", headers=PAGE).text
    assert ann.post(f"{batch}/audit").status_code == 202
    eventually(lambda: "of HBF differ" in ann.get(f"{batch}/audit", headers=PAGE).text, every=0.1)
    found = ann.get(f"{batch}/audit").json()
    assert found["state"] == "done"
    assert found["differences"]
    assert [each["state"] for each in ann.get("distillery").json()["batches"]] == ["done"]


def test_a_program_asks_with_json_and_is_told_where_to_look(ann: httpx.Client, tmp_path: Path) -> None:
    write_scans(tmp_path / "scans", width=60, height=40)
    (tmp_path / "scans/HBF/HBF_1_09").mkdir()
    refused = ann.post("distillery/new", json={"collection": "HBF", "to": ["cloud"], "do": "run"})
    assert refused.status_code == 202
    assert ended(ann, refused.headers["location"])["state"] == "failed"
    partly = ann.post("distillery/new", json={"collection": "HBF", "to": ["cloud"], "do": "run", "ready": True})
    assert ended(ann, partly.headers["location"])["state"] == "done"


@pytest.mark.parametrize(
    "given",
    [
        {"collection": "../x", "to": ["cloud"]},
        {"collection": "a/b", "to": ["cloud"]},
        {"collection": "", "to": ["cloud"]},
        {"collection": "HBF", "to": []},
        {"collection": "HBF", "to": ["moon"]},
        {"collection": "HBF", "to": "cloud"},
        {"to": [1]},
        [],
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_nothing(ann: httpx.Client, tmp_path: Path, given: Any) -> None:
    assert ann.post("distillery/new", json=given).status_code == 400
    assert ann.get("distillery").json() == {"batches": []}
    assert not (tmp_path / "scans").exists() or list((tmp_path / "scans").iterdir()) == []


def test_the_form_comes_again_with_what_was_typed_and_what_is_wrong_with_it(ann: httpx.Client) -> None:
    refused = ann.post("distillery/new", data={"collection": "a/<b>", "to": "cloud"}, headers=PAGE)
    assert refused.status_code == 400
    assert "that is no collection&#39;s id" in refused.text
    assert 'value="a/&lt;b&gt;"' in refused.text
    nowhere = ann.post("distillery/new", data={"collection": "HBF"}, headers=PAGE)
    assert nowhere.status_code == 400
    assert 'value="HBF"' in nowhere.text
    assert 'value="cloud" checked' not in nowhere.text


def test_an_id_without_scans_is_refused_at_once_with_those_that_are_near(ann: httpx.Client, tmp_path: Path) -> None:
    write_scans(tmp_path / "scans", width=120, height=80)
    refused = ann.post("distillery/new", data={"collection": "hbg", "to": ["cloud"]}, headers=PAGE)
    assert refused.status_code == 400
    assert 'href="/distillery/new?collection=HBF"' in refused.text
    assert 'value="hbg"' in refused.text
    assert "muniment distill" not in refused.text


def test_folders_and_policy_go_from_the_form_through_the_preview_into_the_run(
    ann: httpx.Client, tmp_path: Path
) -> None:
    write_scans(tmp_path / "scans", width=120, height=80)
    offered = ann.get("distillery/new?collection=HBF", headers=PAGE).text
    assert offered.count('type="checkbox" name="folders"') == 2
    form = {"collection": "HBF", "to": ["cloud"], "folders": ["HBF_1_06"], "normalisation": "original",
            "broken": "lenient"}  # fmt: skip
    asked = ann.post("distillery/new", data=form, headers=PAGE).headers["location"]
    assert ended(ann, asked)["preview"]["ready"] == ["HBF_1_06"]
    shown = ann.get(asked, headers=PAGE).text
    for said in ("The scan as it came, alone", "It is left out and named", "HBF_1_06"):
        assert said in shown
    batch = ann.post(asked.replace("/preview", "/run"), headers=PAGE).headers["location"]
    found = ended(ann, batch)
    assert (found["state"], found["folders"], found["normalisation"], found["broken"]) == (
        "done", ["HBF_1_06"], "original", "lenient"
    )  # fmt: skip
    wrong = ann.post("distillery/new", json=form | {"folders": "HBF_1_06"})
    assert wrong.status_code == 400
    assert ann.post("distillery/new", json=form | {"broken": "maybe"}).status_code == 400


def test_another_sites_page_cannot_ask_in_a_readers_name(ann: httpx.Client) -> None:
    given = {"collection": "HBF", "to": ["cloud"]}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert ann.post("distillery/new", data=given, headers=headers).status_code == 403


def test_a_page_says_what_a_folders_name_says_and_runs_nothing_of_it(ann: httpx.Client, tmp_path: Path) -> None:
    write_scans(tmp_path / "scans", width=60, height=40)
    (tmp_path / "scans/HBF/<script>alert(1)<").mkdir()
    asked = ann.post("distillery/new", data={"collection": "HBF", "to": "cloud"}, headers=PAGE)
    ended(ann, asked.headers["location"])
    shown = ann.get(asked.headers["location"], headers=PAGE)
    assert "<script>alert" not in shown.text
    assert "&lt;script&gt;alert(1)&lt;" in shown.text
    assert "script-src 'self'" in shown.headers["content-security-policy"]
    assert "Run the 2 that are ready" in shown.text


def test_what_is_not_there_is_404_and_a_wrong_number_400(ann: httpx.Client) -> None:
    for path in ("x", "x/log", "x/log.txt", "x/preview", "x/audit"):
        assert ann.get(f"distillery/{path}").status_code == 404
    for path in ("x/run", "x/stop", "x/audit", "x/pause", "x/resume"):
        assert ann.post(f"distillery/{path}").status_code == 404


def test_without_a_distillery_there_is_none(tmp_path: Path) -> None:
    with serving(tmp_path / "B") as found, httpx.Client(base_url=found.url) as client:
        answer = client.get("distillery", headers={"Authorization": f"Bearer {found.key}"})
        assert answer.status_code == 404
        assert answer.json()["detail"] == "No Distillery is set up."
