"""The object's root folder, and its inventory held against the version folders (OCFL 1.1 §3.1, §3.5)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.ocfl.inventory import NAME, Inventory
from muniment.validation.ocfl.names import VersionName, check_sequence, version_name
from muniment.validation.tree import Tree

_FOLDERS = {"extensions", "logs"}


def check_root_entries(tree: Tree, declarations: set[str], sidecar: str) -> Iterator[Finding]:
    """Nothing but what the specification names lies in the root (E001, E034)."""
    for name in tree.inside(""):
        if name in tree.links or name in tree.specials or name in tree.unread or name in declarations:
            continue
        if name in tree.folders:
            if name not in _FOLDERS and not version_name(name):
                yield say("E001", name)
        elif name not in {NAME, sidecar}:
            yield say("E034" if name.lower() == NAME else "E001", name)


def check_names_and_head(
    inventory: Inventory, folders: list[VersionName] | None, tree: Tree, *, only: VersionName | None = None
) -> Iterator[Finding]:
    """The versions block names the version folders and `head` the newest (E008, E040, E046, E104, E105).

    Args:
        inventory: The inventory to check.
        folders: The version folders, for the root's inventory; None for a version's own.
        tree: The object on disk.
        only: The version folder the inventory lies in, for a version's own.
    """
    if inventory.versions is None:
        return
    names = []
    for key in inventory.versions:
        name = version_name(key)
        if name:
            names.append(name)
        elif key not in tree.folders:
            yield say("E105" if key.startswith("v") else "E104", inventory.where, found=key)
    if folders is not None:
        yield from _same_versions(inventory, names, folders)
        if not folders:
            yield from check_sequence(names, inventory.where)
    yield from _head(inventory, max(names, default=None), only)


def _same_versions(inventory: Inventory, names: list[VersionName], folders: list[VersionName]) -> Iterator[Finding]:
    there = {folder.number for folder in folders}
    low, high = min(there, default=0), max(there, default=0)
    for name in sorted(set(names) - set(folders)):
        # A gap between the folders was already told as E010.
        if not low < name.number < high or name.number in there:
            yield say("E046", inventory.where, f"the folder {name.name}", "none")
    for folder in sorted(set(folders) - set(names)):
        yield say("E046", inventory.where, f"an entry for {folder.name}", "none")


def _head(inventory: Inventory, newest: VersionName | None, only: VersionName | None) -> Iterator[Finding]:
    head = inventory.head_keys.head
    if head is None:
        return
    expected = only.name if only else newest.name if newest else ""
    if head != expected and (expected or not _is_key(inventory, head)):
        yield say("E040", inventory.where, expected or "a version", head)
    elif only and newest and newest.name != head:
        yield say("E040", inventory.where, newest.name, head)


def _is_key(inventory: Inventory, head: str) -> bool:
    """Whether `head` is the name of an entry that no version can have; that was told already."""
    return head in (inventory.versions or {})
