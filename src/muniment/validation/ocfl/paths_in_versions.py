"""Where content paths lead: into the content folder of a version that exists (OCFL 1.1 §3.3, §3.5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.ocfl.inventory import Inventory
from muniment.validation.ocfl.names import version_name
from muniment.validation.tree import Tree

_IN_CONTENT = 2
"""Segments before a file in a content path: the version's and the content folder's."""


def check_places(inventory: Inventory, tree: Tree) -> Iterator[Finding]:
    """Each content path is below <version>/<content folder>/ (E014, E016, E021, E042)."""
    content = inventory.head_keys.content_directory
    blocks = (inventory.manifest or {}, *inventory.fixity.values())
    for path in dict.fromkeys(path for block in blocks for paths in block.values() for path in paths):
        if path in inventory.troubled_paths:
            continue
        first, *rest = path.split("/")
        if len(rest) >= _IN_CONTENT and rest[0] == content and first in tree.folders:
            continue
        if first not in tree.folders or not rest:
            code = "E014" if version_name(first) else "E042"
            if code == "E014" and first in (inventory.versions or {}):
                continue  # the missing version folder was told of as such
            inventory.troubled_paths.add(path)
            yield say(code, inventory.where, found=path)
        elif len(rest) >= _IN_CONTENT and inventory.head_keys.content_directory_usable:
            if f"{first}/{rest[0]}" in _content_folders(inventory, tree, first):
                continue
            code = "E016" if inventory.head_keys.content_directory_set else "E021"
            yield say(code, inventory.where, f"{first}/{content}", path)


def _content_folders(inventory: Inventory, tree: Tree, version: str) -> set[str]:
    """Folders of `version` that hold something while the named content folder is not there at all.

    That is an object whose versions disagree on contentDirectory, which E019 and E020 tell once.
    """
    named = f"{version}/{inventory.head_keys.content_directory}"
    if named in tree.folders or not inventory.head_keys.content_directory_set:
        return set()
    return {path for path in tree.folders if path.rpartition("/")[0] == version}
