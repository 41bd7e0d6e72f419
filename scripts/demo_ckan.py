"""The demonstration's chapter on CKAN: a small portal is harvested, a link breaks, and the report says what is left."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from muniment.testing.servers.ckan import Ckan, LinkOrigin


class Demo(Protocol):
    """What the demonstration lends to its chapters."""

    work: Path
    environment: dict[str, str]

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands."""

    def say(self, title: str) -> None:
        """Begin a chapter."""

    def note(self, what: str, result: str) -> None:
        """Keep a line for the summary."""


def chapter(demo: Demo) -> None:
    """Harvest, break, harvest again, report."""
    demo.say("An open-data portal: its links are checked, archived, and reported when they break")
    former = demo.environment.get("MUNIMENT_ALLOW_PRIVATE_ADDRESSES")
    demo.environment["MUNIMENT_ALLOW_PRIVATE_ADDRESSES"] = "true"  # the portal of this demonstration is on this machine
    try:
        with Ckan() as portal, LinkOrigin() as origin:
            _fill(portal, origin)
            settings = demo.work / "city.toml"
            settings.write_text('host_delay = 0.0\nretry_after = 0.0\ncache_url_root = "https://archive.example.org"\n')
            token = demo.work / "token.txt"
            token.write_text("the-token\n")
            demo.muniment("ckan", "add", "city", portal.url, "--token-file", token, "--settings", settings)
            demo.muniment("ckan", "harvest", "city", "--wait")
            origin.files.pop("/parks/trees.csv")
            demo.muniment("ckan", "harvest", "city", "--wait")
            demo.muniment("ckan", "report", "city")
            report = demo.muniment("ckan", "report", "city", "--organization", "parks")
            written = portal.resource("trees").get("cache_url", "")
    finally:
        if former is None:
            del demo.environment["MUNIMENT_ALLOW_PRIVATE_ADDRESSES"]
    if "kept here" not in report or "/archive/" not in written:
        sys.exit("The portal's broken link was not reported with its copy.")
    demo.note("a link of a portal that broke", "reported, its copy kept, its address written back to the portal")


def _fill(portal: Ckan, origin: LinkOrigin) -> None:
    portal.sysadmins = {"the-token"}
    trees = origin.put("/parks/trees.csv", b"id,kind\n1,oak\n2,lime\n", etag='"1"')
    stops = origin.put("/transit/stops.json", b'{"stops": []}', kind="application/json", etag='"1"')
    portal.add("d1", "parks", {"id": "trees", "url": trees, "name": "Trees"}, title="Trees of the city")
    portal.add("d2", "transit", {"id": "stops", "url": stops, "format": "JSON"}, title="Bus stops")
    portal.add("d3", "transit", {"id": "old", "url": f"{origin.url}/transit/2009.xls", "format": "XLS"}, title="Of old")
