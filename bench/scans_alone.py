"""What the bench of scans runs in a process of its own: `python -m bench.scans_alone TASK …`."""

from __future__ import annotations

import sys
from pathlib import Path

from muniment.imaging import Description, ImageProcess
from muniment.testing.scans import write_scan

SAID = Description("A page", "page", "Bench", "Nobody", "None")


def main(task: str, *words: str) -> None:
    """Do one task."""
    if task == "make":
        _noisy(Path(words[0]), int(words[1]), int(words[2]))
        return
    with ImageProcess() as images:
        if task == "lossless":
            scan, out = map(Path, words)
            images.lossless(scan, 0, out, out.with_suffix(".icc"), SAID)
        elif task == "tiles":
            scan, out = map(Path, words)
            images.tiles(scan, 0, out, id="https://iiif.example.org")
        elif task == "many":
            _many(images, Path(words[0]), int(words[1]))


def _noisy(path: Path, width: int, height: int) -> None:
    """A page as a scanner gives it: soft shapes under a little noise."""
    import pyvips  # noqa: PLC0415 - only this task

    grid = pyvips.Image.xyz(width, height)
    soft = (grid[0] / width * 360).math("sin") * 60 + (grid[1] / height * 720).math("cos") * 50 + 128
    noise = pyvips.Image.gaussnoise(width, height, sigma=4, mean=0)
    page = (soft + noise).bandjoin([soft * 0.9 + noise, soft * 0.8 - noise])
    page.cast("uchar").copy(interpretation="srgb").tiffsave(str(path))


def _many(images: ImageProcess, home: Path, count: int) -> None:
    scan = write_scan(home / "small.tif", width=300, height=200)
    for _ in range(count):
        out = home / "small.jp2"
        images.lossless(scan, 0, out, home / "small.icc", SAID)
        out.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
