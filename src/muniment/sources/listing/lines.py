"""The lines of a listing, and which links of a page are one step below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a listing. Bytes of a name that are no UTF-8 are lone surrogates, as from `os.fsdecode`."""

    url: str
    name: str
    folder: bool
    size: int | None = None
    modified: str | None = None
    missing: str | None = None
    """Why it cannot be had, where the listing names it and says no way to it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A page that looks like a folder's and cannot be read as one."""

    reason: str


def one_step_below(base: str, url: str) -> tuple[str, bool] | None:
    """The name and whether it is a folder's, if `url` is one step below the folder `base`; however both are escaped.

    A slash in the name stays escaped: it is no step.
    """
    here, there = urlsplit(base), urlsplit(url)
    if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc.lower()) or there.query:
        return None
    above, path = _steps(here.path), _steps(there.path)
    folder = len(path) == len(above) + 1 and not path[-1]
    if path[: len(above) - 1] != above[:-1] or (len(path) != len(above) and not folder):
        return None
    name = unquote(there.path.rstrip("/").rpartition("/")[2], errors="surrogateescape")
    return (plain(name), folder) if name.strip(".") and path[len(above) - 1] else None


def is_above(base: str, url: str) -> bool:
    """Whether `url` is the folder `base` itself, sorted or not, or one that it lies in."""
    here, there = urlsplit(base), urlsplit(url)
    if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc.lower()):
        return False
    above, path = _steps(here.path), _steps(there.path)
    return not path[-1] and above[: len(path) - 1] == path[:-1]


def below(base: str, name: str, *, folder: bool) -> str:
    """The address of a name that is given as it is and not as a link."""
    return urljoin(base, "./" + quote(name, safe="") + ("/" if folder else ""))


def plain(name: str) -> str:
    """A name as one step of a path."""
    return name.replace("/", "%2F")


def once(lines: Iterator[Listed]) -> list[Listed]:
    """Each address once."""
    return list({line.url: line for line in lines}.values())


def _steps(path: str) -> list[bytes]:
    """The steps of a path, unescaped one by one; the last is empty where the path is a folder's."""
    return [unquote_to_bytes(step) for step in (path or "/").split("/")]
