"""The source `rclone` on rclone's own servers and a folder, by the program itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.sources import (
    CredentialRefused,
    FieldWrong,
    FileDiffers,
    FileError,
    NotAtService,
    ServiceUnreachable,
)
from muniment.sources import Guard, Session, SourceContext, SourceEntry, checked, open_source
from muniment.sources.checking import OnedriveHash
from muniment.testing.services import Service, free_port, program, shared
from muniment.testing.sources import SourceContract

FILES = {"a/b.tif": b"x" * 5000, "a.txt": b"", "ü/é 1.txt": b"1", "z": b"22"}


@pytest.fixture(scope="session")
def webdav(run_folder: Path) -> Iterator[Service]:
    with shared("rclone-webdav", run_folder) as service:
        yield service


@pytest.fixture
def config(tmp_path: Path, webdav: Service) -> Path:
    def hidden(word: str) -> str:
        return subprocess.run([program("rclone"), "obscure", word], check=True, capture_output=True, text=True).stdout

    place = tmp_path / "rclone.conf"
    place.touch(mode=0o600)
    dav = f"type = webdav\nurl = {webdav.url}\nvendor = other\nuser = u\n"
    place.write_text(
        f"[disk]\ntype = local\n[hashing]\ntype = hasher\nremote = {tmp_path}/scans\nhashes = quickxor,sha1\n"
        f"[dav]\n{dav}pass = {hidden('p')}\n[wrong]\n{dav}pass = {hidden('another word')}\n"
        f"[gone]\ntype = webdav\nurl = http://127.0.0.1:{free_port()}\nvendor = other\n"
    )
    return place


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "scans"


class TestRclone(SourceContract):
    kind = "rclone"
    remote = False
    has_credential = False
    has_digests = False
    paged = False

    @pytest.fixture
    def server(self, config: Path, scans: Path) -> tuple[Path, Path]:
        return config, scans

    def given(self, server: tuple[Path, Path]) -> dict[str, Any]:
        return {"remote": "disk", "path": str(server[1])}

    def missing(self, server: tuple[Path, Path]) -> dict[str, str]:
        return {"path": "/nowhere/at/all"}

    def files(self, server: tuple[Path, Path]) -> dict[str, bytes]:
        return dict(FILES)

    def make(self, server: Any, session: Session, folder: Path, limit: int | None = None, /, **changed: Any) -> Any:
        given = {**self.given(server), **changed}
        means = SourceContext(session, folder, limit, rclone={"config": str(server[0])})
        return open_source("rclone", given, means)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard()) as session:
        yield session


def source(config: Path, session: Session, folder: Path, **given: str) -> Any:
    return open_source("rclone", given, SourceContext(session, folder, rclone={"config": str(config)}))


def entries(found: Any) -> list[SourceEntry]:
    return [entry for page in found.pages() for item in page.items for entry in found.entries(item)]


def test_what_comes_is_compared_with_the_hash_that_the_remote_has(
    config: Path, scans: Path, session: Session, tmp_path: Path
) -> None:
    remote = source(config, session, tmp_path, remote="hashing")
    found = {str(entry.path): entry for entry in entries(remote)}
    assert set(found) == set(FILES)
    entry = found["a/b.tif"]
    assert "sha1" in entry.digests
    assert "quickxor" in entry.checks
    item = next(remote.pages()).items[0]
    with checked(remote.open(item, entry), entry, "rclone") as stream:
        assert stream.read() == FILES["a/b.tif"]
    (scans / "a/b.tif").write_bytes(b"y" * 5000)
    with pytest.raises(FileDiffers), checked(remote.open(item, entry), entry, "rclone") as stream:
        stream.read()


def test_long_listings_come_in_order(
    config: Path, scans: Path, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.sources.rclone._SORTED_AT_ONCE", 3)
    for number in range(20):
        (scans / f"{number}").write_bytes(b"x")
    paths = [entry.locator for entry in entries(source(config, session, tmp_path, remote="disk", path=str(scans)))]
    assert paths == sorted({*FILES, *map(str, range(20))})


@pytest.mark.parametrize("size", [0, 1, 19, 159, 160, 161, 320, 4095, 100_003])
def test_onedrives_hash_is_computed_as_rclone_does(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    command = [program("rclone"), "--config", os.devnull, "hashsum", "quickxor", str(tmp_path / "file")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
    for step in (7, 160, 1000, size + 1):
        check = OnedriveHash()
        for start in range(0, size, step):
            check.update(data[start : start + step])
        assert check.hexdigest() == said


def test_a_server_is_read_and_what_is_wrong_is_said_in_our_words(
    config: Path, session: Session, tmp_path: Path
) -> None:
    command = [program("rclone"), "--config", str(config), "rcat", "dav:tides/a b.txt"]
    subprocess.run(command, check=True, input=b"hello")
    dav = source(config, session, tmp_path, remote="dav", path="tides")
    item = next(dav.pages()).items[0]
    (entry,) = entries(dav)
    with dav.open(item, entry, 2) as stream:
        assert stream.read() == b"llo"
    subprocess.run([program("rclone"), "--config", str(config), "deletefile", "dav:tides/a b.txt"], check=True)
    with pytest.raises(FileError), dav.open(item, entry) as stream:
        stream.read()
    with pytest.raises(CredentialRefused):
        entries(source(config, session, tmp_path, remote="wrong", path="tides"))
    with pytest.raises(ServiceUnreachable):
        entries(source(config, session, tmp_path, remote="gone"))
    with pytest.raises(NotAtService, match="nobody"):
        entries(source(config, session, tmp_path, remote="nobody"))


@pytest.mark.parametrize("remote", [":local,x=y", "a:b", "-x", ":sftp"])
def test_a_remote_cannot_be_made_up(config: Path, session: Session, tmp_path: Path, remote: str) -> None:
    with pytest.raises(FieldWrong):
        source(config, session, tmp_path, remote=remote)


def test_a_configuration_that_others_may_read_is_refused(config: Path, session: Session, tmp_path: Path) -> None:
    config.chmod(0o644)
    with pytest.raises(FieldWrong, match="chmod 600"):
        source(config, session, tmp_path, remote="disk")
