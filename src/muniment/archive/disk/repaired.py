"""Repaired bytes that stand beside what may not be replaced: in worm mode, below `repaired/`.

The copy of `objects/…/a.txt` lies at `repaired/1/objects/…/a.txt`; were that damaged in its turn, the next
is at `repaired/2/…`. Readers take the newest. It is checked against its recorded digest like any other file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

REPAIRED = "repaired"


def repaired_copies(place: Path, root: Path) -> Iterator[Path]:
    """Where repaired bytes of `place` stand in the archive at `root`, the newest first."""
    try:
        numbers = sorted((int(name) for name in os.listdir(root / REPAIRED) if name.isdecimal()), reverse=True)
    except OSError:
        return
    inside = place.relative_to(root)
    for number in numbers:
        copy = root / REPAIRED / str(number) / inside
        if copy.exists():
            yield copy


def newest_copy(place: Path, root: Path) -> Path:
    """The newest repaired copy of a file or folder, or `place` itself where there is none."""
    return next(repaired_copies(place, root), place)


def free_place(place: Path, root: Path) -> Path:
    """The first place beside `place` at which nothing lies yet."""
    number = 1
    inside = place.relative_to(root)
    while os.path.lexists(copy := root / REPAIRED / str(number) / inside):
        number += 1
    return copy
