"""Objects of an archive in worm mode: the root keeps the first version's inventory, and the newest version's counts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.fixity import read_digests
from muniment.validation.ocfl.inventory import NAME, Inventory, read_inventory
from muniment.validation.ocfl.names import VersionName, version_name
from muniment.validation.ocfl.sidecar import check_sidecar
from muniment.validation.tree import Tree, scan

_OWN = "muniment:"


def counting_inventory(
    tree: Tree, root: Inventory, folders: Sequence[VersionName], spec: str | None
) -> tuple[Inventory, list[Finding]]:
    """The inventory that tells what the object holds, and what there is to say of it: the root's, in all but one case.

    In worm mode no published file is replaced, the root's inventory included (docs/format.md). So where an object is
    Muniment's, its root has the very inventory of v1, and the newest version has an inventory that is whole, that one
    counts (O505). OCFL itself asks for the newest one in the root (E064), and no other program looks elsewhere.
    """
    newest = folders[-1] if folders else None
    if newest is None or newest.number == 1 or not (root.head_keys.id or "").startswith(_OWN):
        return root, []
    first = read_digests(tree.path(f"{folders[0].name}/{NAME}"), ["sha512"]).digests.get("sha512")
    where = f"{newest.name}/{NAME}"
    if first != root.fingerprint.hex() or where not in tree.files:
        return root, []
    found, findings = read_inventory(tree.root, where, spec=spec, is_root=True)
    if found is None or any(finding.failed for finding in (*findings, *check_sidecar(tree, found)[1])):
        return root, []
    return replace(found, where=where), [*findings, say("O505", NAME, newest.name, folders[0].name)]


def inventory_name(folder: str | os.PathLike[str]) -> str:
    """Where the inventory that counts lies, from the root of the valid object in `folder`."""
    tree = scan(folder)
    root, _ = read_inventory(tree.root, NAME, spec=None, is_root=True)
    names = sorted(name for each in tree.inside("") if each in tree.folders and (name := version_name(each)))
    return counting_inventory(tree, root, names, None)[0].where if root else NAME
