"""A server with a few resources, some of them with names and titles that mean harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

HOSTILE_TITLE = '<script>alert("title")</script> \u202eevil & "quoted"'
HOSTILE_NAME = "soundings\n\u202e1911.csv"
DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="alert(1)">'
    b'<script>alert("svg")</script><circle r="9"/></svg>'
)


def fill(place: Path) -> None:
    """What the tests look at."""
    with Archive(place) as archive:
        with archive.new("harbour", "rivermark/maps", message="first deposit") as made:
            made.metadata.update({"title": "Harbour survey", "creator": "Port Authority", "date": "1911"})
            made.add(b"sheet,depth\n1,12\n2,=HYPERLINK(1)\n", "soundings.csv")
            made.add(b"hello\n", "letters/greeting.txt")
            made.add(b"x" * 3000, "scans/0001.tif")
        with archive.get("harbour", "a", project="rivermark/maps", message="letters added") as made:
            made.add(b"hello again\n", "letters/again.txt")
            made.replace(b"sheet,depth\n1,13\n", "soundings.csv")
            made.delete("scans/0001.tif")
        with archive.new("a/b <i>&\u202e", "rivermark/odd") as made:
            made.metadata.update({"title": HOSTILE_TITLE, "note": "<img src=x onerror=alert(1)>"})
            made.add(b"a,b\n", HOSTILE_NAME)
            made.add(DRAWING, "drawing.svg")
            made.add(b"<script>alert(1)</script>", "page.html")
            made.add(b"hello\n", "x/<b>bold</b>'\".txt")
            made.add(b'{"a": [1, 2, {"b": "<script>"}]}', "data.json")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("pages") / "archive"
    key = make_archive(place)
    fill(place)
    with serving(place, key=key, serve_title="Rivermark Library") as running:
        yield running


@pytest.fixture
def visitor(site: Running) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(site.url)


@pytest.fixture(scope="module")
def keeper(site: Running) -> Visitor:
    """Somebody who may see everything."""
    return Visitor(site.url).sign_in(site.key)
