"""What the pages are looked at with: an archive in which every page has something to show."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, insert

from muniment.access import Authority, Realm
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.archive import Archive
from muniment.database import Database
from muniment.database.tables import tapes
from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portals, PortalSettings
from muniment.doors.ckan.records import Links
from muniment.doors.ckan.statuses import Status
from muniment.doors.osf import KIND as REGISTRATION
from muniment.doors.osf.calls import SUBMISSION
from muniment.doors.osf.submission import read_submission
from muniment.errors.copies import ApprovalNeeded
from muniment.jobs import Call, Json, Ledger
from muniment.layouts import registration as layout
from muniment.settings import Settings
from muniment.stores import put_bytes
from muniment.workflows.copies.policies import Policies
from muniment.workflows.copies.retention import Retention, Retentions, permit_purge
from muniment.workflows.copies.table import CopyKey
from tests.servers.browser.conftest import fill
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive

MAPS = "rivermark/maps"
ODD = "a/b <i>&\u202e"
LONG = "A title that goes on " * 30
POLICY = '[[copies]]\nstore = "vault"\nlayout = "bag"\n'
MANY = 120
"""Things in each list that is longer than a page of it."""


def build(place: Path) -> str:
    """An archive in which every page has something to show; the key of who may do everything."""
    key = make_archive(place, mode="dynamic", redundancy=0)
    fill(place)
    with Authority.open(place / "control.db") as authority:
        issuer = Realm("library", "https://issuer.example", ("muniment",), "The library")
        authority.store.realms.create(issuer, by="Ann")
        authority.store.realms.update(issuer, by="Ben")
    with Archive(place) as archive:
        _fill_more(archive)
        working = BackgroundServices(App(Settings(archive=str(place))))
        try:
            _copies(working, archive, place.parent)
            _containers(working)
        finally:
            working.close()
        with Database.open(place / "control.db") as database:
            _portal(Ledger(database))
            _work(Ledger(database))
    return key


def _fill_more(archive: Archive) -> None:
    with archive.new("many", MAPS) as made:
        made.metadata["title"] = LONG
        for number in range(260):
            made.add(b"%d\n" % number, f"sheets/{number:04}-{'long-name-' * 8}.txt")
    for number in range(MANY):
        with archive.new(f"leaf-{number:03}", "rivermark/leaves") as made:
            made.metadata["title"] = f"Leaf {number}"
            made.add(b"leaf %d\n" % number, "leaf.txt")
    for number in range(2, 14):
        with archive.get("leaf-000", "a", project="rivermark/leaves") as made:
            made.add(b"%d\n" % number, f"{number}.txt")
    with archive.new("gone", MAPS) as made:
        made.add(b"gone\n", "gone.txt")
    archive.purge("gone", "it was a <b>mistake</b>", MAPS)
    list(archive.audit())
    with archive.new("damaged", MAPS) as made:
        made.add(b"as it was\n", "letter.txt")
    file = archive.instance("damaged", project=MAPS).location("letter.txt")
    file.chmod(0o600)
    file.write_bytes(b"AS IT WAS\n")
    assert list(archive.audit("damaged", project=MAPS))


def _copies(working: BackgroundServices, archive: Archive, folder: Path) -> None:
    service = working.copy_service()
    for name in ("vault", "frankfurt"):
        service.registry.add(name, str(folder / name))
    service.policies.set(service.archive, MAPS, POLICY)
    service.plan_all()
    service.replicate("vault")
    service.table.owe(CopyKey("frankfurt", "bag", "rivermark/leaves", f"leaf-{each:03}", 1) for each in range(MANY))
    service.table.owe(CopyKey("frankfurt", "bag", MAPS, "many", each) for each in range(1, MANY * 2))
    service.registry.note("frankfurt", reason="it does not answer: connection refused")
    database = service.table.database
    Policies(database).set(archive, "rivermark/odd", 'keep = "governance 1s"')
    retentions, now = Retentions(database), database.now()
    retentions.set(archive, Retention(MAPS, "harbour", "compliance", now + 30 * 86_400))
    for number in range(1, MANY):
        retentions.set(archive, Retention("rivermark/leaves", f"leaf-{number:03}", "governance", now + 1e7 + number))
    with contextlib.suppress(ApprovalNeeded):  # as it says: that it was asked for
        permit_purge(database, archive, ODD, "rivermark/odd", "made by <b>mistake</b>")
    working.report_writer().ndsa()
    database.write(_shelve)


def _shelve(connection: Connection) -> None:
    """Tapes as they were seen in a drive that is not here, more than a shelf has in a row."""
    for number in range(MANY):
        row = {"store": "vault", "tape": f"MUN{number:03}L8", "files": number, "bytes": number * 10**9,
               "total": 12 * 10**12, "free": 10**11 * number, "read_only": number < 3, "in_drive": number == 1,
               "written_at": "2026-11-01T00:00:00Z", "seen_at": 1.79e9}  # fmt: skip
        unknown = {"total": None, "free": None, "seen_at": None} if number % 7 == 5 else {}
        connection.execute(insert(tapes), row | unknown)


def _containers(working: BackgroundServices) -> None:
    store = working.registration_context.stores[0]
    for number in range(MANY):
        files = [{"path": "data.csv", "sha256": "0" * 64, "size": 1}] * number
        services = {"github": {"service": "github", "resource": "a/b", "files": files, "notTaken": ["issues"]}}
        children = {"child": {"metadata": {}, "services": services, "children": {}}} if number == 1 else {}
        manifest = {"metadata": {}, "services": services, "children": children}
        put_bytes(store, layout.manifest_key(f"r{number:04}"), json.dumps(manifest).encode())
    failures = [{"service": "github", "file": "data/<b>one</b>.csv", "reason": "404 at the service"}]
    put_bytes(store, layout.failures_key("r0001"), json.dumps(failures).encode())
    ledger = working.registration_context.ledger
    for id in ("under1", "failed1"):
        tree = read_submission(_submission(id)).tree
        call = Call(SUBMISSION, cast("Json", {"tree": tree}))
        job = ledger.submit(REGISTRATION, call, requester="osf", given={"ids": [id]}, key=id, subjects=[id])
        if id == "failed1":
            ledger.cancel(job.id)


def _submission(id: str) -> dict[str, object]:
    """What a platform sends of a container with a child and many services."""

    def container(name: str, services: list[object], children: list[object]) -> dict[str, object]:
        about: dict[str, object] = {"id": name, "title": "A study", "description": None, "contributors": []}
        return {"container": {"metadata": about, "services": services, "children": children}}

    pages = [{"http": {"url": f"https://data.example/{'long-name-' * 6}{number}"}} for number in range(12)]
    closed: list[object] = [{"http": {"url": "https://data.example/", "username": "ann", "password": "hush"}}]
    return container(id, [*pages], [container(f"{id}-below", closed, [])])


def _portal(ledger: Ledger) -> None:
    for name in ("city", "quiet"):
        Portals(ledger, None).add(name, "http://127.0.0.1:9", PortalSettings())
    links = Links(ledger)
    owners = [("waterways", 60, 2), ("parks", 1, 5), *((f"office-{each:02}", 1, 0) for each in range(30))]
    for owner, broken, whole in owners:
        resources = [
            {"id": f"{owner}-{number:03}", "url": f"http://host-{number % 3}.example/{number}.csv", "name": "Levels"}
            for number in range(broken + whole)
        ]
        about = {"name": owner, "title": owner.title()}
        record = {"id": f"set-{owner}", "name": f"set-{owner}", "title": "Flood levels", "organization": about}
        links.describe("city", {**record, "resources": resources})
        for number, resource in enumerate(resources):
            found = Checked(Status.REQUEST_FAILED, "404") if number < broken else Checked(Status.ARCHIVED, "")
            links.record("city", str(resource["id"]), found, asked=str(resource["url"]))


def _work(ledger: Ledger) -> None:
    for number in range(MANY):
        job = ledger.submit(
            "audit", Call("nobody does this", {"n": number}), requester="Ann <Lee>", key=f"part {number}"
        )
        if number % 4 == 0:
            ledger.cancel(job.id, by="Ann")


def begin(running: Running) -> dict[str, str]:
    """What begins on pages: a deposit, a selection, a fetch from a source; the path of each."""
    keeper = Visitor(running.url).sign_in(running.key)
    given = {"project": "rivermark/new", "id": "begun", "title": "Half of it"}
    deposit = keeper.post("/deposit", given).headers["location"]
    chosen = {"place": MAPS, "e": json.dumps([MAPS, "harbour", 0, ""])}
    selection = keeper.post("/selections", chosen).headers["location"]
    asked = {"kind": "http", "o-url": "http://127.0.0.1:9/tides.csv", "project": "rivermark/new", "id": "tides"}
    fetch = keeper.post("/deposit/source", asked).headers["location"]
    found = {"deposit": deposit, "selection": selection, "fetch": fetch}
    for name in ("job", "event"):  # the first that the list of them leads to
        links = [link.attributes["href"] for link in keeper.get(f"/{name}s").page.every("a")]
        found[name] = next(each for each in links if each.startswith(f"/{name}s/"))
    return found
