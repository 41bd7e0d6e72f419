"""What lies in the archive's own folders and belongs to nothing that is recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import LAYOUT, SETTINGS, TUPLES
from muniment.archive.disk.repaired import REPAIRED
from muniment.archive.fixity.audit.again import locked
from muniment.archive.fixity.audit.untracked_parity import UntrackedParity
from muniment.archive.ingest.recovery import leftovers
from muniment.content import FINDINGS, Finding

_IN_ROOT = {
    SETTINGS,
    "README.txt",
    "muniment_exit.py",
    "bagit-profile.json",
    "objects",
    "parity",
    "events",
    "tombstones",
    "staging",
    REPAIRED,
    "lost+found",
}
_STATE = ("index.db", "control.db", "audit.json", "control.key", "users.csv")
_IN_OBJECTS = {"0=ocfl_1.1", "ocfl_layout.json", "extensions"}


def check_untracked(context: ArchiveContext, large: set[bytes] | None, since: int) -> Iterator[Finding]:
    """Findings for what nothing records: in the root, between the objects, in the parity and the log.

    `large` are the sha256 digests of all files that have a parity set of their own; None when some
    object's records could not be read, so that nobody can say which parity is needed. `since` was the number
    of the log's newest event when the audit began.
    """
    root = context.layout.root
    for name in _names(root):
        if name not in _IN_ROOT and not name.startswith(_STATE):
            yield _stray(name)
    for place in _between_objects(context.layout.objects, 0):
        with locked(context, place):
            # A purge removes the folders above an object one by one.
            there = place.is_symlink() or (not any(_names(place)) if place.is_dir() else place.exists())
        if there:
            shown = str(place.relative_to(root))
            yield _stray(f"{shown}/ (an empty folder)" if place.is_dir() else shown)
    yield from UntrackedParity(context, large, since).find()
    for bucket in _names(context.layout.events):
        for name in _names(context.layout.events / bucket):
            if not name.endswith(".jsonl"):
                yield _stray(f"events/{bucket}/{name}")
    for left in leftovers(context):
        where = f"staging/open/{left.transaction}"
        yield Finding(FINDINGS["M501"], where, "", left.started, left.id, str(left.base + 1))
    for name in _names(context.layout.quarantine):
        yield Finding(FINDINGS["M502"], f"staging/quarantine/{name}", "", "see the log")


def _between_objects(folder: Path, depth: int) -> Iterator[Path]:
    """What lies above and between the objects and is none: files, links, empty folders."""
    names = _names(folder)
    if depth and not names:
        yield folder
    for name in names:
        place = folder / name
        if depth == 0 and name in _IN_OBJECTS:
            if name == "extensions":
                yield from (place / other for other in _names(place) if other != LAYOUT)
        elif place.is_symlink() or not place.is_dir():
            yield place
        elif depth < TUPLES:
            yield from _between_objects(place, depth + 1)


def _stray(where: str) -> Finding:
    return Finding(FINDINGS["M105"], where)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
