"""Paths that stay apart where a service lets two files have one name, or a file and a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from muniment.content import LogicalPath
from muniment.sources.protocol import Failure, Item, Page, Source, SourceEntry, safe_path, segment


class Names:
    """The paths given out so far, by what each of them is for."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def path(self, raw: str, id: str) -> LogicalPath:
        """`raw` as a path; if it was given out before, with the file's `id` before its ending."""
        path = safe_path(raw)
        if path in self._taken:
            path = LogicalPath.parse(_marked(path, segment(id)))
        self._taken.add(path)
        return path


class UniquePaths:
    """A source around another, in which no path is given to two files, and none to a file and to a folder.

    Of two that collide the later is renamed, and keeps its name as `original`: `a (2).csv` for a second `a.csv`, and
    `n (2)/x` where `n` is a file already. Listed again in the same order, everything is called the same again.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._files: dict[int, int] = {}
        self._folders: set[int] = set()
        self._renamed: dict[str, str] = {}

    @property
    def service(self) -> str:
        """As the source within."""
        return self._source.service

    @property
    def resource(self) -> str:
        """As the source within."""
        return self._source.resource

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """As the source within."""
        return self._source.pages(after)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """As the source within, each at a path of its own."""
        present: tuple[str, str] | None = None
        for entry in self._source.entries(item):
            if isinstance(entry, Failure):
                yield entry
                continue
            path = self._apart(entry.path, hash((item.id, entry.locator, entry.version, entry.original)))
            if entry.version is None:
                present = (entry.path, path)
            of = present[1] if present is not None and entry.of == present[0] else entry.of
            if path != entry.path:
                named = entry.original if entry.original is not None else str(entry.path)
                entry = replace(entry, path=LogicalPath.parse(path), original=named)  # noqa: PLW2901 - it is the same entry
            yield replace(entry, of=of) if of != entry.of else entry

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """As the source within."""
        return self._source.open(item, entry, offset)

    def _apart(self, path: str, owner: int) -> str:
        """`path`, or one like it that collides with nothing that was listed before."""
        folder = ""
        *above, name = path.split("/")
        for step in above:
            folder = self._folder(f"{folder}{step}") + "/"
        wanted, number = f"{folder}{name}", 1
        while self._files.get(hash(wanted), owner) != owner or hash(wanted) in self._folders:
            number += 1
            wanted = _marked(f"{folder}{name}", str(number))
        self._files[hash(wanted)] = owner
        return wanted

    def _folder(self, path: str) -> str:
        """The folder at `path`, or one like it where a file has that name."""
        if path in self._renamed:
            return self._renamed[path]
        wanted, number = path, 1
        while hash(wanted) in self._files:
            number += 1
            wanted = f"{path} ({number})"
        if wanted != path:
            self._renamed[path] = wanted
        self._folders.add(hash(wanted))
        return wanted


def _marked(path: str, mark: str) -> str:
    """A path with a mark before the ending of its name."""
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".") if "." in name[1:] else (name, "", "")
    return f"{folder}{slash}{stem} ({mark}){dot}{ending}"
