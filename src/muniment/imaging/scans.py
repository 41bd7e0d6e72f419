"""What is known of a scan, and of the JPEG 2000 that was made of one of its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_JP2_DEPTHS = frozenset({"uchar", "ushort"})
_JP2_BANDS = {1: "gray", 2: "gray with alpha", 3: "colour", 4: "colour with alpha"}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a TIFF: pixels, bands, the kind of its numbers (`uchar`, `ushort`, …) and its colour space."""

    width: int
    height: int
    bands: int
    format: str
    space: str
    profile: int = 0
    """Bytes of its ICC profile."""

    @property
    def obstacle(self) -> str:
        """Why it can be no lossless JPEG 2000 as ISO 15444-1 has it; '' where it can."""
        if self.format not in _JP2_DEPTHS:
            return f"its numbers are {self.format}, and JPEG 2000 holds whole ones of 8 or 16 bits without a sign"
        if self.space in {"cmyk", "lab", "labs", "labq", "xyz"}:
            return f"its colour space is {self.space.upper()}, for which ISO 15444-1 has no word"
        if self.bands not in _JP2_BANDS:
            return f"it has {self.bands} bands"
        return ""


@dataclass(frozen=True, slots=True)
class Scan:
    """A TIFF: its pages in order."""

    pages: tuple[Page, ...]

    @property
    def obstacle(self) -> str:
        """Why one of its pages can be no lossless JPEG 2000."""
        return next((page.obstacle for page in self.pages if page.obstacle), "")


@dataclass(frozen=True, slots=True)
class Lossless:
    """A JPEG 2000 that has the pixels of the page it was made of, as another look showed.

    `pixels` is the sha256 of the decoded numbers with their kind and shape. `profile` says where the page's ICC
    profile is: `none`, `embedded`, or `beside` in a file of its own, where the format cannot hold it.
    """

    width: int
    height: int
    pixels: str
    standard: str
    transformation: str
    quantization: str
    profile: str


def scan_of(found: Mapping[str, Any]) -> Scan:
    """A scan as the process tells it."""
    return Scan(tuple(Page(**each) for each in found["pages"]))
