"""The state of an instance while it is being built: which paths hold what, in memory only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from muniment.content import Entry, LogicalPath
from muniment.errors.archive import PathCollides, PathTaken


@dataclass(frozen=True, slots=True)
class Kept:
    """What a draft had at some paths."""

    names: set[str]
    entries: dict[str, Entry]
    links: dict[str, str]
    added: set[str]
    touched: bool


class Draft:
    """Paths and their entries, with the rules that keep them a tree."""

    def __init__(self, base: Iterable[Entry] = (), record: Mapping[str, Any] | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.links: dict[str, str] = dict((record or {}).get("links", {}))
        self.folders: list[str] = list((record or {}).get("folders", []))
        self.metadata: dict[str, Any] = dict((record or {}).get("metadata", {}))
        self.touched = False
        self._added: set[str] = set()
        # Folder to how many files and folders lie right in it; a folder in which nothing lies is not here.
        self._inside: dict[str, int] = {}
        for entry in base:
            self._insert(entry)

    def __iter__(self) -> Iterator[Entry]:
        """Entries sorted by path."""
        for path in sorted(self.entries):
            yield self.entries[path]

    def check_new(self, path: LogicalPath, *, replace: bool = False) -> None:
        """Refuse a path that cannot be added now.

        Raises:
            PathTaken: This transaction added it already, and `replace` was not asked for.
            PathCollides: A file would be a folder as well.
        """
        if path in self._added and not replace:
            raise PathTaken(path=path)
        if path in self._inside:
            below = next(other for other in self.entries if other.startswith(path + "/"))
            raise PathCollides(path=path, other=below)
        if path.rpartition("/")[0] in self._inside:
            return  # what holds something is a folder, and so is all above it
        for above in path.parents():
            if above in self.entries:
                raise PathCollides(path=path, other=above)

    def put(self, entry: Entry) -> None:
        """Add an entry, in place of one from the instance before."""
        self.touched = True
        self.links.pop(entry.path, None)
        if entry.path not in self.entries:
            self._insert(entry)
        else:
            self.entries[entry.path] = entry
        self._added.add(entry.path)

    def remove(self, path: str) -> list[str]:
        """Leave out a file, a link, or a folder and all below it; returns what was left out."""
        prefix = path + "/"
        if path in self.entries:
            gone = [path]
        elif path in self._inside:
            gone = [other for other in self.entries if other.startswith(prefix)]
        else:
            gone = []
        for name in gone:
            del self.entries[name]
            self._leave(name)
            self._added.discard(name)
        # Nothing lies below a file or a link; to look would take long where both are many.
        noted = [path] if path in self.links else []
        if not noted and path not in gone:
            noted = [name for name in (*self.links, *self.folders) if name == path or name.startswith(prefix)]
        for name in noted:
            self.links.pop(name, None)
        if noted and self.folders:
            below = set(noted)
            self.folders = [name for name in self.folders if name not in below]
        self.touched = self.touched or bool(gone or noted)
        return gone + noted

    def note(self, links: Mapping[str, str], folders: Iterable[str]) -> None:
        """Record links, each in place of all that had its path or lay below it, and empty folders."""
        for link in links:
            if link in self.entries or link in self._inside:
                self.remove(link)
        replaced = {
            name
            for name in (*self.links, *self.folders)
            if name in links or any(above in links for above in LogicalPath(name).parents())
        }
        self.links = {name: target for name, target in self.links.items() if name not in replaced} | dict(links)
        self.folders = list(dict.fromkeys((*(name for name in self.folders if name not in replaced), *folders)))
        self.touched = True

    def state_of(self, paths: Iterable[str]) -> Kept:
        """What there is at `paths`, to go back to if what comes next fails halfway."""
        names = set(paths)
        entries = {name: self.entries[name] for name in names if name in self.entries}
        links = {name: self.links[name] for name in names if name in self.links}
        return Kept(names, entries, links, self._added & names, touched=self.touched)

    def go_back(self, kept: Kept) -> None:
        """Make everything at the paths of `kept` as it was."""
        for name in kept.names:
            if self.entries.pop(name, None):
                self._leave(name)
        for entry in kept.entries.values():
            self._insert(entry)
        self.links.update(kept.links)
        self._added -= kept.names
        self._added |= kept.added
        self.touched = kept.touched

    def _insert(self, entry: Entry) -> None:
        self.entries[entry.path] = entry
        name: str = entry.path
        while name := name.rpartition("/")[0]:
            count = self._inside.get(name, 0)
            self._inside[name] = count + 1
            if count:
                return  # the folder was there before, so those above it know of it

    def _leave(self, name: str) -> None:
        while name := name.rpartition("/")[0]:
            count = self._inside.pop(name) - 1
            if count:
                self._inside[name] = count
                return
