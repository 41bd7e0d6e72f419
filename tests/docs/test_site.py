"""The site that `make site` builds: every link in it leads somewhere, and nothing in it is loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.nightly
"""The generator takes half a minute; links within the documentation are followed each day by `test_pages`."""

ROOT = Path(__file__).resolve().parents[2]
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("object", "data")}
"""What a browser asks for without being told to."""
IN_STYLES = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(?P<address>[^'\")]+)")


class Page(HTMLParser):
    """A page's links, what it loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        # A canonical address or a licence is told, and not asked for.
        if tag != "link" or given.get("rel") in {"stylesheet", "icon", "shortcut icon", "preload", "manifest"}:
            self.loaded += [given[name] for kind, name in LOADED if kind == tag and name in given]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("site") / "built"
    command = [sys.executable, str(ROOT / "scripts" / "docs_site.py"), "--output", str(output)]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    return output


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}


def outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def test_every_page_of_the_documentation_is_in_it(pages: dict[Path, Page], site: Path) -> None:
    written = {path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert written <= {path.relative_to(site) for path in pages}
    for first in ("index.html", "README.html", "ARCHITECTURE.html", "CHANGELOG.html", "search.html"):
        assert site / first in pages


def dead(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    for link in page.links:
        parts = urlsplit(link)
        if outside(link):
            continue
        to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not to.exists() or (parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].places):
            yield link


def test_every_link_leads_to_a_page_and_a_place_in_it(pages: dict[Path, Page]) -> None:
    assert sum(len(page.links) for page in pages.values()) > 5000
    broken = {path.name: found for path, page in pages.items() if (found := sorted(set(dead(path, page, pages))))}
    assert broken == {}


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    loaded = [address for page in pages.values() for address in page.loaded]
    assert len(loaded) > 500
    assert [address for address in loaded if outside(address)] == []
    for styles in site.rglob("*.css"):
        found = [match["address"] for match in IN_STYLES.finditer(styles.read_text("utf-8"))]
        assert [address for address in found if outside(address)] == [], styles.name


def test_what_is_loaded_is_there(pages: dict[Path, Page]) -> None:
    lost = {
        address
        for path, page in pages.items()
        for address in page.loaded
        if not address.startswith("data:") and not (path.parent / unquote(urlsplit(address).path)).exists()
    }
    assert lost == set()
