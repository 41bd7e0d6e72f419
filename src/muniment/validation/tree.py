"""A folder as it lies on disk: files, folders, links, other things, and what could not be looked at."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from muniment.validation.findings import why

DEEPEST = 4096
"""Folders below folders that are looked into; beyond it a path no longer fits any system call."""

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(slots=True)
class Tree:
    """Everything below `root`, by paths relative to it with '/' between the segments.

    Links are named, never followed. Names that are not UTF-8 carry Python's surrogate escapes.
    """

    root: str
    files: dict[str, int] = field(default_factory=dict)
    """Path to size in bytes."""
    folders: dict[str, int] = field(default_factory=dict)
    """Path to the number of things directly in it; the root itself is ''."""
    links: dict[str, str] = field(default_factory=dict)
    """Path to the link's target."""
    specials: dict[str, str] = field(default_factory=dict)
    """Path to what it is: a pipe, a socket, a device."""
    unread: dict[str, str] = field(default_factory=dict)
    """Path to the reason it could not be looked at."""
    shared: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Path to the device and inode of a file that has several names (hard links)."""
    _children: dict[str, list[str]] | None = None
    _empty: list[str] | None = None

    def path(self, relative: str) -> str:
        """Where `relative` is on disk."""
        return os.path.join(self.root, relative) if relative else self.root

    def inside(self, folder: str) -> list[str]:
        """Names directly in `folder`, of every kind; the tree must not change after the first call."""
        if self._children is None:
            self._children = {}
            for kind in (self.files, self.folders, self.links, self.specials, self.unread):
                for path in kind:
                    above, _, name = path.rpartition("/")
                    # A folder that could not be listed is among the folders as well as the unread.
                    if path and not (kind is self.unread and path in self.folders):
                        self._children.setdefault(above, []).append(name)
        return self._children.get(folder, [])

    def empty_folders(self) -> list[str]:
        """Folders that were listed and hold nothing."""
        if self._empty is None:
            self._empty = [path for path, count in self.folders.items() if not count and path not in self.unread]
        return self._empty


def scan(root: str | os.PathLike[str]) -> Tree:
    """Walk `root` without following links; what cannot be looked at is in `unread`, nothing is raised."""
    tree = Tree(os.fspath(root))
    waiting = [("", 0)]
    while waiting:
        folder, depth = waiting.pop()
        tree.folders[folder] = 0
        if depth > DEEPEST:
            tree.unread[folder] = f"more than {DEEPEST} folders deep"
            continue
        try:
            with os.scandir(tree.path(folder)) as listing:
                for item in listing:
                    tree.folders[folder] += 1
                    relative = f"{folder}/{item.name}" if folder else item.name
                    if _note(tree, item, relative):
                        waiting.append((relative, depth + 1))
        except (OSError, ValueError) as error:
            tree.unread[folder] = why(error)
    return tree


def _note(tree: Tree, item: os.DirEntry[str], relative: str) -> bool:
    """Put `item` where it belongs; True when it is a folder still to be walked."""
    try:
        if item.is_symlink():
            tree.links[relative] = os.readlink(item.path)
        elif item.is_dir(follow_symlinks=False):
            return True
        elif item.is_file(follow_symlinks=False):
            status = item.stat(follow_symlinks=False)
            tree.files[relative] = status.st_size
            if status.st_nlink > 1:
                tree.shared[relative] = (status.st_dev, status.st_ino)
        else:
            mode = item.stat(follow_symlinks=False).st_mode
            tree.specials[relative] = next((word for test, word in _KINDS if test(mode)), "something unknown")
    except (OSError, ValueError) as error:
        tree.unread[relative] = why(error)
    return False
