"""Large transfers, cut transfers and crowds: nothing lost, nothing half visible, memory constant."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from muniment import Archive
from muniment.archive import Archive as LocalArchive
from muniment.errors.archive import LeftoverNotFound
from tests.servers.native.running import make_key, served_by_command, serving
from tests.timing import PATIENCE, eventually


class CuttingProxy:
    """Passes bytes between a client and a server, and cuts connections after random numbers of bytes."""

    def __init__(self, port: int, cuts: list[int]) -> None:
        self._port = port
        self._cuts = cuts
        self.made = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            allowed = self._cuts.pop(0) if self._cuts else 1 << 60
            threading.Thread(target=self._pass, args=(client, allowed), daemon=True).start()

    def _pass(self, client: socket.socket, allowed: int) -> None:
        server = socket.create_connection(("127.0.0.1", self._port))
        left = [allowed]
        lock = threading.Lock()

        def pump(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    with lock:
                        left[0] -= len(data)
                        over = left[0] < 0
                    target.sendall(data[: left[0]] if over else data)
                    if over:
                        self.made += 1
                        break
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                    end.close()

        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def contents(path: Path, size: int, seed: int = 1) -> str:
    dice, hasher = random.Random(seed), hashlib.sha256()
    with path.open("wb") as file:
        while size:
            piece = dice.randbytes(min(1 << 20, size))
            file.write(piece)
            hasher.update(piece)
            size -= len(piece)
    return hasher.hexdigest()


@pytest.mark.parametrize("seed", range(3))
def test_transfers_that_are_cut_at_random_bytes_go_on(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    size = 12_000_000
    digest = contents(tmp_path / "big", size, seed)
    with serving(tmp_path / "archive") as server:
        cuts = [1 << 60, *(dice.randrange(200_000, 6_000_000) for _ in range(4))]
        proxy = CuttingProxy(urlsplit(server.url).port or 0, cuts)
        with contextlib.closing(proxy), Archive(proxy.url, key=server.key) as archive:
            archive.close()  # so that each of the next connections has its cut
            with archive.new("car") as transaction:
                transaction.add(tmp_path / "big")
                with (tmp_path / "big").open("rb") as stream:
                    transaction.add(stream, "stream")
            assert proxy.made >= 2
            found = archive.get("car")
            assert found.digests("big")["sha256"] == found.digests("stream")["sha256"] == digest
            cuts[:] = [dice.randrange(1000, 5_000_000) for _ in range(3)]
            archive.close()
            before, hasher = proxy.made, hashlib.sha256()
            with found.open("big") as file:
                while piece := file.read(100_000):
                    hasher.update(piece)
            assert hasher.hexdigest() == digest
            assert proxy.made > before
            assert list(archive.audit()) == []


def test_a_damaged_file_is_never_a_whole_answer(tmp_path: Path) -> None:
    contents(tmp_path / "big", 5_000_000)
    with serving(tmp_path / "archive") as server, Archive(server.url, key=server.key) as archive:
        with archive.new("car") as transaction:
            transaction.add(tmp_path / "big")
        (stored,) = (server.place / "objects").rglob("big")
        with stored.open("r+b") as file:
            file.seek(2_000_000)
            file.write(b"damage")
        url = f"{server.url}archive/v1/resources/car/instances/1/files/big"
        curl = [
            "curl",
            "-s",
            "-S",
            "-o",
            os.devnull,
            "-w",
            "%{size_download}",
            "-H",
            f"Authorization: Bearer {server.key}",
            url,
        ]
        done = subprocess.run(curl, capture_output=True, text=True, check=False)
        assert done.returncode == 18, done  # curl: the transfer was shorter than announced
        assert int(done.stdout) < 5_000_000


def test_a_client_that_disappears_leaves_nothing(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "archive", transaction_lease=3.0, sweep_every=0.2) as server,
        Archive(server.url, key=server.key) as archive,
    ):
        gone = archive.new("car")
        gone.add(b"1", "one")
        alive = archive.new("bus")
        alive.add(b"1", "one")
        held = server.place / "staging" / "open" / gone.transaction
        assert held.is_dir()
        eventually(lambda: "one" in alive and not held.exists(), every=0.1)
        with pytest.raises(LeftoverNotFound):
            archive.resume(gone.transaction)
        alive.commit()
        assert list(archive) == ["bus"]
        assert list((server.place / "staging" / "open").iterdir()) == []


def test_the_live_log_tells_what_happens_and_goes_on_after_a_cut(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as server:
        proxy = CuttingProxy(urlsplit(server.url).port or 0, [1 << 60, 2_000, 2_000])
        with contextlib.closing(proxy), Archive(server.url, key=server.key) as writer:
            heard: list[int] = []
            done = threading.Event()

            def listen() -> None:
                with Archive(proxy.url, key=server.key) as archive:
                    archive.close()
                    for event in archive.events(0, live=True):
                        heard.append(event.seq)
                        if event.resource == "last":
                            done.set()
                            return

            thread = threading.Thread(target=listen, daemon=True)
            thread.start()
            for name in ("one", "two", "three", "four", "last"):
                with writer.new(name) as transaction:
                    transaction.add(b"1", "file")
            assert done.wait(20)
            thread.join(5)
            assert heard == list(range(1, len(heard) + 1))
            assert proxy.made >= 1


def test_a_stopping_server_ends_live_streams_and_lets_work_finish(tmp_path: Path) -> None:
    grace = {"MUNIMENT_SERVE_GRACE": "80"}
    with served_by_command(tmp_path / "archive", **grace) as server, Archive(server.url, key=server.key) as archive:
        stream = archive.events(0, live=True)
        assert next(stream).seq == 1
        transaction = archive.new("car")
        transaction.add(b"1", "one")
        assert server.process is not None
        before = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
        # A stream that was not ended would have been waited for until the time for grace was over.
        assert time.monotonic() - before < 80 / 2
        stream.close()  # type: ignore[attr-defined] # a generator
    with served_by_command(tmp_path / "archive", key=server.key) as again, Archive(again.url, key=again.key) as archive:
        found = archive.resume(transaction.transaction)
        found.add(b"2", "two")
        assert list(found.commit()) == ["one", "two"]
    assert server.log is not None
    assert server.key not in server.log.read_text()


def test_several_processes_share_the_transactions(tmp_path: Path) -> None:
    with served_by_command(tmp_path / "archive", "--processes", "2") as server:
        for number in range(3):
            with Archive(server.url, key=server.key) as archive, archive.new(f"r{number}") as transaction:
                for name in range(12):
                    archive.close()  # each request may now reach another process
                    transaction.add(str(name).encode(), f"file{name}")
                transaction.add(bytes(3_000_000), "big")
        with Archive(server.url, key=server.key) as archive:
            assert [len(archive.get(id)) for id in archive] == [13, 13, 13]
            assert list(archive.audit()) == []


CLIENT = """
import sys
from muniment import Archive
url, key, name = sys.argv[1:]
with Archive(url, key=key) as archive:
    for number in range(100):
        with archive.new(f"{name}-{number}") as transaction:
            transaction.add(name.encode() * 1000, "small")
            transaction.add((name.encode() * 30_000 for _ in range(20)), "large")
        print(transaction.id, flush=True)
"""


def crowd(place: Path, clients: int, seconds: float) -> None:
    dice = random.Random(7)
    with served_by_command(place) as server:
        running = []
        for number in range(clients):
            out = (place.parent / f"client{number}").open("wb")
            command = [sys.executable, "-c", CLIENT, server.url, server.key, f"c{number}"]
            running.append((subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL), out))
        doomed = dice.sample(running, clients // 2)
        until = time.monotonic() + seconds
        for process, _ in doomed:
            time.sleep(max(0.0, min(dice.random() * 2 * seconds / clients, until - time.monotonic())))
            process.kill()
        time.sleep(max(0.0, until - time.monotonic()))
        # On a busy machine the clients may have needed all that time to begin.
        outs = [place.parent / f"client{number}" for number in range(clients)]
        eventually(lambda: sum(len(list(whole_lines(out))) for out in outs) > max(clients // 4, 10), every=0.5)
        for process, out in running:
            process.terminate()
            process.wait(10)
            out.close()
        with Archive(server.url, key=server.key) as archive:
            told = {line for number in range(clients) for line in whole_lines(place.parent / f"client{number}")}
            stored = set(archive)
            assert told <= stored
            assert len(stored) > clients // 4
            for id in dice.sample(sorted(stored), 10):
                found = archive.get(id)
                name = id.partition("-")[0].encode()
                assert found.read("small") == name * 1000
                assert found["large"].size == 600_000 * len(name)
    with LocalArchive(place, workers=0) as local:
        assert [finding for finding in local.audit() if finding.failed] == []


def whole_lines(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield line[:-1]


def test_a_crowd_half_of_which_is_killed_loses_nothing(tmp_path: Path) -> None:
    crowd(tmp_path / "archive", 12, 8)


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_hundred_clients_half_of_which_are_killed_lose_nothing(tmp_path: Path) -> None:
    crowd(tmp_path / "archive", 100, 120)


ROUND_TRIP = """
import hashlib, sys
from pathlib import Path
from muniment import Archive
url, key, path, digest = sys.argv[1:]
with Archive(url, key=key) as archive:
    with archive.new("big") as transaction:
        transaction.add(path, digests=digest)
    hasher = hashlib.sha256()
    with archive.get("big").open("big") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    assert hasher.hexdigest() == digest
# Not ru_maxrss: a process begins with that of the one it was forked from.
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def round_trip(tmp_path: Path, size: int) -> None:
    digest = contents(tmp_path / "big", size)
    place = tmp_path / "archive"
    LocalArchive.init(place, redundancy=0).close()
    key = make_key(place, "keeper", {"/": {"admin"}})
    with served_by_command(place, key=key) as server:
        command = [sys.executable, "-c", ROUND_TRIP, server.url, key, str(tmp_path / "big"), digest]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(done.stdout) < 200_000, f"the client needed {done.stdout} kB"
        assert server.process is not None
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        assert peak < 200_000, f"the server needed {peak} kB"


def test_300_mb_pass_in_constant_memory(tmp_path: Path) -> None:
    round_trip(tmp_path, 300_000_000)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_5_gib_pass_in_constant_memory(tmp_path: Path) -> None:
    round_trip(tmp_path, 5 << 30)
