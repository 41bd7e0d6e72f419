"""The published IIIF page in Chromium: tiles that are really drawn, and words found where they stand."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pyvips
from PIL import Image
from playwright.sync_api import Browser, Page

from muniment.imaging import ImageProcess
from muniment.imaging.text import read_text
from muniment.imaging.viewer import viewer
from muniment.publishers.iiif import Iiif
from muniment.publishers.iiif import page as published_page
from muniment.publishers.protocol import Publication, PublishedPage
from tests.acceptance.pages.conftest import Looking
from tests.timing import eventually

WIDTH, HEIGHT = 2600, 1700
TILE = re.compile(r"/images/[^/]+/\d+,\d+,\d+,\d+/\d+,\d+/0/default\.jpg$")


@dataclass
class Published:
    """A site that a plain web server serves, and what it was asked for."""

    folder: Path
    url: str
    asked: list[str]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A plain web server with a folder that nothing was published in yet."""
    folder = tmp_path_factory.mktemp("site")
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            del size
            asked.append(f"{int(code)} {self.path}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Published(folder, f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


def publication(folder: Path, id: str) -> Publication:
    """Two pages: a green one, and one with words."""
    black = pyvips.Image.black(WIDTH, HEIGHT, bands=3).copy(interpretation="srgb")
    green = black.linear(1, [40, 200, 40])
    words = pyvips.Image.text("Annual Meeting 1943\nÉlection of the Treasurer", dpi=300).invert()
    pages = []
    scans = {
        "green": green.cast("uchar"),
        "words": words.embed(200, 300, 1600, 1200, extend="white"),
    }
    for name, image in scans.items():
        path = folder / f"{id}-{name}.tif"
        image.tiffsave(str(path))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pages.append(PublishedPage(name, path, 0, f"<Letters> & {name}", digest))
    return Publication(id, "<Letters>", "HBF", "Papers", pages, {"Collection": ["Papers"]}, "Ask us")


@pytest.fixture
def visit(browser: Browser, published: Published, tmp_path: Path) -> Iterator[Looking]:
    """Somebody who looks at the site."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 900})
    context.set_default_timeout(30_000)
    yield Looking(context, published.url)
    context.close()


@pytest.fixture
def there() -> None:
    """What the build has to have brought."""
    if viewer() is None:
        pytest.skip("npm has not given the viewer: run make setup where it is installed")


def is_drawn(page: Page) -> bool:
    """Whether the middle of the viewer is as green as the scan."""
    with Image.open(io.BytesIO(page.locator("#scan").screenshot())) as seen:
        red, green, blue = seen.convert("RGB").getpixel((seen.width // 2, seen.height // 2))
    return bool(green > 150 and red < 90 and blue < 90)


def nothing_is_wrong(visit: Looking) -> None:
    """As everywhere; that a page was left before a tile of it came is no fault, and the viewer notes it."""
    visit.wrong = [each for each in visit.wrong if "Ignoring tile" not in each]
    visit.nothing_is_wrong()


def tiles(published: Published) -> list[str]:
    return [each for each in published.asked if TILE.search(each)]


def open_page(visit: Looking, path: str) -> Page:
    page = visit.go(path)
    page.wait_for_selector("#scan canvas")
    return page


@pytest.mark.usefixtures("there")
def test_the_page_draws_the_tiles_of_its_images(visit: Looking, published: Published, tmp_path: Path) -> None:
    Iiif(published.folder, published.url, ImageProcess).publish(publication(tmp_path, "HBF_001_05"))
    page = open_page(visit, "/HBF_001_05/index.html")
    eventually(lambda: is_drawn(page))
    first = len(tiles(published))
    assert first
    for _ in range(4):
        page.click("text=Zoom in")
    eventually(
        lambda: page.evaluate(
            "() => performance.getEntriesByType('resource').some(e => /\\/512,512,512,512\\/512,512\\//.test(e.name))"
        )
    )
    eventually(lambda: is_drawn(page))
    assert len(tiles(published)) > first
    page.click("text=Whole page")
    page.click("text=Next page")
    eventually(lambda: page.evaluate("() => document.getElementById('which').textContent.startsWith('2 / 2')"))
    assert "<Letters> & words" in page.inner_text("#which")
    assert [each for each in published.asked if not each.startswith(("200", "304")) and "favicon" not in each] == []
    assert visit.axe() == []
    nothing_is_wrong(visit)


@pytest.mark.usefixtures("there")
def test_words_are_found_and_shown_where_they_stand(visit: Looking, published: Published, tmp_path: Path) -> None:
    reading = partial(read_text, seconds=120)
    Iiif(published.folder, published.url, ImageProcess, reading).publish(publication(tmp_path, "HBF_001_06"))
    page = open_page(visit, "/HBF_001_06/index.html")
    page.fill("#words", "election treasurer")
    page.click("text=Find")
    page.wait_for_selector("#hits button")
    assert page.inner_text("#hits").startswith("2: ")
    page.click("#hits button")
    box = page.wait_for_selector(".found")
    assert box is not None
    eventually(lambda: page.evaluate("() => document.querySelector('.found').getBoundingClientRect().width > 300"))
    page.fill("#words", "nobody")
    page.click("text=Find")
    eventually(lambda: page.evaluate("() => document.getElementById('count').textContent === '0'"))
    nothing_is_wrong(visit)


def test_without_the_viewer_plain_images_are_shown(
    visit: Looking, published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_page, "viewer", lambda: None)
    published_page.shared.cache_clear()
    try:
        Iiif(published.folder, published.url, ImageProcess).publish(publication(tmp_path, "HBF_001_07"))
    finally:
        published_page.shared.cache_clear()
    page = visit.go("/HBF_001_07/index.html")
    eventually(
        lambda: page.evaluate("() => [...document.images].every(each => each.complete && each.naturalWidth > 0)")
    )
    assert page.locator("#stage").count() == 0
    assert "openseadragon-6" not in page.content()
    visit.nothing_is_wrong()
