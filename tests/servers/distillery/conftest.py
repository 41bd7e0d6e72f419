"""A small collection in a stand-in ArchivesSpace, its scans, and a Distillery that works on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.database import Database
from muniment.doors.distillery.context import DistilleryContext
from muniment.doors.distillery.requests import run_collection
from muniment.doors.distillery.settings import CatalogueSettings, DistillerySettings, StoreSettings
from muniment.doors.distillery.steps import steps
from muniment.imaging import ImageProcess
from muniment.jobs import Keyring, Ledger, LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.publishers.iiif import Iiif
from muniment.session import Guard, Session
from muniment.stores import open_store
from muniment.testing.clock import FakeClock
from muniment.testing.scans import write_scan
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from tests.timing import PATIENCE, eventually

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
                lambda given, name: open_store(
                    given.address, records=self.folder / f"tapes-{name}", commands=given.commands
                ),
                scratch=self.scratch,
                open_publisher=self.publisher,
            )
        return self._made

    def publisher(self) -> Iiif:
        """What shows access copies."""
        given = self.settings.access
        assert given.folder is not None
        return Iiif(given.folder, given.url, ImageProcess)

    def run(
        self,
        *to: str,
        collection: str = "HBF",
        partly: bool = False,
        state: str = "done",
        patience: float = PATIENCE,
    ) -> str:
        """Run a batch to its end; the batch."""
        job = run_collection(self.context, collection, to or ["cloud"], requester="t", partly=partly).id
        return self.work(job, state, patience)

    def work(self, job: str, state: str = "done", patience: float = PATIENCE) -> str:
        """Work until a batch has ended."""
        engine = LocalEngine(self.ledger, Registry(steps(self.context)), threads=3, pace=Pace(lease=20.0, sweep=0.2))
        engine.start()
        try:
            eventually(lambda: self.ledger.job(job).ended, every=0.02, patience=patience, told=partial(self.log, job))
        finally:
            engine.stop()
        found = self.ledger.job(job)
        assert found.state == state, (found.reason, self.log(job))
        return job

    def log(self, batch: str) -> list[str]:
        """The lines of a batch's log."""
        return [f"{each.folder} {each.kind}: {each.text}" for each in self.context.batches.log(batch)]

    def state(self) -> dict[str, Any]:
        """What a batch leaves: packages, stores, catalogue; without times, and with the addresses of records."""
        packages = {}
        for summary in self.archive.resources():
            instance = self.archive.instance(summary.id, project=summary.project)
            packages[summary.id] = {path: instance[path].digests["sha256"] for path in instance}
        stored = {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for name in ("cloud", "site")
            for path in sorted((self.folder / name).rglob("*"))
            if path.is_file()
        }
        # Read-only and versions aside, what matters is what stands in the records.
        records = {
            uri: {name: value for name, value in record.items() if name != "lock_version"}
            for uri, record in self.server.records.items()
        }
        return {"packages": packages, "stored": stored, "records": json.loads(json.dumps(records))}

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
    with a_scene(tmp_path, server) as made:
        yield made


@contextmanager
def a_scene(folder: Path, server: ArchivesSpaceServer) -> Iterator[Scene]:
    """A collection with a series in the catalogue, an archive, a store; scans and archival objects are to be added."""
    (folder / "scans").mkdir()
    (folder / "cloud").mkdir()
    settings = DistillerySettings(
        scans=folder / "scans",
        archivesspace=CatalogueSettings(server.url, "admin", folder / "password", "ARCH"),
        cloud=StoreSettings(str(folder / "cloud")),
    )
    archive = Archive.init(folder / "archive", workers=0, parity=False)
    with (
        archive,
        Database.open(folder / "control.db") as database,
        Session(Guard(allow_private_addresses=True), clock=FakeClock(), attempts=2) as session,
    ):
        ledger = Ledger(database, Keyring.create(folder / "control.key"))
        made = Scene(folder, server, settings, ledger, archive, session)
        made.collection = server.put("resources", id_0="HBF", title="Papers of a Board", notes=[USERESTRICT])
        made.series = server.put(
            "archival_objects", component_id="1", title="Organizational Records", level="series",
            resource={"ref": made.collection},
        )  # fmt: skip
        yield made
