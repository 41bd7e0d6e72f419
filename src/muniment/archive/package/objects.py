"""Reading objects: which versions an object has on disk, and the inventory that speaks for it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from muniment.archive.package.inventory import DECLARATION, Inventory, read_inventory
from muniment.errors.archive import DamagedRecord, ReadFailed

_VERSION = re.compile(r"v([1-9][0-9]*)\Z")


def versions_on_disk(root: Path) -> list[int]:
    """The version folders of an object, ascending; none when there is no such object.

    Raises:
        ReadFailed: The storage did not say.
    """
    try:
        names = os.listdir(root)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ReadFailed(path=root, reason=error.strerror) from error
    return sorted(int(found[1]) for name in names if (found := _VERSION.match(name)))


def head_of(root: Path) -> int:
    """The newest version's number, 0 when there is no such object."""
    versions = versions_on_disk(root)
    return versions[-1] if versions else 0


def newest_inventory(root: Path, algorithm: str) -> tuple[Inventory, str]:
    """The inventory of the newest version and its digest.

    A version's own inventory is the truth. When it is damaged, the root's copy serves if it is whole
    and of the same version; never an older one, which would show an old state as the present one.

    Raises:
        FileNotFoundError: There is no such object.
        ReadFailed, DamagedRecord: Neither copy can be had.
    """
    head = head_of(root)
    if not head:
        raise FileNotFoundError(root)
    try:
        found, digest = read_inventory(root / f"v{head}", algorithm)
        if found.head == head:
            return found, digest
        trouble: Exception = DamagedRecord(path=root / f"v{head}", reason=f"its inventory is that of v{found.head}")
    except FileNotFoundError:
        trouble = DamagedRecord(path=root / f"v{head}", reason="its inventory is missing")
    except (DamagedRecord, ReadFailed) as error:
        trouble = error
    try:
        found, digest = read_inventory(root, algorithm)
    except (FileNotFoundError, DamagedRecord, ReadFailed):
        raise trouble from None
    if found.head != head:
        raise trouble
    return found, digest


def declare(root: Path) -> tuple[Path, bytes]:
    """The file that says a folder is an OCFL object (OCFL 1.1 §3.3), and its content."""
    return root / DECLARATION, b"ocfl_object_1.1\n"
