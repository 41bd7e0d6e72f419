"""Fetching from a web server with digests and a durable commit, beside programs that only fetch."""

from __future__ import annotations

import functools
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import data, peers
from bench.machine import scratch
from bench.racing import Racer, Track, race

_NGINX = """
daemon off; pid {place}/nginx.pid; error_log {place}/error.log; worker_processes 1; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
  uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ root {place}/files; autoindex on; autoindex_format json; }} }}
}}
"""
_AT_ONCE = "8"


def run(*, rounds: int, quick: bool) -> None:
    """Print both tables of this section."""
    large = 100_000_000 if quick else 500_000_000
    with scratch("fetch", need=16 * large) as home:
        if reason := peers.missing("nginx"):
            print(f"\nFetching   not here: {reason}")
            return
        make_files(home / "files" / "small", 2_000, 16 << 10)
        make_files(home / "files" / "large", 5, large)
        with nginx(home) as port:
            for title, name in (
                ("2,000 files of 16 KiB", "small"),
                (f"5 files of {large // 1_000_000} MB", "large"),
            ):
                fetching(title, f"http://127.0.0.1:{port}/{name}/", home / "files" / name, home, rounds)


def fetching(title: str, url: str, source: Path, home: Path, rounds: int) -> None:
    """One table: who only fetches, and what digests and a commit cost beside it."""
    out, names = home / "out", sorted(path.name for path in source.iterdir())
    listed = home / "list"
    listed.write_text("".join(f"{url}{name}\n" for name in names))
    config = home / "curl"
    config.write_text("".join(f'url = "{url}{name}"\noutput = "{out}/{name}"\n' for name in names))
    alone: list[str | Path] = [peers.PYTHON, "-m", "bench.fetch_alone", url, out / "archive"]
    curl: list[str | Path] = ["curl", "-sS", "--parallel", "--parallel-max", _AT_ONCE, "-K", config]
    aria: list[str | Path] = ["aria2c", "-q", "-j", _AT_ONCE, "-d", out, "-i", listed]
    wget: list[str | Path] = ["wget", "-q", "-P", out, "-i", listed]
    racers = [
        Racer("curl --parallel, fetching only", timed=[curl], reason=peers.missing("curl")),
        Racer("aria2c, fetching only", timed=[aria], reason=peers.missing("aria2c")),
        Racer("wget, fetching only", timed=[wget], reason=peers.missing("wget")),
        Racer("curl --parallel, sync -f", timed=[curl, ["sync", "-f", out]], reason=peers.missing("curl")),
        Racer("muniment, sha512 + sha256", timed=[alone], environment=peers.python_path()),
        Racer("muniment, and a durable commit", timed=[[*alone, "commit"]], environment=peers.python_path()),
        Racer("muniment, sha256 alone", timed=[[*alone, "sha256"]], environment=peers.python_path()),
        Racer(
            "muniment, sha256, durable commit", timed=[[*alone, "commit", "sha256"]], environment=peers.python_path()
        ),
    ]
    track = Track(
        ready=functools.partial(_ready, source, out),
        clear=functools.partial(shutil.rmtree, out, ignore_errors=True),
        log=home / "log",
    )
    race(f"Fetching from nginx on this machine, {title}", racers, track, rounds)


def _ready(source: Path, out: Path) -> None:
    data.warm(source)
    out.mkdir()


def make_files(folder: Path, count: int, size: int) -> None:
    """Files of random bytes, the same each time."""
    dice = random.Random(3)
    folder.mkdir(parents=True)
    for number in range(count):
        with (folder / f"{number:05}.bin").open("wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(dice.randbytes(min(1 << 20, size - start)))


@contextmanager
def nginx(home: Path) -> Iterator[int]:
    """A server of the folder `files`; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    config = home / "nginx.conf"
    config.write_text(_NGINX.format(place=home, port=port, user="user root;" if os.geteuid() == 0 else ""))
    program = shutil.which("nginx", path=peers.search_path()) or "nginx"
    server = subprocess.Popen([program, "-p", home, "-c", config, "-e", home / "error.log"])
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)
