"""A small collection in a stand-in ArchivesSpace, its scans, and a Distillery that works on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.database import Database
from muniment.doors.distillery.context import DistilleryContext
from muniment.doors.distillery.settings import CatalogueSettings, DistillerySettings, StoreSettings
from muniment.jobs import Keyring, Ledger
from muniment.session import Guard, Session
from muniment.stores import open_store
from muniment.testing.clock import FakeClock
from muniment.testing.scans import write_scan
from muniment.testing.servers.archivesspace import ArchivesSpaceServer

USERESTRICT = {
    "type": "userestrict",
    "publish": True,
    "subnotes": [{"publish": True, "content": "Ask us before you publish."}],
}


@dataclass
class Scene:
    """What a test works with. `settings` may be changed before `context` is first asked for."""

    folder: Path
    server: ArchivesSpaceServer
    settings: DistillerySettings
    ledger: Ledger
    archive: Archive
    session: Session
    collection: str = ""
    series: str = ""
    _made: DistilleryContext | None = None

    def change(self, **settings: Any) -> None:
        """Change the settings; what was opened by the old ones is opened anew."""
        self.settings = replace(self.settings, **settings)
        self._made = None

    @property
    def context(self) -> DistilleryContext:
        """What the Distillery works with."""
        if self._made is None:
            self._made = DistilleryContext(
                self.settings,
                lambda: self.archive,
                lambda: self.ledger,
                lambda: ArchivesSpace(self.session, self.server.url, "admin", "secret word", "ARCH"),
                lambda given, name: open_store(given.address, records=self.folder / f"tapes-{name}"),
                scratch=self.scratch,
            )
        return self._made

    def scratch(self, *names: str) -> Path:
        """A folder for what is on its way."""
        place = self.folder.joinpath("scratch", *names)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def scans(self, folder: str, *numbers: str, **kind: Any) -> list[Path]:
        """Scans of an archival object."""
        place = self.settings.scans / "HBF" / folder
        return [
            write_scan(place / f"{folder}_{number}.tif", **{"width": 60, "height": 40, "seed": at + 1, **kind})
            for at, number in enumerate(numbers)
        ]

    def describe(self, component_id: str, title: str = "Annual Meetings, 1943", **fields: Any) -> str:
        """An archival object of the series; its address."""
        return self.server.put(
            "archival_objects",
            component_id=component_id,
            title=title,
            display_string=title,
            level="file",
            resource={"ref": self.collection},
            ancestors=[{"ref": self.series, "level": "series"}, {"ref": self.collection, "level": "collection"}],
            **fields,
        )


@pytest.fixture
def server() -> Iterator[ArchivesSpaceServer]:
    with ArchivesSpaceServer() as running:
        yield running
    assert running.dropped == [], "what ArchivesSpace does not know was sent, and would be lost silently"


@pytest.fixture
def scene(tmp_path: Path, server: ArchivesSpaceServer) -> Iterator[Scene]:
    (tmp_path / "scans").mkdir()
    (tmp_path / "cloud").mkdir()
    settings = DistillerySettings(
        scans=tmp_path / "scans",
        archivesspace=CatalogueSettings(server.url, "admin", tmp_path / "password", "ARCH"),
        cloud=StoreSettings(str(tmp_path / "cloud")),
    )
    archive = Archive.init(tmp_path / "archive", workers=0, parity=False)
    with (
        Database.open(tmp_path / "control.db") as database,
        Session(Guard(allow_private_addresses=True), clock=FakeClock(), attempts=2) as session,
    ):
        ledger = Ledger(database, Keyring.create(tmp_path / "control.key"))
        made = Scene(tmp_path, server, settings, ledger, archive, session)
        made.collection = server.put("resources", id_0="HBF", title="Papers of a Board", notes=[USERESTRICT])
        made.series = server.put(
            "archival_objects", component_id="1", title="Organizational Records", level="series",
            resource={"ref": made.collection},
        )  # fmt: skip
        yield made
    archive.close()
