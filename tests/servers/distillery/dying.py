"""A worker that does a batch and kills itself at the n-th call of something: run by the tests of resuming."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from muniment.archive import Archive
from muniment.archive.ingest.transaction import Transaction
from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.database import Database
from muniment.doors.distillery import recording, sending, steps
from muniment.doors.distillery.batches import Batches
from muniment.doors.distillery.context import DistilleryContext
from muniment.doors.distillery.settings import (
    AccessSettings,
    CatalogueSettings,
    DistillerySettings,
    StoreSettings,
)
from muniment.imaging import ImageProcess
from muniment.jobs import Keyring, Ledger, LocalEngine, Registry
from muniment.jobs.leases import Leases
from muniment.jobs.local import Pace
from muniment.publishers.iiif import Iiif
from muniment.publishers.iiif import publisher as iiif_publisher
from muniment.publishers.islandora2 import Islandora2, Islandora2Site
from muniment.session import Guard, Session
from muniment.stores import open_store
from muniment.stores.folder import FolderStore
from muniment.stores.ltfs.catalogue import Catalogue
from muniment.stores.ltfs.store import LtfsStore

URL = "https://iiif.example.org"
STEPS = (
    steps.BEGIN, steps.COLLECTION, steps.MAKE, steps.SEND, steps.VERIFY, steps.PUBLISH, steps.RECORD, steps.CLEAN,
    steps.END,
)  # fmt: skip
POINTS: dict[str, tuple[Any, str]] = {
    "an image is made": (ImageProcess, "lossless"),
    "the package is committed": (Transaction, "commit"),
    "a file is put": (FolderStore, "put"),
    "the store is flushed": (FolderStore, "flush"),
    "a file is put on tape": (LtfsStore, "put"),
    "the tape is flushed": (LtfsStore, "flush"),
    "the tape's list is written": (Catalogue, "add"),
    "a file is proved": (sending, "_prove"),
    "copies are remembered": (Batches, "record"),
    "ArchivesSpace is written to": (ArchivesSpace, "create"),
    "ArchivesSpace is changed": (ArchivesSpace, "update"),
    "a component is recorded": (recording, "_component"),
    "tiles are cut": (ImageProcess, "tiles"),
    "a file of the site is exchanged": (iiif_publisher, "_write"),
    "Islandora is asked": (Islandora2, "_call"),
    "a number is remembered": (Batches, "put"),
    "a line is written": (Batches, "say"),
    "a name is given or a folder moved": (Path, "rename"),
    "a file is given its name": (Path, "replace"),
    "a folder is removed": (shutil, "rmtree"),
    "the ledger records what was done": (Leases, "exchange"),
    **{
        f"{each.name} has done its work": (type(each), "work")
        for each in steps.steps(cast("DistilleryContext", None))
        if each.name != steps.PREVIEW  # a job of its own, which writes nothing
    },
}
"""What can be the last thing that a process does: a call of this, of its class."""


def main(given: dict[str, Any]) -> None:
    """Do a batch in one thread, and die before, or after, the call that was named."""
    folder = Path(given["folder"])
    _arm(given["point"], given["call"], after=given["after"])
    islandora = given.get("islandora", "")
    access = AccessSettings("islandora2", url=islandora) if islandora else AccessSettings("iiif", folder / "site", URL)
    settings = DistillerySettings(
        scans=folder / "scans",
        done=folder / "done" if given.get("done") else None,
        archivesspace=CatalogueSettings(given["url"], "admin", folder / "password", "ARCH"),
        cloud=StoreSettings(str(folder / "cloud")),
        onsite=StoreSettings(given.get("tape", "")),
        access=access,
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

        def publisher() -> Iiif | Islandora2:
            if not islandora:
                return Iiif(folder / "site", URL, ImageProcess)
            site = Islandora2Site(islandora, "keeper", "secret word", "/node-by-identifier")
            return Islandora2(session, site, ImageProcess, Batches(database), lambda: scratch("access"))

        context = DistilleryContext(
            settings,
            lambda: archive,
            lambda: ledger,
            lambda: ArchivesSpace(session, given["url"], "admin", "secret word", "ARCH"),
            lambda store, _: open_store(store.address, records=folder / "tapes"),
            scratch=scratch,
            open_publisher=publisher,
        )
        engine = LocalEngine(ledger, Registry(steps.steps(context)), threads=1, pace=Pace(lease=1.5, sweep=0.1))
        engine.start()
        while not ledger.job(given["batch"]).ended:
            time.sleep(0.02)
        engine.stop()


def _arm(point: str, call: int, *, after: bool) -> None:
    if not point:
        return
    owner, name = POINTS[point]
    original, calls = getattr(owner, name), [0]
    counts: Callable[..., bool] = _records if owner is Leases else lambda *_, **__: True

    def dying(*words: Any, **named: Any) -> Any:
        calls[0] += counts(*words, **named)
        if calls[0] != call or not counts(*words, **named):
            return original(*words, **named)
        if after:
            original(*words, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(owner, name, dying)


def _records(ledger: object, owner: str, outcomes: Any = (), *_: object, **__: object) -> bool:
    """Whether an exchange with the ledger is one that records something, and not the worker's asking for more."""
    del ledger, owner
    return bool(outcomes)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
