"""A tape that is in the drive and not mounted: the command `ltfs` is called, here and by ssh; ours is a look-alike."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors.stores import TapeMissing, TapeUnlabelled
from muniment.stores import Store, open_store, put_bytes, read_bytes
from muniment.testing.servers.ltfs import Cartridge, TapeDeck
from muniment.testing.services import Service
from tests.contract.stores.test_ltfs import labelled
from tests.timing import eventually


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[TapeDeck]:
    with TapeDeck(tmp_path / "mnt", tmp_path / "it's a device") as deck:
        yield deck


@pytest.fixture(params=["here", "by ssh"])
def store(request: pytest.FixtureRequest, deck: TapeDeck, tmp_path: Path) -> Store:
    commands = {"mount": deck.mounting, "unmount": deck.unmounting}
    if request.param == "here":
        return open_store(f"ltfs://{deck.mount}", records=tmp_path / "records", commands=commands)
    sshd: Service = request.getfixturevalue("sshd")
    place = request.getfixturevalue("run_folder") / "sshd"
    keys = {"identity": str(place / "client"), "known_hosts": str(place / "known_hosts")}
    address = f"ltfs://{getpass.getuser()}@127.0.0.1:{sshd.port}{deck.mount}"
    (tmp_path / "scratch").mkdir()
    return open_store(address, keys=keys, records=tmp_path / "records", scratch=tmp_path / "scratch", commands=commands)


def test_a_tape_that_is_not_mounted_is_mounted_and_let_go_with_its_list(
    store: Store, deck: TapeDeck, tmp_path: Path
) -> None:
    with pytest.raises(TapeMissing) as first:
        put_bytes(store, "k", b"abc")
    with pytest.raises(TapeMissing) as second:
        put_bytes(store, "k", b"abc")
    assert "no cartridge in the drive" in first.value.message
    assert first.value.message == second.value.message, "it would be told again each time"
    deck.insert(labelled(tmp_path, "A00001"))
    assert put_bytes(store, "k", b"abc").place == "A00001"
    assert os.path.ismount(deck.mount)
    store.let_go()
    assert not os.path.ismount(deck.mount)
    eventually(lambda: deck.holds == "")
    assert "A00001" in (tmp_path / "records/A00001.jsonl").read_text()
    deck.insert(labelled(tmp_path, "A00002"))
    assert put_bytes(store, "l", b"abcd").place == "A00002"
    store.let_go()
    eventually(lambda: deck.holds == "")
    deck.insert(Cartridge(tmp_path / "A00001", "A00001"))
    assert read_bytes(store, "k", 3) == b"abc"
    store.let_go()
    store.let_go()


def test_a_tape_without_an_indicator_is_mounted_refused_and_let_go(deck: TapeDeck, tmp_path: Path) -> None:
    commands = {"mount": deck.mounting, "unmount": deck.unmounting}
    store = open_store(f"ltfs://{deck.mount}", records=tmp_path / "records", commands=commands)
    blank = Cartridge(tmp_path / "blank", "X00001")
    (blank.folder / "data").mkdir(parents=True)
    deck.insert(blank)
    with pytest.raises(TapeUnlabelled):
        put_bytes(store, "k", b"abc")
    store.let_go()
    eventually(lambda: deck.holds == "")
    assert list((blank.folder / "data").iterdir()) == []


def test_what_a_drive_without_power_left_mounted_is_cleared_away(deck: TapeDeck, tmp_path: Path) -> None:
    commands = {"mount": deck.mounting, "unmount": deck.unmounting}
    store = open_store(f"ltfs://{deck.mount}", records=tmp_path / "records", commands=commands)
    tape = labelled(tmp_path, "A00001")
    deck.insert(tape)
    put_bytes(store, "k", b"abc")
    store.flush()
    found = subprocess.run(["pgrep", "-f", f"ltfs_process.py {tape.folder} "], check=True, capture_output=True)
    os.kill(int(found.stdout), signal.SIGKILL)
    assert deck.holds == "A00001"
    assert read_bytes(store, "k", 3) == b"abc"
    store.let_go()


def test_commands_are_words_for_no_shell_and_without_one_a_person_mounts(deck: TapeDeck, tmp_path: Path) -> None:
    records, trap = tmp_path / "records", tmp_path / "trap"
    store = open_store(
        f"ltfs://{deck.mount}", records=records, commands={"mount": ("echo", f"$(touch {trap}); touch {trap}")}
    )
    with pytest.raises(TapeMissing, match="nothing is mounted"):
        store.capacity()
    assert not trap.exists()
    missing = open_store(f"ltfs://{deck.mount}", records=records, commands={"mount": ("no-such-program",)})
    with pytest.raises(TapeMissing, match="no-such-program: No such file"):
        missing.capacity()
    with pytest.raises(TapeMissing, match="nothing is mounted"):
        open_store(f"ltfs://{deck.mount}", records=records).capacity()
