"""The material: made once for a run, the same bytes every time."""

from __future__ import annotations

import os
import random
from pathlib import Path

SMALL_LEAST, SMALL_MOST = 1 << 10, 64 << 10
LARGE = 100_000_000


def small_files(folder: Path, count: int) -> Path:
    """`count` files of 1 to 64 KiB, a hundred in a folder; what is in them cannot be compressed."""
    dice = random.Random(1)
    for number in range(count):
        place = folder / f"{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}.bin").write_bytes(dice.randbytes(dice.randint(SMALL_LEAST, SMALL_MOST)))
    return folder


def large_files(folder: Path, count: int) -> Path:
    """`count` files of 100 MB; what is in them cannot be compressed."""
    dice = random.Random(2)
    folder.mkdir(parents=True)
    for number in range(count):
        with (folder / f"{number:03}.bin").open("wb") as file:
            for _ in range(LARGE // 1_000_000):
                file.write(dice.randbytes(1_000_000))
    return folder


def warm(folder: Path) -> None:
    """Read everything, so that every turn starts with its input in memory: the cache shrinks by itself."""
    buffer = bytearray(1 << 20)
    for above, _, names in os.walk(folder):
        for name in names:
            with (Path(above) / name).open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum((Path(above) / name).stat().st_size for above, _, names in os.walk(folder) for name in names)


def forget(folder: Path) -> None:
    """Let the system take the memory back in which it keeps what is in a folder; all of it must be on the disk."""
    for above, _, names in os.walk(folder):
        for name in names:
            with (Path(above) / name).open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
