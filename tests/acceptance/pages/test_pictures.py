"""The pictures of the documentation, taken of real pages: `make pictures` puts them into docs/pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.archive import Archive
from muniment.database import Database
from muniment.database.tables import ckan_counters
from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portals, PortalSettings
from muniment.doors.ckan.records import Links
from muniment.doors.ckan.statuses import Status
from muniment.jobs import Call, Ledger
from muniment.settings import Settings
from muniment.testing.scans import write_scan
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from tests.acceptance.pages.conftest import Look
from tests.acceptance.pages.test_matrix import UPGRADED
from tests.servers.native.running import Running, make_archive, serving

pytestmark = pytest.mark.nightly
MAPS = "rivermark/maps"
POLICY = '[[copies]]\nstore = "frankfurt"\nlayout = "bag"\n\n[[copies]]\nstore = "tape"\nlayout = "bag"\n'
HELD = {
    "marsh-papers": ("rivermark/papers", "Marsh papers, box 3", 12),
    "field-notes-12": ("rivermark/papers", "Field notes, box 12", 9),
    "tides-1890": ("rivermark/data", "Tide tables, 1890 to 1932", 4),
    "bridge-drawings": (MAPS, "Drawings of the old bridge", 7),
    "letters-haddad": ("rivermark/papers", "Letters of O. Haddad", 14),
}
FAILURES = (
    "Connection error: the host name is not known",
    "Server reported status error: 404 Not Found",
    "Server reported status error: 404 Not Found",
    "Connection timed out after 30s",
    "Connection error: certificate refused: it has expired",
)
PAGES = {
    "home": "/",
    "find": "/find?q=box",
    "resource": f"/resources/harbour-survey-1911?project={MAPS}",
    "copies": "/copies",
    "broken-links": "/portals/city/broken?org=waterways",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("library") / "archive"
    key = make_archive(place)
    with Archive(place) as archive:
        _survey(archive, place.parent)
        for id, (project, title, files) in HELD.items():
            with archive.new(id, project, message="deposit") as made:
                made.metadata.update({"title": title, "creator": "Rivermark Library"})
                for number in range(files):
                    made.add(b"%d\n" % number * 4000, f"pages/{number:03}.txt")
        list(archive.audit())
    working = BackgroundServices(App(Settings(archive=str(place))))
    with TapeDrive(place.parent / "mnt") as drive:
        service = working.copy_service()
        service.registry.add("frankfurt", str(place.parent / "frankfurt"))
        for number, name in enumerate(("RML039L8", "RML044L8")):
            tape = Cartridge(place.parent / name, name)
            tape.label()
            drive.insert(tape)
            if number == 0:
                service.registry.add("tape", f"ltfs://{drive.mount}")
                service.policies.set(service.archive, "*", POLICY)
                service.plan_all()
                service.replicate("frankfurt")
                service.replicate("tape")
                drive.eject()
                with Archive(place) as archive, archive.new("plans-1904", MAPS, message="deposit") as made:
                    made.metadata["title"] = "Plans of the lock, 1904"
                    made.add(b"plan\n" * 90_000, "plan.txt")
                service.plan()
            else:
                service.replicate("tape")
    working.close()
    with Database.open(place / "control.db") as database:
        ledger = Ledger(database)
        _portal(ledger)
        ledger.submit("distill", Call("nobody does this"), requester="Ann Lee", key="Marsh papers, 24 folders")
    with serving(place, key=key, serve_title="Rivermark Library", serve_work=False) as running:
        yield running


def _survey(archive: Archive, folder: Path) -> None:
    with archive.new("harbour-survey-1911", MAPS, message="first deposit") as made:
        made.metadata.update(
            {"title": "Harbour survey 1911", "creator": "Port Authority of Rivermark", "date": "May to August 1911",
             "subject": "Hydrography, harbours", "rights": "Public domain"}
        )  # fmt: skip
        for number in (16, 17, 18):
            scan = write_scan(folder / "scan.tif", width=2400, height=1700, seed=number, compression="deflate")
            made.add(scan.read_bytes(), f"scans/sheet-{number}.tif")
        made.add(b"sheet,depth\n17,12\n", "soundings.csv")
    with archive.get("harbour-survey-1911", "a", project=MAPS, message="letters added") as made:
        made.add(b"Dear Sir,\n", "letters/1911-05-02.txt")
        made.replace(b"sheet,depth\n17,12\n18,14\n", "soundings.csv")


def _portal(ledger: Ledger) -> None:
    Portals(ledger, None).add("city", "http://127.0.0.1:9", PortalSettings())
    links = Links(ledger)
    for owner, broken, whole in (("waterways", 14, 60), ("parks", 3, 41), ("transport", 9, 120), ("statistics", 1, 88)):
        resources = [
            {"id": f"{owner}-{each}", "url": f"http://{owner}.example/{each}.csv", "name": f"Levels {each}"}
            for each in range(broken + whole)
        ]
        about = {"id": f"set-{owner}", "name": f"set-{owner}", "title": f"Measurements of {owner}"}
        links.describe("city", {**about, "organization": {"name": owner}, "resources": resources})
        for number, each in enumerate(resources):
            kept = f"2025-11-21T10:00:00Z/{number}.csv" if number % 3 else None
            if kept:
                links.record(
                    "city",
                    each["id"],
                    Checked(Status.ARCHIVED, size=4100 * number),
                    asked=each["url"],
                    kept_as=kept,
                    read=True,
                )
            if number < broken:
                found = Checked(Status.DOWNLOAD_ERROR, FAILURES[number % len(FAILURES)])
                for _ in range(1 + number % 4):
                    links.record("city", each["id"], found, asked=each["url"])
            elif not kept:
                links.record("city", each["id"], Checked(Status.ARCHIVED), asked=each["url"])
    ledger.database.write(_year)
    Portals(ledger, None).note("city", swept_at=ledger.database.now() - 7200)


def _year(connection: Connection) -> None:
    """What each month's last check would have counted, as if links had been watched for a year."""
    all_of_it = (ckan_counters.c.dimension == "all") & (ckan_counters.c.portal == "city")
    now = dict(connection.execute(select(ckan_counters).where(all_of_it)).mappings().one())
    for month in range(1, 13):
        earlier = {
            "day": now["day"] - 30 * month,
            "broken": now["broken"] + month // 2,
            "broken_kept": max(now["broken_kept"] - month, 0),
        }
        connection.execute(insert(ckan_counters), {**now, **earlier})


def test_the_documentation_shows_what_the_pages_are(look: Look, library: Running, pictures: Path) -> None:
    reader = look(library.url, library.key, viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    for name, path in PAGES.items():
        page = reader.go(path)
        page.evaluate(UPGRADED)
        page.screenshot(path=str(pictures / f"{name}.png"))
        reader.nothing_is_wrong()
    shown = {each.stem for each in (Path(__file__).parents[3] / "docs/pictures").iterdir()}
    assert shown == set(PAGES), "docs/pictures has others than are taken here"
    assert all(os.path.getsize(pictures / f"{name}.png") for name in PAGES)
