"""Copies of an archive's files on S3 (Ceph's gateway, in memory) and in a folder, beside programs that copy files."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import data, peers
from bench.machine import scratch
from bench.racing import Command, Racer, Track, race
from bench.sections.fetch import make_files
from muniment.testing.servers.ceph import ACCESS_KEY, SECRET_KEY
from muniment.testing.services import Service, shared

_BUCKET = "bench"
_MARK = "muniment-store.json"
_AT_ONCE = "8"
_KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Material:
    """What is copied: a title, the folder of the files, and the folder in which archives of them are made."""

    title: str
    files: Path
    home: Path


def run(*, rounds: int, quick: bool) -> None:
    """Print the four tables of this section: many small and some large files, to S3 and to a folder."""
    count = 5 if quick else 20
    with scratch("copies", need=8 * count * 100_000_000) as home:
        make_files(home / "files" / "small", 2_000, 16 << 10)
        make_files(home / "files" / "large", count, 100_000_000)
        for title, name in (("2,000 files of 16 KiB", "small"), (f"{count} files of 100 MB", "large")):
            material = Material(title, home / "files" / name, home / name)
            material.home.mkdir()
            _to_folder(material, rounds)
            shutil.rmtree(material.home)
            material.home.mkdir()
            with shared("ceph", home / "services") as ceph:
                _to_s3(material, ceph, home / "services", rounds)


def _to_folder(material: Material, rounds: int) -> None:
    source, out = material.files, material.home / "out"
    copy: Command = ["rclone", "copy", "--checksum", "--transfers", _AT_ONCE, source, out / "files"]
    check: Command = ["rclone", "check", "--checkers", _AT_ONCE, source, out / "files"]
    sync: Command = ["sync", "-f", out]
    racers = [
        Racer("rclone copy, check (md5)", timed=[copy, sync, check], reason=peers.missing("rclone")),
        Racer(
            "cp -r, diff -r", timed=[["cp", "-r", source, out / "files"], sync, ["diff", "-r", source, out / "files"]]
        ),
        *_muniments(material, str(out / "store-{}"), {}),
    ]

    def ready() -> None:
        data.warm(source)
        out.mkdir(exist_ok=True)

    def clear() -> None:
        kept = {store / _MARK for store in out.glob("store-*")}
        for path in (out / "files", *(each for each in out.glob("store-*/*") if each not in kept)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    track = Track(ready=ready, clear=clear, log=material.home / "log")
    race(f"Copies in a folder, {material.title}", racers, track, rounds)


def _to_s3(material: Material, ceph: Service, services: Path, rounds: int) -> None:
    client: Any = boto3.client(
        "s3",
        endpoint_url=ceph.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )
    client.create_bucket(Bucket=_BUCKET)
    source, config = material.files, material.home / "rclone.conf"
    config.write_text(
        f"[ceph]\ntype = s3\nprovider = Ceph\nendpoint = {ceph.url}\naccess_key_id = {ACCESS_KEY}\n"
        f"secret_access_key = {SECRET_KEY}\nno_check_bucket = true\n"
    )
    target = f"ceph:{_BUCKET}/files"
    rclone: Command = ["rclone", "--config", config, "--checkers", _AT_ONCE]
    copy: Command = [*rclone, "copy", "--checksum", "--transfers", _AT_ONCE, source, target]
    bare = {"AWS_CA_BUNDLE": ""}  # with it, rclone 1.60 does not begin
    host = ceph.url.removeprefix("http://")
    s3cmd: Command = [
        "s3cmd",
        "-c",
        "/dev/null",
        "--no-ssl",
        f"--host={host}",
        f"--host-bucket={host}",
        "--no-progress",
    ]
    s5cmd: Command = ["s5cmd", "--endpoint-url", ceph.url, "cp", f"{source}/*", f"s3://{_BUCKET}/files/"]
    address = f"s3://{_BUCKET}/store-{{}}?endpoint={ceph.url}"
    racers = [
        Racer(
            "rclone copy, check --download",
            timed=[copy, [*rclone, "check", "--download", source, target]],
            environment=bare,
            reason=peers.missing("rclone"),
        ),
        Racer(
            "rclone copy, check (md5)",
            timed=[copy, [*rclone, "check", source, target]],
            environment=bare,
            reason=peers.missing("rclone"),
        ),
        Racer("s5cmd cp, not verified", timed=[s5cmd], environment=_KEYS, reason=peers.missing("s5cmd")),
        Racer(
            "s3cmd put (md5 of each compared)",
            timed=[[*s3cmd, "put", "--recursive", f"{source}/", f"s3://{_BUCKET}/files/"]],
            environment=_KEYS,
            reason=peers.missing("s3cmd"),
        ),
        *_muniments(material, address, {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}),
    ]
    track = Track(
        ready=functools.partial(data.warm, source),
        clear=functools.partial(_empty, client, next(services.rglob("ceph.conf"))),
        log=material.home / "log",
    )
    race(f"Copies on S3 (Ceph's gateway on this machine), {material.title}", racers, track, rounds)


def _empty(client: Any, config: Path) -> None:
    """Delete what a turn left but the store's mark, and have the gateway give the memory back."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET):
        keys = [{"Key": each["Key"]} for each in page.get("Contents", []) if not each["Key"].endswith(_MARK)]
        if keys:
            client.delete_objects(Bucket=_BUCKET, Delete={"Objects": keys, "Quiet": True})
    subprocess.run(["radosgw-admin", "-c", config, "gc", "process", "--include-all"], check=True, capture_output=True)


def _muniments(material: Material, address: str, keys: Mapping[str, str]) -> list[Racer]:
    """Muniment in both layouts, read back whole, and trusting what the store says of its own checksums."""
    ways = (
        ("as it lies (ocfl), read back", 'layout = "ocfl"'),
        ("as it lies (ocfl), store's checksums", 'layout = "ocfl"\nread_back = false'),
        ("one tar (bag), read back", 'layout = "bag"\nredundancy = 0'),
    )
    return [
        _muniment(material, title, rule, address.format(number), keys, number)
        for number, (title, rule) in enumerate(ways)
    ]


def _muniment(material: Material, title: str, rule: str, address: str, keys: Mapping[str, str], number: int) -> Racer:
    name = f"muniment copies make, {title}"
    if reason := peers.missing_muniment():
        return Racer(name, reason=reason)
    archive, policy, secret = (material.home / f"{what}-{number}" for what in ("archive", "policy", "keys"))
    policy.write_text(f'[[copies]]\nstore = "there"\n{rule}\n')
    secret.touch(mode=0o600)
    secret.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
    do = functools.partial(_do, archive)
    do("init", "--redundancy", "0")
    do("add", "--id", "bench", material.files)
    # Its mark stays where the copies go: for the others it is the same store, known under the same id.
    do("store", "add", "there", address, *(("--keys", secret) if keys else ()))
    do("policy", "set", "*", policy)
    saved = material.home / f"control-{number}.db"
    shutil.copy(archive / "control.db", saved)
    # Each turn begins where no copy is known to have been made.
    again: list[Command] = [["rm", "-f", f"{archive}/control.db-wal", f"{archive}/control.db-shm"]]
    again.append(["cp", saved, archive / "control.db"])
    return Racer(name, before=again, timed=[peers.muniment(archive, "copies", "make")])


def _do(archive: Path, *words: str | Path) -> None:
    command = [str(word) for word in peers.muniment(archive, *words)]
    subprocess.run(command, check=True, capture_output=True)
