"""Scans: a page of 50 megapixels to proved lossless JPEG 2000 and to tiles, against others; the memory of many."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench import peers
from bench.machine import scratch
from bench.racing import Command, Racer, Track, race

_WIDTH, _HEIGHT = 8_660, 5_774
"""50 megapixels."""


def run(*, rounds: int, quick: bool) -> None:
    """Print all tables of this section."""
    width, height = (_WIDTH // 3, _HEIGHT // 3) if quick else (_WIDTH, _HEIGHT)
    with scratch("scans", need=40 * width * height) as home:
        scan = home / "scan.tif"
        subprocess.run(_ours("make", scan, str(width), str(height)), check=True, cwd=peers.HOME)
        print(f"\nA page of {width * height / 1e6:.0f} megapixels")
        lossless(scan, home, rounds)
        tiles(scan, home, rounds)
        many(home, 100 if quick else 1000)


def lossless(scan: Path, home: Path, rounds: int) -> None:
    """One page to a lossless JPEG 2000; ours also decodes both, compares all pixels, and asks jpylyzer."""
    out = home / "out.jp2"
    racers = [
        Racer(
            "vips jp2ksave --lossless",
            timed=[["vips", "jp2ksave", scan, out, "--lossless"]],
            reason=peers.missing("vips"),
        ),
        Racer("muniment, proved", timed=[_ours("lossless", scan, out)], environment=peers.python_path()),
        Racer(
            "opj_compress",
            timed=[["opj_compress", "-i", scan, "-o", out, "-threads", "2"]],
            reason=peers.missing("opj_compress"),
        ),
        Racer(
            "grk_compress",
            timed=[["grk_compress", "-i", scan, "-o", out, "-H", "2"]],
            reason=peers.missing("grk_compress"),
        ),
    ]
    sizes: list[int] = []

    def clear() -> None:
        if out.exists():
            sizes.append(out.stat().st_size)
            out.unlink()

    race("The page to lossless JPEG 2000", racers, Track(ready=lambda: None, clear=clear, log=home / "log"), rounds)
    here = [racer.name for racer in racers if not racer.reason]
    if len(sizes) == len(here) * (rounds + 1):
        # In the first turn they ran in their order.
        told = (f"{name} {size / sizes[0]:.3f}" for name, size in zip(here, sizes, strict=False))
        print(f"  size: {', '.join(told)}; the scan itself {scan.stat().st_size / sizes[0]:.2f}", flush=True)


def tiles(scan: Path, home: Path, rounds: int) -> None:
    """One page to static tiles of a IIIF image service."""
    out = home / "tiles"
    command: Command = ["vips", "dzsave", scan, out, "--layout", "iiif3", "--tile-size", "512"]
    racers = [
        Racer("vips dzsave", timed=[command], reason=peers.missing("vips")),
        Racer("muniment", timed=[_ours("tiles", scan, out)], environment=peers.python_path()),
    ]
    track = Track(ready=lambda: None, clear=lambda: shutil.rmtree(out, ignore_errors=True), log=home / "log")
    race("The same page to tiles", racers, track, rounds)


def many(home: Path, count: int) -> None:
    """Many small scans by one process: its memory must not grow with them."""
    racers = [
        Racer(f"{number} scans", timed=[_ours("many", home, str(number))], environment=peers.python_path())
        for number in (count // 10, count)
    ]
    race("Small scans to lossless JPEG 2000", racers, Track(lambda: None, lambda: None, home / "log"), 1)


def _ours(task: str, *words: str | Path) -> Command:
    return [peers.PYTHON, "-m", "bench.scans_alone", task, *words]
