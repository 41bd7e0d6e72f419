"""An archive whose home is a bucket (Ceph's gateway, in memory): its requests, and its time beside others."""

from __future__ import annotations

import collections
import contextlib
import functools
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.httpsession import URLLib3Session

from bench import data, peers
from bench.machine import scratch
from bench.racing import Command, Racer, Track, race
from bench.sections.fetch import make_files
from muniment.app.bucket import BucketArchive, keys_at
from muniment.testing.servers.ceph import ACCESS_KEY, SECRET_KEY
from muniment.testing.services import Service, shared

_BUCKET = "bench"
_KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1"}
_PACK = 16 << 20
_ALWAYS = 18
"""Writes of a commit of small files beside one for each file, the first pack among them (OBJECT-STORE §8)."""


def run(*, rounds: int, quick: bool) -> None:
    """Print how many requests commits take, which must be as promised, and race others with 1 GB in two forms."""
    tenth = 10 if quick else 1
    with scratch("bucket", need=3 * 1_000_000_000 // tenth) as home, shared("ceph", home / "services") as ceph:
        client: Any = boto3.client(
            "s3",
            endpoint_url=ceph.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )
        client.create_bucket(Bucket=_BUCKET)
        os.environ.update(_KEYS)
        clear = functools.partial(_empty, client, next((home / "services").rglob("ceph.conf")))
        _count_requests(home, ceph, clear)
        for count, size in ((10_000 // tenth, 100_000), (20 // tenth, 50_000_000)):
            source = home / "files"
            make_files(source, count, size)
            _race(f"{count:,} files of {size:,} bytes", source, home, ceph, clear, rounds)
            subprocess.run(["rm", "-r", source], check=True)


def _count_requests(home: Path, ceph: Service, clear: Any) -> None:
    """Count the writes of commits of small files, and end the run where they are others than promised."""
    print("\nWrites of a commit in a bucket, of n new files of 1 KiB", flush=True)
    for count in (1, 10, 100, 1000):
        source = home / f"small-{count}"
        make_files(source, count, 1 << 10)
        with (
            BucketArchive.make(keys_at(_address(ceph)), home / f"state-{count}", workers=0) as archive,
            archive.new("bench") as transaction,
        ):
            transaction.add(source)
            with _counted() as counts:
                transaction.commit()
        clear()
        promised = _ALWAYS + count + math.ceil(count * 1024 / _PACK) - 1
        others = ", ".join(f"{counts[kind]} {kind}" for kind in ("GET", "HEAD", "DELETE"))
        print(f"  n = {count:5}: {counts['PUT']:5} PUT and POST ({promised} promised), {others}", flush=True)
        if counts["PUT"] != promised:
            raise SystemExit(f"a commit of {count} files took {counts['PUT']} writes; {promised} are promised")


@contextlib.contextmanager
def _counted() -> Iterator[collections.Counter[str]]:
    """Count what this process sends, by kind; POST counts as PUT, as services bill it."""
    counts: collections.Counter[str] = collections.Counter()
    send = URLLib3Session.send

    def counting(session: URLLib3Session, request: Any) -> Any:
        counts["PUT" if request.method == "POST" else request.method] += 1
        return send(session, request)

    URLLib3Session.send = counting  # type: ignore[method-assign, assignment] # what is measured is what goes out
    try:
        yield counts
    finally:
        URLLib3Session.send = send  # type: ignore[method-assign] # as it was


def _race(title: str, source: Path, home: Path, ceph: Service, clear: Any, rounds: int) -> None:
    config, state, address = home / "rclone.conf", home / "state", _address(ceph)
    config.write_text(
        f"[ceph]\ntype = s3\nprovider = Ceph\nendpoint = {ceph.url}\naccess_key_id = {ACCESS_KEY}\n"
        f"secret_access_key = {SECRET_KEY}\nno_check_bucket = true\n"
    )
    target = f"ceph:{_BUCKET}/files"
    rclone: Command = ["rclone", "--config", config]
    copy: Command = [*rclone, "copy", "--checksum", "--transfers", "16", source, target]
    check: Command = [*rclone, "check", "--checkers", "16", source, target]
    repository = f"s3:{ceph.url}/{_BUCKET}/restic"
    restic: Command = ["restic", "--no-cache", "-q", "-r", repository]
    muniment: Command = [peers.BIN / "muniment", "--archive", address, "--state", state]
    wipe: Command = ["rm", "-rf", state]
    bare = {**_KEYS, "AWS_CA_BUNDLE": ""}  # with it, rclone 1.60 does not begin
    secret = {**_KEYS, "RESTIC_PASSWORD": "bench"}
    racers = [
        Racer("rclone copy, check (md5)", timed=[copy, check], environment=bare, reason=peers.missing("rclone")),
        Racer(
            "restic backup",
            before=[[*restic, "init"]],
            timed=[[*restic, "backup", source]],
            environment=secret,
            reason=peers.missing("restic"),
        ),
        Racer(
            "muniment add (in place, logged)",
            before=[wipe, [*muniment, "init"]],
            timed=[[*muniment, "add", "--id", "bench", source]],
            environment=_KEYS,
            reason=peers.missing_muniment(),
        ),
        Racer(
            "muniment add, audit (all read back)",
            before=[wipe, [*muniment, "init"]],
            timed=[[*muniment, "add", "--id", "bench", source], [*muniment, "audit"]],
            environment=_KEYS,
            reason=peers.missing_muniment(),
        ),
    ]
    track = Track(ready=functools.partial(data.warm, source), clear=clear, log=home / "log")
    race(f"A home on S3 (Ceph's gateway on this machine), {title}", racers, track, rounds)


def _address(ceph: Service) -> str:
    return f"s3://{_BUCKET}/archive?endpoint={ceph.url}&region=us-east-1"


def _empty(client: Any, config: Path) -> None:
    """Delete what a turn left, and have the gateway give the memory back."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET):
        keys = [{"Key": each["Key"]} for each in page.get("Contents", [])]
        if keys:
            client.delete_objects(Bucket=_BUCKET, Delete={"Objects": keys, "Quiet": True})
    subprocess.run(["radosgw-admin", "-c", config, "gc", "process", "--include-all"], check=True, capture_output=True)
