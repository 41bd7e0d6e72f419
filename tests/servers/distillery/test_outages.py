"""Stores that keep something else, full tapes, and a catalogue that fails: what is waited for, and what is refused."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from muniment.content import Entry
from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.preview import preview
from muniment.doors.distillery.requests import run_collection
from muniment.doors.distillery.settings import StoreSettings
from muniment.doors.distillery.steps import steps
from muniment.jobs import Call, Context, Done, Json, LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.stores import Receipt, open_store
from muniment.stores.folder import FolderStore
from muniment.stores.protocol import DEFAULTS, Open, PutOptions
from muniment.testing.servers import ceph as ceph_keys
from muniment.testing.servers.loopback import Fault
from muniment.testing.servers.ltfs import Cartridge, TapeDeck, TapeDrive
from muniment.testing.services import Service, shared
from tests.servers.distillery.conftest import Scene
from tests.timing import PATIENCE, eventually


class WrongStore(FolderStore):
    """A store that keeps an altered byte, so many times."""

    wrong = 0

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        receipt = super().put(key, source, open, options)
        if key.endswith(".jp2") and self.wrong:
            self.wrong -= 1
            place = self.root / key
            data = bytearray(place.read_bytes())
            data[-1] ^= 1
            place.chmod(0o600)
            place.write_bytes(data)
        return receipt


@pytest.fixture
def quick(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A scene whose ledger does not wait between tries."""
    from muniment.jobs import verdicts

    monkeypatch.setattr(verdicts, "wait_after", lambda *_: 0.05)
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    return scene


def with_store(scene: Scene, wrong: int) -> WrongStore:
    store = WrongStore(scene.folder / "cloud")
    store.wrong = wrong
    scene.context._stores["cloud"] = store
    return store


def versions(scene: Scene) -> list[dict[str, Any]]:
    return [
        version
        for uri, each in scene.server.records.items()
        if "/digital_object_components/" in uri
        for version in each["file_versions"]
    ]


def test_what_a_store_kept_wrong_once_is_sent_again(quick: Scene) -> None:
    store = with_store(quick, 1)
    batch = quick.run("cloud")
    assert store.wrong == 0
    assert len(versions(quick)) == 2
    assert list(audit(quick.context, batch)) == []


def test_what_a_store_always_keeps_wrong_is_never_recorded_and_not_left_there(quick: Scene) -> None:
    with_store(quick, 10_000)
    batch = quick.run("cloud", state="failed")
    assert versions(quick) == []
    assert not list((quick.folder / "cloud").rglob("*.jp2"))
    assert any("keeps something else" in each for each in quick.log(batch))
    assert any(each.kind == "different" for each in audit(quick.context, batch))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/digital_objects$", times=1, status=503),
        Fault("/digital_object_components$", times=3, status=503),
        Fault("/archival_objects/", times=1, cut_after=10),
        Fault("/find_by_id/", times=5, status=502),
    ],
    ids=lambda fault: fault.where,
)
def test_a_catalogue_that_fails_for_a_while_is_waited_for(quick: Scene, fault: Fault) -> None:
    quick.server.faults.append(replace(fault))
    batch = quick.run("cloud")
    assert len(versions(quick)) == 2
    assert list(audit(quick.context, batch)) == []


def test_a_lost_answer_makes_nothing_twice(quick: Scene) -> None:
    """Every other write is done, and the line breaks before its answer."""
    taken, writes = quick.server.answer, itertools.count()

    def losing(request: Any) -> Any:
        reply = taken(request)
        if request.method == "POST" and not request.path.endswith("/login") and next(writes) % 2 == 0:
            raise ConnectionResetError
        return reply

    quick.server.answer = losing  # type: ignore[method-assign]
    batch = quick.run("cloud")
    assert next(writes) > 2
    kinds = Counter(uri.split("/")[3] for uri in quick.server.records if uri.count("/") > 3)
    assert kinds == {"resources": 1, "archival_objects": 2, "digital_objects": 1, "digital_object_components": 1}
    assert len(versions(quick)) == 2
    assert list(audit(quick.context, batch)) == []


def test_a_session_that_ends_in_between_is_begun_anew(quick: Scene) -> None:
    taken = quick.server.answer

    def ending(request: Any) -> Any:
        if request.path.endswith("/digital_object_components") and request.method == "POST":
            quick.server.sessions.clear()
            quick.server.answer = taken  # type: ignore[method-assign]
        return taken(request)

    quick.server.answer = ending  # type: ignore[method-assign]
    quick.run("cloud")
    assert len(versions(quick)) == 2


def test_a_record_that_somebody_saves_meanwhile_keeps_their_change(quick: Scene) -> None:
    taken, uri = (
        quick.server.answer,
        next(uri for uri, each in quick.server.records.items() if each.get("level") == "file"),
    )

    def editing(request: Any) -> Any:
        if request.path == uri and request.method == "POST":
            quick.server.answer = taken  # type: ignore[method-assign]
            quick.server.edit(uri, notes=[{"type": "odd", "content": ["by staff"]}])
        return taken(request)

    quick.server.answer = editing  # type: ignore[method-assign]
    quick.run("cloud")
    record = quick.server.records[uri]
    assert record["notes"] == [{"type": "odd", "content": ["by staff"]}]
    assert [each["instance_type"] for each in record["instances"]] == ["digital_object"]


def test_a_field_that_the_catalogue_loses_is_noticed(quick: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from muniment.testing.servers import archivesspace

    monkeypatch.setattr(archivesspace, "_FILE_VERSION", archivesspace._FILE_VERSION - {"caption"})
    batch = quick.run("cloud", state="failed")
    assert any("dropped the fields" in each for each in quick.log(batch))
    quick.server.dropped.clear()


def test_a_full_tape_asks_for_the_next_one_and_goes_on(quick: Scene) -> None:
    quick.describe("HBF_001_06")
    quick.scans("HBF_1_05", "02", "03", width=1200, height=900, compression="none")
    quick.scans("HBF_1_06", "01", "02", width=1200, height=900, compression="none")
    with TapeDrive(quick.folder / "mnt") as drive:
        tapes = [Cartridge(quick.folder / f"tape{each}", f"AB000{each}", capacity=11 << 20) for each in (1, 2)]
        for each in tapes:
            each.label()
        drive.insert(tapes[0])
        quick.change(onsite=StoreSettings(f"ltfs://{quick.folder}/mnt"))
        quick.context.tape_wait = 0.3
        job = run_collection(quick.context, "HBF", ["onsite"], requester="t").id
        engine = LocalEngine(quick.ledger, Registry(steps(quick.context)), threads=2, pace=Pace(lease=20.0, sweep=0.2))
        engine.start()
        try:
            eventually(lambda: _waits(quick, job), told=lambda: str(quick.log(job)))
            drive.insert(tapes[1])
            eventually(lambda: quick.ledger.job(job).ended, told=lambda: str(quick.log(job)))
        finally:
            engine.stop()
        assert quick.ledger.job(job).state == "done", quick.log(job)
        said = [each for each in quick.log(job) if "waiting" in each]
        assert len(said) == len(set(said))
        used = {each["file_uri"].split("/")[2] for each in versions(quick)}
        assert used == {"AB0001", "AB0002"}
        containers = [each["indicator"] for uri, each in quick.server.records.items() if "/top_containers/" in uri]
        assert sorted(containers) == ["AB0001", "AB0002"]
        drive.eject()


def test_a_tape_is_mounted_by_command_and_a_full_one_let_go_for_the_next(quick: Scene) -> None:
    quick.describe("HBF_001_06")
    quick.scans("HBF_1_05", "02", "03", width=1200, height=900, compression="none")
    quick.scans("HBF_1_06", "01", "02", width=1200, height=900, compression="none")
    with TapeDeck(quick.folder / "mnt", quick.folder / "device") as deck:
        tapes = [Cartridge(quick.folder / f"tape{each}", f"AB000{each}", capacity=11 << 20) for each in (1, 2)]
        for each in tapes:
            each.label()
        deck.insert(tapes[0])
        quick.change(onsite=StoreSettings(f"ltfs://{deck.mount}", mount=deck.mounting, unmount=deck.unmounting))
        quick.context.tape_wait = 0.3
        seen = preview(quick.context, "HBF", ["onsite"])
        assert [each.tape for each in seen.stores] == ["AB0001"]
        assert seen.clean
        job = run_collection(quick.context, "HBF", ["onsite"], requester="t").id
        engine = LocalEngine(quick.ledger, Registry(steps(quick.context)), threads=2, pace=Pace(lease=20.0, sweep=0.2))
        engine.start()
        try:
            eventually(lambda: _waits(quick, job) and not deck.holds, told=lambda: str(quick.log(job)))
            deck.insert(tapes[1])
            eventually(lambda: quick.ledger.job(job).ended, told=lambda: str(quick.log(job)))
        finally:
            engine.stop()
        assert quick.ledger.job(job).state == "done", quick.log(job)
        assert {each["file_uri"].split("/")[2] for each in versions(quick)} == {"AB0001", "AB0002"}


def _waits(scene: Scene, job: str) -> bool:
    """Whether one folder waits for a tape and the other is done with the one in the drive."""
    said = scene.log(job)
    return any("waiting" in each for each in said) and any("is done" in each for each in said)


@pytest.fixture(scope="module")
def ceph(run_folder: Path) -> Iterator[Service]:
    with shared("ceph", run_folder) as service:
        yield service


def test_a_real_s3_service_gets_the_files_and_is_asked_for_them(quick: Scene, ceph: Service) -> None:
    keys = {"access_key": ceph_keys.ACCESS_KEY, "secret_key": ceph_keys.SECRET_KEY}
    bucket = f"scans-{secrets.token_hex(6)}"
    client = boto3.client(
        "s3", endpoint_url=ceph.url, aws_access_key_id=keys["access_key"], aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1", config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    client.create_bucket(Bucket=bucket)
    address = f"s3://{bucket}/kept?endpoint={ceph.url}"
    quick.change(cloud=StoreSettings(address))
    quick.context._stores["cloud"] = open_store(address, keys=keys)
    batch = quick.run("cloud")
    listed = {each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]}
    recorded = {each["file_uri"] for each in versions(quick)}
    assert recorded < {f"s3://{bucket}/{key}" for key in listed}
    assert all(key.startswith("kept/HBF/") for key in listed)
    assert list(audit(quick.context, batch)) == []
    before = {each["Key"]: each["LastModified"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]}
    quick.run("cloud")
    assert {each["Key"]: each["LastModified"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]} == before


def test_a_catalogue_that_hangs_keeps_no_thread_from_other_work(quick: Scene) -> None:
    """There is one thread, and it waits for an answer that does not come."""

    class Other:
        name = "other"

        def run(self, given: Json, context: Context) -> Done:
            del context
            return Done(given)

    quick.server.faults.append(Fault(".", times=10**9, delay=PATIENCE))
    pace = Pace(lease=20.0, poll=0.05, pulse=0.05, sweep=0.2, quiet=0.2)
    engine = LocalEngine(quick.ledger, Registry([*steps(quick.context), Other()]), threads=1, reserve=0, pace=pace)
    engine.start()
    try:
        batch = run_collection(quick.context, "HBF", ["cloud"], requester="t", partly=False).id
        eventually(lambda: quick.ledger.progress(batch).running)
        other = quick.ledger.submit("test", Call("other", 7), requester="ada").id
        eventually(lambda: quick.ledger.job(other).ended)
        assert quick.ledger.job(other).result == 7
        assert not quick.ledger.job(batch).ended
        quick.ledger.cancel(batch)
    finally:
        engine.stop(1)
