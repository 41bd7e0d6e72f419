"""Bringing in from a source in a browser: forms made from options, and how far the fetch is."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, serving
from tests.timing import eventually


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with one file."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "tides.csv").write_text("day,depth\n1,12\n")

    def handler(*given: object, **named: object) -> _Quiet:
        return _Quiet(*given, directory=str(folder), **named)  # type: ignore[arg-type] # as the server calls it

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("fetching") / "archive", allow_private_addresses=True) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(fetching: Running) -> Visitor:
    return Visitor(fetching.url).sign_in(fetching.key)


def test_an_address_becomes_a_resource(keeper: Visitor, elsewhere: str) -> None:
    asked = {"kind": "http", "o-url": f"{elsewhere}/tides.csv", "project": "rivermark/data", "id": "tides"}
    begun = keeper.post("/deposit/source", asked)
    assert begun.status == 303, begun.words
    path = begun.headers["location"]
    eventually(
        lambda: keeper.get(path).heading == "It is in the archive", every=0.2, told=lambda: keeper.get(path).words
    )
    assert "/resources/tides?project=rivermark/data" in [
        link.attributes["href"] for link in keeper.get(path).page.every("a")
    ]
    assert "tides.csv" in keeper.get("/resources/tides?project=rivermark/data").words


def test_every_kind_of_source_has_a_form_made_from_its_options(keeper: Visitor) -> None:
    kinds = [option.attributes["value"] for option in keeper.get("/deposit/source").page.every("option")]
    assert {"http", "github", "s3"} <= set(kinds)
    for kind in kinds:
        page = keeper.get(f"/deposit/source?kind={kind}")
        assert page.status == 200
        ids = [each.attributes["id"] for each in page.page.elements if "id" in each.attributes]
        assert len(ids) == len(set(ids)), kind
    secret = next(
        each
        for each in keeper.get("/deposit/source?kind=github").page.every("input")
        if each.attributes.get("type") == "password"
    )
    assert "value" not in secret.attributes


def test_what_is_wrong_is_said_and_what_was_written_is_kept_but_no_credential(keeper: Visitor) -> None:
    asked = {"kind": "http", "o-url": "file:///etc/passwd", "project": "rivermark/data", "id": "kept"}
    refused = keeper.post("/deposit/source", asked)
    assert refused.status == 400
    assert "Nothing was asked for" in refused.words
    values = [each.attributes.get("value") for each in refused.page.every("input")]
    assert "file:///etc/passwd" in values
    assert "kept" in values
    assert keeper.get("/deposit/source?kind=none").status in {400, 404}
    assert keeper.get("/deposit/source/none").status == 404
    assert keeper.post("/deposit/source", asked, Sec_Fetch_Site="cross-site").status == 403
