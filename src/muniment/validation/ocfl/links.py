"""Kinds of files OCFL does not allow anywhere in an object: links and devices (OCFL 1.1 §4.6)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.tree import Tree


def check_kinds(tree: Tree) -> Iterator[Finding]:
    """Links (E090), devices, pipes and sockets (E089), and what could not be looked at (O901)."""
    for path, target in tree.links.items():
        yield say("E090", path, found=f"a symbolic link to {target!r}")
    first: dict[tuple[int, int], str] = {}
    for path, inode in tree.shared.items():
        if inode in first:
            yield say("E090", path, found=f"a hard link to {first[inode]!r}")
        first.setdefault(inode, path)
    for path, kind in tree.specials.items():
        yield say("E089", path, found=kind)
    for path, reason in tree.unread.items():
        yield say("O901", path, found=reason)
