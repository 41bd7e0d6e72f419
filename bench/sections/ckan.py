"""Harvesting a portal's links, the first time and again, beside a plain loop with aiohttp that only fetches."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from bench import data, peers
from bench.machine import scratch
from bench.racing import Command, Racer, Track, race
from bench.sections.fetch import make_files, nginx

_SIZE = 16 << 10


def run(*, rounds: int, quick: bool) -> None:
    """Print the table."""
    links = 500 if quick else 2_000
    with scratch("ckan", need=2_000_000_000) as home:
        if reason := peers.missing("nginx"):
            print(f"\nHarvesting   not here: {reason}")
            return
        source = home / "files"
        make_files(source, links, _SIZE)
        (home / "list").write_text("".join(f"{path.name}\n" for path in sorted(source.iterdir())))
        with nginx(home) as port:
            given: tuple[str | Path, ...] = (f"http://127.0.0.1:{port}/", home)
            plain: Command = [peers.PYTHON, "-m", "bench.aiohttp_alone", *given]
            sweep: Command = [peers.PYTHON, "-m", "bench.harvest_alone", *given]
            racers = [
                Racer("aiohttp, fetching only", timed=[plain], environment=peers.python_path()),
                Racer("muniment, first sweep (all archived)", timed=[sweep], environment=peers.python_path()),
                Racer(
                    "muniment, again (nothing changed)", before=[sweep], timed=[sweep], environment=peers.python_path()
                ),
            ]
            out = home / "out"
            track = Track(
                ready=functools.partial(_ready, source, out),
                clear=functools.partial(shutil.rmtree, out, ignore_errors=True),
                log=home / "log",
            )
            race(f"Harvesting a portal of {links:,} links of 16 KiB from nginx", racers, track, rounds)


def _ready(source: Path, out: Path) -> None:
    data.warm(source)
    out.mkdir()
