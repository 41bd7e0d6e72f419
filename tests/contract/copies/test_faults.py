"""Stores that fail, lie and go away while copies are made, verified and restored: named, resumable, never recorded."""

from __future__ import annotations

import contextlib
import io
import random
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import botocore.auth
import pytest

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.cli.main import run
from muniment.content import Entry
from muniment.errors.base import MunimentError
from muniment.errors.stores import StoreFailed, StoreNotReady, StoreUnreachable
from muniment.settings import Settings
from muniment.stores import PutOptions, Receipt, Stat
from muniment.stores.folder import FolderStore
from muniment.stores.s3 import client
from muniment.testing.servers.cutting import CuttingProxy
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from muniment.testing.services import Service
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.checking import troubles
from muniment.workflows.copies.policy import parse_policy
from muniment.workflows.copies.restoring import restore_archive
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.status import protections
from muniment.workflows.copies.verification import Verification
from tests.contract.copies.conftest import CEPH, bucket

MOST_CALLS = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "archive"
    with Archive.init(root, mode="dynamic", workers=1, parity=False) as archive:
        with archive.new("letters") as new:
            new.add(io.BytesIO(random.Random(1).randbytes(20_000)), "scan.bin")
        with archive.get("letters", "a") as new:
            new.add(io.BytesIO(b"P.S.\n"), "later.txt")
    return root


@pytest.fixture
def opened(made: Path, tmp_path: Path) -> Iterator[Callable[..., CopyService]]:
    """Opens the copies of an archive of its own, with one store and a policy that asks for it."""
    with contextlib.ExitStack() as stack:

        def open_one(
            address: str, keys: dict[str, str] | None = None, rule: str = "", source: Path = made
        ) -> CopyService:
            place = tmp_path / secrets.token_hex(4)
            shutil.copytree(source, place, symlinks=True)
            settings = Settings({}, archive=str(place), scratch=tmp_path / "scratch", digest_processes=1)
            working = BackgroundServices(App(settings))
            stack.callback(working.close)
            service = working.copy_service()
            service.registry.add("there", address, keys)
            service.policies.set(service.archive, "*", f'[[copies]]\nstore = "there"\n{rule}\n')
            service.plan_all()
            return service

        yield open_one


# --- a store that fails at the n-th call


class Failing(FolderStore):
    """A folder of which one call fails, and later ones do not."""

    countdown = 0
    error: Callable[[], MunimentError]
    failed = False

    def _count(self) -> None:
        kind = type(self)
        kind.countdown -= 1
        if kind.countdown == 0:
            kind.failed = True
            raise kind.error()

    def put(self, key: str, source: Entry, open: Any, options: PutOptions = PutOptions()) -> Receipt:  # noqa: B008
        self._count()
        return super().put(key, source, open, options)

    def stat(self, key: str) -> Stat | None:
        self._count()
        return super().stat(key)

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        self._count()
        return super().open(key, offset)

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        self._count()
        yield from super().list(prefix, after)

    def flush(self) -> None:
        self._count()
        super().flush()


def failing(monkeypatch: pytest.MonkeyPatch, service: CopyService, place: Path) -> type[Failing]:
    class Counted(Failing):
        pass

    monkeypatch.setattr(service.registry, "open", lambda name: Counted(place))  # noqa: ARG005 - there is one
    return Counted


ERRORS: list[Callable[[], MunimentError]] = [
    lambda: StoreUnreachable(store="there", reason="the cable"),
    lambda: StoreFailed(store="there", key="k", reason="500"),
]


@pytest.mark.parametrize("layout", ["ocfl", "bag"])
@pytest.mark.parametrize("error", ERRORS, ids=["away", "failed"])
def test_whichever_call_fails_nothing_counts_that_was_not_read_back_and_the_next_run_ends_it(
    layout: str,
    error: Callable[[], MunimentError],
    opened: Callable[..., CopyService],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tmp_path / "store"
    service = opened(str(place), None, f'layout = "{layout}"\nredundancy = 0')
    empty = tmp_path / "empty"
    shutil.copytree(place, empty)
    kind = failing(monkeypatch, service, place)
    kind.error = staticmethod(error)
    rows = list(service.table.each(store="there"))
    for call in range(1, MOST_CALLS):
        shutil.rmtree(place)
        shutil.copytree(empty, place)
        for row in rows:
            service.table.put(row)
        service.registry.note("there", logged=0, reason="")
        kind.countdown, kind.failed = call, False
        done = service.replicate("there", force=True)
        if not kind.failed:
            break
        assert done.reason or done.failed
        for row in service.table.each(store="there", state="made"):
            assert not Verification(service).run([row], Budget()).damaged
        again = service.replicate("there", force=True)
        assert (again.reason, again.failed) == ("", 0)
        assert all(each.protected for each in protections(service)), call
    else:
        pytest.fail("it never got through")
    assert call > 10


@pytest.mark.parametrize("error", ERRORS, ids=["away", "failed"])
def test_whichever_call_of_a_verification_fails_a_store_that_is_away_says_nothing_of_its_copies(
    error: Callable[[], MunimentError], opened: Callable[..., CopyService], tmp_path: Path, monkeypatch: Any
) -> None:
    place = tmp_path / "store"
    service = opened(str(place), None, 'layout = "bag"')
    service.replicate("there")
    kind = failing(monkeypatch, service, place)
    kind.error = staticmethod(error)
    rows = list(service.table.each(store="there"))
    for call in range(1, MOST_CALLS):
        kind.countdown, kind.failed = call, False
        done = Verification(service).run(rows, Budget())
        if not kind.failed:
            break
        assert bool(done.unusable) == issubclass(type(error()), StoreUnreachable)
        assert len(done.damaged) == (0 if done.unusable else 1)
        assert not Verification(service).run(rows, Budget()).damaged
    assert call > 2


def test_whichever_call_of_a_restore_fails_it_is_named_and_the_next_run_ends_it(
    opened: Callable[..., CopyService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "store"
    service = opened(str(place), None, 'layout = "bag"')
    service.replicate("there")
    kind = failing(monkeypatch, service, place)
    kind.error = staticmethod(ERRORS[0])
    for call in range(1, MOST_CALLS):
        kind.countdown, kind.failed = call, False
        target = tmp_path / f"again-{call}"
        try:
            restore_archive(kind(place), target, tmp_path / "scratch", lambda _: None)
        except StoreUnreachable:
            assert not (target / "muniment.json").exists()
            assert restore_archive(kind(place), target, tmp_path / "scratch", lambda _: None).lacking == {}
        if not kind.failed:
            break
        with Archive(target, workers=1) as archive:
            assert archive.get("letters").read("later.txt") == b"P.S.\n"
    assert call > 5


# --- a store that lies


def test_a_store_that_returns_old_versions_is_not_believed(
    opened: Callable[..., CopyService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is put anew comes back as it was before: the object's newest inventory."""
    service = opened(str(tmp_path / "store"), None, 'layout = "ocfl"')
    former: dict[str, bytes] = {}
    replace, open_ = FolderStore.replace, FolderStore.open

    def keeping(self: FolderStore, key: str, *given: Any) -> Receipt:
        with contextlib.suppress(MunimentError), open_(self, key) as file:
            former[key] = file.read()
        return replace(self, key, *given)

    def stale(self: FolderStore, key: str, offset: int = 0) -> BinaryIO:
        return io.BytesIO(former[key][offset:]) if key in former else open_(self, key, offset)

    monkeypatch.setattr(FolderStore, "replace", keeping)
    monkeypatch.setattr(FolderStore, "open", stale)
    done = service.replicate("there", force=True)
    assert (done.made, done.failed) == (1, 1)
    (short,) = [each for found in protections(service) for each in found.shortfalls]
    assert (short.instance, "inventory.json" in short.reason) == (2, True)
    monkeypatch.undo()
    assert service.replicate("there", force=True).made == 1
    assert all(each.protected for each in protections(service))


# --- S3


def test_a_clock_that_is_wrong_is_named_and_what_is_owed_waits(
    opened: Callable[..., CopyService], servers: Callable[[str], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bucket(servers("ceph"), CEPH)
    service = opened(place.address, dict(place.keys), 'layout = "bag"')
    wrong = datetime.now(UTC) - timedelta(hours=2)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: wrong.replace(tzinfo=None))
    monkeypatch.setattr(client, "_now", lambda: wrong)  # of the same clock
    done = service.replicate("there")
    assert done.made == 0
    assert "RequestTimeTooSkewed" in done.reason
    assert "clock" in done.reason
    monkeypatch.undo()
    assert service.replicate("there").made == 2


def test_a_line_that_is_cut_in_an_upload_in_parts_leaves_it_owed_and_the_next_run_goes_on(
    opened: Callable[..., CopyService], servers: Callable[[str], Service], tmp_path: Path
) -> None:
    size = 40 << 20
    made = Archive.init(tmp_path / "large", mode="dynamic", workers=1, parity=False)
    with made as archive, archive.new("film") as new:
        new.add(io.BytesIO(random.Random(5).randbytes(size)), "film.bin")
    ceph = servers("ceph")
    place = bucket(ceph, CEPH)
    with CuttingProxy(ceph.port) as line:
        address = place.address.replace(ceph.url, line.url)
        service = opened(address, dict(place.keys), 'layout = "ocfl"', tmp_path / "large")
        line.heal()
        line.cut_after = size - (4 << 20)
        done = service.replicate("there")
        assert (done.made, bool(done.reason)) == (0, True)
        assert not list(service.table.each(store="there", state="made"))
        line.heal()
        assert service.replicate("there", force=True).made == 1
        assert line.sent < size
        assert all(each.protected for each in protections(service))


def test_what_no_store_can_meet_is_said_before_anything_is_sent(
    opened: Callable[..., CopyService],
    servers: Callable[[str], Service],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = bucket(servers("ceph"), CEPH)
    service = opened(place.address, dict(place.keys))
    service.registry.add("disk", str(tmp_path / "disk"))
    rules = "".join(f'[[copies]]\nstore = "{name}"\nlock = "compliance 1d"\n' for name in ("there", "disk", "nowhere"))
    said = list(troubles(service, parse_policy("*", rules)))
    assert len(said) == 3
    assert "Object Lock" in said[0]
    assert "nowhere" in said[2]
    service.policies.set(service.archive, "*", rules)
    capsys.readouterr()
    assert run(["--archive", str(service.archive.path), "policy", "check", "*"]) == 1
    service.plan_all()
    before = list(service.registry.open("there").list("bags/"))
    assert (service.replicate("there").made, service.replicate("disk").made) == (0, 0)
    assert list(service.registry.open("there").list("bags/")) == before == []


# --- tapes


@pytest.fixture
def tape(tmp_path: Path, drive: TapeDrive) -> Callable[..., Cartridge]:
    def label(name: str, capacity: int = 64 << 20) -> Cartridge:
        cartridge = Cartridge(tmp_path / name, name, capacity)
        cartridge.label()
        return cartridge

    del drive
    return label


def test_a_tape_that_is_missing_read_only_or_another_leaves_what_is_owed(
    opened: Callable[..., CopyService], tape: Callable[..., Cartridge], drive: TapeDrive
) -> None:
    own = tape("A00001")
    drive.insert(own)
    service = opened(f"ltfs://{drive.mount}", None, 'layout = "bag"\nredundancy = 0')
    drive.eject()
    assert "no tape" in service.replicate("there", force=True).reason
    assert list(drive.mount.iterdir()) == []
    drive.insert(own, read_only=True)
    assert "only be read" in service.replicate("there", force=True).reason
    assert not list(service.table.each(store="there", state="made"))
    drive.insert(own)
    assert service.replicate("there", force=True).made == 2
    drive.insert(tape("A00002"))  # which has nothing of it
    verification = Verification(service)
    done = verification.run(list(verification.rows()), Budget())
    assert "A00001" in done.unusable["there"]
    assert done.damaged == []
    drive.insert(own)
    assert verification.run(list(verification.rows()), Budget()).unusable == {}


def test_what_does_not_fit_on_a_tape_goes_on_the_next_and_the_archive_comes_back_from_both(
    opened: Callable[..., CopyService], tape: Callable[..., Cartridge], drive: TapeDrive, tmp_path: Path
) -> None:
    with Archive.init(tmp_path / "large", mode="dynamic", workers=1, parity=False) as archive:
        for name in ("one", "two", "three"):
            with archive.new(name) as new:
                new.add(io.BytesIO(random.Random(name).randbytes(900_000)), "scan.bin")
    first, second = tape("A00001", 2_500_000), tape("A00002")
    drive.insert(first)
    service = opened(f"ltfs://{drive.mount}", None, 'layout = "bag"\nredundancy = 0', tmp_path / "large")
    done = service.replicate("there", force=True)
    assert (done.made, "room" in done.reason) == (2, True)
    drive.insert(second)
    done = service.replicate("there", force=True)
    assert (done.made, done.reason) == (1, "")
    assert all(each.protected for each in protections(service))
    store = service.registry.open("there")
    target = tmp_path / "again"
    with pytest.raises(StoreNotReady, match="A00001"):  # where it begins is told
        restore_archive(store, target, tmp_path / "scratch", lambda _: None)
    drive.insert(first)
    lacking = restore_archive(store, target, tmp_path / "scratch", lambda _: None).lacking
    assert any("A00002" in reason for reason in lacking.values())
    drive.insert(second)
    restore_archive(store, target, tmp_path / "scratch", lambda _: None)
    with Archive(target, workers=1) as archive:
        for name in ("one", "two", "three"):
            assert archive.get(name).read("scan.bin") == random.Random(name).randbytes(900_000)
        assert not [finding for finding in archive.audit() if finding.failed]
