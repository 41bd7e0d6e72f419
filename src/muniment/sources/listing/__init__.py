"""Folder listings of web servers: HTML of any of them by its shape, JSON of nginx and Caddy, catalogs of THREDDS.

A page is a listing, a document of its own, or looks like a listing that nobody here can read. The last is said, so
that a folder is never taken for the one page that shows it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from muniment.sources.listing.html import read_html
from muniment.sources.listing.json import read_json
from muniment.sources.listing.lines import Listed, Unreadable
from muniment.sources.listing.thredds import catalog_beside, read_catalog

__all__ = ["Listed", "Unreadable", "catalog_beside", "may_list", "read_listing"]

_READERS = {
    "text/html": read_html,
    "application/xhtml+xml": read_html,
    "application/json": read_json,
    "application/xml": read_catalog,
    "text/xml": read_catalog,
}


def may_list(url: str, content_type: str) -> bool:
    """Whether the page at `url` has to be looked at to know whether it lists anything."""
    last = urlsplit(url).path.rpartition("/")[2]
    return content_type in _READERS and ("." not in last or last.endswith(".xml") or last == "catalog.html")


def read_listing(url: str, content_type: str, body: bytes) -> list[Listed] | Unreadable | None:
    """What is directly in the folder that the page at `url` lists, each once; None where it is no listing.

    Links that lead elsewhere than one step below are left out, but for those of a catalog, which names its files.
    """
    reader = _READERS.get(content_type)
    return reader(url, body) if reader is not None else None
