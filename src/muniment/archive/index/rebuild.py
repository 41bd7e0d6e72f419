"""Walking every object on disk, in the order of its folders: for the index and for the audit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from muniment.archive.disk.layout import TUPLES, ArchiveLayout
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import DECLARATION
from muniment.archive.package.objects import newest_inventory
from muniment.content.archive import Summary
from muniment.content.identity import from_uri
from muniment.content.progress import Progress, quiet
from muniment.errors.archive import DamagedFile, DamagedRecord, ReadFailed

_TELL_EVERY = 500
FEW_OBJECTS = 2000
"""Fewer objects are looked at before another process would be of help."""

Shared = Callable[[str, tuple[str, ...], Iterator[Path]], Iterator[list[tuple[Path, Any]]]]
"""Has objects looked at by processes: `answering` of a module, what it is told, the objects; some answers at a time."""

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


def summaries(
    layout: ArchiveLayout, algorithm: str, progress: Progress = quiet, shared: Shared | None = None
) -> Iterator[Summary]:
    """What the index holds of every resource that can be read; the audit names the others.

    `algorithm` is the archive's first digest. `shared` has many resources looked at by
    other processes.

    Raises:
        ReadFailed: A folder between the objects cannot be listed.
        WorkerDied: One of the processes ended.
    """
    roots = object_roots(layout)
    first = list(islice(roots, FEW_OBJECTS)) if shared else []
    look = answering(algorithm)
    found: Iterator[tuple[Any, ...] | None]
    if shared is not None and len(first) == FEW_OBJECTS:
        found = (row for group in shared(__name__, (algorithm,), chain(first, roots)) for _, row in group)
    else:
        found = (look(os.fspath(root)) for root in chain(first, roots))
    done = 0
    for done, row in enumerate(found, 1):
        if done % _TELL_EVERY == 0:
            progress("indexing", done, None)
        if row is not None:
            yield Summary(*row)
    progress("indexing", done, done)


def answering(algorithm: str) -> Callable[[str], tuple[Any, ...] | None]:
    """What tells of the object in a folder what the index holds of it: the values of a `Summary`, or None."""

    def look(place: str) -> tuple[Any, ...] | None:
        root = Path(place)
        if not (root / DECLARATION).exists():
            return None
        try:
            inventory, _ = newest_inventory(root, algorithm)
            found = from_uri(inventory.id)
            return _row(summary(Instance(root, *found, inventory, inventory.head))) if found else None
        except (FileNotFoundError, DamagedFile, DamagedRecord, ReadFailed):
            return None

    return look


def _row(found: Summary) -> tuple[Any, ...]:
    return found.project, found.id, found.head, found.created, found.modified, found.files, found.bytes


def summary(newest: Instance) -> Summary:
    """What a list shows of one resource, of which `newest` is the newest instance.

    Raises:
        DamagedRecord, ReadFailed: Its records cannot be had.
    """
    size, files = newest.payload()
    created = newest.earlier(1).created
    return Summary(newest.project, newest.id, newest.head, created, newest.created, files, size)
