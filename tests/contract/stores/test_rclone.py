"""The rclone store against rclone's own servers, and a folder as its own `local` remote; by the program itself."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest

from muniment.errors.stores import BadStore, StoredWrong, StoreRefused, StoreUnreachable
from muniment.stores import Store, open_store, put_bytes, read_bytes
from muniment.stores.rclone import RcloneStore
from muniment.testing.services import Service, free_port, program
from muniment.testing.stores import StoreContract

SECRET = "a word nobody may see"


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory, webdav: Service, sftp: Service) -> Path:
    """A configuration with a remote for each server."""
    hidden = {
        word: subprocess.run([program("rclone"), "obscure", word], check=True, capture_output=True, text=True).stdout
        for word in ("p", SECRET)
    }
    place = tmp_path_factory.mktemp("rclone") / "rclone.conf"
    place.touch(mode=0o600)
    place.write_text(
        f"[dav]\ntype = webdav\nurl = {webdav.url}\nvendor = other\nuser = u\npass = {hidden['p']}\n"
        f"[shell]\ntype = sftp\nhost = 127.0.0.1\nport = {sftp.port}\nuser = u\npass = {hidden['p']}\n"
        f"[wrong]\ntype = webdav\nurl = {webdav.url}\nvendor = other\nuser = u\npass = {hidden[SECRET]}\n"
        f"[gone]\ntype = webdav\nurl = http://127.0.0.1:{free_port()}\nvendor = other\n"
        "[disk]\ntype = local\n"
    )
    return place


def opened(config: Path, remote: str, scratch: Path) -> Store:
    return open_store(
        f"rclone://{remote}/{secrets.token_hex(6)}/deep er", keys={"config": str(config)}, scratch=scratch
    )


@pytest.mark.nightly
class TestWebdav(StoreContract):
    """No hashes, and nothing can be streamed to it. Nightly: each step starts the program once more."""

    large: ClassVar[int] = (1 << 20) + 7

    @pytest.fixture
    def store(self, config: Path, tmp_path: Path) -> Store:
        return opened(config, "dav", tmp_path)


@pytest.mark.parametrize("remote", ["dav", "shell", "disk"])
def test_other_kinds_of_remotes_are_asked_what_they_can(remote: str, config: Path, tmp_path: Path) -> None:
    address = f"rclone://disk/{tmp_path}/kept" if remote == "disk" else f"rclone://{remote}/{secrets.token_hex(6)}"
    store = open_store(address, keys={"config": str(config)}, scratch=tmp_path)
    receipt = put_bytes(store, "a b/ü?", b"abc")
    assert receipt.confirmed == store.capabilities.checksums
    store.check(receipt)
    assert [each.key for each in store.list()] == ["a b/ü?"]


def test_damage_at_the_remote_is_seen_by_its_hash_and_by_reading(config: Path, tmp_path: Path) -> None:
    store = open_store(f"rclone://disk/{tmp_path}/kept", keys={"config": str(config)})
    receipt = put_bytes(store, "k", b"abc")
    assert store.confirm(receipt)
    (tmp_path / "kept" / "k").write_bytes(b"abd")
    with pytest.raises(StoredWrong):
        store.confirm(receipt)
    with pytest.raises(StoredWrong):
        store.check(receipt)


def test_wrong_credentials_are_refused_without_repeating_them(config: Path, tmp_path: Path) -> None:
    store = opened(config, "wrong", tmp_path)
    with pytest.raises(StoreRefused) as refused:
        put_bytes(store, "k", b"abc")
    assert SECRET not in str(refused.value)


def test_a_remote_that_is_not_there_is_unreachable(config: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        opened(config, "gone", tmp_path).stat("k")


def test_a_source_that_breaks_off_leaves_no_unfinished_file_at_the_remote(config: Path, tmp_path: Path) -> None:
    store = open_store(f"rclone://disk/{tmp_path}/kept", keys={"config": str(config)})

    def source() -> Any:
        raise ConnectionResetError("gone")

    from muniment.content import Entry, LogicalPath

    with pytest.raises(ConnectionResetError):
        store.put("k", Entry(LogicalPath.parse("k"), 9 << 20), source)
    assert not [each for each in (tmp_path / "kept").rglob("*") if each.is_file()]


def test_a_configuration_that_others_may_read_is_refused(config: Path, tmp_path: Path) -> None:
    loose = tmp_path / "rclone.conf"
    loose.write_bytes(config.read_bytes())
    loose.chmod(0o644)
    with pytest.raises(BadStore, match="chmod 600"):
        open_store("rclone://dav/x", keys={"config": str(loose)})


@pytest.mark.parametrize("address", ["rclone://", "rclone://:sftp,user=x:/y", "rclone://a@b/c", "rclone://-x=1/c?d=e"])
def test_a_remote_made_up_in_the_address_is_refused(address: str) -> None:
    with pytest.raises(BadStore):
        open_store(address)


def test_a_remote_of_the_environment_is_used_and_our_own_environment_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_CONFIG_OURS_TYPE", "local")
    keys = {"RCLONE_CONFIG_GIVEN_TYPE": "local"}
    assert read_bytes(_filled(open_store(f"rclone://given/{tmp_path}/a", keys=keys)), "k", 3) == b"abc"
    with pytest.raises(StoreRefused, match="config"):
        _filled(open_store(f"rclone://ours/{tmp_path}/a", keys=keys))


def _filled(store: Store) -> Store:
    assert isinstance(store, RcloneStore)
    put_bytes(store, "k", b"abc")
    return store
