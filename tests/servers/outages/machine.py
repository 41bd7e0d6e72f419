"""A command of Muniment on a machine whose clock can be moved and whose disk can be full.

`machine.py FOLDER WORDS…` runs `muniment WORDS…`. The ledger's clock is ahead by the seconds in FOLDER/clock, and while
there is a file FOLDER/full nothing can be written to any file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any

from muniment.cli import main
from muniment.database import Database


def move_clock(ahead: Path) -> None:
    now = Database.now

    def moved(self: Database) -> float:
        with contextlib.suppress(OSError, ValueError):
            return now(self) + float(ahead.read_text())
        return now(self)

    Database.now = moved  # type: ignore[method-assign]  # what this file is for


def fill_disk(full: Path) -> None:
    """SQLite's writes are not seen: the ledger of these tests lies on another disk."""

    def refusing(name: str, needs_room: Any) -> None:
        original = getattr(os, name)

        def call(*given: Any, **named: Any) -> Any:
            if needs_room(*given, **named) and full.exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*given, **named)

        setattr(os, name, call)

    def makes(_: Any, flags: int, *__: Any, **___: Any) -> bool:
        return bool(flags & os.O_CREAT)

    def to_a_file(descriptor: int, *_: Any) -> bool:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and descriptor > 2

    refusing("open", makes)
    refusing("mkdir", lambda *_, **__: True)
    for name in ("write", "writev", "pwrite"):
        refusing(name, to_a_file)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    del sys.argv[1]
    move_clock(folder / "clock")
    fill_disk(folder / "full")
    main()
