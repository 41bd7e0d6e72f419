"""The state of an instance while it is being built: which paths hold what, in memory only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muniment.content import Entry, LogicalPath
from muniment.errors.archive import PathCollides, PathTaken


class Draft:
    """Paths and their entries, with the rules that keep them a tree."""

    def __init__(self, base: Iterable[Entry] = (), record: Mapping[str, Any] | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.links: dict[str, str] = dict((record or {}).get("links", {}))
        self.folders: list[str] = list((record or {}).get("folders", []))
        self.metadata: dict[str, Any] = dict((record or {}).get("metadata", {}))
        self.touched = False
        self._added: set[str] = set()
        self._above: Counter[str] = Counter()
        for entry in base:
            self._insert(entry)

    def __iter__(self) -> Iterator[Entry]:
        """Entries sorted by path."""
        for path in sorted(self.entries):
            yield self.entries[path]

    def copy(self) -> Draft:
        """The same state, to go back to if what comes next fails halfway."""
        other = Draft()
        other.entries, other.links, other.folders = dict(self.entries), dict(self.links), list(self.folders)
        other.metadata, other.touched = self.metadata, self.touched
        other._added, other._above = set(self._added), Counter(self._above)
        return other

    def check_new(self, path: LogicalPath, *, replace: bool = False) -> None:
        """Refuse a path that cannot be added now.

        Raises:
            PathTaken: This transaction added it already, and `replace` was not asked for.
            PathCollides: A file would be a folder as well.
        """
        if path in self._added and not replace:
            raise PathTaken(path=path)
        if self._above.get(path):
            below = next(other for other in self.entries if other.startswith(path + "/"))
            raise PathCollides(path=path, other=below)
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
        elif self._above.get(path):
            gone = [other for other in self.entries if other.startswith(prefix)]
        else:
            gone = []
        for name in gone:
            entry = self.entries.pop(name)
            self._above.subtract(LogicalPath(entry.path).parents())
            self._added.discard(name)
        noted = [name for name in (*self.links, *self.folders) if name == path or name.startswith(prefix)]
        for name in noted:
            self.links.pop(name, None)
        self.folders = [name for name in self.folders if name not in noted]
        self.touched = self.touched or bool(gone or noted)
        return gone + noted

    def _insert(self, entry: Entry) -> None:
        self.entries[entry.path] = entry
        self._above.update(LogicalPath(entry.path).parents())
