"""An object's bags against its inventory: each version's manifests name what its state names."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.fixity.audit.resource import ObjectCheck
from muniment.archive.package.inventory import FurtherDigests, Inventory
from muniment.archive.package.objects import newest_inventory
from muniment.content.regular import open_regular
from muniment.errors.archive import DamagedRecord, ReadFailed


def check_bags(check: ObjectCheck) -> None:
    """Compare the manifests of every version with its logical state."""
    try:
        inventory, _ = newest_inventory(check.root, check.context.config.digests[0])
    except (FileNotFoundError, DamagedRecord, ReadFailed):
        return
    further = inventory.further_digests()
    for number in inventory.versions:
        _check_version(check, inventory, number, further)


def _check_version(check: ObjectCheck, inventory: Inventory, number: int, further: FurtherDigests) -> None:
    logical = inventory.logical(number)
    payload = {path for path in logical if path.startswith("data/")}
    for algorithm in check.context.config.digests:
        name = f"manifest-{algorithm}.txt"
        if name not in logical:
            check.say("M201", f"v{number}", name, "no such tag file")
            continue
        unnamed = set(payload)
        for digest, path in _lines(check.place(inventory.content_path(logical[name]))):
            unnamed.discard(path)
            found = _digest(inventory, logical, further, path, algorithm)
            if found != digest:
                check.say("M201", f"v{number} {path}", f"{algorithm}:{found}", f"{algorithm}:{digest} in {name}")
        for path in sorted(unnamed):
            check.say("M201", f"v{number} {path}", f"a line in {name}", "none")


def _digest(inventory: Inventory, logical: dict[str, str], further: FurtherDigests, path: str, algorithm: str) -> str:
    digest = logical.get(path, "")
    if algorithm == inventory.algorithm or not digest:
        return digest
    return further.of(inventory.content_path(digest)).get(algorithm, "")


def _lines(manifest: Path) -> Iterator[tuple[str, str]]:
    try:
        with io.TextIOWrapper(io.BufferedReader(open_regular(manifest)), "utf-8", newline="\n") as file:
            for line in file:
                digest, _, path = line.rstrip("\n").partition("  ")
                yield digest, path
    except (OSError, UnicodeDecodeError):
        return  # missing, unreadable or damaged: said by the digest check
