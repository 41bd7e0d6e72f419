"""Walking every object on disk, in the order of its folders: for the index and for the audit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from muniment.archive.disk.layout import TUPLES, ArchiveLayout
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import DECLARATION
from muniment.archive.package.objects import newest_inventory
from muniment.content.archive import Summary
from muniment.content.identity import from_uri
from muniment.errors.archive import DamagedRecord, ReadFailed

Unlisted = Callable[[Path, OSError], None]
"""What is told of a folder that cannot be listed."""


def refuse_unlisted(folder: Path, error: OSError) -> None:
    """Let nobody take for all what is only what could be listed.

    Raises:
        ReadFailed: Always.
    """
    raise ReadFailed(path=folder, reason=error.strerror or str(error)) from error


def object_roots(layout: ArchiveLayout, after: str = "", unlisted: Unlisted = refuse_unlisted) -> Iterator[Path]:
    """The root of every object, sorted by its place below the storage root; only those past `after`.

    Raises:
        ReadFailed: A folder between the objects cannot be listed, and `unlisted` does not take it upon itself.
    """
    yield from _below(layout.objects, tuple(after.split("/")) if after else (), 0, unlisted)


def _below(folder: Path, after: tuple[str, ...], depth: int, unlisted: Unlisted) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except (NotADirectoryError, FileNotFoundError):
        return  # a file, or gone with the last object in it
    except OSError as error:
        unlisted(folder, error)
        return
    for name in names:
        place = folder / name
        if (depth == 0 and name == "extensions") or (after and name < after[0]) or not place.is_dir():
            continue
        # Only the folders on the cursor's own way are cut short; those past it are walked whole.
        rest = after[1:] if after and name == after[0] else ()
        if depth < TUPLES:
            yield from _below(place, rest, depth + 1, unlisted)
        elif not after or name > after[0]:
            yield place


def summaries(layout: ArchiveLayout, algorithm: str) -> Iterator[Summary]:
    """What the index holds of every resource that can be read; the audit names the others.

    `algorithm` is the archive's first digest.
    """
    for root in object_roots(layout):
        if not (root / DECLARATION).exists():
            continue
        try:
            inventory, _ = newest_inventory(root, algorithm)
            found = from_uri(inventory.id)
            if found:
                yield summary(Instance(root, *found, inventory, inventory.head))
        except (FileNotFoundError, DamagedRecord, ReadFailed):
            continue


def summary(newest: Instance) -> Summary:
    """What a list shows of one resource, of which `newest` is the newest instance.

    Raises:
        DamagedRecord, ReadFailed: Its records cannot be had.
    """
    files = list(newest.files())
    size = sum(entry.size or 0 for entry in files)
    created = newest.earlier(1).created
    return Summary(newest.project, newest.id, newest.head, created, newest.created, len(files), size)
