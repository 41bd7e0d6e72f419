"""Scans for tests and demonstrations: TIFFs of every kind a scanner writes, and some that no scanner would."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KINDS: Mapping[str, Mapping[str, Any]] = {
    "gray of 8 bits": {"bands": 1},
    "gray of 16 bits": {"bands": 1, "wide": True},
    "colour of 8 bits": {"bands": 3, "compression": "lzw"},
    "colour of 16 bits": {"bands": 3, "wide": True, "compression": "deflate"},
    "colour with alpha": {"bands": 4},
    "gray with alpha": {"bands": 2},
    "one bit": {"bands": 1, "bitdepth": 1, "compression": "ccittfax4"},
    "tiled": {"bands": 3, "tile": True, "tile_width": 128, "tile_height": 128},
    "BigTIFF": {"bands": 3, "bigtiff": True},
    "with a profile": {"bands": 3, "profile": "p3"},
    "several pages": {"bands": 3, "pages": 3},
}
"""Every kind that can be a lossless JPEG 2000."""
CMYK: Mapping[str, Any] = {"bands": 4, "space": "cmyk"}
FLOAT: Mapping[str, object] = {"bands": 1, "float": True}


def write_scan(path: Path, *, width: int = 300, height: int = 200, seed: int = 1, **kind: Any) -> Path:
    """Write a scan with pixels that follow from `seed`; `kind` is one of those above."""
    import pyvips  # noqa: PLC0415 - an extra

    path.parent.mkdir(parents=True, exist_ok=True)
    wide, pages, bands = kind.pop("wide", False), kind.pop("pages", 1), kind.pop("bands", 3)
    space, profile, real = kind.pop("space", ""), kind.pop("profile", ""), kind.pop("float", False)
    grid = pyvips.Image.xyz(width, height * pages)
    planes = [(grid[0] * (seed + band + 2) + grid[1] * (3 * band + 1) + seed * 17) % 256 for band in range(bands)]
    image = planes[0].bandjoin(planes[1:]) if bands > 1 else planes[0]
    if kind.get("bitdepth") == 1:
        image = (image > 127).ifthenelse(255, 0)
    image = (image * 251).cast("ushort") if wide else image.cast("float" if real else "uchar")
    narrow = bands < 3
    usual = ("grey16" if wide else "b-w") if narrow else ("rgb16" if wide else "srgb")
    image = image.copy(interpretation=space or usual)
    if profile:
        image = image.icc_transform(profile)
    if pages > 1:
        kind["page_height"] = height
    image.tiffsave(str(path), **kind)
    return path


def write_hostile(path: Path, *, width: int = 1_000_000, height: int = 1_000_000) -> Path:
    """Write a TIFF of a few bytes that says it has a billion pixels and more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 0xFFFFFFF0),
    ]  # fmt: skip
    rows = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(struct.pack("<4sIH", b"II*\0", 8, len(tags)) + rows + struct.pack("<I", 0))
    return path
