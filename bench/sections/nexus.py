"""Nexus: selections against nginx sending a ready-made tar and against `tar c` into a socket; small resources.

Every side is fetched by curl on loopback. CPU is that of the server alone, memory its highest while serving.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import peers
from bench.machine import scratch

BASE = "http://bench.example/"
PROJECT = "bench/files"
CLIENTS = 8
_TICKS = os.sysconf("SC_CLK_TCK")

TAR_SERVER = """
import socket, subprocess, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    with connection:
        while b"\\r\\n\\r\\n" not in connection.recv(65536):
            pass
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
        subprocess.run(["tar", "-C", sys.argv[2], "-cf", "-", "."], stdout=connection, check=False)
"""


@dataclass
class Side:
    """Something that sends: its address, the processes that work for it, and what was measured of it."""

    name: str
    url: str
    pid: int
    headers: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: int = 0


def run(*, rounds: int, quick: bool) -> None:
    """Print all tables of this section."""
    large, small = (200, 2_000) if quick else (1_000, 20_000)
    with scratch("nexus", need=4 * (large * 1_000_000 + small * 16_384)) as home:
        for title, count, size in (
            (f"{large:,} files of 1 MB", large, 1_000_000),
            (f"{small:,} files of 8 KiB", small, 8_192),
        ):
            folder = home / f"{count}"
            # Parity is made when nobody uploads: it would be measured with the downloads.
            with serving(folder / "archive", redundancy=0) as server:
                _fill(server, folder / "plain", count, size)
                _selections(f"Selection of {title}", server, folder, rounds)
            shutil.rmtree(folder)
        with serving(home / "small") as server:
            _small(server, 400 if quick else 2_000)


@dataclass
class Server:
    """A running `muniment serve` and the key of who may do everything."""

    port: int
    pid: int
    key: str

    def call(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, **headers: str
    ) -> http.client.HTTPResponse:
        """One request; the answer's body is read."""
        sent = {"Authorization": f"Bearer {self.key}", "Accept": "application/json", "Content-Type": "application/json"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection.request(method, f"/v1{path}", body, sent)
        reply = connection.getresponse()
        said = reply.read()
        if reply.status >= 400:  # noqa: PLR2004 - as HTTP has it
            message = f"{method} {path}: {reply.status} {said[:200]!r}"
            raise SystemExit(message)
        return reply

    def connect(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)


@contextlib.contextmanager
def serving(archive: Path, *, redundancy: int = 5) -> Iterator[Server]:
    """A new archive and its server, as people start it, with a project of Nexus."""
    muniment = str(peers.BIN / "muniment")
    archive.parent.mkdir(parents=True, exist_ok=True)
    made = [muniment, "--archive", str(archive), "init", "--redundancy", str(redundancy)]
    subprocess.run(made, check=True, capture_output=True)
    made = [muniment, "--archive", str(archive), "key", "create", "bench", "--admin"]
    key = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
    port = _free_port()
    command = [muniment, "--archive", str(archive), "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            server = Server(port, process.pid, key)
            connection = server.connect()
            server.call(connection, "PUT", "/orgs/bench", b"{}")
            server.call(connection, "PUT", f"/projects/{PROJECT}", json.dumps({"base": BASE}).encode())
            yield server
        finally:
            process.terminate()


def _fill(server: Server, plain: Path, count: int, size: int) -> None:
    """Put the same files into the archive and into a folder."""
    plain.mkdir(parents=True)
    block = os.urandom(size)

    def put(connection: http.client.HTTPConnection, number: int) -> None:
        # Each file differs, so that none is sent from another's pages.
        data = hashlib.sha256(str(number).encode()).digest() + block[32:]
        (plain / f"{number:06}.bin").write_bytes(data)
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{number:06}.bin"\r\n\r\n'
        body = head.encode() + data + b"\r\n--b--\r\n"
        kind = "multipart/form-data; boundary=b"
        server.call(connection, "PUT", f"/files/{PROJECT}/{number:06}", body, Content_Type=kind)

    _share(server, count, put)


def _share(server: Server, count: int, work: Callable[[http.client.HTTPConnection, int], None]) -> float:
    """Do `work` for each number, by several clients at once; the seconds it took."""

    def part(first: int) -> None:
        connection = server.connect()
        for number in range(first, count, CLIENTS):
            work(connection, number)

    threads = [threading.Thread(target=part, args=(first,)) for first in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def _selections(title: str, server: Server, folder: Path, rounds: int) -> None:
    names = sorted(path.stem for path in (folder / "plain").iterdir())
    payload = json.dumps({"resources": [{"@type": "File", "resourceId": name} for name in names]}).encode()
    connection = server.connect()
    made = server.call(connection, "POST", f"/archives/{PROJECT}", payload, Accept="*/*")
    url = str(made.getheader("Location"))
    key = [f"Authorization: Bearer {server.key}"]
    tar = folder / "ready.tar"
    subprocess.run(["tar", "-C", str(folder / "plain"), "-cf", str(tar), "."], check=True)
    with _nginx(folder) as nginx, _tar(folder) as piped:
        sides = [
            Side("nginx, a ready-made tar", f"http://127.0.0.1:{nginx[0]}/ready.tar", nginx[1]),
            Side("tar c into the socket", f"http://127.0.0.1:{piped[0]}/", piped[1]),
            Side("muniment, tar", url, server.pid, [*key, "Accept: application/x-tar"]),
            Side("muniment, zip", url, server.pid, [*key, "Accept: application/zip"]),
        ]
        for turn in range(rounds + 1):
            for side in sides:
                _fetch(side, counts=turn > 0)
    tar.unlink()
    _print(title, sides)


def _fetch(side: Side, *, counts: bool) -> None:
    before = _cpu(side.pid)
    command = ["curl", "-s", "-S", "--fail", "-o", "/dev/null", "-w", "%{time_total} %{time_starttransfer}"]
    for header in side.headers:
        command += ["-H", header]
    done = subprocess.run([*command, side.url], check=True, capture_output=True, text=True)
    total, first = (float(word) for word in done.stdout.split())
    side.memory = max(side.memory, _peak(side.pid))
    if counts:
        side.seconds.append(total)
        side.first.append(first)
        side.cpu.append(_cpu(side.pid) - before)


def _print(title: str, sides: list[Side]) -> None:
    print(f"\n{title}")
    width = max(len(side.name) for side in sides)
    print(f"  {'':{width}}   speed of nginx's   median   first byte   CPU     peak memory")
    for side in sides:
        ratio = median(other / own for other, own in zip(sides[0].seconds, side.seconds, strict=True))
        taken, first = median(side.seconds), median(side.first) * 1000
        print(
            f"  {side.name:{width}}   {ratio:16.2f}   {taken:5.2f} s   {first:7.0f} ms"
            f"   {median(side.cpu):5.2f} s   {side.memory / 1e6:6.0f} MB",
            flush=True,
        )


def _small(server: Server, count: int) -> None:
    """Small resources: made durably, and read, by eight clients at once."""
    context = {"nxv": "https://bluebrain.github.io/nexus/vocabulary/", "other": "https://some.other.prefix.com/"}

    def create(connection: http.client.HTTPConnection, number: int) -> None:
        document = {"@context": context, "@id": f"{BASE}{number}", "@type": "nxv:Sample", "other:number": number}
        server.call(connection, "POST", f"/resources/{PROJECT}", json.dumps(document).encode())

    def read(connection: http.client.HTTPConnection, number: int) -> None:
        server.call(connection, "GET", f"/resources/{PROJECT}/_/{number}", None)

    made = count / _share(server, count, create)
    found = max(count / _share(server, count, read) for _ in range(3))
    print(f"\nSmall JSON-LD resources, {CLIENTS} clients: {made:.0f} made durably and {found:.0f} read a second")


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n",
        "utf-8",
    )
    command = [
        shutil.which("nginx", path=peers.search_path()) or "/usr/sbin/nginx",
        "-p",
        str(folder),
        "-c",
        str(settings),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield port, process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def _tar(folder: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    command = [sys.executable, "-c", TAR_SERVER, str(port), str(folder / "plain")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.5)
            yield port, process.pid
        finally:
            process.terminate()


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process and of what it has waited for."""
    words = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return sum(int(word) for word in words[11:15]) / _TICKS


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + 300
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
