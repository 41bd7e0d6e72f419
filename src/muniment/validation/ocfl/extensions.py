"""Extensions folders of objects and storage roots (OCFL 1.1 §3.9 and §4.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.tree import Tree

_REGISTER: Mapping[str, Mapping[str, Mapping[str, object]]] = json.loads(
    resources.files("muniment.validation.ocfl").joinpath("registered.json").read_bytes()
)
REGISTERED = frozenset(_REGISTER)
"""Every registered extension, as `registered.json` lists them; the register grows, so an unknown name is a warning."""

LAYOUTS = {name: extension["layout"] for name, extension in _REGISTER.items() if "layout" in extension}
"""Registered extensions that arrange a storage root: their parameters with the defaults, null where there is none."""

MUTABLE_HEAD = "extensions/0005-mutable-head/head/inventory.json"
"""The inventory of changes that were staged and not made a version yet."""


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
