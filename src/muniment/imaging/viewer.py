"""The viewer that shows a scan with its tiles in a browser: OpenSeadragon, where the build has brought it.

It is no part of this project's files: `make setup` asks npm for the version that scripts/viewer.txt pins, and a wheel
that is built afterwards holds it. Where it is missing, pages show their images plainly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

_FOLDER = "openseadragon"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The library: its version, its script (which defines `OpenSeadragon`), and its licence, which goes with it."""

    version: str
    script: bytes
    license: bytes


@cache
def viewer() -> Viewer | None:
    """The viewer; None where the build has brought none."""
    folder = resources.files("muniment.imaging") / _FOLDER
    try:
        version = (folder / "VERSION").read_text("utf-8").strip()
        return Viewer(version, (folder / "openseadragon.min.js").read_bytes(), (folder / "LICENSE.txt").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
