"""What lies in the archive's own folders and belongs to nothing that is recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import LAYOUT, TUPLES
from muniment.archive.disk.repaired import REPAIRED
from muniment.archive.disk.root_files import PLACES, RECORD, ROOT_FILES
from muniment.archive.fixity.audit.again import locked
from muniment.archive.fixity.audit.untracked_parity import UntrackedParity
from muniment.archive.ingest.recovery import leftovers
from muniment.content import FINDINGS, Finding

_IN_ROOT = {
    *(place for place in (*ROOT_FILES, RECORD) if "/" not in place),
    "objects",
    "parity",
    "events",
    "tombstones",
    "staging",
    REPAIRED,
    "lost+found",
}
_STATE = ("index.db", "contents.db", "pieces.db", "control.db", "audit.json", "control.key", "users.csv", "stores")
_BUCKET = re.compile(r"[0-9]{8}\Z")
_OF_THE_LOG = re.compile(r"[0-9]{12}\.jsonl\Z")
_IN_OBJECTS = {"0=ocfl_1.1", "ocfl_layout.json", "extensions"}


def check_untracked(
    context: ArchiveContext, large: set[bytes] | None, since: int, beside: list[Path]
) -> Iterator[Finding]:
    """Findings for what nothing records: in the root, between the objects, in the parity and the log.

    `large` are the sha256 digests of all files that have a parity set of their own; None when some
    object's records could not be read, so that nobody can say which parity is needed. `since` was the number
    of the log's newest event when the audit began. `beside` is what the walk met above and between the objects.
    """
    root = context.layout.root
    for name in _names(root):
        if name not in _IN_ROOT and not name.startswith(_STATE):
            yield _stray(name)
    for place in _between_objects(context.layout.objects, beside):
        with locked(context, place):
            # A purge removes the folders above an object one by one.
            there = place.is_symlink() or (not any(_names(place)) if place.is_dir() else place.exists())
        if there:
            shown = str(place.relative_to(root))
            yield _stray(f"{shown}/ (an empty folder)" if place.is_dir() else shown)
    yield from UntrackedParity(context, large, since).find()
    for folder in (context.layout.events, context.layout.log_mirror):
        for path in _not_of_the_log(folder):
            yield _stray(str(path.relative_to(root)))
    yield from _repaired(context)
    for left in leftovers(context):
        where = f"staging/open/{left.transaction}"
        yield Finding(FINDINGS["M501"], where, "", left.started, left.id, str(left.base + 1))
    for name in _names(context.layout.quarantine):
        yield Finding(FINDINGS["M502"], f"staging/quarantine/{name}", "", "see the log")


def _not_of_the_log(folder: Path) -> Iterator[Path]:
    for bucket in _names(folder):
        if not _BUCKET.match(bucket) or not (folder / bucket).is_dir() or (folder / bucket).is_symlink():
            yield folder / bucket
            continue
        for name in _names(folder / bucket):
            if not _OF_THE_LOG.match(name):
                yield folder / bucket / name


def _repaired(context: ArchiveContext) -> Iterator[Finding]:
    """Repaired copies of what is not there to be damaged; those of an object are looked at with it."""
    root = context.layout.root
    for number in _names(root / REPAIRED):
        layer = root / REPAIRED / number
        if not number.isdecimal() or not layer.is_dir():
            yield _stray(f"{REPAIRED}/{number}")
            continue
        for folder, _, names in os.walk(layer):
            for name in names:
                path = Path(folder, name)
                if not _may_stand_repaired(context, path.relative_to(layer)):
                    yield _stray(str(path.relative_to(root)))


def _may_stand_repaired(context: ArchiveContext, inside: Path) -> bool:
    """Whether something recorded has this place below the archive's root."""
    place = context.layout.root / inside
    if inside.parts[0] == "objects" and len(inside.parts) > TUPLES + 2:
        return context.layout.objects.joinpath(*inside.parts[1 : TUPLES + 2]).is_dir()
    if inside.parts[0] == "parity" and len(inside.parts) > 3:  # noqa: PLR2004 - parity, the kind, and the set's folder
        return place.parent.is_dir()
    return str(inside) in {*ROOT_FILES, *PLACES} or os.path.lexists(place)


def _between_objects(objects: Path, beside: list[Path]) -> Iterator[Path]:
    """What lies above and between the objects and is none: files, links, empty folders."""
    yield from (place for place in sorted(beside) if place.parent != objects or place.name not in _IN_OBJECTS)
    place = objects / "extensions"
    yield from (place / other for other in _names(place) if other != LAYOUT)
    yield from (place / LAYOUT / other for other in _names(place / LAYOUT) if other != "config.json")


def _stray(where: str) -> Finding:
    return Finding(FINDINGS["M105"], where)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
