"""Content against the inventories: every file listed, every listed file there and whole (OCFL 1.1 §3.5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from muniment.content import Finding, Progress
from muniment.validation.bagit.paths import composed
from muniment.validation.findings import say
from muniment.validation.fixity import KNOWN, FileToDigest, read_many
from muniment.validation.ocfl.content_paths import tidy
from muniment.validation.ocfl.digest_blocks import SIZE
from muniment.validation.ocfl.inventory import Inventory
from muniment.validation.ocfl.names import VersionName, version_name
from muniment.validation.tree import Tree

Promise = tuple[str, str, str]
"""A code, an algorithm and the digest that was promised."""


class Expected:
    """The digests that all inventories of an object promise, each file's together so that it is read once."""

    def __init__(self) -> None:
        """Nothing is promised yet."""
        self.promises: dict[str, tuple[Promise, ...]] = {}
        self.stand_ins: dict[str, str] = {}
        """A promised path that is no file to the file of another spelling that counts as it."""
        self._known: dict[Promise, Promise] = {}

    def add(self, inventory: Inventory) -> None:
        """Take in the promises of one inventory's manifest and fixity block."""
        algorithm = inventory.head_keys.algorithm
        blocks = [("E092", algorithm, inventory.manifest or {})]
        blocks += [("E093", name, block) for name, block in inventory.fixity.items()]
        for code, name, block in blocks:
            for digest, paths in block.items():
                promise = (code, name, digest.lower())
                promise = self._known.setdefault(promise, promise)
                for path in paths:
                    if path not in inventory.troubled_paths:
                        before = self.promises.get(path, ())
                        if promise not in before:
                            self.promises[path] = (*before, promise)


def find_stand_ins(tree: Tree, expected: Expected) -> Iterator[Finding]:
    """Files that count as a promised path though a system spells it in another Unicode normalisation (O504).

    A file system or a tool may have changed how a name is written; whether such a file has the promised digest is for
    `check_content` to say, as of every file.
    """
    missing = [path for path in expected.promises if not path.isascii() and path not in tree.files]
    if not missing:
        return
    spellings: dict[str, list[str]] = {}
    for path in tree.files:
        if path not in expected.promises:
            spellings.setdefault(composed(path), []).append(path)
    for path in sorted(missing):
        twins = spellings.get(composed(path), [])
        if len(twins) == 1 and twins[0] not in expected.stand_ins.values():
            expected.stand_ins[path] = twins[0]
            yield say("O504", "inventory.json", path, twins[0])


def check_every_file_is_listed(
    tree: Tree,
    inventory: Inventory,
    content_directories: set[str],
    *,
    stand_ins: Mapping[str, str],
    up_to: VersionName | None = None,
) -> Iterator[Finding]:
    """Every file in a content folder is in the manifest (E023).

    For a version's own inventory, `up_to` that version; what only that inventory leaves out is told
    of it, what the root's leaves out too is told once, of the root's.
    """
    if inventory.manifest is None:
        return
    listed = {path if path not in inventory.troubled_paths else tidy(path) for path in inventory.content_paths}
    listed |= {file for path, file in stand_ins.items() if path in listed}
    for path in tree.files:
        version, _, rest = path.partition("/")
        if path in listed or "/" not in rest or rest.partition("/")[0] not in content_directories:
            continue
        name = version_name(version)
        if name and (up_to is None or name.number <= up_to.number):
            yield say("E023", path, expected=inventory.where)


def check_content(tree: Tree, expected: Expected, progress: Progress, jobs: int | None) -> Iterator[Finding]:
    """Every promised file is there with the promised digests (E092, E093)."""
    for path in sorted(expected.promises.keys() - tree.files.keys() - expected.stand_ins.keys()):
        if path in tree.links or path in tree.unread or path in tree.specials:
            continue  # told as what it is
        for code in sorted({promise[0] for promise in expected.promises[path]}):
            promise = next(each for each in expected.promises[path] if each[0] == code)
            yield say(code, path, f"{promise[1]}:{promise[2]}", "no file")
    promised = {expected.stand_ins.get(path, path): promises for path, promises in expected.promises.items()}
    there = sorted(path for path in promised if path in tree.files)
    wanted = (
        FileToDigest(path, tuple({name for _, name, _ in promised[path] if name in KNOWN}), tree.files[path])
        for path in there
    )
    for result in read_many(wanted, tree.root, total=len(there), progress=progress, jobs=jobs):
        if result.trouble:
            yield say("O901", result.path, found=result.trouble)
            continue
        found = {**result.digests, SIZE: str(result.size)}
        for code, name, digest in promised[result.path]:
            if name in found and found[name] != digest:
                yield say(code, result.path, f"{name}:{digest}", f"{name}:{found[name]}")
