"""A chapter of the demonstration: a folder on the web, fetched twice, and nothing of it twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol

from muniment.testing.servers.web import WebServer


class Demo(Protocol):
    """What a chapter needs of the demonstration."""

    environment: dict[str, str]

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands."""

    def say(self, title: str) -> None:
        """Begin a chapter."""

    def note(self, what: str, result: str) -> None:
        """Keep a line for the closing summary."""


def chapter(demo: Demo) -> None:
    """Fetch a web folder, and its next instance after one file changed."""
    demo.say("Fetched from where it lives")
    with WebServer(style="json") as site:
        site.files = {f"tides/{year}.csv": os.urandom(50_000) for year in range(1990, 2020)}
        # Everything here is on this machine.
        demo.environment["MUNIMENT_ALLOW_PRIVATE_ADDRESSES"] = "true"
        demo.muniment("fetch", f"{site.url}/tides/", "--id", "tides", "--into", "sea/north")
        before = len(site.asked(r"\.csv$"))
        site.files["tides/2020.csv"] = os.urandom(50_000)
        demo.muniment("fetch", f"{site.url}/tides/", "--id", "tides", "--into", "sea/north")
        again = len(site.asked(r"\.csv$")) - before
        demo.environment.pop("MUNIMENT_ALLOW_PRIVATE_ADDRESSES")
    shown = json.loads(demo.muniment("show", "tides", "-p", "sea/north", "--json", show=False))
    if len(shown["instances"]) != 2 or again != 1:  # noqa: PLR2004 - two fetches, one new file
        raise SystemExit("the second fetch did not fetch exactly what was new")
    demo.note("muniment fetch", "a web folder of 30 files; the next instance fetched 1 new file and no other")
