"""HTML pages behind a link: searched for links to data, of which one is followed, one step and no further."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from muniment.doors.ckan.link import Checked, EarlierAttempt, LinkChecker
from muniment.doors.ckan.statuses import Status

_DATA = (
    "csv", "xlsx", "xls", "ods", "json", "geojson", "zip", "xml", "kml", "kmz", "gml", "tsv", "shp", "gpkg", "parquet",
    "nc", "gz", "7z", "rdf", "ttl", "txt",
)  # fmt: skip
"""The endings of names that are taken for data, the likeliest first."""
_READ = 2 << 20
_TRIED = 3


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember where links lead."""
        target = dict(attrs).get("href")
        if tag == "base" and target and not self.base:
            self.base = target
        elif tag == "a" and target:
            self.found.append(target)


def data_links(page: str, address: str) -> list[str]:
    """The links of a page to what looks like data, the likeliest first, each once."""
    parser = _Links()
    parser.feed(page)
    base = urljoin(address, parser.base) if parser.base else address
    targets = dict.fromkeys(urljoin(base, each) for each in parser.found)
    rated = [(_DATA.index(ending), each) for each in targets if (ending := _ending(each)) in _DATA]
    return [each for _, each in sorted(rated, key=lambda pair: pair[0])]


def follow(checker: LinkChecker, page: Checked, *, now: float, keep_pages: bool) -> Checked:
    """What the page's first link to data that works gives; the page itself where there is none and pages are kept."""
    assert page.body is not None
    with page.body.open("rb") as file:
        text = file.read(_READ).decode("utf-8", "replace")
    for target in data_links(text, page.redirected_to or page.address)[:_TRIED]:
        kept = page.body.rename(page.body.with_name("page"))
        found = checker.check(target, EarlierAttempt(), now=now)
        if found.status is Status.ARCHIVED and found.mimetype != "text/html":
            kept.unlink(missing_ok=True)
            return replace(found, redirected_to=target, notes={**found.notes, "found_on_page": page.address})
        if found.body is not None:
            found.body.unlink(missing_ok=True)
        kept.rename(page.body)
    if keep_pages:
        return page
    page.body.unlink(missing_ok=True)
    reason = f"Of content type {page.mimetype}, not downloading; no link on it leads to data"
    return replace(page, status=Status.NOT_CHOSEN, reason=reason, body=None, md5="", sha256="")


def _ending(url: str) -> str:
    try:
        name = urlsplit(url).path.rpartition("/")[2].lower()
    except ValueError:
        return ""
    return name.rpartition(".")[2] if "." in name else ""
