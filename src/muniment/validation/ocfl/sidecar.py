"""An inventory's sidecar: the digest of its bytes in a file beside it (OCFL 1.1 §3.6)."""

from __future__ import annotations

import re

from muniment.content import Finding
from muniment.validation.findings import say, why
from muniment.validation.ocfl.inventory import NAME, Inventory
from muniment.validation.ocfl.jsontext import TooLarge, read_bounded
from muniment.validation.tree import Tree

_LINE = re.compile(rb"([0-9a-fA-F]+)[ \t]+inventory\.json\s*", re.ASCII)
_LARGEST = 4096


LOST = " {} is there, so it was lost."


def lone_sidecar(tree: Tree, folder: str) -> str:
    """The sidecar in a folder without an inventory, '' where there is none."""
    name = next((name for name in sorted(tree.inside(folder)) if name.startswith(f"{NAME}.")), "")
    return f"{folder}/{name}" if folder and name else name


def check_sidecar(tree: Tree, inventory: Inventory) -> tuple[str, list[Finding]]:
    """The path of the sidecar that counts and what is wrong with it (E058 to E061)."""
    expected = f"{inventory.where}.{inventory.head_keys.algorithm}"
    folder = inventory.where.removesuffix(NAME).rstrip("/")
    if expected not in tree.files:
        others = sorted(name for name in tree.inside(folder) if name.startswith(f"{NAME}."))
        if not others:
            return expected, [say("E058", expected)]
        found = f"{folder}/{others[0]}" if folder else others[0]
        return found, [say("E059", found, expected)]
    try:
        data = read_bounded(tree.path(expected), _LARGEST)
    except TooLarge as error:
        return expected, [say("E061", expected, found=f"{error} bytes")]
    except (OSError, ValueError) as error:
        return expected, [say("O901", expected, found=why(error))]
    match = _LINE.fullmatch(data)
    if not match:
        return expected, [say("E061", expected, found=data.decode("utf-8", "backslashreplace"))]
    promised = match[1].decode().lower()
    if inventory.digest and promised != inventory.digest:
        return expected, [say("E060", inventory.where, promised, inventory.digest)]
    return expected, []
