"""What was measured on: facts without which no number means anything, and the scratch folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def facts() -> str:
    """One paragraph about this machine, with the speed of one core at each digest."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    speeds = ", ".join(f"{name} {_digest_speed(name):.2f}" for name in ("sha256", "sha512", "md5"))
    load = os.getloadavg()[0]
    return (
        f"Machine: {cores} cores, {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {load:.1f} at the start.\nDigests in GB/s on one core: {speeds}.\n"
        "Ratios are medians of the ratios of each round; the sides take turns within a round, the input is read "
        "into memory before each turn."
    )


def _digest_speed(name: str) -> float:
    block = bytes(1 << 20)
    best = 0.0
    for _ in range(3):
        hasher = hashlib.new(name, usedforsecurity=False)
        start = time.perf_counter()
        for _ in range(64):
            hasher.update(block)
        best = max(best, 64 * len(block) / 1e9 / (time.perf_counter() - start))
    return best


@contextlib.contextmanager
def scratch(name: str, need: int) -> Iterator[Path]:
    """A folder of our own below `MUNIMENT_BENCH_DIR` (or the system's temporary one), removed at the end.

    Raises:
        SystemExit: Fewer than `need` bytes are free there.
    """
    base = Path(os.environ.get("MUNIMENT_BENCH_DIR") or tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(base).free < need:
        message = f"{base} has less than {need / 1e9:.0f} GB free. Name another folder in MUNIMENT_BENCH_DIR."
        raise SystemExit(message)
    folder = Path(tempfile.mkdtemp(prefix=f"muniment-bench-{name}-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
