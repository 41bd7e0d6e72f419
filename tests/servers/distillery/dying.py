"""A worker that does a batch and kills itself at the n-th call of something: run by the tests of resuming."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from muniment.archive import Archive
from muniment.archive.ingest.transaction import Transaction
from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.database import Database
from muniment.doors.distillery import recording, sending
from muniment.doors.distillery.batches import Batches
from muniment.doors.distillery.context import DistilleryContext
from muniment.doors.distillery.settings import (
    AccessSettings,
    CatalogueSettings,
    DistillerySettings,
    StoreSettings,
)
from muniment.doors.distillery.steps import steps
from muniment.imaging import ImageProcess
from muniment.jobs import Keyring, Ledger, LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.publishers.iiif import Iiif
from muniment.publishers.iiif import publisher as iiif_publisher
from muniment.session import Guard, Session
from muniment.stores import open_store
from muniment.stores.folder import FolderStore

POINTS: dict[str, tuple[Any, str]] = {
    "an image is made": (ImageProcess, "lossless"),
    "the package is committed": (Transaction, "commit"),
    "a file is put": (FolderStore, "put"),
    "the store is flushed": (FolderStore, "flush"),
    "a file is proved": (sending, "_prove"),
    "copies are remembered": (Batches, "record"),
    "ArchivesSpace is written to": (ArchivesSpace, "create"),
    "ArchivesSpace is changed": (ArchivesSpace, "update"),
    "a component is recorded": (recording, "_component"),
    "the manifest is exchanged": (iiif_publisher, "_write"),
    "a line is written": (Batches, "say"),
}


def main(given: dict[str, Any]) -> None:
    """Do a batch in one thread, and die before, or after, the call that was named."""
    folder = Path(given["folder"])
    _arm(given["point"], given["call"], after=given["after"])
    settings = DistillerySettings(
        scans=folder / "scans",
        archivesspace=CatalogueSettings(given["url"], "admin", folder / "password", "ARCH"),
        cloud=StoreSettings(str(folder / "cloud")),
        access=AccessSettings("iiif", folder / "site", "https://iiif.example.org"),
    )

    def scratch(*names: str) -> Path:
        place = folder.joinpath("scratch", *names)
        place.mkdir(parents=True, exist_ok=True)
        return place

    with (
        Archive(folder / "archive", workers=0, parity=False) as archive,
        Database.open(folder / "control.db") as database,
        Session(Guard(allow_private_addresses=True)) as session,
    ):
        ledger = Ledger(database, Keyring.create(folder / "control.key"))
        context = DistilleryContext(
            settings,
            lambda: archive,
            lambda: ledger,
            lambda: ArchivesSpace(session, given["url"], "admin", "secret word", "ARCH"),
            lambda store, _: open_store(store.address),
            scratch=scratch,
            open_publisher=lambda: Iiif(folder / "site", "https://iiif.example.org", ImageProcess),
        )
        engine = LocalEngine(ledger, Registry(steps(context)), threads=1, pace=Pace(lease=1.5, sweep=0.1))
        engine.start()
        while not ledger.job(given["batch"]).ended:
            time.sleep(0.02)
        engine.stop()


def _arm(point: str, call: int, *, after: bool) -> None:
    if not point:
        return
    owner, name = POINTS[point]
    original, calls = getattr(owner, name), [0]

    def dying(*words: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] != call:
            return original(*words, **named)
        if after:
            original(*words, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(owner, name, dying)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
