"""The demonstration's chapter on the Distillery: scans, from the preview to tape, cloud, a IIIF page and the catalogue.

ArchivesSpace and the tape drive are stand-ins of this project's own: a server on this machine that behaves as
ArchivesSpace's backend, and a filesystem that behaves as LTFS was seen to.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from muniment.imaging.viewer import viewer
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from muniment.testing.small_collection import describe_collection, write_scans, write_settings

URL = "https://iiif.example.org"
IMAGES = 4


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
    """Preview, run, look, audit."""
    demo.say("A folder of scans: previewed, made lossless, sent, verified, shown, and recorded in the catalogue")
    work = demo.work / "distillery"
    for name in ("cloud", "site", "scans"):
        (work / name).mkdir(parents=True)
    with ArchivesSpaceServer() as server, _drive(work) as tape, _settings(demo):
        describe_collection(server)
        write_scans(work / "scans", width=1200, height=900)
        tables = {"cloud": 'address = "' + str(work / "cloud") + '"'}
        tables["access"] = f'publisher = "iiif"\nfolder = "site"\nurl = "{URL}"'
        if tape:
            tables["onsite"] = f'address = "{tape}"'
        settings = write_settings(work / "distillery.toml", server, **tables)
        demo.environment["MUNIMENT_DISTILLERY"] = str(settings)
        demo.muniment("distill", "preview", "HBF")
        batch = demo.muniment("distill", "run", "HBF", "--wait").splitlines()[-1]
        demo.muniment("distill", "audit", batch)
        again = json.loads(demo.muniment("distill", "run", "HBF", "--wait", "--json", show=False))
        manifest = json.loads((work / "site/HBF_001_05/manifest.json").read_text("utf-8"))
        components = [each for uri, each in server.records.items() if "/digital_object_components/" in uri]
        if (
            len(components) != IMAGES
            or 2 * len(manifest["items"]) != IMAGES
            or again["state"] != "done"
            or server.dropped
        ):
            sys.exit("The scans are not recorded, or not shown, as they should be.")
        images = sum(each.suffix == ".jp2" for each in (work / "cloud").rglob("*"))
    demo.note("four scans of two archival objects", f"{images} lossless JPEG 2000, proved by pixels and by jpylyzer")
    places = "cloud folder and LTFS look-alike" if tape else "cloud folder (no FUSE here, so no tape)"
    demo.note(places, "every file read back before the stand-in for ArchivesSpace heard of it")
    shown = "in OpenSeadragon" if viewer() else "as plain images (npm gave no viewer)"
    demo.note("IIIF", f"a manifest and level 0 tiles for each archival object, and a page that shows them {shown}")


@contextlib.contextmanager
def _drive(work: Path) -> Iterator[str]:
    """The address of a drive with a tape in it; nothing where this machine has no FUSE."""
    if shutil.which("fusermount3") is None or not Path("/dev/fuse").exists():
        yield ""
        return
    with TapeDrive(work / "drive") as drive:
        tape = Cartridge(work / "tape", "AB0001")
        tape.label()
        drive.insert(tape)
        yield f"ltfs://{work / 'drive'}"


@contextlib.contextmanager
def _settings(demo: Demo) -> Iterator[None]:
    former = dict(demo.environment)
    demo.environment["MUNIMENT_ALLOW_PRIVATE_ADDRESSES"] = "true"  # the stand-in is on this machine
    try:
        yield
    finally:
        demo.environment.clear()
        demo.environment.update(former)
