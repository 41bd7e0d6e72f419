"""A sweep of a CKAN portal as a worker does it: `python -m bench.harvest_alone URL FOLDER`, links in FOLDER/list.

The portal is a stand-in of this process; archive and ledger lie in FOLDER/out and are those of the sweep before, if
there was one.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from muniment.archive import Archive
from muniment.database import Database
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.harvest import steps, sweep
from muniment.doors.ckan.portals import PortalSettings
from muniment.doors.ckan.report import Reports
from muniment.jobs import Keyring, Ledger, LocalEngine, Registry
from muniment.session import Guard, Session
from muniment.testing.servers.ckan import Ckan

_A_DATASET = 5
_THREADS = 8


def harvest(addresses: list[str], out: Path) -> None:
    """Sweep a portal that links to these addresses.

    Raises:
        SystemExit: Not every link was kept.
        MunimentError: As the parts raise it.
    """
    place = out / "archive"
    opened = Archive(place) if place.exists() else Archive.init(place, mode="dynamic", parity=False)
    key = out / "control.key"
    keyring = Keyring.read(key) if key.exists() else Keyring.create(key)
    settings = PortalSettings(host_connections=_THREADS, host_delay=0.0, write_back=False)
    with Ckan() as portal, opened as archive, Database.open(out / "control.db") as database:
        for start in range(0, len(addresses), _A_DATASET):
            resources = [
                {"id": f"r{start + each:06}", "url": url}
                for each, url in enumerate(addresses[start : start + _A_DATASET])
            ]
            portal.add(f"d{start:06}", "org", *resources)
        ledger = Ledger(database, keyring)
        given = CkanContext(
            lambda: archive,
            lambda: ledger,
            lambda: keyring,
            lambda settings: Session(
                Guard(allow_private_addresses=True), timeout=settings.timeout, attempts=1, lenient=True
            ),
            scratch=lambda *names: _folder(out.joinpath("scratch", *names)),
        )
        if any(each.name == "p" for each in given.portals.all()):
            given.portals.remove("p")  # it has another port now; what is known of its links stays
        known = given.portals.add("p", portal.url, settings)
        job = sweep(given, known)
        engine = LocalEngine(ledger, Registry(steps(given)), threads=_THREADS)
        engine.start()
        while not ledger.job(job).ended:
            time.sleep(0.05)
        engine.stop()
        given.close()
        if Reports(ledger).totals("p")["kept"] != len(addresses):
            raise SystemExit(f"not all were kept: {Reports(ledger).totals('p')}")


def _folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


if __name__ == "__main__":
    home = Path(sys.argv[2])
    harvest([f"{sys.argv[1]}{name}" for name in (home / "list").read_text().split()], home / "out")
