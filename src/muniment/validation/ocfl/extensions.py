"""Extensions folders of objects and storage roots (OCFL 1.1 §3.9 and §4.2)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.tree import Tree

LAYOUTS = {
    "0002-flat-direct-storage-layout",
    "0003-hash-and-id-n-tuple-storage-layout",
    "0004-hashed-n-tuple-storage-layout",
    "0006-flat-omit-prefix-storage-layout",
    "0007-n-tuple-omit-prefix-storage-layout",
    "0010-differential-n-tuple-omit-prefix-storage-layout",
    "0011-direct-clean-path-layout",
}
"""Registered extensions that arrange a storage root."""

MUTABLE_HEAD = "extensions/0005-mutable-head/head/inventory.json"
"""The inventory of changes that were staged and not made a version yet."""

REGISTERED = LAYOUTS | {
    "0001-digest-algorithms",
    "0005-mutable-head",
    "0008-schema-registry",
    "0009-digest-algorithms",
    "initial",
}
"""Every registered extension; the register grows, so an unknown name is a warning only."""


def check_object_extensions(tree: Tree) -> Iterator[Finding]:
    """An object's extensions: folders only (E067), of registered names (W013)."""
    yield from _check(tree, "E067", "W013")
    if MUTABLE_HEAD in tree.files:
        yield say("O502", MUTABLE_HEAD.rpartition("/")[0])


def check_root_extensions(tree: Tree) -> Iterator[Finding]:
    """A storage root's extensions: folders only (E112), of registered names (W016)."""
    yield from _check(tree, "E112", "W016")


def _check(tree: Tree, stray: str, unregistered: str) -> Iterator[Finding]:
    if "extensions" not in tree.folders:
        return
    for name in tree.inside("extensions"):
        path = f"extensions/{name}"
        if path in tree.files:
            yield say(stray, path)
        elif path in tree.folders and name not in REGISTERED:
            yield say(unregistered, path)
