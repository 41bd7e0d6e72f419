"""A chapter of the demonstration: copies in two folders and on S3, damage, the loss of the archive, the way back."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import boto3
from botocore.config import Config

from muniment.testing.servers.ceph import ACCESS_KEY, SECRET_KEY
from muniment.testing.services import ServiceMissing, shared

POLICY = """
[[copies]]
store = "vault"
layout = "ocfl"

[[copies]]
store = "shelf"
layout = "bag"
redundancy = 10
"""

ON_S3 = """
[[copies]]
store = "cloud"
layout = "bag"
lock = "compliance 1d"
"""


class Demo(Protocol):
    """What a chapter needs of the demonstration."""

    work: Path
    archive: Path

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands."""

    def say(self, title: str) -> None:
        """Begin a chapter."""

    def note(self, what: str, result: str) -> None:
        """Keep a line for the closing summary."""


@contextlib.contextmanager
def _bucket(demo: Demo) -> Iterator[str]:
    """The address of a bucket with Object Lock in Ceph's gateway; '' where its Debian packages are not installed."""
    try:
        with shared("ceph", demo.work / "services") as service:
            client = boto3.client(
                "s3",
                endpoint_url=service.url,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
                region_name="us-east-1",
                config=Config(s3={"addressing_style": "path"}),
            )
            client.create_bucket(Bucket="demo", ObjectLockEnabledForBucket=True)
            yield f"s3://demo/kept?endpoint={service.url}"
    except ServiceMissing:
        yield ""


def chapter(demo: Demo) -> None:
    """Keep copies of a small archive in two folders and, if one is there, on S3; lose it, and restore it from one."""
    demo.say("Copies, and the way back")
    (demo.work / "services").mkdir()
    with _bucket(demo) as bucket:
        _keep_and_restore(demo, bucket)


def _keep_and_restore(demo: Demo, bucket: str) -> None:
    here = demo.work / "kept"
    own = ("--archive", here)
    letter = demo.work / "letter.txt"
    letter.write_text("Dear friend\n")
    demo.muniment(*own, "init", show=False)
    demo.muniment(*own, "add", letter, Path(__file__), "--id", "estate")
    policy = demo.work / "policy.toml"
    policy.write_text(POLICY + (ON_S3 if bucket else ""))
    for name in ("vault", "shelf"):
        demo.muniment(*own, "store", "add", name, demo.work / name)
    keys = demo.work / "keys"
    keys.touch(mode=0o600)
    keys.write_text(f"access_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\n")
    if bucket:
        demo.muniment(*own, "store", "add", "cloud", bucket, "--keys", keys)
    demo.muniment(*own, "policy", "set", "*", policy)
    demo.muniment(*own, "copies", expect=1)
    demo.muniment(*own, "copies", "make")
    demo.muniment(*own, "copies")
    tar = next((demo.work / "shelf").glob("bags/*/*/estate/v1.tar"))
    tar.write_bytes(tar.read_bytes()[:-600])
    demo.muniment(*own, "copies", "verify")
    demo.muniment(*own, "copies", "drill")
    demo.muniment(*own, "copies", "make", show=False)
    sources: list[tuple[str | Path, ...]] = [(demo.work / "shelf",)]
    if bucket:
        sources.append((bucket, "--keys", keys))
    for source in sources:
        shutil.rmtree(here)
        demo.muniment("restore", "--from", *source, "-o", here)
        demo.muniment(*own, "audit")
        shown = json.loads(demo.muniment(*own, "show", "estate", "--json", show=False))
        if len(shown["instances"]) != 1:
            raise SystemExit("the archive did not come back")
    places = "a folder, and then from S3" if bucket else "one of its two stores (no S3 is installed here)"
    demo.note("muniment restore", f"the archive was deleted, and came back whole from {places}")
