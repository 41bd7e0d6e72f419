"""Stores of every kind for copies of an archive, each with a way to harm what lies there behind its back."""

from __future__ import annotations

import getpass
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from muniment.stores.ltfs.names import medium_name
from muniment.testing.servers import ceph as ceph_keys
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from muniment.testing.servers.swift import Swift
from muniment.testing.services import Service, program, shared

CEPH = {"access_key": ceph_keys.ACCESS_KEY, "secret_key": ceph_keys.SECRET_KEY}
SWIFT = {"access_key": Swift.access_key, "secret_key": Swift.secret_key}


@dataclass(frozen=True)
class Place:
    """A store: its address, its credentials, how a byte of what lies under a key is changed, and its tape drive."""

    address: str
    harm: Callable[[str], None]
    keys: Mapping[str, str] = field(default_factory=dict)
    drive: TapeDrive | None = None
    layout: str = "bag"
    tape: Cartridge | None = None


@pytest.fixture(scope="module")
def servers(run_folder: Path) -> Iterator[Callable[[str], Service]]:
    """The server of a kind, started when it is first asked for."""
    import contextlib

    with contextlib.ExitStack() as stack:
        known: dict[str, Service] = {}

        def get(kind: str) -> Service:
            if kind not in known:
                known[kind] = stack.enter_context(shared(kind, run_folder))
            return known[kind]

        yield get


def client_of(service: Service, keys: Mapping[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=service.url,
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


def harm_file(path: Path) -> None:
    """Change a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def bucket(service: Service, keys: Mapping[str, str], *, locks: bool = False, layout: str = "bag") -> Place:
    client, name = client_of(service, keys), f"copies-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locks else {}))

    def harm(key: str) -> None:
        place = {"Bucket": name, "Key": f"kept/{key}"}
        data = bytearray(client.get_object(**place)["Body"].read())
        data[len(data) // 2] ^= 1
        client.put_object(**place, Body=bytes(data))

    return Place(f"s3://{name}/kept?endpoint={service.url}", harm, keys, layout=layout)


def tape_place(folder: Path, drive: TapeDrive, address: str, keys: Mapping[str, str], layout: str = "bag") -> Place:
    tape = Cartridge(folder / "A00001", "A00001", 64 << 20)
    tape.label()
    drive.insert(tape)

    def harm(key: str) -> None:
        drive.eject()
        harm_file(tape.folder / "data" / medium_name(key))
        drive.insert(tape)

    return Place(address, harm, keys, drive, layout, tape)


def rclone_place(kind: str, server: Service, folder: Path) -> Place:
    config, root = folder / "rclone.conf", f"copies-{secrets.token_hex(6)}"
    hidden = subprocess.run([program("rclone"), "obscure", "p"], check=True, capture_output=True, text=True).stdout
    lines = {
        "dav": f"[dav]\ntype = webdav\nurl = {server.url}\nvendor = other\nuser = u\npass = {hidden}\n",
        "shell": f"[shell]\ntype = sftp\nhost = 127.0.0.1\nport = {server.port}\nuser = u\npass = {hidden}\n",
    }
    config.touch(mode=0o600)
    config.write_text(lines[kind])

    def harm(key: str) -> None:
        command = [program("rclone"), "--config", str(config)]
        where = f"{kind}:{root}/kept/{key}"
        data = bytearray(subprocess.run([*command, "cat", where], check=True, capture_output=True).stdout)
        data[len(data) // 2] ^= 1
        subprocess.run([*command, "deletefile", where], check=True)
        (folder / "harmed").write_bytes(data)
        subprocess.run([*command, "copyto", str(folder / "harmed"), where], check=True)

    return Place(f"rclone://{kind}/{root}/kept", harm, {"config": str(config)})


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[TapeDrive]:
    with TapeDrive(tmp_path / "mnt") as made:
        yield made


def _nightly(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.nightly)


PLACES = (
    "folder",
    "s3 ceph",
    "s3 ceph versions",
    "s3 swift",
    "tape",
    _nightly("tape by ssh"),
    _nightly("rclone sftp"),  # each step starts the program, some 100 ms of processor: one test of it is in every run
    _nightly("rclone webdav"),
)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], Service], run_folder: Path) -> Place:
    kind: str = request.param
    if kind == "folder":
        root = tmp_path / "store"
        return Place(str(root), lambda key: harm_file(root / key), layout="ocfl")
    if kind.startswith("s3 ceph"):
        versions = kind.endswith("versions")
        return bucket(servers("ceph"), CEPH, locks=versions, layout="bag" if versions else "ocfl")
    if kind == "s3 swift":
        return bucket(servers("swift"), SWIFT)
    if kind.startswith("rclone"):
        remote = kind.partition(" ")[2]
        name = {"webdav": "dav", "sftp": "shell"}[remote]
        return rclone_place(name, servers(f"rclone-{remote}"), tmp_path)
    drive: TapeDrive = request.getfixturevalue("drive")
    if kind == "tape":
        return tape_place(tmp_path, drive, f"ltfs://{drive.mount}", {}, layout="ocfl")
    sshd, files = servers("sshd"), run_folder / "sshd"
    keys = {"identity": str(files / "client"), "known_hosts": str(files / "known_hosts")}
    return tape_place(tmp_path, drive, f"ltfs://{getpass.getuser()}@127.0.0.1:{sshd.port}{drive.mount}", keys)
