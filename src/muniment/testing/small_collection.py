"""A small collection for demonstrations and tests: described in a stand-in for ArchivesSpace, with its scans."""

from __future__ import annotations

from pathlib import Path

from muniment.testing.scans import write_scan
from muniment.testing.servers.archivesspace import ArchivesSpaceServer

COLLECTION = "HBF"
FOLDERS = {"HBF_1_05": "Annual Meetings, 1943", "HBF_1_06": "Letters & Drafts"}


def describe_collection(server: ArchivesSpaceServer) -> None:
    """Put a collection with a series and two archival objects into the catalogue."""
    collection = server.put("resources", id_0=COLLECTION, title="Papers of a Board")
    series = server.put(
        "archival_objects",
        component_id="1",
        title="Organizational Records",
        level="series",
        resource={"ref": collection},
    )
    for folder, title in FOLDERS.items():
        box, number = folder.split("_")[1:]
        server.put(
            "archival_objects",
            component_id=f"{COLLECTION}_{box.zfill(3)}_{number}",
            title=title,
            display_string=title,
            level="file",
            resource={"ref": collection},
            ancestors=[{"ref": series, "level": "series"}, {"ref": collection, "level": "collection"}],
        )


def write_scans(scans: Path, *, width: int = 900, height: int = 700) -> None:
    """Write two scans for each of its folders, below the folder of scans."""
    for folder in FOLDERS:
        for number in (1, 2):
            name = f"{folder}_{number:02}.tif"
            write_scan(scans / COLLECTION / folder / name, width=width, height=height, seed=number)


def write_settings(place: Path, server: ArchivesSpaceServer, **tables: str) -> Path:
    """Write the Distillery's settings for it: `tables` are further tables of the section, as TOML."""
    password = place.with_name("archivesspace-password")
    password.write_text("secret word\n", "utf-8")
    password.chmod(0o600)
    lines = [
        "[distillery]",
        'scans = "scans"',
        "[distillery.archivesspace]",
        f'url = "{server.url}"',
        'user = "admin"',
        f'password_file = "{password.name}"',
        'repository = "ARCH"',
    ]
    for name, text in tables.items():
        lines += [f"[distillery.{name}]", text]
    place.write_text("\n".join(lines) + "\n", "utf-8")
    return place
