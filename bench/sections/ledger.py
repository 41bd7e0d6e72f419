"""The ledger and its engines: small steps a second, in its own threads, and with Celery as its engine."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.machine import scratch
from muniment.jobs import Call, CeleryEngine, Context, Done, Json, Ledger, LocalEngine, Registry
from muniment.testing.services import shared

ROOT = Path(__file__).parents[2]
BLOCK = bytes(16 * 1024)
LIMIT = 300.0
FEW = 10


class Fan:
    """Spawns `count` small steps and their join."""

    name = "fan"

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - the protocol
        """Spawn them."""
        return Done(None, [Call("small", {"n": n}) for n in range(int(str(given)))], Call("join"))


class Small:
    """A small step that does something: 16 KiB written and digested."""

    name = "small"

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - the protocol
        """Write and digest."""
        place = Path(os.environ["BENCH_FOLDER"]) / context.key
        place.write_bytes(BLOCK)
        return Done(hashlib.sha256(BLOCK).hexdigest())


class Join:
    """Counts what went well."""

    name = "join"

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - the protocol
        """Count."""
        return Done(sum(child.result is not None for child in context.children()))


@dataclass(frozen=True)
class Side:
    """One way to run `count` small steps; `turn` returns the seconds it took."""

    name: str
    turn: Callable[[int], float]


def run(*, rounds: int, quick: bool) -> None:
    """Print steps per second, as medians of `rounds` interleaved turns."""
    count = 1000 if quick else 5000
    with scratch("ledger", need=1 << 30) as home, ExitStack() as stack:
        os.environ["BENCH_FOLDER"] = str(home)
        postgresql = stack.enter_context(shared("postgresql-durable", home)).url
        redis = stack.enter_context(shared("redis", home)).url
        rabbitmq = stack.enter_context(shared("rabbitmq", home)).url
        sides = [
            Side("embedded: SQLite, threads", stack.enter_context(threads(str(home / "control.db")))),
            Side("shared: PostgreSQL, threads", stack.enter_context(threads(postgresql))),
            Side("shared: PostgreSQL, Celery on Redis", stack.enter_context(celery(postgresql, redis))),
            Side("shared: PostgreSQL, Celery on RabbitMQ", stack.enter_context(celery(postgresql, rabbitmq))),
        ]
        times: dict[str, list[float]] = {side.name: [] for side in sides}
        for turn in range(rounds + 1):
            for side in sides:
                seconds = side.turn(count if turn else 100)
                if turn:
                    times[side.name].append(seconds)
        print_steps(count, times)
        print_requests(
            {"embedded: SQLite": str(home / "requests.db"), "shared: PostgreSQL": postgresql}, rounds, quick=quick
        )


def print_steps(count: int, times: dict[str, list[float]]) -> None:
    """Print how many steps were done in a second."""
    print(f"\n{count:,} steps that write and digest 16 KiB each, and their join (durable commits)")
    for name, taken in times.items():
        rates = sorted(count / seconds for seconds in taken)
        print(f"  {name:40} {median(rates):7.0f} steps/s   ({rates[0]:.0f} to {rates[-1]:.0f})")


def print_requests(places: dict[str, str], rounds: int, *, quick: bool) -> None:
    """Print what one submission and one look at its progress take, with few jobs running and with many."""
    many = 300 if quick else 1500
    print(f"\na submission, and a look at its progress, with {FEW} and with {many:,} jobs running (milliseconds)")
    for name, place in places.items():
        with Ledger.open(place, migrate=True) as ledger:
            begin(ledger, FEW)
            few = [requests(ledger) for _ in range(rounds)]
            begin(ledger, many - FEW)
            full = [requests(ledger) for _ in range(rounds)]
        for number, what in enumerate(("submission", "progress")):
            before, after = (median(times[number] for times in side) * 1000 for side in (few, full))
            print(f"  {name + ', ' + what:40} {before:7.2f}   {after:7.2f}   ({after / before:.2f})")


def begin(ledger: Ledger, count: int) -> None:
    """Submit so many jobs and hold the first step of each, as workers do."""
    for _ in range(count):
        fresh = uuid.uuid4().hex
        ledger.submit("bench", Call("small", fresh), requester="bench", key=fresh, subjects=[fresh])
        ledger.leases.exchange("bench", (), (0, 1), ["small"], lease=3600.0)


def requests(ledger: Ledger) -> tuple[float, float]:
    """Seconds for one submission and for one look, each the middle one of fifty; what is submitted is cancelled."""
    submitted: list[float] = []
    looked: list[float] = []
    for _ in range(50):
        fresh, start = uuid.uuid4().hex, time.perf_counter()
        ledger.submit("bench", Call("small", fresh), requester="bench", key=fresh, subjects=[fresh])
        submitted.append(time.perf_counter() - start)
        start = time.perf_counter()
        found = ledger.about("bench", fresh)
        if found is None:
            raise RuntimeError(fresh)
        ledger.progress(found.id)
        looked.append(time.perf_counter() - start)
        ledger.cancel(found.id)
    return median(submitted), median(looked)


def registry() -> Registry:
    """What all sides run."""
    return Registry([Fan(), Small(), Join()])


@contextmanager
def threads(place: str) -> Iterator[Callable[[int], float]]:
    """The local engine in this process, as in `muniment serve`."""
    with Ledger.open(place, migrate=True) as ledger:

        def turn(count: int) -> float:
            with LocalEngine(ledger, registry()):
                return timed(ledger, count)

        yield turn


@contextmanager
def celery(place: str, broker: str) -> Iterator[Callable[[int], float]]:
    """A Celery worker with two processes; it is up and idle when a turn begins, and stopped after it."""

    def turn(count: int) -> float:
        command = [sys.executable, "-m", "bench.sections.ledger", place, broker]
        worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with Ledger.open(place, migrate=True) as ledger:
                timed(ledger, 10)
                return timed(ledger, count)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)

    yield turn


def timed(ledger: Ledger, count: int) -> float:
    """Seconds from submission to the end of the join."""
    start = time.perf_counter()
    job = ledger.submit("bench", Call("fan", count), requester="bench")
    for progress in ledger.watch(job.id, every=0.02, timeout=LIMIT):
        if progress.job.ended:
            if progress.job.result != count:
                raise RuntimeError(f"{progress.job}")
            return time.perf_counter() - start
    raise RuntimeError(f"{count} steps were not done in {LIMIT:.0f} s: {ledger.job(job.id)}")


if __name__ == "__main__":
    CeleryEngine(sys.argv[2], lambda: Ledger.open(sys.argv[1]), registry()).work(concurrency=2)
