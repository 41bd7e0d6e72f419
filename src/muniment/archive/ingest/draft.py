"""The state of an instance while it is being built: which paths hold what, in memory only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from muniment.archive.package.packed_entries import PackedEntries
from muniment.content import Entry, LogicalPath
from muniment.errors.archive import PathCollides, PathTaken


@dataclass(frozen=True, slots=True)
class Kept:
    """What a draft had at some paths, and all its links and empty folders."""

    names: set[str]
    entries: dict[str, Entry]
    links: dict[str, str]
    folders: dict[str, None]
    added: set[str]
    touched: bool


class Draft:
    """Paths and what is at them, with the rules that keep them a tree: files, links as links, and empty folders."""

    def __init__(self, base: Iterable[Entry] = (), record: Mapping[str, Any] | None = None) -> None:
        self.entries = PackedEntries()
        self.links: dict[str, str] = {}
        self.metadata: dict[str, Any] = dict((record or {}).get("metadata", {}))
        self.left_out: list[dict[str, str]] = []
        """What this instance's making left out, and by which rule; earlier instances say that of theirs."""
        self.touched = False
        self._added: set[str] = set()
        # Empty folders; a dictionary for its order.
        self._empty: dict[str, None] = {}
        # Folder to how many things lie right in it; a folder in which nothing lies is not here.
        self._inside: dict[str, int] = {}
        for entry in base:
            self._insert(entry)
        for link, target in (record or {}).get("links", {}).items():
            if not self._holds(link):
                self._enter(link)
            self.links[link] = target
        for folder in (record or {}).get("folders", []):
            if not self._holds(folder):
                self._enter(folder)
            self._empty[folder] = None

    def __iter__(self) -> Iterator[Entry]:
        """Entries sorted by path."""
        for path in sorted(self.entries):
            yield self.entries[path]

    def added(self) -> Iterator[Entry]:
        """Those entries that were not in the instance it began on, or not the same, sorted by path."""
        for path in sorted(self._added):
            yield self.entries[path]

    @property
    def folders(self) -> list[str]:
        """The folders with nothing in them."""
        return list(self._empty)

    def check_new(self, path: LogicalPath, *, replace: bool = False) -> None:
        """Refuse a path at which no file or link can be added now.

        Raises:
            PathTaken: This transaction added it already, and `replace` was not asked for.
            PathCollides: A file or link would be a folder as well.
        """
        if path in self._added and not replace:
            raise PathTaken(path=path)
        if path in self._inside:
            raise PathCollides(path=path, other=self._below(path))
        self.check_above(path)

    def check_folder(self, path: LogicalPath) -> None:
        """Refuse a path at which no folder can be.

        Raises:
            PathCollides: A file or link is there, or above it.
        """
        if path in self.entries or path in self.links:
            raise PathCollides(path=path, other=path)
        self.check_above(path)

    def check_above(self, path: LogicalPath) -> None:
        """Refuse a path that lies below a file or a link.

        Raises:
            PathCollides: It does.
        """
        if path.rpartition("/")[0] in self._inside:
            return  # what holds something is a folder, and so is all above it
        for above in path.parents():
            if above in self.entries or above in self.links:
                raise PathCollides(path=path, other=above)

    def put(self, entry: Entry) -> None:
        """Add an entry, in place of a file, a link or an empty folder."""
        self.touched = True
        if entry.path in self.entries:
            self.entries[entry.path] = entry
        else:
            self._drop(entry.path)
            self._insert(entry)
            self._fill_above(entry.path)
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
            noted = [name for name in (*self.links, *self._empty) if name == path or name.startswith(prefix)]
        for name in noted:
            self._drop(name)
        self.touched = self.touched or bool(gone or noted)
        return gone + noted

    def note(self, links: Mapping[str, str], folders: Iterable[str]) -> None:
        """Record links, each in place of all that had its path or lay below it, and empty folders."""
        for link, target in links.items():
            if self._holds(link) or link in self._inside:
                self.remove(link)
            self._enter(link)
            self._fill_above(link)
            self.links[link] = target
        for folder in folders:
            if not self._holds(folder) and folder not in self._inside:
                self._enter(folder)
                self._fill_above(folder)
                self._empty[folder] = None
        self.touched = True

    def add_others(self, links: Mapping[str, str], folders: Iterable[str]) -> None:
        """As `note`, for links and folders that were named one by one: all of them, or none.

        Raises:
            PathTaken, PathCollides: One of them cannot be there.
        """
        before = self.state_of(links)
        try:
            for link, target in links.items():
                self.check_new(LogicalPath(link))
                self.note({link: target}, ())
            for folder in folders:
                self.check_folder(LogicalPath(folder))
                self.note({}, (folder,))
        except BaseException:
            self.go_back(before)
            raise

    def state_of(self, paths: Iterable[str]) -> Kept:
        """What there is at `paths`, to go back to if what comes next fails halfway."""
        names = set(paths)
        entries = {name: self.entries[name] for name in names if name in self.entries}
        return Kept(names, entries, dict(self.links), dict(self._empty), self._added & names, touched=self.touched)

    def go_back(self, kept: Kept) -> None:
        """Make everything at the paths of `kept`, links and empty folders as they were."""
        for name in (*self.links, *self._empty):
            self._drop(name)
        for name in kept.names:
            if self.entries.pop(name, None):
                self._leave(name)
        for entry in kept.entries.values():
            self._insert(entry)
        for name in (*kept.links, *kept.folders):
            if not self._holds(name):
                self._enter(name)
        self.links.update(kept.links)
        self._empty.update(kept.folders)
        self._added -= kept.names
        self._added |= kept.added
        self.touched = kept.touched

    def _below(self, path: str) -> str:
        return next(name for name in chain(self.entries, self.links, self._empty) if name.startswith(path + "/"))

    def _holds(self, name: str) -> bool:
        return name in self.entries or name in self.links or name in self._empty

    def _insert(self, entry: Entry) -> None:
        if not self._holds(entry.path):
            self._enter(entry.path)
        self.entries[entry.path] = entry

    def _drop(self, name: str) -> None:
        """Leave out a link or an empty folder, if there is one."""
        held = self._holds(name)
        self.links.pop(name, None)
        self._empty.pop(name, None)
        if held and not self._holds(name):
            self._leave(name)

    def _fill_above(self, name: str) -> None:
        """The folders above are empty no more."""
        while self._empty and (name := name.rpartition("/")[0]):
            self._drop(name)

    def _enter(self, name: str) -> None:
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
