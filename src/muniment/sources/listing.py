"""Folder listings of web servers: the HTML of nginx, Apache and their like, and nginx's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

_TITLE = re.compile(r"<(?:title|h1)[^>]*>\s*(?:index of|directory listing for)\b", re.IGNORECASE)
_HEAD = 16_384


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a listing. `name` is None where the link's name is not UTF-8 text or holds a slash."""

    url: str
    name: str | None
    folder: bool
    size: int | None = None
    modified: str | None = None


def is_listing(content_type: str, body: bytes) -> bool:
    """Whether a page is a listing and not a document that happens to have links."""
    if content_type == "application/json":
        return _json_lines(body) is not None
    return content_type in {"text/html", "application/xhtml+xml"} and bool(_TITLE.search(_text(body[:_HEAD])))


def read_listing(url: str, content_type: str, body: bytes) -> Iterator[Listed]:
    """What the listing at `url` has directly in its folder, each once; links that lead elsewhere are left out."""
    if content_type == "application/json":
        for line in _json_lines(body) or []:
            folder = line["type"] == "directory"
            below = urljoin(url, quote(str(line["name"]), safe="") + ("/" if folder else ""))
            size = line.get("size") if isinstance(line.get("size"), int) and not folder else None
            yield from _inside(url, below, size, str(line["mtime"]) if "mtime" in line else None)
        return
    links = _Links()
    links.feed(_text(body))
    links.close()
    for link in dict.fromkeys(links.found):
        with suppress(ValueError):  # an address nobody can read leads nowhere
            yield from _inside(url, urljoin(url, link))


def _inside(base: str, url: str, size: int | None = None, modified: str | None = None) -> Iterator[Listed]:
    """The link, if it is one step below `base`."""
    here, there = urlsplit(base), urlsplit(url)
    step = there.path.removeprefix(here.path)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc) or there.query or len(step) == len(there.path):
        return
    folder, last = step.endswith("/"), step.rstrip("/")
    if not last or "/" in last:
        return
    try:
        name: str | None = unquote(last, errors="strict")
    except UnicodeDecodeError:
        name = None
    if name is not None and ("/" in name or name in {".", ".."}):
        name = None
    yield Listed(there._replace(fragment="").geturl(), name, folder, size, modified)


def _json_lines(body: bytes) -> list[dict[str, Any]] | None:
    """Nginx's `autoindex_format json`: a list of objects with name, type, mtime and, for files, size."""
    try:
        lines = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(lines, list):
        return None
    for line in lines:
        if not isinstance(line, dict) or line.get("type") not in {"file", "directory", "other"} or "name" not in line:
            return None
    return [line for line in lines if line["type"] != "other"]


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


class _Links(HTMLParser):
    """The targets of all links of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the target of a link."""
        if tag == "a":
            self.found += [value.strip() for name, value in attrs if name == "href" and value]
