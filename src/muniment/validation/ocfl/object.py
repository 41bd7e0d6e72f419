"""Judge one OCFL object: the list of its rules, in the order a person would look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from muniment.content import Finding, Progress, quiet
from muniment.validation.findings import say
from muniment.validation.fixity import read_digests
from muniment.validation.ocfl.content import Expected, check_content, check_every_file_is_listed, find_stand_ins
from muniment.validation.ocfl.declaration import object_declaration
from muniment.validation.ocfl.extensions import check_object_extensions
from muniment.validation.ocfl.head_inventory import counting_inventory
from muniment.validation.ocfl.history import History
from muniment.validation.ocfl.inventory import NAME, Inventory, read_inventory
from muniment.validation.ocfl.links import check_kinds
from muniment.validation.ocfl.names import VersionName, check_sequence, version_name
from muniment.validation.ocfl.object_root import check_names_and_head, check_root_entries
from muniment.validation.ocfl.paths_in_versions import check_places
from muniment.validation.ocfl.sidecar import LOST, check_sidecar, lone_sidecar
from muniment.validation.ocfl.version_folders import check_version_folder
from muniment.validation.tree import Tree, scan


def validate_object(
    path: str | os.PathLike[str],
    *,
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Finding]:
    """Every finding of the OCFL object at `path`, under the specification's codes; nothing is raised.

    Args:
        path: The object's root folder.
        progress: Told of each batch of files whose digests were compared.
        jobs: Files read at a time; by default one per processor.
    """
    for finding, _ in object_findings(path, progress=progress, jobs=jobs):
        if finding:
            yield finding


def object_findings(
    path: str | os.PathLike[str], *, progress: Progress = quiet, jobs: int | None = None
) -> Iterator[tuple[Finding | None, str | None]]:
    """As `validate_object`; the last item carries the declared version of OCFL for the root's own rule."""
    tree = scan(path)
    if "" in tree.unread:
        yield say("O901", os.fspath(path), found=tree.unread[""]), None
        return
    spec, declarations, findings = object_declaration(tree)
    yield from ((finding, None) for finding in findings)
    yield from ((finding, None) for finding in check_kinds(tree))
    for finding in _judge(tree, spec, declarations, progress, jobs):
        yield finding, None
    yield None, spec


def _judge(
    tree: Tree, spec: str | None, declarations: set[str], progress: Progress, jobs: int | None
) -> Iterator[Finding]:
    if NAME not in tree.files:
        alone = lone_sidecar(tree, "")
        yield say("E063", NAME, found=LOST.format(alone) if alone else "")
        if declarations:
            yield from check_root_entries(tree, declarations, alone)
        return
    root, findings = read_inventory(tree.root, NAME, spec=spec, is_root=True)
    yield from findings
    folders = sorted(name for each in tree.inside("") if each in tree.folders and (name := version_name(each)))
    yield from check_sequence(folders, "")
    yield from check_object_extensions(tree)
    if root is None:
        return
    sidecar, findings = check_sidecar(tree, root)
    yield from findings
    yield from check_root_entries(tree, declarations, sidecar)
    root, findings = counting_inventory(tree, root, folders, spec)
    yield from findings
    yield from check_names_and_head(root, folders, tree)
    yield from check_places(root, tree)
    expected = Expected()
    expected.add(root)
    history = History(root, spec)
    inventories: list[tuple[Inventory, VersionName | None]] = [(root, None)]
    for folder in folders:
        yield from _judge_version(tree, folder, history, expected, spec, inventories)
    yield from history.check_first_and_last()
    yield from find_stand_ins(tree, expected)
    for inventory, version in inventories:
        yield from check_every_file_is_listed(
            tree, inventory, history.content_directories, stand_ins=expected.stand_ins, up_to=version
        )
    yield from check_content(tree, expected, progress, jobs)


def _copy_of_root(tree: Tree, where: str, root: Inventory) -> Inventory | None:
    """The root's inventory as that at `where`, when both files have the same bytes: no need to parse it again."""
    result = read_digests(tree.path(where), ["sha512"])
    same = result.digests.get("sha512") == root.fingerprint.hex()
    return replace(root, where=where) if same else None


def _judge_version(
    tree: Tree,
    folder: VersionName,
    history: History,
    expected: Expected,
    spec: str | None,
    inventories: list[tuple[Inventory, VersionName | None]],
) -> Iterator[Finding]:
    """Everything in one version folder, its own inventory held against the root's."""
    where = f"{folder.name}/{NAME}"
    sidecar = ""
    if where in tree.files:
        findings: list[Finding] = []
        inventory = _copy_of_root(tree, where, history.root) if history.is_newest(folder) else None
        if inventory is None:
            inventory, findings = read_inventory(tree.root, where, spec=spec, is_root=False)
        same = history.is_newest(folder) and inventory is not None and inventory.fingerprint == history.root.fingerprint
        # What is wrong inside the newest inventory was already said of its copy in the object's root.
        yield from () if same else findings
        if inventory:
            sidecar, findings = check_sidecar(tree, inventory)
            yield from findings
            yield from history.check(folder, inventory)
            if not same:
                yield from check_names_and_head(inventory, None, tree, only=folder)
                yield from check_places(inventory, tree)
                expected.add(inventory)
                inventories.append((inventory, folder))
    elif where not in tree.unread:
        alone = lone_sidecar(tree, folder.name)
        yield say("W010", where, found=LOST.format(alone) if alone else "")
    yield from check_version_folder(tree, folder, sidecar, history.content_directories)
