"""Reads OCFL 1.0 and 1.1 objects for import, version by version: Muniment's own and anybody else's."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from muniment.archive import ImportedFile, ImportedInstance
from muniment.content import ALGORITHMS, Entry, LogicalPath
from muniment.content.trees import walk_tree
from muniment.validation import inventory_name, read_inventory
from muniment.validation.ocfl.extensions import MUTABLE_HEAD
from muniment.workflows.imports.bags import FILES, INSTANCE, free_name, own_files
from muniment.workflows.imports.resource import (
    ImportedResource,
    Json,
    agent_of,
    imported_instance,
    read_json,
    read_lines,
    refuse,
    said,
)

_DECLARATION = "0=ocfl_object_"
_OWN = "muniment:"
_STAGED = "extensions/0005-mutable-head"
BESIDE = "ocfl-object"
"""The folder for what a foreign object has in `logs` and `extensions`."""


def object_roots(root: Path) -> Iterator[Path]:
    """Every object in a storage root, in the order of their folders."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        names = sorted((entry.name for entry in folder.iterdir()), reverse=True)
        if any(name.startswith(_DECLARATION) for name in names):
            yield folder
            continue
        waiting += [
            folder / name
            for name in names
            if (folder / name).is_dir() and not (folder == root and name == "extensions")
        ]


def read_object(root: Path, origin: Json, *, staged: bool = False) -> ImportedResource:
    """The resource in a valid OCFL object. One of Muniment's keeps id, project, identifiers and times.

    With `staged`, changes that extension 0005 holds beside the versions are the newest version; their files are
    checked against the digests of that extension's inventory while they are read.

    Raises:
        PackageRefused: It says it is Muniment's and its records contradict it.
    """
    inventory = read_json(str(root / inventory_name(root)))
    if staged and (root / MUTABLE_HEAD).is_file():
        inventory = _staged_inventory(root, inventory)
    identifier = said(inventory, "id", str, str(root))
    history = _History(root, inventory, origin)
    if identifier.startswith(_OWN) and history.own(1):
        record = history.record(history.head)
        where = str(root)
        return ImportedResource(said(record, "id", str, where), said(record, "project", str, where), history.instances)
    return ImportedResource(identifier, "", history.instances)


def _staged_inventory(root: Path, committed: Json) -> Json:
    """The inventory of staged changes, held against the rules of any inventory and against the object's own.

    Raises:
        PackageRefused: It is none, it changes what is committed, or it names files elsewhere.
    """
    where = str(root / MUTABLE_HEAD)
    _, findings = read_inventory(os.fspath(root), MUTABLE_HEAD, spec=None, is_root=False)
    # E042: its content lies below the extension's own folder, and not in a version's.
    if failed := [finding for finding in findings if finding.failed and finding.code != "E042"]:
        refuse(where, f"{failed[0].code} {failed[0].message.rstrip('.')}")
    inventory = read_json(where)
    for key in ("id", "digestAlgorithm"):
        if inventory.get(key) != committed.get(key):
            refuse(where, f"its {key} is not that of the object")
    versions = said(inventory, "versions", dict, where)
    before = {name: block for name, block in versions.items() if name != inventory.get("head")}
    if before != committed["versions"]:
        refuse(where, "it is not the object's history with one version more: its revisions are of another state")
    for paths in said(inventory, "manifest", dict, where).values():
        for path in paths:
            inside = path.split("/")[0] in before or path.startswith(f"{_STAGED}/")
            if not inside or not (root / path).is_file():
                refuse(where, f"it names {path!r}, which is no file of the object")
    return inventory


def _on_disk(root: Path) -> Callable[[str], str]:
    """Gives a content path as it is spelt on disk, where a system changed its Unicode normalisation (O504)."""
    spellings: dict[str, str] = {}

    def spelt(path: str) -> str:
        if path.isascii() or (root / path).is_file():
            return path
        if not spellings:
            files = (str(Path(above, name).relative_to(root)) for above, _, names in walk_tree(root) for name in names)
            spellings.update({unicodedata.normalize("NFC", file): file for file in files})
        return spellings.get(unicodedata.normalize("NFC", path), path)

    return spelt


class _History:
    """An object's versions, as its newest inventory tells them."""

    def __init__(self, root: Path, inventory: Json, origin: Json) -> None:
        self.root = root
        self.origin = origin
        self.algorithm = str(inventory["digestAlgorithm"])
        self.versions = {int(name[1:]): block for name, block in inventory["versions"].items()}
        self.head = max(self.versions)
        self.content_folder = inventory.get("contentDirectory", "content")
        self.version_names = [name for name in inventory["versions"] if (root / name).is_dir()]
        spelt = _on_disk(root)
        self.manifest = {digest.lower(): spelt(paths[0]) for digest, paths in inventory["manifest"].items()}
        self.further: dict[str, dict[str, str]] = {}
        for algorithm, block in inventory.get("fixity", {}).items():
            if algorithm in ALGORITHMS:
                for digest, paths in block.items():
                    for path in paths:
                        self.further.setdefault(spelt(path), {})[algorithm] = digest.lower()

    def instances(self) -> Iterator[ImportedInstance]:
        for number in sorted(self.versions):
            yield self._own_instance(number) if self.own(1) else self._foreign_instance(number)

    def own(self, number: int) -> bool:
        """Whether a version is one of Muniment's bags."""
        logical = self.logical(number)
        return INSTANCE in logical and FILES in logical and "bagit.txt" in logical

    def logical(self, number: int) -> dict[str, str]:
        """Logical path to digest."""
        return {path: digest.lower() for digest, paths in self.versions[number]["state"].items() for path in paths}

    def record(self, number: int) -> Json:
        return read_json(self._place(self.logical(number), INSTANCE))

    def _own_instance(self, number: int) -> ImportedInstance:
        logical = self.logical(number)
        if not self.own(number):
            refuse(self.root, f"version {number} lacks the records of an instance")
        where = self._place(logical, INSTANCE)
        record = read_json(where)
        digests = {path: self._digests(digest) for path, digest in logical.items()}
        lines = read_lines(self._place(logical, FILES))
        files = list(own_files(lines, where, digests, lambda path: self._place(logical, path)))
        if len(files) != sum(path.startswith("data/") for path in logical):
            refuse(self.root, f"the records of version {number} do not name each of its files once")
        return imported_instance(record, files, where, self._detail(number))

    def _foreign_instance(self, number: int) -> ImportedInstance:
        block: Mapping[str, Any] = self.versions[number]
        files = []
        for path, digest in sorted(self.logical(number).items()):
            place = self.root / self.manifest[digest]
            entry = Entry(LogicalPath.parse(path), place.stat().st_size, self._digests(digest))
            files.append(ImportedFile(entry, str(place)))
        if number == self.head:
            files += self._beside({file.entry.path.partition("/")[0] for file in files})
        return ImportedInstance(
            files,
            created=str(block["created"]),
            agent=agent_of(block.get("user") or {}, str(self.root)),
            message=block.get("message") or "",
            detail=self._detail(number),
        )

    def _beside(self, taken: set[str]) -> Iterator[ImportedFile]:
        """What lies in the object beside its versions, staged changes included: kept in a folder of the newest one."""
        folder = free_name(BESIDE, taken)
        staged = any(path.startswith(_STAGED) for path in self.manifest.values())
        for top in ("extensions", "logs", *self._other_folders()):
            for above, _, names in walk_tree(self.root / top):
                if staged and Path(above).is_relative_to(self.root / _STAGED):
                    continue  # it is a version now
                for name in names:
                    place = Path(above, name)
                    entry = Entry(LogicalPath.parse(f"{folder}/{place.relative_to(self.root)}"), place.stat().st_size)
                    yield ImportedFile(entry, str(place))

    def _other_folders(self) -> Iterator[str]:
        """Folders beside the content folder of a version (W002): nothing tells what they hold."""
        for name in sorted(self.version_names):
            with os.scandir(self.root / name) as listing:
                folders = sorted(entry.name for entry in listing if entry.is_dir(follow_symlinks=False))
            yield from (f"{name}/{folder}" for folder in folders if folder != self.content_folder)

    def _detail(self, number: int) -> Json:
        return {"origin": {**self.origin, "number": number}}

    def _digests(self, digest: str) -> dict[str, str]:
        return {self.algorithm: digest, **self.further.get(self.manifest[digest], {})}

    def _place(self, logical: Mapping[str, str], path: str) -> str:
        if path not in logical:
            refuse(self.root, f"its records name {path!r}, which is not there")
        return str(self.root / self.manifest[logical[path]])
