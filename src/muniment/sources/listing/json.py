"""Listings as JSON: nginx's `autoindex_format json`, and what Caddy and Go's gateways give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from muniment.sources.listing.lines import Listed, below, once, plain
from muniment.sources.times import rfc3339


def read_json(url: str, body: bytes) -> list[Listed] | None:
    """The lines of a listing; None where it is other JSON."""
    try:
        lines = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(lines, list) or not all(isinstance(line, dict) and "name" in line for line in lines):
        return None
    if all(line.get("type") in {"file", "directory", "other"} for line in lines):
        return once(_nginx(url, lines))
    if all(isinstance(line.get("is_dir"), bool) for line in lines):
        return once(_caddy(url, lines))
    return None


def _nginx(url: str, lines: list[dict[str, object]]) -> Iterator[Listed]:
    """Objects with name, type, mtime and, for files, size."""
    for line in lines:
        if line["type"] != "other":
            folder = line["type"] == "directory"
            yield _line(url, str(line["name"]), line, "mtime", folder=folder)


def _caddy(url: str, lines: list[dict[str, Any]]) -> Iterator[Listed]:
    """Objects with name, is_dir, mod_time and size; a folder's name ends in a slash."""
    for line in lines:
        yield _line(url, str(line["name"]).removesuffix("/"), line, "mod_time", folder=line["is_dir"])


def _line(url: str, name: str, line: dict[str, Any], when: str, *, folder: bool) -> Listed:
    size = line.get("size")
    modified = rfc3339(str(line[when])) if when in line else None
    whole = size if isinstance(size, int) and not isinstance(size, bool) and not folder else None
    return Listed(below(url, name, folder=folder), plain(name), folder, whole, modified)
