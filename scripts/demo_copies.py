"""A chapter of the demonstration: copies on two stores, damage, the loss of the archive, and the way back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Protocol

POLICY = """
[[copies]]
store = "vault"
layout = "ocfl"

[[copies]]
store = "shelf"
layout = "bag"
redundancy = 10
"""


class Demo(Protocol):
    """What a chapter needs of the demonstration."""

    work: Path
    archive: Path

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands."""

    def say(self, title: str) -> None:
        """Begin a chapter."""

    def note(self, what: str, result: str) -> None:
        """Keep a line for the closing summary."""


def chapter(demo: Demo) -> None:
    """Keep two copies of a small archive, lose it, and restore it from one store alone."""
    demo.say("Copies, and the way back")
    here = demo.work / "kept"
    own = ("--archive", here)
    letter = demo.work / "letter.txt"
    letter.write_text("Dear friend\n")
    demo.muniment(*own, "init", show=False)
    demo.muniment(*own, "add", letter, Path(__file__), "--id", "estate")
    policy = demo.work / "policy.toml"
    policy.write_text(POLICY)
    for name in ("vault", "shelf"):
        demo.muniment(*own, "store", "add", name, demo.work / name)
    demo.muniment(*own, "policy", "set", "*", policy)
    demo.muniment(*own, "copies", expect=1)
    demo.muniment(*own, "copies", "make")
    demo.muniment(*own, "copies")
    tar = next((demo.work / "shelf").glob("bags/*/*/estate/v1.tar"))
    tar.write_bytes(tar.read_bytes()[:-600])
    demo.muniment(*own, "copies", "verify")
    demo.muniment(*own, "copies", "drill")
    demo.muniment(*own, "copies", "make", show=False)
    shutil.rmtree(here)
    demo.muniment("restore", "--from", demo.work / "shelf", "-o", here)
    demo.muniment(*own, "audit")
    shown = json.loads(demo.muniment(*own, "show", "estate", "--json", show=False))
    if len(shown["instances"]) != 1:
        raise SystemExit("the archive did not come back")
    demo.note("muniment restore", "the archive was deleted, and came back whole from one of its two stores")
