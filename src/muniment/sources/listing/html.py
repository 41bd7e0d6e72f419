"""Listings as HTML, known by their shape: links one step below, each shown by its own name, and little else."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from string import punctuation
from urllib.parse import quote, unquote, urljoin, urlsplit

from muniment.sources.listing.dates import time_in
from muniment.sources.listing.lines import Listed, Unreadable, is_above, once, one_step_below
from muniment.sources.times import rfc3339

_TITLE = re.compile(r"\b(?:index of\b|directory listing (?:for|of)\b)|^directory: ", re.IGNORECASE)
_PARENT = re.compile(r"\bparent (?:directory|folder)\b|\bup to higher level\b", re.IGNORECASE)
_CUT = re.compile(r"(?:\.{2,3}|…)>?/?$")
_WORD = re.compile(r"[^\W\d_]{2,}")
_FURNITURE = 30
"""Words beside the links that any listing may have: headings, totals, the server's name."""
_STRANGERS = 3
"""Links to elsewhere that a listing known by its shape alone may have, in its foot."""
_HIDDEN = frozenset({"script", "style", "svg", "template", "noscript", "select"})
_ROW_ENDS = frozenset({"tr", "br", "li", "hr", "pre", "table", "ul", "h1", "h2"})


@dataclass(slots=True)
class Link:
    """A link, and the text it is shown by."""

    target: str
    text: str = ""


@dataclass(slots=True)
class Row:
    """What stands in one line of a page."""

    links: list[Link] = field(default_factory=list)
    text: str = ""
    time: str | None = None


def read_html(url: str, body: bytes) -> list[Listed] | Unreadable | None:
    """The lines of a listing; None where it is a document of its own."""
    page = _Page()
    page.feed(body.decode("utf-8", "surrogateescape"))
    page.close()
    shape = _Shape(url, page)
    if shape.is_listing:
        return once(iter(shape.lines))
    if shape.resembles_one:
        return Unreadable(
            "it looks like the listing of a folder and cannot be read as one; to have the page itself, give the "
            "address of its file, such as …/index.html"
        )
    return None


class _Shape:
    """What the links of a page are, seen from the folder it shows."""

    def __init__(self, url: str, page: _Page) -> None:
        self.lines: list[Listed] = []
        self._page = page
        self._named = self._strangers = self._words = 0
        self._leads_up = False
        # A page may say what its links are relative to; what it shows is the folder it was asked for as.
        base = urljoin(url, page.base) if page.base else url
        folder = url if urlsplit(url).path.endswith("/") else f"{url.partition('?')[0]}/"
        for row in page.rows:
            modified, rest = time_in(row.text)
            self._words += len(_WORD.findall(rest))
            for link in row.links:
                self._leads_up |= bool(_PARENT.search(link.text))
                with suppress(ValueError):  # an address nobody can read leads nowhere
                    self._take(folder, urljoin(base, link.target), link, row.time or modified)
        self._shows_path = any(_ends_in_path(text, folder) for text in (page.title, *page.headings))

    def _take(self, url: str, target: str, link: Link, modified: str | None) -> None:
        if link.target.startswith("#") or is_above(url, target):
            return
        found = one_step_below(url, target)
        if found is None:
            self._strangers += 1
            return
        name, folder = found
        self._named += _shown_by(link.text, name)
        place = quote(urlsplit(target)._replace(fragment="").geturl(), safe=punctuation, errors="surrogateescape")
        self.lines.append(Listed(place, name, folder, None, modified))

    @property
    def is_listing(self) -> bool:
        if any(_TITLE.search(text) for text in (self._page.title, *self._page.headings)):
            return True
        furniture_only = self._words <= _FURNITURE + 3 * len(self.lines)
        if not furniture_only or self._strangers > max(_STRANGERS, len(self.lines)):
            return False
        if self.lines:
            return self._named == len(self.lines)
        empty = self._page.has_pre and not self._words and not self._strangers and not self._page.title
        return self._leads_up or self._shows_path or empty

    @property
    def resembles_one(self) -> bool:
        return bool(self._named or self._leads_up or (self._shows_path and self.lines))


def _shown_by(text: str, name: str) -> bool:
    """Whether a link's text is its target's name, whole or cut short."""
    text = " ".join(text.split())
    name = " ".join(name.split())
    if text in {name, f"{name}/", f"./{name}", f"./{name}/"} or text.startswith(f"{name} "):
        return True
    cut = _CUT.sub("", text)
    return bool(cut) and cut != text and name.startswith(cut)


def _ends_in_path(text: str, url: str) -> bool:
    """Whether a title is the folder's path, alone or after the server's name."""
    path = unquote(urlsplit(url).path) or "/"
    shown = " ".join(text.split())
    return shown in {path, path.rstrip("/")} if path == "/" else shown.endswith((path, path.rstrip("/")))


class _Page(HTMLParser):
    """Title, headings, base and rows of a page. What is not shown is not text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.headings: list[str] = []
        self.base: str | None = None
        self.rows = [Row()]
        self.has_pre = False
        self._inside: list[str] = []
        self._pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row, a link, a heading."""
        values = dict(attrs)
        if tag in _ROW_ENDS:
            self.rows.append(Row())
        if tag == "a" and (values.get("href") or "").strip():
            self.rows[-1].links.append(Link((values["href"] or "").strip()))
            self._inside.append(tag)
        elif tag in _HIDDEN or tag in {"title", "h1"}:
            self._inside.append(tag)
        elif tag == "base" and self.base is None:
            self.base = values.get("href")
        elif tag == "time" and values.get("datetime"):
            self.rows[-1].time = self.rows[-1].time or rfc3339(values["datetime"])
        if tag == "h1":
            self.headings.append("")
        if tag == "pre":
            self.has_pre = self._pre = True

    def handle_endtag(self, tag: str) -> None:
        """End them."""
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass
        if tag in _ROW_ENDS:
            self.rows.append(Row())
        if tag == "pre":
            self._pre = False

    def handle_data(self, data: str) -> None:
        """Take text to where it is shown."""
        if _HIDDEN.intersection(self._inside):
            return
        if "title" in self._inside:
            self.title += data
        elif "a" in self._inside:
            self.rows[-1].links[-1].text += data
            if "h1" in self._inside:
                self.headings[-1] += data
        elif "h1" in self._inside:
            self.headings[-1] += data
        else:
            first, *more = data.split("\n") if self._pre else [data]
            self.rows[-1].text += first
            self.rows += [Row(text=line) for line in more]
