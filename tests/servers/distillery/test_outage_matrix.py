"""Whoever a batch needs is away, in the middle of it and however long: it waits, says so once, and ends as without.

The parties are ArchivesSpace (our stand-in), S3 (Ceph), a tape in a drive here and one on another machine (our LTFS
look-alike, by a real sshd), and Islandora 7 by that sshd (our stand-in for drush).
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from muniment.catalogues.archivesspace import ArchivesSpace
from muniment.database import Database
from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.requests import run_collection
from muniment.doors.distillery.settings import AccessSettings, StoreSettings
from muniment.doors.distillery.steps import steps
from muniment.imaging import ImageProcess
from muniment.imaging.text import no_text
from muniment.jobs import LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.publishers.islandora7 import Islandora7, Islandora7Site
from muniment.publishers.islandora7.ssh import SshMachine
from muniment.stores import open_store
from muniment.stores.protocol import Store
from muniment.testing.servers import ceph as ceph_keys
from muniment.testing.servers import drush
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.servers.cutting import CuttingProxy
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from muniment.testing.services import Service, shared
from tests.servers.distillery.conftest import Scene, a_scene
from tests.timing import eventually

LENGTHS = {"10 s": 10.0, "2 min": 120.0, "2 h": 7200.0, "2 days": 172_800.0}
PARTIES = ("ArchivesSpace", "S3", "tape", "tape by ssh", "Islandora by ssh")
ALWAYS = {
    ("ArchivesSpace", "2 days"),
    ("S3", "2 h"),
    ("tape", "2 h"),
    ("tape by ssh", "2 h"),
    ("Islandora by ssh", "2 h"),
}
"""What `make test` does; the rest is for the night."""
TOLD = ("It goes on when that is over.", "It goes on by itself when that is seen to.")


class Outage:
    """A party with a way to take it away in the middle of its work, and to bring it back."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self.begin, self.end = begin, end


def by_line(proxy: CuttingProxy, share: float) -> Outage:
    """The line breaks when this share of what an undisturbed batch sends has passed."""
    whole = proxy.sent
    assert whole > 0, "nothing went over this line"

    def begin() -> None:
        proxy.heal()
        proxy.cut_after = int(whole * share)

    return Outage(begin, proxy.heal)


@pytest.fixture(scope="module")
def sshd(run_folder: Path) -> Iterator[Service]:
    with shared("sshd", run_folder) as service:
        yield service


@pytest.fixture(scope="module")
def ceph(run_folder: Path) -> Iterator[Service]:
    with shared("ceph", run_folder) as service:
        yield service


class Rig:
    """A batch of two folders that goes to one party; `proxy` is the line to it, where it has one."""

    def __init__(self, scene: Scene, held: contextlib.ExitStack, request: pytest.FixtureRequest) -> None:
        self.scene, self._held, self._request = scene, held, request
        self.proxy: CuttingProxy | None = None
        self.drive: TapeDrive | None = None
        self.tape = Cartridge(scene.folder / "tape", "AB0001")
        for name, number in (("HBF_1_05", "01"), ("HBF_1_06", "02")):
            scene.describe(name.replace("_1_", "_001_"))
            scene.scans(name, number)

    def prepare(self, party: str) -> str:
        """Set the party up; the destination that it is."""
        scene = self.scene
        if party == "ArchivesSpace":
            proxy = self._line(scene.server.port)
            scene.context._open_catalogue = lambda: ArchivesSpace(
                scene.session, proxy.url, "admin", "secret word", "ARCH"
            )
            return "cloud"
        if party == "S3":
            self._s3()
            return "cloud"
        if party == "Islandora by ssh":
            self._islandora()
            return "access"
        self.drive = self._held.enter_context(TapeDrive(scene.folder / "mnt"))
        self.tape.label()
        self.drive.insert(self.tape)
        address = f"ltfs://{scene.folder}/mnt"
        keys: dict[str, str] = {}
        if party == "tape by ssh":
            place = self._request.getfixturevalue("run_folder") / "sshd"
            proxy = self._line(self._request.getfixturevalue("sshd").port)
            keys = {"identity": str(place / "client"), "known_hosts": str(self._known(place, proxy.port))}
            address = f"ltfs://{getpass.getuser()}@127.0.0.1:{proxy.port}{scene.folder}/mnt"
        scene.change(onsite=StoreSettings(address))
        scene.context.tape_wait = 600.0
        scene.context._stores["onsite"] = open_store(address, keys=keys, records=scene.folder / "tapes")
        return "onsite"

    def outage(self, party: str, share: float, monkeypatch: pytest.MonkeyPatch) -> Outage:
        """How the party goes away, and comes back."""
        if self.proxy is not None:
            return by_line(self.proxy, share)
        drive, store = self.drive, self.scene.context.store("onsite")
        assert drive is not None
        assert party == "tape"

        def begin() -> None:
            # The drive goes off after the second file: what no index speaks of is lost.
            monkeypatch.setattr(store, "put", _off_after(store, 2, drive.lose_power))

        return Outage(begin, lambda: drive.insert(self.tape))

    def _line(self, port: int) -> CuttingProxy:
        self.proxy = self._held.enter_context(CuttingProxy(port))
        return self.proxy

    def _known(self, place: Path, port: int) -> Path:
        """The machine's own key, as it is known at the near end of the line."""
        known = self.scene.folder / "known_hosts"
        _, _, key = (place / "known_hosts").read_text().partition(" ")
        known.write_text(f"[127.0.0.1]:{port} {key}")
        return known

    def _s3(self) -> None:
        keys = {"access_key": ceph_keys.ACCESS_KEY, "secret_key": ceph_keys.SECRET_KEY}
        service = self._request.getfixturevalue("ceph")
        proxy = self._line(int(service.url.rpartition(":")[2].rstrip("/")))
        bucket = f"scans-{secrets.token_hex(6)}"
        boto3.client(
            "s3", endpoint_url=service.url, aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"], region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        ).create_bucket(Bucket=bucket)  # fmt: skip
        address = f"s3://{bucket}/kept?endpoint={proxy.url}"
        self.scene.change(cloud=StoreSettings(address))
        self.scene.context._stores["cloud"] = open_store(address, keys=keys)

    def _islandora(self) -> None:
        scene = self.scene
        place = self._request.getfixturevalue("run_folder") / "sshd"
        proxy = self._line(self._request.getfixturevalue("sshd").port)
        machine = SshMachine(
            f"{getpass.getuser()}@127.0.0.1", proxy.port, identity=place / "client",
            known_hosts=self._known(place, proxy.port),
        )  # fmt: skip
        (scene.folder / "web").mkdir()
        site = Islandora7Site(
            str(scene.folder / "web"), "https://islandora.example.org", "arch", str(drush.install(scene.folder))
        )
        publisher = Islandora7(
            machine, site, ImageProcess, no_text, lambda: scene.scratch("access"), scene.context.batches
        )
        scene.change(access=AccessSettings("islandora7", url="https://islandora.example.org"))
        scene.context._open_publisher = lambda: publisher

    def left(self) -> Any:
        """What the batch left at the party and in the catalogue, without times and names of this test."""
        found = self.scene.state()
        found["copies"] = sorted(
            (each.destination, each.key, each.sha256, each.place)
            for id in ("HBF", "HBF_001_05", "HBF_001_06")
            for each in self.scene.context.batches.copies(id)
        )
        if (state := self.scene.folder / "drush.json").exists():
            known = json.loads(state.read_text())
            found["islandora"] = [sorted(known["books"].items()), known["collections"], known["sets"]]
        data = self.tape.folder / "data"
        found["tape"] = {
            str(each.relative_to(data)): hashlib.sha256(each.read_bytes()).hexdigest()
            for each in sorted(data.rglob("*"))
            if each.is_file() and "MUNIMENT" not in each.parts
        }
        text = json.dumps(found).replace(str(self.scene.folder), "/scene")
        address = self.scene.settings.cloud.address
        if address.startswith("s3://"):
            text = text.replace(address.split("/")[2], "bucket")
        # Two folders are recorded in whatever order they are done: what names a record is its place among its kind.
        return _without_addresses(json.loads(text))


def _off_after(store: Store, count: int, off: Callable[[], None]) -> Callable[..., Any]:
    """The store's `put`, which takes the party away after so many calls."""
    put, calls = store.put, itertools.count(1)

    def counted(*words: Any, **named: Any) -> Any:
        receipt = put(*words, **named)
        if next(calls) == count:
            off()
        return receipt

    return counted


def _without_addresses(found: dict[str, Any]) -> dict[str, Any]:
    """The records in an order of their own, each reference replaced by what it leads to."""
    records = found.pop("records")
    names = {
        uri: str(
            each.get("digital_object_id") or each.get("component_id") or each.get("indicator") or each.get("title")
        )
        for uri, each in records.items()
    }
    text = json.dumps(
        sorted(
            ([uri.split("/")[-2], each] for uri, each in records.items()),
            key=lambda row: names.get(row[1].get("uri", ""), "") + row[0],
        )
    )
    for uri, name in sorted(names.items(), key=lambda each: -len(each[0])):
        text = text.replace(f'"{uri}"', json.dumps(f"{uri.split('/')[-2]} {name}"))
    return {**found, "records": sorted(json.dumps(each, sort_keys=True) for each in json.loads(text))}


@contextlib.contextmanager
def rig(folder: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    folder.mkdir()
    with contextlib.ExitStack() as held:
        server = held.enter_context(ArchivesSpaceServer())
        yield Rig(held.enter_context(a_scene(folder, server)), held, request)
        assert server.dropped == []


@contextlib.contextmanager
def working(scene: Scene, destination: str) -> Iterator[str]:
    """A batch that is worked on; its id."""
    job = run_collection(scene.context, "HBF", [destination], requester="t").id
    engine = LocalEngine(scene.ledger, Registry(steps(scene.context)), threads=2, pace=Pace(lease=600.0, sweep=0.2))
    engine.start()
    try:
        yield job
    finally:
        engine.stop()


def matrix() -> Iterator[object]:
    for party, length in itertools.product(PARTIES, LENGTHS):
        marks = () if (party, length) in ALWAYS else pytest.mark.nightly
        yield pytest.param(party, length, marks=marks, id=f"{party}-{length}")


@pytest.mark.timeout(600)  # two batches each, by ssh with a new connection for each file
@pytest.mark.parametrize(("party", "length"), list(matrix()))
def test_an_outage_is_waited_for_told_once_and_leaves_what_would_have_been_left(
    party: str, length: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, now = [0.0], Database.now
    monkeypatch.setattr(Database, "now", lambda self: now(self) + ahead[0])
    whole = 0
    with rig(tmp_path / "whole", request) as undisturbed:
        destination = undisturbed.prepare(party)
        undisturbed.scene.run(destination)
        expected = undisturbed.left()
        whole = undisturbed.proxy.sent if undisturbed.proxy else 0
    with rig(tmp_path / "struck", request) as struck:
        scene = struck.scene
        destination = struck.prepare(party)
        if struck.proxy is not None:
            struck.proxy.sent = whole
        outage = struck.outage(party, 0.6, monkeypatch)
        outage.begin()
        with working(scene, destination) as batch:
            said = partial(scene.log, batch)
            eventually(lambda: _waits(scene, batch), told=said)
            for _ in range(4):
                ahead[0] += LENGTHS[length] / 4
                _settled(scene, batch)
            assert not scene.ledger.job(batch).ended, said()
            outage.end()
            eventually(lambda: _ended_when_hastened(scene, batch, ahead), every=0.1, told=said)
        assert scene.ledger.job(batch).state == "done", said()
        assert struck.left() == expected
        assert list(audit(scene.context, batch)) == []
        told = Counter(each for each in scene.log(batch) if each.endswith(TOLD))
        assert told, "nothing was told"
        assert set(told.values()) == {1}, told


def _waits(scene: Scene, batch: str) -> bool:
    """Whether something has met the outage, and said so."""
    return any(each.endswith(TOLD) for each in scene.log(batch))


def _settled(scene: Scene, batch: str) -> None:
    """Wait until nothing is due: every step that can be tried was tried."""
    ledger = scene.ledger
    eventually(
        lambda: all(
            each.state != "running" and (each.state != "ready" or each.next_at > ledger.database.now())
            for each in ledger.steps(batch)
        ),
        every=0.05,
    )


def _ended_when_hastened(scene: Scene, batch: str, ahead: list[float]) -> bool:
    """Whether it has ended; who waits tries again within minutes, which need not be waited for here."""
    ahead[0] += 60
    return scene.ledger.job(batch).ended
