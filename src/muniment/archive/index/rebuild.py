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
from muniment.content.progress import Progress, quiet
from muniment.errors.archive import DamagedFile, DamagedRecord, ReadFailed

_TELL_EVERY = 500

Unlisted = Callable[[Path, OSError], None]
"""What is told of a folder that cannot be listed."""


def refuse_unlisted(folder: Path, error: OSError) -> None:
    """Let nobody take for all what is only what could be listed.

    Raises:
        ReadFailed: Always.
    """
    raise ReadFailed(path=folder, reason=error.strerror or str(error)) from error


Beside = Callable[[Path], None]
"""What is told of a file, a link or an empty folder above or between the objects."""


def _passed_over(place: Path) -> None:
    """What is no object is nobody's concern."""


def object_roots(
    layout: ArchiveLayout,
    after: str = "",
    unlisted: Unlisted = refuse_unlisted,
    beside: Beside = _passed_over,
) -> Iterator[Path]:
    """The root of every object, sorted by its place below the storage root; only those past `after`.

    Raises:
        ReadFailed: A folder between the objects cannot be listed, and `unlisted` does not take it upon itself.
    """
    yield from _below(os.fspath(layout.objects), tuple(after.split("/")) if after else (), 0, (unlisted, beside))


def _below(folder: str, after: tuple[str, ...], depth: int, told: tuple[Unlisted, Beside]) -> Iterator[Path]:
    unlisted, beside = told
    names: list[str] = []
    empty = True
    try:
        with os.scandir(folder) as entries:
            # What an entry is, the listing tells: of a million objects a question for each would be three million.
            for entry in entries:
                empty = False
                if entry.is_dir():
                    names.append(entry.name)
                if not entry.is_dir(follow_symlinks=False):
                    beside(Path(entry.path))
    except (NotADirectoryError, FileNotFoundError):
        return  # a file, or gone with the last object in it
    except OSError as error:
        unlisted(Path(folder), error)
        return
    if empty and depth:
        beside(Path(folder))
    for name in sorted(names):
        if (depth == 0 and name == "extensions") or (after and name < after[0]):
            continue
        # Only the folders on the cursor's own way are cut short; those past it are walked whole.
        rest = after[1:] if after and name == after[0] else ()
        if depth < TUPLES:
            yield from _below(f"{folder}/{name}", rest, depth + 1, told)
        elif not after or name > after[0]:
            yield Path(f"{folder}/{name}")


def summaries(layout: ArchiveLayout, algorithm: str, progress: Progress = quiet) -> Iterator[Summary]:
    """What the index holds of every resource that can be read; the audit names the others.

    `algorithm` is the archive's first digest.
    """
    done = 0
    for done, root in enumerate(object_roots(layout), 1):
        if done % _TELL_EVERY == 0:
            progress("indexing", done, None)
        if not (root / DECLARATION).exists():
            continue
        try:
            inventory, _ = newest_inventory(root, algorithm)
            found = from_uri(inventory.id)
            if found:
                yield summary(Instance(root, *found, inventory, inventory.head))
        except (FileNotFoundError, DamagedFile, DamagedRecord, ReadFailed):
            continue
    progress("indexing", done, done)


def summary(newest: Instance) -> Summary:
    """What a list shows of one resource, of which `newest` is the newest instance.

    Raises:
        DamagedRecord, ReadFailed: Its records cannot be had.
    """
    size, files = newest.payload()
    created = newest.earlier(1).created
    return Summary(newest.project, newest.id, newest.head, created, newest.created, files, size)
