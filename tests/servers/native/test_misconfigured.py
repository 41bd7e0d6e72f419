"""A server that is not set up as it must be says that it is its own fault, and not where its files lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.native.running import Running, make_archive, serving
from tests.timing import PATIENCE

LOST = "/nowhere/at/all"
CALLBACK = {"id": "p4x9z", "status": "SUCCESS"}
CONTAINER = {
    "container": {
        "metadata": {"id": "p4x9z", "title": "A study", "description": None, "contributors": []},
        "children": [],
        "services": [{"http": {"url": "https://example.org/data.csv"}}],
    }
}
FETCH = {"sources": [{"http": {"url": "https://example.org/data.csv"}}]}

WRONG: dict[str, tuple[dict[str, Any], str, str, object]] = {
    "hourly calls": ({"hourly_calls": "osf"}, "POST", "archive/v1/fetches", FETCH),
    "no key for callbacks": ({}, "POST", "api/v1/archives/callback", CALLBACK),
    "a store that is none": ({"registration_stores": "gopher://x/y"}, "POST", "api/v1/archives", CONTAINER),
    "a Distillery whose settings are lost": ({"distillery": f"{LOST}/d.toml"}, "GET", "distillery", None),
}


@pytest.fixture(params=WRONG)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, str, str, object]]:
    settings, method, path, body = WRONG[request.param]
    place = tmp_path / "archive"
    with serving(place, key=make_archive(place), serve_work=False, **settings) as running:
        yield running, method, path, body


def test_what_is_wrong_with_the_server_is_no_fault_of_who_asks(case: tuple[Running, str, str, object]) -> None:
    running, method, path, body = case
    answer = httpx.request(
        method, running.url + path, json=body, headers={"Authorization": f"Bearer {running.key}"}, timeout=PATIENCE
    )
    assert answer.status_code == 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert LOST not in answer.text
    assert str(running.place.parent) not in answer.text
    assert "`muniment" not in answer.text
