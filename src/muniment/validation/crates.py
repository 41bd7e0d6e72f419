"""Judge an RO-Crate that lies in a folder by itself: its description, and that what it describes is there."""

from __future__ import annotations

import os
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.paths import composed
from muniment.validation.crate import CRATE, LEGACY, Described, read_crate
from muniment.validation.findings import say
from muniment.validation.tree import Tree, scan


def crate_document(names: list[str] | dict[str, int]) -> str:
    """Which of these files describes a crate, '' for none; until RO-Crate 1.0 it had another name."""
    return next((name for name in (CRATE, LEGACY) if name in names), "")


def validate_crate(path: str | os.PathLike[str]) -> Iterator[Finding]:
    """Every finding of the RO-Crate (1.0 to 1.2) in the folder `path`; nothing is raised.

    It has no digests, so whether its files are as they were cannot be told.
    """
    tree = scan(path)
    for where, reason in tree.unread.items():
        yield say("R901", where or os.fspath(path), found=reason)
    for where, target in tree.links.items():
        yield say("R005", where, found=f"a symbolic link to {target!r}")
    for where, kind in tree.specials.items():
        yield say("R005", where, found=kind)
    document = crate_document(tree.files)
    if document:
        yield from check_described(tree, document, read_crate(tree.path(document)))


def check_described(tree: Tree, document: str, found: Described) -> Iterator[Finding]:
    """What is wrong with a description that lies at `document` in `tree` (R001 to R004)."""
    for wrong in found.unreadable:
        yield say("R001", document, found=wrong)
    for wrong in found.wrong:
        yield say("R002", document, found=wrong)
    above = f"{document.rpartition('/')[0]}/".lstrip("/")
    files = {composed(name) for name in (*tree.files, *tree.links)}
    folders = {composed(name) for name in tree.folders}
    for name in found.files:
        if composed(f"{above}{name}") not in files:
            yield say("R003", f"{above}{name}", document)
    for name in found.folders:
        if composed(f"{above}{name}".rstrip("/")) not in folders:
            yield say("R003", f"{above}{name}", document)
    for name in found.unlinked:
        yield say("R004", document, found=name)
