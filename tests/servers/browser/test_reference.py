"""The description of the interfaces as pages: all of it, for everybody, from this server alone."""

from __future__ import annotations

import shlex
from typing import Any

import httpx
import pytest

from muniment.server.description import operations
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running
from tests.timing import PATIENCE


@pytest.fixture(scope="module")
def described(site: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{site.url}archive/v1/openapi.json", timeout=PATIENCE).raise_for_status().json()
    return found


def test_every_operation_is_listed_and_has_a_page_that_names_all_it_takes_and_answers(
    described: dict[str, Any], site: Running
) -> None:
    reader = Visitor(site.url)
    listed = {link.attributes["href"] for link in reader.get("/docs").page.every("a") if "href" in link.attributes}
    documents = set()
    for method, path, operation in operations(described):
        where = f"/docs/{operation['operationId']}"
        assert where in listed
        answer = reader.get(where)
        assert answer.status == 200, where
        text = answer.page.the("main").text
        assert f"{method.upper()} {path}" in text
        for parameter in operation.get("parameters", ()):
            assert parameter.get("name", parameter.get("$ref", "").rpartition("/")[2]) in text
        for status in operation["responses"]:
            assert status in text
        links = {each.attributes.get("href", "") for each in answer.page.every("a")}
        documents |= {link for link in links if link.startswith("/docs/documents/")}
    assert len(documents) > 60
    for link in documents:
        answer = reader.get(link)
        assert answer.status == 200, link
        name = link.rpartition("/")[2]
        text = answer.page.the("main").text
        for field in described["components"]["schemas"][name].get("properties", {}):
            assert field in text, (link, field)


def test_the_pages_need_no_key_and_nothing_from_elsewhere(site: Running) -> None:
    for path in ("docs", "docs/put_file", "docs/documents/UploadIn"):
        answer = httpx.get(f"{site.url}{path}", headers={"Accept": "text/html"}, timeout=PATIENCE)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert 'src="http' not in answer.text
        assert 'href="http' not in answer.text


def test_the_command_of_a_page_is_one_that_curl_takes(site: Running, keeper: Visitor) -> None:
    shown = next(each.text for each in keeper.get("/docs/begin_transaction").page.every("pre"))
    words = shlex.split(shown)
    assert words[:3] == ["curl", "-X", "POST"]
    headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1]
    headers["Authorization"] = f"Bearer {site.key}"
    made = httpx.post(words[-1], headers=headers, content=body, timeout=PATIENCE)
    assert made.status_code == 201, made.text
    assert (
        httpx.delete(f"{words[-1]}/{made.json()['transaction']}", headers=headers, timeout=PATIENCE).status_code == 204
    )


def test_what_is_to_be_filled_in_stands_in_capitals(keeper: Visitor) -> None:
    shown = next(each.text for each in keeper.get("/docs/put_file").page.every("pre"))
    assert shown.endswith("/archive/v1/transactions/TRANSACTION/files/PATH")


def test_what_is_not_described_has_no_page(keeper: Visitor) -> None:
    assert keeper.get("/docs/nothing").status == 404
    assert keeper.get("/docs/documents/Nothing").status == 404
