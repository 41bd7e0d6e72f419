"""Fifty downloads of a gibibyte at once from a server as people start it: each whole, none starved, memory bounded."""

from __future__ import annotations

import hashlib
import re
import statistics
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from muniment.archive import Archive
from tests.acceptance.nexus.site import Client
from tests.servers.native.running import make_archive, served_by_command

GIB = 1 << 30
DOWNLOADS = 50


def chunks(seed: bytes, size: int) -> list[bytes]:
    return [hashlib.shake_256(seed + bytes([number])).digest(1 << 20) for number in range(size >> 20)]


def peak(pid: int) -> int:
    """The most memory a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_fifty_downloads_of_a_gibibyte(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    pieces = chunks(b"large", 64 << 20)
    with Archive(place) as archive, archive.new("large", project="o/p") as transaction:
        transaction.add((piece for _ in range(GIB // (64 << 20)) for piece in pieces), "large.bin")
    with served_by_command(place, key=key) as running:
        assert running.process is not None
        client = Client(urlsplit(running.url).port or 0, key)
        made = client.post("/archives/o/p", {"resources": [{"@type": "File", "resourceId": "large"}]}, "*/*")
        url = made.headers["location"]
        config = tmp_path / "key"
        config.write_text(f'header = "Authorization: Bearer {key}"\nheader = "Accept: application/x-tar"\n', "ascii")
        command = ["curl", "-sS", "--fail", "-K", str(config), url]
        one = subprocess.run([*command, "-o", str(tmp_path / "one.tar")], check=False, capture_output=True)
        assert one.returncode == 0, one.stderr
        subprocess.run(["tar", "-tf", str(tmp_path / "one.tar")], check=True, capture_output=True)
        with (tmp_path / "one.tar").open("rb") as file:
            expected = hashlib.file_digest(file, "sha256").hexdigest()
        quiet = peak(running.process.pid)
        began = time.monotonic()
        reading = [
            subprocess.Popen(
                ["sh", "-c", '"$@" -w "%{stderr}%{time_starttransfer} %{time_total}" | sha256sum', "sh", *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(DOWNLOADS)
        ]
        results = [process.communicate(timeout=1500) for process in reading]
        took = time.monotonic() - began
        digests = [out.partition(" ")[0] for out, _ in results]
        first, total = zip(*((float(word) for word in said.split()) for _, said in results), strict=True)
        grown = peak(running.process.pid)
    print(f"{DOWNLOADS} GiB in {took:.0f} s; first bytes by {max(first):.1f} s; ends from {min(total):.0f} s")
    print(
        f"to {max(total):.0f} s, median {statistics.median(total):.0f}; peak {grown >> 20} MiB, alone {quiet >> 20} MiB"
    )
    assert digests == [expected] * DOWNLOADS
    # Fair: all began early, and the quickest was not served before the others.
    assert max(first) < 0.25 * max(total)
    assert min(total) > 0.5 * max(total)
    # The fifty hold a few buffers each, not the file.
    assert grown - quiet < DOWNLOADS * (4 << 20)
