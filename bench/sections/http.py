"""The server against nginx on loopback: downloads with their digest verified, uploads with both digests computed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import peers
from bench.machine import scratch
from muniment import Archive
from muniment.access import Authority
from muniment.archive import Archive as LocalArchive

_TICK = os.sysconf("SC_CLK_TCK")
_SMALL = 16 << 10

_NGINX = """
daemon off; worker_processes auto; pid {home}/nginx.pid; error_log {home}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_max_body_size 0;
  client_body_temp_path {home}/body; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{ listen 127.0.0.1:{port}; root {home}/www; dav_methods PUT DELETE; create_full_put_path on; }}
}}
"""

_CLIENT = """
import sys
from muniment import Archive
url, key, what, place = sys.argv[1:]
with Archive(url, key=key) as archive:
    if what == "up":
        with archive.new() as transaction:
            transaction.add(place, "in")
    else:
        found = archive.get(what)
        for path in found:
            with found.open(path) as file:
                while file.read(1 << 20):
                    pass
"""


@dataclass
class Side:
    """One way of doing it: made ready, then timed; `server` is whose processor time is counted beside."""

    name: str
    work: Callable[[], None]
    server: int
    ready: Callable[[], None] = lambda: None
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def run(*, rounds: int, quick: bool) -> None:
    """Print all tables of this section."""
    large, count = (256 << 20, 500) if quick else (1 << 30, 2000)
    missing = next((name for name in ("nginx", "curl") if shutil.which(name) is None), "") or peers.missing_muniment()
    if missing:
        print(f"\nHTTP: not here: {missing}")
        return
    with scratch("http", need=12 * large) as home, _nginx(home) as (nginx, plain), _muniment(home) as server:
        _Race(home, rounds, nginx, plain, *server).all(large, count)


class _Race:
    def __init__(self, home: Path, rounds: int, nginx: int, plain: str, ours: int, url: str, key: str) -> None:
        self.home, self.rounds = home, rounds
        self.nginx, self.plain, self.ours, self.url, self.key = nginx, plain, ours, url, key
        self.place = ""

    def all(self, large: int, count: int) -> None:
        one, many = self.home / "large", self.home / "small"
        one.mkdir()
        many.mkdir()
        with (one / "file").open("wb") as file:
            for _ in range(large >> 20):
                file.write(os.urandom(1 << 20))
        for number in range(count):
            (many / f"{number:05}").write_bytes(os.urandom(_SMALL))
        for title, folder in ((f"one file of {large >> 20} MiB", one), (f"{count:,} files of 16 KiB", many)):
            self.downloads(title, folder)
            self.uploads(title, folder)

    def downloads(self, title: str, folder: Path) -> None:
        names = sorted(entry.name for entry in folder.iterdir())
        shutil.copytree(folder, self.home / "www" / folder.name)
        with Archive(self.url, key=self.key) as archive, archive.new(folder.name) as transaction:
            transaction.add(folder)
        place = f"{self.url}archive/v1/resources/{folder.name}/instances/1/files"
        static = [f"{self.plain}{folder.name}/{name}" for name in names]
        checked = [f"{place}/{name}?project=main/main" for name in names]
        sides = [
            Side("nginx, curl", lambda: self.curl_get(static), self.nginx),
            Side("muniment, digest verified, curl", lambda: self.curl_get(checked), self.ours),
            Side("muniment and its client, verified twice", lambda: self.client(folder.name), self.ours),
        ]
        self.race(f"Download, {title}", sides)

    def uploads(self, title: str, folder: Path) -> None:
        names = sorted(entry.name for entry in folder.iterdir())
        files = [folder / name for name in names]
        dav = [f"{self.plain}up/{name}" for name in names]
        sides = [
            Side("nginx WebDAV, curl", lambda: self.curl_put(files, dav), self.nginx, self.clear),
            Side("muniment, two digests, curl", lambda: self.put_ours(files), self.ours, self.begin),
            Side("muniment and its client, durably committed", lambda: self.client("up", folder), self.ours),
        ]
        self.race(f"Upload, {title}", sides)

    def race(self, title: str, sides: list[Side]) -> None:
        for turn in range(self.rounds + 1):
            for side in sides:
                side.ready()
                os.sync()
                cpu, start = _cpu(side.server), time.perf_counter()
                side.work()
                if turn:
                    side.seconds.append(time.perf_counter() - start)
                    side.cpu.append(_cpu(side.server) - cpu)
        print(f"\n{title}\n  {'':44} speed, nginx = 1   median   server's CPU", flush=True)
        base = sides[0].seconds
        for side in sides:
            ratio = median(one / other for one, other in zip(base, side.seconds, strict=True))
            print(f"  {side.name:44} {ratio:16.2f}   {median(side.seconds):5.2f} s   {median(side.cpu):6.2f} s")

    def clear(self) -> None:
        shutil.rmtree(self.home / "www" / "up", ignore_errors=True)

    def begin(self) -> None:
        if self.place:
            self.curl("-X", "DELETE", self.place)
        answer = self.curl("-H", "Content-Type: application/json", "-d", "{}", f"{self.url}archive/v1/transactions")
        self.place = f"{self.url}archive/v1/transactions/{json.loads(answer)['transaction']}"

    def curl(self, *words: str) -> bytes:
        command = ["curl", "-sS", "--fail", "-H", f"Authorization: Bearer {self.key}", *words]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def curl_get(self, urls: list[str]) -> None:
        lines = "".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls)
        self.curl_many(lines)

    def put_ours(self, files: list[Path]) -> None:
        self.curl_put(files, [f"{self.place}/files/{file.name}" for file in files])

    def curl_put(self, files: list[Path], urls: list[str]) -> None:
        pairs = zip(files, urls, strict=True)
        self.curl_many("".join(f'upload-file = "{file}"\nurl = "{url}"\noutput = "/dev/null"\n' for file, url in pairs))

    def curl_many(self, lines: str) -> None:
        listed = self.home / "list"
        listed.write_text(lines)
        self.curl("--parallel", "--parallel-max", "8", "-H", "Expect:", "-K", str(listed))

    def client(self, what: str, folder: Path | None = None) -> None:
        command = [sys.executable, "-c", _CLIENT, self.url, self.key, what, str(folder or "")]
        subprocess.run(command, check=True)


@contextlib.contextmanager
def _nginx(home: Path) -> Iterator[tuple[int, str]]:
    port = _free_port()
    (home / "www").mkdir()
    home.chmod(0o755)
    (home / "www").chmod(0o777)
    settings = home / "nginx.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    settings.write_text(user + _NGINX.format(home=home, port=port))
    with _running(["nginx", "-c", str(settings), "-p", str(home)], port, home / "nginx.out") as process:
        yield process, f"http://127.0.0.1:{port}/"


@contextlib.contextmanager
def _muniment(home: Path) -> Iterator[tuple[int, str, str]]:
    place, port = home / "archive", _free_port()
    LocalArchive.init(place, redundancy=0).close()
    with Authority.open(place / "control.db") as authority:
        key = authority.store.keys.create("bench", grants={"/": frozenset({"admin"})}).text
    command = [sys.executable, "-m", "muniment", "--archive", str(place), "serve", "--port", str(port)]
    with _running(command, port, home / "serve.out") as process:
        yield process, f"http://127.0.0.1:{port}/", key


@contextlib.contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[int]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{command[0]} did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _cpu(pid: int) -> float:
    """Processor seconds of a process and those it started."""
    total = 0
    for task in [pid, *_children(pid)]:
        words = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / _TICK


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
