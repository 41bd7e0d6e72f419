"""What was measured before, so that a slower commit shows: a file of lines, one for each table of each run."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

SLOWER = 1.15
"""How many times the processor time of the runs before is worth a word."""
_LAST = 5
"""Runs before that are compared with: their median, as one of them may have been disturbed."""


@dataclass
class _History:
    path: Path | None = None
    slower: list[str] = field(default_factory=list)


_KEPT = _History()


def keep(path: Path | None) -> None:
    """Add what is measured from now on to the file `path`; to none where that is None."""
    _KEPT.path, _KEPT.slower = path, []


def note(title: str, measured: Mapping[str, tuple[float, float]]) -> None:
    """Add a table: seconds and processor seconds of each of its rows."""
    if _KEPT.path is None:
        return
    before = _earlier(_KEPT.path, title)
    for name, (_, used) in measured.items():
        usual = [row[name][1] for row in before if name in row][-_LAST:]
        if usual and used > SLOWER * median(usual):
            _KEPT.slower.append(f"{title}: {name}: {used:.2f} s of processor, {median(usual):.2f} s before")
    line = {"commit": _commit(), "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": _machine()}
    with _KEPT.path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**line, "title": title, "measured": measured}) + "\n")


def compare() -> None:
    """Say what took more processor time than in the runs before on this machine.

    Raises:
        SystemExit: Something of ours did.
    """
    for line in _KEPT.slower:
        print(f"slower: {line}")
    if any("muniment" in line for line in _KEPT.slower):
        raise SystemExit(1)


def _earlier(path: Path, title: str) -> list[dict[str, tuple[float, float]]]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return [row["measured"] for row in rows if row["title"] == title and row["machine"] == _machine()]


def _machine() -> str:
    return f"{platform.node()} {platform.machine()} {platform.python_version()}"


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return done.stdout.strip()
