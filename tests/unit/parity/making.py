"""Files of random bytes, and damage done to them, for the tests of parity."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path


def random_file(path: Path, size: int, seed: int = 1) -> str:
    """Write `size` bytes that depend on `seed` only; their sha256."""
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def sha256(path: Path) -> str:
    """The sha256 of a file as it is now."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def damage(path: Path, start: int, length: int) -> None:
    """Turn over every bit of `length` bytes from `start`."""
    with path.open("r+b") as stream:
        stream.seek(start)
        data = stream.read(length)
        stream.seek(start)
        stream.write(bytes(byte ^ 0xFF for byte in data))


def folders(root: Path, *names: str) -> list[Path]:
    """New folders below `root`."""
    made = [root / name for name in names]
    for folder in made:
        folder.mkdir()
    return made
