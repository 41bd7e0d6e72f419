"""What lies in a version folder: an inventory, its sidecar and the content folder (OCFL 1.1 §3.3)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.findings import say
from muniment.validation.ocfl.inventory import NAME
from muniment.validation.ocfl.names import VersionName
from muniment.validation.tree import Tree


def check_version_folder(
    tree: Tree, folder: VersionName, sidecar: str, content_directories: set[str]
) -> Iterator[Finding]:
    """Other files (E015), other folders (W002), empty folders (E024, W003).

    Args:
        tree: The object on disk.
        folder: The version folder.
        sidecar: The path of its inventory's sidecar.
        content_directories: The names any inventory of the object gives the content folder.
    """
    for name in tree.inside(folder.name):
        path = f"{folder.name}/{name}"
        if path in tree.files:
            # Without a readable inventory there is no telling which sidecar would be the right one.
            unclear = not sidecar and name.startswith(f"{NAME}.")
            if path != sidecar and name != NAME and not unclear:
                yield say("E034" if name.lower() == NAME else "E015", path)
        elif path in tree.folders:
            if name not in content_directories:
                yield say("W002", path)
            elif not tree.folders[path]:
                yield say("W003", path)
            else:
                yield from _empty_below(tree, path)


def _empty_below(tree: Tree, content: str) -> Iterator[Finding]:
    for path in tree.empty_folders():
        if path.startswith(f"{content}/"):
            yield say("E024", path)
