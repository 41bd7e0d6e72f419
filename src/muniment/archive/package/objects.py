"""Reading objects: which versions an object has on disk, and the inventory that speaks for it."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from urllib.parse import unquote

from muniment.archive.disk.layout import TUPLES, object_parts
from muniment.archive.disk.repaired import repaired_copies
from muniment.archive.package.inventory import DECLARATION, Inventory, read_inventory
from muniment.content.identity import from_uri
from muniment.errors.archive import DamagedRecord, ReadFailed

_VERSION = re.compile(r"v([1-9][0-9]*)\Z")


def versions_on_disk(root: Path) -> list[int]:
    """The version folders of an object, ascending; none when there is no such object.

    Raises:
        ReadFailed: The storage did not say.
    """
    try:
        with os.scandir(root) as entries:
            # A file or a link that has such a name is a stranger: it must not pass for the newest version.
            names = [
                entry.name for entry in entries if _VERSION.match(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ReadFailed(path=root, reason=error.strerror) from error
    return sorted(int(name[1:]) for name in names)


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
    trouble: Exception
    try:
        return version_inventory(root, head, algorithm)
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


def version_inventory(root: Path, version: int, algorithm: str) -> tuple[Inventory, str]:
    """The inventory that came with a version, and its digest: its own, or what stands repaired beside it.

    Raises:
        FileNotFoundError: There is none.
        ReadFailed, DamagedRecord: It cannot be had, or is of another version.
    """
    folder = root / f"v{version}"
    try:
        found, digest = read_inventory(folder, algorithm)
    except (FileNotFoundError, DamagedRecord, ReadFailed):
        for copy in repaired_copies(folder, archive_of(root)):
            with contextlib.suppress(FileNotFoundError, DamagedRecord, ReadFailed):
                found, digest = read_inventory(copy, algorithm)
                if found.head == version:
                    return found, digest
        raise
    if found.head != version:
        raise DamagedRecord(path=folder, reason=f"its inventory is that of v{found.head}")
    return found, digest


def archive_of(root: Path) -> Path:
    """The root of the archive, or of the staged version, that the object at `root` lies in."""
    return root.parents[TUPLES + 1]


def identity_of(root: Path, algorithm: str) -> tuple[str, str]:
    """Project and id of an object's resource, from an inventory or its folder's name; empty where neither says."""
    versions = versions_on_disk(root)
    uris = []
    for folder in (*(f"v{number}" for number in reversed(versions)), ""):
        with contextlib.suppress(FileNotFoundError, DamagedRecord, ReadFailed):
            uris.append(read_inventory(root / folder, algorithm)[0].id)
            break
    for uri in (*uris, unquote(root.name)):
        found = from_uri(uri)
        if found and object_parts(uri)[-1] == root.name:
            return found
    return "", ""


def declare(root: Path) -> tuple[Path, bytes]:
    """The file that says a folder is an OCFL object (OCFL 1.1 §3.2), and its content."""
    return root / DECLARATION, b"ocfl_object_1.1\n"
