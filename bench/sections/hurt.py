"""Requests that hurt: what small or hostile ones cost a server of their own in processor time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import history
from bench.machine import scratch
from bench.sections.nexus import PROJECT, Server, serving
from muniment.archive import Archive

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1 << 20
_CONNECTIONS = 10


@dataclass
class Cost:
    """What something cost the server: seconds of its processor, MB before and at most, and what was seen beside."""

    what: str
    cpu: float
    before: float
    most: float
    seen: str


def run(*, rounds: int, quick: bool) -> None:
    """Print the table of this section; once is enough, as each begins with a new server."""
    del rounds
    large = (256 if quick else 3072) * _MIB
    with scratch("hurt", need=large + (2 << 30)) as home:
        costs = [
            _costs(home / "context", "selection with 2,200 terms in its `@context` and 1,500 entries", _context),
            _costs(home / "path", "selection with a path of 40 kB, 20,000 folders deep", _path),
            _costs(home / "headers", f"{_CONNECTIONS} connections that send headers without an end, no key", _headers),
            _costs(home / "document", "document of 5 MB, and small ones meanwhile", _document),
        ]
        costs += _ranges(home / "ranges", large)
    print("\n### Requests that hurt\n\n| request | CPU s | MB before | MB at most | beside |")
    print("| --- | ---: | ---: | ---: | --- |")
    for cost in costs:
        print(f"| {cost.what} | {cost.cpu:.2f} | {cost.before:.0f} | {cost.most:.0f} | {cost.seen} |")
    history.note("Requests that hurt", {cost.what: (cost.cpu, cost.cpu) for cost in costs})


def _costs(place: Path, what: str, work: Callable[[Server], str]) -> Cost:
    with serving(place) as server:
        return _measured(server, what, work)


def _measured(server: Server, what: str, work: Callable[[Server], str]) -> Cost:
    Path(f"/proc/{server.pid}/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    cpu, before = _cpu(server.pid), _memory(server.pid, "VmRSS")
    seen = work(server)
    return Cost(what, _cpu(server.pid) - cpu, before, _memory(server.pid, "VmHWM"), seen)


def _context(server: Server) -> str:
    context = {f"t{number}": f"http://t/{number}/" for number in range(2200)}
    entries = [{"@type": "Resource", "resourceId": f"t{number}:x{number}"} for number in range(1500)]
    return _post(server, {"@context": context, "resources": entries})


def _path(server: Server) -> str:
    return _post(
        server, {"resources": [{"@type": "Resource", "resourceId": "http://x/1", "path": "a/" * 20_000 + "b"}]}
    )


def _post(server: Server, selection: object) -> str:
    body = json.dumps(selection, separators=(",", ":")).encode()
    status, _ = _ask(server, "POST", f"/v1/archives/{PROJECT}", body)
    return f"{len(body):,} bytes, answered {status}"


def _ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = server.connect()
    with contextlib.closing(connection):
        sent = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json", **headers}
        connection.request(method, path, body, sent)
        reply = connection.getresponse()
        return reply.status, reply.read()


def _headers(server: Server) -> str:
    most = 64 * _MIB
    taken: list[int] = []

    def flood() -> None:
        sent = 0
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Endless: ")
            while sent < most:
                connection.sendall(b"a" * 65_536)
                sent += 65_536
        taken.append(sent)

    _together([flood] * _CONNECTIONS)
    return f"each sent up to {most // _MIB} MiB and was ended after {statistics.median(taken) / _MIB:.1f} MiB"


def _document(server: Server) -> str:
    items = [{"name": f"item {number:06} {'x' * 80}", "count": number} for number in range(39_000)]
    body = json.dumps({"@id": "http://x/large", "items": items}).encode()
    done = threading.Event()
    waits: list[float] = []
    answered: list[int] = []

    took: list[float] = []

    def large() -> None:
        start = time.perf_counter()
        answered.append(_ask(server, "POST", f"/v1/resources/{PROJECT}", body)[0])
        took.append(time.perf_counter() - start)
        done.set()

    def small() -> None:
        number = 0
        while not done.is_set():
            number += 1
            start = time.perf_counter()
            document = json.dumps({"@id": f"http://x/{threading.get_ident()}/{number}", "a": number}).encode()
            _ask(server, "POST", f"/v1/resources/{PROJECT}", document)
            waits.append(time.perf_counter() - start)

    _together([large, small])
    return (
        f"{len(body) / 1e6:.1f} MB, answered {answered[0]} after {took[0]:.1f} s; {len(waits)} small ones were "
        f"written meanwhile, the slowest in {max(waits):.1f} s, half of them within {statistics.median(waits):.1f} s"
    )


def _ranges(place: Path, size: int) -> Iterator[Cost]:
    """The last 100 bytes of a large file that was just ingested, through each door, and as it was before."""
    block = os.urandom(_MIB)
    with serving(place) as server:
        with Archive(place, parity=False) as archive, archive.new("large", PROJECT) as transaction:
            # Each MiB differs, or the last bytes would be the first.
            numbered = (number.to_bytes(8, "big") + block[8:] for number in range(size // _MIB))
            transaction.add(numbered, "large.bin")
        project = PROJECT.replace("/", "%2F")
        file = f"/archive/v1/resources/large/instances/1/files/large.bin?project={project}"
        export = f"/archive/v1/resources/large/export?layout=bag&form=tar&project={project}"
        chosen = {"resources": [{"@type": "File", "resourceId": "large", "path": "large"}]}
        connection = server.connect()
        made = server.call(connection, "POST", f"/archives/{PROJECT}", json.dumps(chosen).encode(), Accept="*/*")
        selection = made.headers["Location"].partition("/v1")[2]
        connection.close()
        for name, path, kind in (
            ("file", file, "*/*"),
            ("tar of a selection", f"/v1{selection}", "application/x-tar"),
            ("tar of an export", export, "*/*"),
        ):
            yield _tail(server, name, path, kind, size)
        # What was there before: nobody knows the pieces, so that the file is read as a whole.
        (place / "pieces.db").unlink()
        yield _tail(server, "file, its pieces unknown (as it was before, each time)", file, "*/*", size)


def _tail(server: Server, name: str, path: str, kind: str, size: int) -> Cost:
    def work(server: Server) -> str:
        read = _read(server.pid)
        # A tar goes on for some blocks after its last file: the last 100 bytes of the file itself are asked for.
        span = "bytes=-100" if kind == "*/*" and "export" not in path else f"bytes={size - 4096}-{size - 3997}"
        status, body = _ask(server, "GET", path, None, Range=span, Accept=kind)
        return f"answered {status} with {len(body)} bytes, read {(_read(server.pid) - read) / _MIB:,.0f} MiB"

    return _measured(server, f"last 100 bytes of {size / (1 << 30):g} GiB: {name}", work)


def _together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _cpu(pid: int) -> float:
    found = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(found[11]) + int(found[12])) / _TICKS


def _memory(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1000
    return 0.0


def _read(pid: int) -> int:
    """Bytes the process has read, from a disk or from memory."""
    for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines():
        if line.startswith("rchar"):
            return int(line.split()[1])
    return 0
