"""The few settings every command needs, read without the library that reads the others.

That library takes longer to load than most commands take to run. `Settings` has the same fields.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from muniment.errors.base import BadInput

PREFIX = "MUNIMENT_"


@dataclass(frozen=True, slots=True)
class Basics:
    """Which archive, who acts, and the key to sign in with; each field as in `Settings`."""

    archive: str | None = None
    state: Path | None = None
    workers: int | None = None
    agent_name: str | None = None
    agent_address: str | None = None
    key: str | None = None
    key_file: Path | None = None

    @classmethod
    def read(cls, archive: str | None = None, state: str | None = None, key_file: str | None = None) -> Self:
        """What was given, and for the rest the environment.

        Raises:
            BadInput: `MUNIMENT_WORKERS` is not a whole number.
        """
        folder, file = state or _of("STATE"), key_file or _of("KEY_FILE")
        workers = _of("WORKERS")
        if workers is not None and not workers.isdecimal():
            raise BadInput(reason=f"{PREFIX}WORKERS is {workers!r}, not a number of processes")
        return cls(
            archive=archive or _of("ARCHIVE"),
            state=Path(folder) if folder else None,
            workers=int(workers) if workers else None,
            agent_name=_of("AGENT_NAME"),
            agent_address=_of("AGENT_ADDRESS"),
            key=_of("KEY"),
            key_file=Path(file) if file else None,
        )

    def secret(self) -> str | None:
        """The key to sign in with: of the file, or of the setting.

        Raises:
            OSError: The file cannot be read.
        """
        if self.key_file is not None:
            return self.key_file.read_text("utf-8").splitlines()[0].strip()
        return self.key


def _of(name: str) -> str | None:
    return os.environ.get(PREFIX + name) or None
