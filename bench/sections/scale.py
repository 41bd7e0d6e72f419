"""What must not grow: answers about resources of more and more files, one and two processes, many instances, tables."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench import history, peers
from bench.machine import scratch
from bench.racing import Racer, Track, race
from muniment.access import Authority
from muniment.archive import Archive, commit_several
from muniment.archive.index.rebuild import FEW_OBJECTS

FLAT = 1.5
"""How many times the processor time of the smallest that of the largest may be, where it has to stay the same."""
_NOISE = 0.2
_TICK = os.sysconf("SC_CLK_TCK")
_ASKED = 400


def run(*, rounds: int, quick: bool) -> None:
    """Print all tables of this section.

    Raises:
        SystemExit: Something that has to be flat is not.
    """
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000)
    with scratch("scale", need=2 << 30) as home:
        place = home / "archive"
        Archive.init(place, redundancy=0).close()
        with Authority.open(place / "control.db") as authority:
            key = authority.store.keys.create("bench", grants={"/": frozenset({"admin"})}).text
        with Archive(place, parity=False) as archive:
            for size in sizes:
                with archive.new(f"files-{size}") as transaction:
                    transaction.add(_folder(home / str(size), size))
            _instances(archive, 50 if quick else 200)
        for processes in (1, 2):
            _answers(place, key, sizes, rounds, processes)
        _reads(place, key, sizes[0], rounds)
        _one_more(place, sizes)
        _walks(home / "walked", rounds)
        _batch(home, rounds, 1_000 if quick else 10_000)


def _folder(place: Path, size: int) -> Path:
    for number in range(size):
        folder = place / f"{number // 1000:03}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:06}").write_bytes(b"%d\n" % number)
    return place


def _answers(place: Path, key: str, sizes: tuple[int, ...], rounds: int, processes: int) -> None:
    title = f"Answers of {processes} processes: least ms of the server's processor each, median ms of waiting"
    print(f"\n{title}", flush=True)
    measured: dict[str, tuple[float, float]] = {}
    with _served(place, processes) as (pid, port):
        for what, path in (("a resource", ""), ("a file by newest", "/instances/newest/files/000/000001")):
            used = []
            for size in sizes:
                address = f"/archive/v1/resources/files-{size}{path}"
                _ask(port, key, address, 100)  # so that what may be kept is kept, and what starts has started
                turns = [_turn(pid, port, key, address) for _ in range(rounds)]
                cpu, waited = min(turn[0] for turn in turns), median(turn[1] for turn in turns)
                used.append(cpu)
                measured[f"muniment, {what} of {size:,} files"] = (waited / 1e3, cpu / 1e3)
                print(f"  {what} of {size:>7,} files   {cpu:7.2f}   {waited:7.2f}", flush=True)
            _refuse_growth(what, used[0], used[-1])
    history.note(title, measured)


def _reads(place: Path, key: str, size: int, rounds: int) -> None:
    """Reads a second of one process and of two, by turns, asked by a client in C that leaves the cores to them."""
    title = "Reads of a file a second by wrk, 8 connections"
    if shutil.which("wrk") is None:
        print(f"\n{title}: not here: wrk")
        return
    print(f"\n{title}; ms of processor each of server and client", flush=True)
    address = f"/archive/v1/resources/files-{size}/instances/1/files/000/000001?project=main/main"
    found: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
    with _served(place, 1) as one, _served(place, 2) as two:
        for turn in range(rounds + 1):
            for processes, (pid, port) in ((1, one), (2, two)):
                asked = _asked_by_wrk(pid, f"http://127.0.0.1:{port}{address}", key)
                if turn:
                    found[processes].append(asked)
    for processes, turns in found.items():
        rates, served, spent = zip(*turns, strict=True)
        print(
            f"  {processes} processes   {median(rates):7.0f}   {median(served):6.3f}   {median(spent):6.3f}", flush=True
        )
    ratio = median(two[0] / one[0] for one, two in zip(found[1], found[2], strict=True))
    one_each, client = median(turn[1] for turn in found[1]), median(turn[2] for turn in found[1])
    most = min(2.0, (os.cpu_count() or 1) * one_each / (one_each + client))
    print(f"  two against one: {ratio:.2f}; with this client on these cores it could be {most:.2f}", flush=True)
    each = {count: [median(column) for column in zip(*turns, strict=True)] for count, turns in found.items()}
    history.note(title, {f"muniment, {count} processes": (1 / it[0], it[1] / 1e3) for count, it in each.items()})


def _asked_by_wrk(pid: int, address: str, key: str) -> tuple[float, float, float]:
    """Answers a second, and the milliseconds of processor that server and client took for each."""
    command = ["wrk", "-t1", "-c8", "-d3s", "-H", f"Authorization: Bearer {key}", address]
    served, spent = _cpu(pid), _own_cpu()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    served, spent = _cpu(pid) - served, _own_cpu() - spent
    if "Non-2xx" in said:
        raise SystemExit(f"{address}: {said}")
    rate, count = re.search(r"Requests/sec:\s+([0-9.]+)", said), re.search(r"(\d+) requests in", said)
    if rate is None or count is None:
        raise SystemExit(f"wrk said nothing that is known: {said}")
    return float(rate[1]), 1e3 * served / int(count[1]), 1e3 * spent / int(count[1])


def _refuse_growth(what: str, least: float, most: float) -> None:
    if most > FLAT * least + _NOISE:
        raise SystemExit(f"{what} is not flat: {least:.2f} to {most:.2f} ms")


def _turn(pid: int, port: int, key: str, address: str) -> tuple[float, float]:
    before = _cpu(pid)
    waited = _ask(port, key, address, _ASKED)
    return 1e3 * (_cpu(pid) - before) / _ASKED, 1e3 * median(waited)


def _ask(port: int, key: str, address: str, times: int) -> list[float]:
    client = HTTPConnection("127.0.0.1", port, timeout=60)
    waited = []
    for _ in range(times):
        start = time.perf_counter()
        client.request("GET", address, headers={"Authorization": f"Bearer {key}"})
        answer = client.getresponse()
        answer.read()
        waited.append(time.perf_counter() - start)
        if answer.status != 200:  # noqa: PLR2004 - HTTP's number
            raise SystemExit(f"{address}: {answer.status}")
    client.close()
    return waited


def _instances(archive: Archive, count: int) -> None:
    """A file replaced again and again: the processor time and the size of the inventory grow, and are shown."""
    print("\nInstances of one file, ms of processor and kB of inventory", flush=True)
    for number in range(1, count + 1):
        start = time.process_time()
        with archive.get("instances", "a") if number > 1 else archive.new("instances") as transaction:
            transaction.replace(b"%d" % number, "f") if number > 1 else transaction.add(b"1", "f")
        if number in {1, 10, count // 2, count}:
            size = (archive.get("instances").root / "inventory.json").stat().st_size
            print(f"  {number:5}   {1e3 * (time.process_time() - start):7.1f}   {size / 1e3:7.0f}", flush=True)


def _one_more(place: Path, sizes: tuple[int, ...]) -> None:
    """One file added to resources of more and more: the list of files is written anew, so the time is by the file."""
    title = "One file more, ms of processor and for each thousand files that are there"
    print(f"\n{title}", flush=True)
    measured: dict[str, tuple[float, float]] = {}
    shares = []
    with Archive(place, parity=False) as archive:
        for size in sizes:
            spent = []
            for number in range(3):
                start = time.process_time()
                with archive.get(f"files-{size}", "a") as transaction:
                    transaction.add(b"%d\n" % number, f"one-more-{number}")
                spent.append(time.process_time() - start)
            used = min(spent)
            shares.append(1e6 * used / size)
            measured[f"muniment, one file more than {size:,}"] = (used, used)
            print(f"  {size:>7,}   {1e3 * used:8.1f}   {shares[-1]:8.2f}", flush=True)
    _refuse_growth("one file more, for each thousand files,", shares[-2], shares[-1])
    history.note(title, measured)


def _walks(place: Path, rounds: int) -> None:
    """Few resources, and so many that other processes help: each takes what each takes."""
    title = "Walking, ms of processor for each resource"
    print(f"\n{title}", flush=True)
    least: dict[str, list[float]] = {}
    measured: dict[str, tuple[float, float]] = {}
    with Archive.init(place, redundancy=0) as archive:
        for count in (FEW_OBJECTS // 4, FEW_OBJECTS + FEW_OBJECTS // 4):
            _fill(archive, count)
            spent: dict[str, list[float]] = {"muniment reindex": [], "muniment audit --fast": []}
            for _ in range(rounds):
                for name, work in (
                    ("muniment reindex", archive.reindex),
                    ("muniment audit --fast", lambda: list(archive.audit(fast=True))),
                ):
                    start = _own_cpu()
                    work()
                    spent[name].append(_own_cpu() - start)
            for name, seconds in spent.items():
                least.setdefault(name, []).append(1e3 * min(seconds) / count)
                measured[f"{name}, {count:,} resources"] = (median(seconds), median(seconds))
                print(f"  {name:22} {count:6,} resources {1e3 * median(seconds) / count:8.2f}", flush=True)
    for name, (few, many) in least.items():
        _refuse_growth(name, few, many)
    history.note(title, measured)


def _fill(archive: Archive, count: int) -> None:
    """Small resources, until there are so many."""
    for first in range(archive.count(), count, 100):
        transactions = [archive.new(f"r{number:06}") for number in range(first, min(first + 100, count))]
        for transaction in transactions:
            transaction.add(transaction.id.encode(), "f")
        for done in commit_several(transactions):
            if isinstance(done, Exception):
                raise done


def _batch(home: Path, rounds: int, count: int) -> None:
    """Many resources of one small file in one call, beside a program that writes the same files and no more."""
    table, like, out, source = home / "table.csv", home / "like", home / "out", home / "many"
    source.mkdir()
    for number in range(count):
        (source / f"{number:06}").write_bytes(b"content %d\n" % number)
    rows = "".join(f"r{number:06},many/{number:06}\n" for number in range(count))
    table.write_text(f"id,path\n{rows}")
    with Archive.init(like, redundancy=0) as archive, archive.new("r000000") as transaction:
        transaction.add(source / "000000")
    words: list[str | Path] = ["batch", table, "--report", out / "report.csv"]
    alone: list[str | Path] = [peers.PYTHON, "-m", "bench.resources_alone", like, out, str(count)]
    racers = [
        Racer("the same files, written by a small program", timed=[alone], environment=peers.python_path()),
        *(
            Racer(
                f"muniment batch{''.join(f' {word}' for word in options)}",
                before=[peers.muniment(out, "init")],
                timed=[peers.muniment(out, *words, *options)],
                reason=peers.missing_muniment(),
            )
            for options in (("--no-parity",), ())
        ),
    ]
    clear = partial(shutil.rmtree, out, ignore_errors=True)
    race(
        f"{count:,} resources of one small file in one call",
        racers,
        Track(ready=clear, clear=clear, log=home / "log"),
        rounds,
    )


@contextlib.contextmanager
def _served(place: Path, processes: int) -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "muniment", "--archive", str(place), "serve", "--port", str(port)]
    with (place.parent / "serve.log").open("wb") as log:
        process = subprocess.Popen([*command, "--processes", str(processes)], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server did not start")
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(60)


def _own_cpu() -> float:
    """Processor seconds of this process, and of those it started that have ended."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _cpu(pid: int) -> float:
    """Processor seconds of a process and those it started."""
    tasks = [pid]
    for task in tasks:
        with contextlib.suppress(OSError):
            tasks += map(int, Path(f"/proc/{task}/task/{task}/children").read_text().split())
    total = 0
    for task in tasks:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
            total += int(words[11]) + int(words[12])
    return total / _TICK
