"""Where copies of the field's suites and schemas lie: they judge us, and are not part of this project."""

from __future__ import annotations

import os
from pathlib import Path

SETTING = "MUNIMENT_FIXTURES"
BESIDE = "shared/fixtures"


def published(name: str = "", start: Path = Path(__file__)) -> Path | None:
    """The copy of a suite's folder or of a schema's file, or None without one.

    It is looked for in the folder that MUNIMENT_FIXTURES names, else in `shared/fixtures` of each folder above
    `start`: beside the checkout, or beside the folder of all worktrees.

    Raises:
        FileNotFoundError: The folder that the setting names does not have it: whoever names one means it.
    """
    named = os.environ.get(SETTING)
    if named:
        return (Path(named) / name).resolve(strict=True)
    places = (above / BESIDE / name for above in start.resolve().parents)
    return next((place for place in places if place.exists()), None)
