"""The tape store on a look-alike of LTFS, in this machine's drive and in one that is reached by ssh."""

from __future__ import annotations

import getpass
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from muniment.content import Entry, LogicalPath
from muniment.errors.stores import (
    BadStore,
    CapacityExceeded,
    KeyTaken,
    StoredWrong,
    StoreFull,
    StoreNotReady,
    StoreReadOnly,
    StoreUnreachable,
    TapeMissing,
    TapeUnlabelled,
)
from muniment.stores import Receipt, Store, open_store, put_bytes, read_bytes
from muniment.stores.ltfs.names import is_own, key_of, medium_name
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from muniment.testing.services import Service
from muniment.testing.stores import StoreContract


@pytest.fixture(scope="module")
def shared_drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TapeDrive]:
    with TapeDrive(tmp_path_factory.mktemp("drive") / "mnt") as drive:
        yield drive


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[TapeDrive]:
    with TapeDrive(tmp_path / "mnt") as drive:
        yield drive


def labelled(folder: Path, name: str, capacity: int = 64 << 20) -> Cartridge:
    tape = Cartridge(folder / name, name, capacity)
    tape.label()
    return tape


def local(drive: TapeDrive, records: Path) -> Store:
    return open_store(f"ltfs://{drive.mount}", records=records)


def by_ssh(sshd: Service, run_folder: Path, drive: TapeDrive, tmp_path: Path) -> Store:
    place = run_folder / "sshd"
    keys = {"identity": str(place / "client"), "known_hosts": str(place / "known_hosts")}
    address = f"ltfs://{getpass.getuser()}@127.0.0.1:{sshd.port}{drive.mount}"
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return open_store(address, keys=keys, records=tmp_path / "records", scratch=scratch)


class TestLocal(StoreContract):
    large: ClassVar[int] = (5 << 20) + 1

    @pytest.fixture
    def store(self, shared_drive: TapeDrive, tmp_path: Path) -> Store:
        shared_drive.insert(labelled(tmp_path, "A00001"))
        return local(shared_drive, tmp_path / "records")


@pytest.mark.nightly
class TestBySsh(StoreContract):
    """Nightly: each test connects anew. What is particular to a tape is tested by ssh below, each time."""

    large: ClassVar[int] = (5 << 20) + 1

    @pytest.fixture
    def store(self, sshd: Service, run_folder: Path, shared_drive: TapeDrive, tmp_path: Path) -> Store:
        shared_drive.insert(labelled(tmp_path, "A00001"))
        return by_ssh(sshd, run_folder, shared_drive, tmp_path)


@pytest.fixture(params=["here", "by ssh"])
def store(request: pytest.FixtureRequest, sshd: Service, run_folder: Path, drive: TapeDrive, tmp_path: Path) -> Store:
    """A store whose drive is empty."""
    return local(drive, tmp_path / "records") if request.param == "here" else by_ssh(sshd, run_folder, drive, tmp_path)


# --- which tape


def test_an_empty_drive_is_told_and_nothing_is_written_below_its_mount_point(store: Store, drive: TapeDrive) -> None:
    with pytest.raises(TapeMissing):
        put_bytes(store, "k", b"abc")
    with pytest.raises(TapeMissing):
        store.preflight(size=1)
    assert list(drive.mount.iterdir()) == []


@pytest.mark.parametrize("names", [[], ["A1.indicator", "A2.indicator"], ["..indicator"]])
def test_a_tape_that_cannot_be_told_from_others_is_never_labelled(
    names: list[str], store: Store, drive: TapeDrive, tmp_path: Path
) -> None:
    drive.insert(Cartridge(tmp_path / "blank", "BLANK"))
    for name in names:
        (drive.mount / name).touch()
    with pytest.raises(TapeUnlabelled):
        put_bytes(store, "k", b"abc")
    assert sorted(os.listdir(drive.mount)) == sorted(names)


def test_the_content_of_a_file_indicator_names_a_tape(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(Cartridge(tmp_path / "old", "OLD"))
    (drive.mount / "INDICATOR").write_text("20220805_01\n")
    assert put_bytes(store, "k", b"abc").place == "20220805_01"


def test_a_tape_that_is_mounted_read_only_is_noticed(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(labelled(tmp_path, "A00001"), read_only=True)
    with pytest.raises(StoreReadOnly, match="A00001"):
        store.preflight()
    with pytest.raises(StoreReadOnly):
        put_bytes(store, "k", b"abc")


# --- room


def test_a_hundredth_of_a_tape_stays_free_to_the_byte(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    capacity = 4 << 20
    drive.insert(labelled(tmp_path, "A00001", capacity))
    found = store.capacity()
    assert found is not None
    with pytest.raises(CapacityExceeded) as full:
        put_bytes(store, "k", b"x" * found.free)
    assert full.value.details["needed"] == found.free
    assert full.value.details["available"] == found.free
    assert full.value.details["reserve"] == capacity // 100
    assert list(store.list()) == []
    put_bytes(store, "k", b"x" * (found.free - 1))


def test_what_does_not_fit_goes_to_the_next_tape_and_both_are_known(
    store: Store, drive: TapeDrive, tmp_path: Path
) -> None:
    first, second = labelled(tmp_path, "A00001", 2 << 20), labelled(tmp_path, "A00002", 2 << 20)
    drive.insert(first)
    one = put_bytes(store, "a", b"1" * (1 << 20))
    with pytest.raises(StoreFull):
        put_bytes(store, "b", b"2" * (1 << 20))
    store.flush()
    drive.insert(second)
    two = put_bytes(store, "b", b"2" * (1 << 20))
    store.flush()
    store.check(two)
    assert (one.place, two.place) == ("A00001", "A00002")
    assert [(each.key, each.place) for each in store.list()] == [("a", "A00001"), ("b", "A00002")]
    with pytest.raises(StoreNotReady, match="A00001"):
        store.check(one)
    with pytest.raises(StoreNotReady, match="A00001"):
        store.open("a")
    with pytest.raises(StoreNotReady, match="A00001"):
        store.recall("a")
    with pytest.raises(KeyTaken):
        put_bytes(store, "a", b"other")
    drive.insert(first)
    store.check(one)
    drive.eject()
    assert [each.key for each in store.list()] == ["a", "b"]


def test_a_tape_that_fills_up_while_it_is_written_leaves_no_half_of_a_file(
    store: Store, drive: TapeDrive, tmp_path: Path
) -> None:
    drive.insert(labelled(tmp_path, "A00001", 2 << 20))
    with pytest.raises(StoreFull):
        store.put("k", Entry(LogicalPath.parse("k"), None), lambda: io.BytesIO(b"x" * (3 << 20)))
    assert store.stat("k") is None
    assert list(store.list()) == []


# --- what is safe when


def test_what_was_flushed_outlives_a_loss_of_power(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    tape = labelled(tmp_path, "A00001")
    drive.insert(tape)
    safe = put_bytes(store, "safe", b"abc")
    store.flush()
    put_bytes(store, "lost", b"def")
    drive.lose_power()
    drive.insert(tape)
    store.check(safe)
    assert not (drive.mount / "lost").exists()


def test_a_run_that_ended_before_its_flush_is_gone_on_with(drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(labelled(tmp_path, "A00001"))
    receipt = put_bytes(local(drive, tmp_path / "records"), "k", b"abc")
    again = local(drive, tmp_path / "records")
    with pytest.raises(KeyTaken):
        put_bytes(again, "k", b"abc")
    again.check(receipt)
    assert "k" in (tmp_path / "records" / "A00001.jsonl").read_text()


def test_damage_on_a_tape_is_seen_by_a_check(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    tape = labelled(tmp_path, "A00001")
    drive.insert(tape)
    receipt = put_bytes(store, "a/k", b"abc")
    store.flush()
    drive.eject()
    (tape.folder / "data" / "a" / "k").write_bytes(b"abd")
    drive.insert(tape)
    with pytest.raises(StoredWrong):
        store.check(receipt)


def test_a_tape_carries_the_list_of_what_is_on_it(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(labelled(tmp_path, "A00001"))
    put_bytes(store, "n" * 300, b"abc")
    put_bytes(store, "plain", b"abc")
    store.flush()
    [path] = (drive.mount / "MUNIMENT").iterdir()
    listed = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["key"] for each in listed] == ["n" * 300, "plain"]
    assert path.read_bytes() == (tmp_path / "records" / "A00001.jsonl").read_bytes()


# --- names


def test_names_that_a_tape_would_change_come_back_as_they_were(store: Store, drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(labelled(tmp_path, "A00001"))
    keys = sorted(
        ["e\u0301/a", "\u00e9/a", "100%/%41", "tab\x1fbed", "INDICATOR", "x.indicator", "MUNIMENT/x", "n" * 300]
    )
    for key in keys:
        put_bytes(store, key, key.encode())
    store.flush()
    assert [each.key for each in store.list()] == keys
    for key in keys:
        assert read_bytes(store, key, 400) == key.encode()
    assert (drive.mount / "A00001.indicator").read_bytes() == b""


@pytest.mark.parametrize("key", ["e\u0301", "%", "a%2Fb", "\ufffe", "INDICATOR", "a.indicator", ".incoming/x", "ü/é"])
def test_a_name_on_a_tape_tells_its_key(key: str) -> None:
    assert key_of(medium_name(key)) == key
    assert not is_own(medium_name(key))


# --- the line


def test_an_unknown_machine_is_not_trusted(sshd: Service, run_folder: Path, drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(labelled(tmp_path, "A00001"))
    (tmp_path / "nobody").touch()
    keys = {"identity": str(run_folder / "sshd" / "client"), "known_hosts": str(tmp_path / "nobody")}
    address = f"ltfs://{getpass.getuser()}@127.0.0.1:{sshd.port}{drive.mount}"
    store = open_store(address, keys=keys, records=tmp_path / "records")
    with pytest.raises(StoreUnreachable, match="Host key verification failed"):
        store.stat("k")


@pytest.mark.parametrize("address", ["ltfs://", "ltfs:///", "ltfs://-oProxyCommand=x/mnt", "ltfs://u:word@host/mnt"])
def test_an_address_without_a_mount_point_or_with_a_word_too_many_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadStore) as refused:
        open_store(address, records=tmp_path)
    assert "word@" not in str(refused.value)


def test_a_receipt_speaks_of_the_tape(drive: TapeDrive, tmp_path: Path) -> None:
    drive.insert(labelled(tmp_path, "A00001"))
    receipt = put_bytes(local(drive, tmp_path / "records"), "k", b"abc")
    assert receipt == replace(Receipt("k", 3, receipt.digests), place="A00001")
