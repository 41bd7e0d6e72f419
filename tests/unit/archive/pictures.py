"""Everything below a folder, so that before and after can be compared."""

from __future__ import annotations

import os
from pathlib import Path

Snapshot = dict[str, tuple[int, bytes]]


def picture(root: Path, *, without: tuple[str, ...] = ("index.db", "staging/locks", "staging/scratch")) -> Snapshot:
    """Path to (time of change in nanoseconds, bytes) of every file below `root`."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            shown = str(path.relative_to(root))
            if not shown.startswith(without):
                found[shown] = (path.stat().st_mtime_ns, path.read_bytes())
    return found
