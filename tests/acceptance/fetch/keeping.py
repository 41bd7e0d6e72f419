"""An archive whose keeper types `muniment fetch`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muniment import Archive

PRIVATE = {"MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true", "MUNIMENT_DIGEST_PROCESSES": "0"}


@dataclass
class Keeper:
    """The commands of one archive, in a folder or at an address."""

    folder: Path
    place: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.place:
            self.place = str(self.folder / "archive")
            Archive.init(self.place, workers=0).close()
        self.environment = {
            **os.environ,
            **PRIVATE,
            "MUNIMENT_ARCHIVE": self.place,
            "MUNIMENT_SCRATCH": str(self.folder / "scratch"),
            **self.environment,
        }

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "muniment", *words]

    def run(self, *words: str, status: int = 0, given: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            input=given,
        )
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def fetch(self, *words: str, status: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("fetch", *words, "--json", status=status).stdout)
        return found

    def files(self, id: str, instance: int | None = None, project: str | None = None) -> dict[str, bytes]:
        with Archive(self.place, workers=0) as archive:
            found = archive.get(id, instance=instance, project=project)
            return {path: found.read(path) for path in found}
