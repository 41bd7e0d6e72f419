"""What lies in the archive's own folders and belongs to nothing that is recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import LAYOUT, SETTINGS, TUPLES
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
    "lost+found",
}
_STATE = ("index.db", "control.db", "audit.json", "control.key", "users.csv")
_IN_OBJECTS = {"0=ocfl_1.1", "ocfl_layout.json", "extensions"}


def check_untracked(context: ArchiveContext, large: set[bytes] | None) -> Iterator[Finding]:
    """Findings for what nothing records: in the root, between the objects, in the parity and the log.

    `large` are the sha256 digests of all files that have a parity set of their own; None when some
    object's records could not be read, so that nobody can say which parity is needed.
    """
    root = context.layout.root
    for name in _names(root):
        if name not in _IN_ROOT and not name.startswith(_STATE):
            yield _stray(name)
    yield from _between_objects(context.layout.objects, 0)
    if large is not None:
        yield from _parity(context, large)
    for bucket in _names(context.layout.events):
        for name in _names(context.layout.events / bucket):
            if not name.endswith(".jsonl"):
                yield _stray(f"events/{bucket}/{name}")
    for left in leftovers(context):
        where = f"staging/open/{left.transaction}"
        yield Finding(FINDINGS["M501"], where, "", left.started, left.id, str(left.base + 1))
    for name in _names(context.layout.quarantine):
        yield Finding(FINDINGS["M502"], f"staging/quarantine/{name}", "", "see the log")


def _between_objects(folder: Path, depth: int) -> Iterator[Finding]:
    names = _names(folder)
    if depth and not names:
        yield _stray(f"{folder.relative_to(folder.parents[depth])}/ (an empty folder)")
    for name in names:
        place = folder / name
        shown = str(place.relative_to(folder.parents[depth]))
        if depth == 0 and name in _IN_OBJECTS:
            if name == "extensions":
                yield from (_stray(f"objects/extensions/{other}") for other in _names(place) if other != LAYOUT)
        elif not place.is_dir():
            yield _stray(shown)
        elif depth < TUPLES:
            yield from _between_objects(place, depth + 1)


def _parity(context: ArchiveContext, large: set[bytes]) -> Iterator[Finding]:
    files = context.layout.parity / "files"
    for first in _names(files):
        for second in _names(files / first):
            for name in _names(files / first / second):
                if not _belongs(name.split(".", 1)[0], large):
                    yield Finding(FINDINGS["M403"], f"parity/files/{first}/{second}/{name}")
    packs = context.layout.parity / "packs"
    for first in _names(packs):
        for second in _names(packs / first):
            for name in _names(packs / first / second):
                if not (context.layout.objects / first / second / name).is_dir():
                    yield Finding(FINDINGS["M403"], f"parity/packs/{first}/{second}/{name}")


def _belongs(stem: str, large: set[bytes]) -> bool:
    try:
        return bytes.fromhex(stem) in large
    except ValueError:
        return False


def _stray(where: str) -> Finding:
    return Finding(FINDINGS["M105"], where)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
