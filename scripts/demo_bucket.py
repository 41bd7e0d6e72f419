"""A chapter of the demonstration: an archive whose home is a bucket, and two machines, one of which is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import boto3
from botocore.config import Config

from muniment.testing.servers.ceph import ACCESS_KEY, SECRET_KEY
from muniment.testing.services import ServiceMissing, shared

_FILES = 400
_PATIENCE = 60.0


class Demo(Protocol):
    """What a chapter needs of the demonstration."""

    work: Path
    environment: dict[str, str]

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands."""

    def say(self, title: str) -> None:
        """Begin a chapter."""

    def note(self, what: str, result: str) -> None:
        """Keep a line for the closing summary."""


def chapter(demo: Demo) -> None:
    """Write to one bucket from two machines, kill one, finish its work from the other, and make a folder of it all."""
    demo.say("An archive in a bucket, and two machines")
    (demo.work / "services").mkdir(exist_ok=True)
    try:
        with shared("ceph", demo.work / "services") as service:
            demo.environment |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
            _two_machines(demo, service.url)
    except ServiceMissing:
        demo.note("a bucket", "left out: no S3 is installed here")


def _two_machines(demo: Demo, endpoint: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket="museum")
    address = f"s3://museum/archive?endpoint={endpoint}"
    first = ("--archive", address, "--state", demo.work / "machine-1")
    second = ("--archive", address, "--state", demo.work / "machine-2")
    letter = demo.work / "bucket-letter.txt"
    letter.write_text("Dear friend\n")
    many = demo.work / "many"
    many.mkdir()
    for number in range(_FILES):
        (many / f"page-{number:03}.txt").write_text(f"Page {number}\n" * 50)
    demo.muniment(*first, "init")
    demo.muniment(*first, "add", letter, "--id", "letter")
    demo.muniment(*second, "add", letter, "--id", "from-the-second")
    sealed = _killed_in_the_middle(demo, client, [*first, "add", many, "--id", "pages"])
    demo.muniment(*second, "recover")
    demo.muniment(*second, "ls")
    demo.muniment(*second, "audit")
    demo.muniment(*second, "mirror", demo.work / "mirrored")
    demo.muniment("--archive", demo.work / "mirrored", "audit")
    shown = demo.muniment("--archive", demo.work / "mirrored", "ls", show=False)
    if sealed and "pages" not in shown:
        raise SystemExit("what the killed machine had sealed was not finished")
    what = "its commit was finished by the other" if sealed else "nothing of it had been sealed, and nothing is there"
    demo.note(
        "an archive in a bucket", f"two machines wrote to it, one was killed: {what}; then a folder was made of it"
    )
    for name in ("machine-1", "machine-2", "mirrored"):
        shutil.rmtree(demo.work / name)


def _killed_in_the_middle(demo: Demo, client: object, arguments: list[str | Path]) -> bool:
    """Begin an upload and end its process once it has sealed it; whether it had."""
    command = [str(Path(sys.executable).parent / "muniment"), *map(str, arguments)]
    writer = subprocess.Popen(command, env=demo.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + _PATIENCE
    sealed = False
    while writer.poll() is None and not sealed and time.monotonic() < until:
        listed = client.list_objects_v2(Bucket="museum", Prefix="archive/intake/")  # type: ignore[attr-defined]
        sealed = any(each["Key"].endswith("/end") for each in listed.get("Contents", []))
    if writer.poll() is None:
        os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    return sealed
