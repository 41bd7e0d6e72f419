"""Racing programs against each other: rounds in which each has a turn, and the table of what came out."""

from __future__ import annotations

import mmap
import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import history

Command = Sequence[str | Path]
LIMIT = 900
"""Seconds after which a command is given up."""
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Racer:
    """One side: commands run before the clock starts, and those that are timed.

    `reason` says why it is not here; such a racer is named in the table and not run.
    """

    name: str
    timed: Sequence[Command] = ()
    before: Sequence[Command] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass
class Track:
    """What surrounds each turn: `ready` before it, `clear` after it, neither timed.

    `memory` is how many bytes a turn writes about, so that there is as much free memory that has been used.
    """

    ready: Callable[[], None]
    clear: Callable[[], None]
    log: Path
    memory: int = 0


class Failure(Exception):
    """A command of a racer ended with an error."""


def race(title: str, racers: Sequence[Racer], track: Track, rounds: int) -> None:
    """Let all take turns `rounds` times and print how long each took in terms of the first.

    A turn more, before the others, measures memory and is not timed: watching costs time itself. Who begins changes
    from turn to turn, so that nobody always comes after the same other. Beside the time stands the processor time of
    a racer's commands and of all that they started: on a busy machine only that can be compared.
    """
    print(f"\n{title}", flush=True)
    memory: dict[str, int] = {}
    times: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    out: dict[str, str] = {racer.name: racer.reason for racer in racers if racer.reason}
    for turn in range(rounds + 1):
        first = turn % len(racers)
        for racer in (*racers[first:], *racers[:first]):
            if racer.name in out:
                continue
            try:
                seconds, used, peak = _turn(racer, track, watch=turn == 0)
            except Failure as failure:
                out[racer.name] = str(failure)
                continue
            if turn == 0:
                memory[racer.name] = peak
            else:
                times.setdefault(racer.name, []).append(seconds)
                cpu.setdefault(racer.name, []).append(used)
    _print_table(racers, (times, cpu), memory, out)
    history.note(title, {name: (median(times[name]), median(cpu[name])) for name in times})


def _turn(racer: Racer, track: Track, *, watch: bool) -> tuple[float, float, int]:
    track.ready()
    try:
        for command in racer.before:
            _run(command, racer, track.log)
        # Leftover writes of the turn before must not fall into this one.
        os.sync()
        _touch(track.memory)
        peaks = [0]
        used, start = _used(), time.perf_counter()
        peaks.extend(_run(command, racer, track.log, watch=watch) for command in racer.timed)
        return time.perf_counter() - start, _used() - used, max(peaks)
    finally:
        track.clear()


def _used() -> float:
    """Processor seconds of all commands that have ended, and of what they started and waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _touch(size: int) -> None:
    """Use and free so much memory: what a virtual machine has not used for seconds costs nine times as much.

    Without this the side wins before whose turn the least time passed.
    """
    if not size:
        return
    with mmap.mmap(-1, size) as memory:
        for offset in range(0, size, PAGE):
            memory[offset] = 1


def _run(command: Command, racer: Racer, log: Path, *, watch: bool = False) -> int:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **racer.environment},
        )
        peak = [0]
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, ended, peak))
        status: int | str
        if watch:
            watcher.start()
        try:
            status = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            status = f"no answer in {LIMIT} s"
        finally:
            # Also when the run is ended from outside: neither the command nor the watching may go on.
            process.kill()
            process.wait()
            ended.set()
            if watch:
                watcher.join()
    if status:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        message = f"failed: {Path(command[0]).name} ended with {status}: {' '.join(last)[:120]}"
        raise Failure(message)
    return peak[0]


def _watch(pid: int, ended: threading.Event, peak: list[int]) -> None:
    while not ended.wait(0.02):
        peak[0] = max(peak[0], sum(_resident(member) for member in _family(pid)))


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                family += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return family


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _print_table(
    racers: Sequence[Racer],
    measured: tuple[Mapping[str, list[float]], Mapping[str, list[float]]],
    memory: Mapping[str, int],
    out: Mapping[str, str],
) -> None:
    """`measured` are the seconds of each turn, and the seconds of processor."""
    times, cpu = measured
    width = max(len(racer.name) for racer in racers)
    print(f"  {'':{width}}   ratio   (lowest-highest)   median   processor    peak memory")
    base = times.get(racers[0].name)
    for racer in racers:
        taken = times.get(racer.name)
        if racer.name in out or not taken:
            print(f"  {racer.name:{width}}   not here: {out.get(racer.name, 'it was not timed')}")
            continue
        ratios = [mine / other for mine, other in zip(taken, base, strict=True)] if base else []
        shown = (
            f"{median(ratios):6.2f}   ({min(ratios):6.2f} - {max(ratios):6.2f})" if ratios else f"{'-':>6}" + 20 * " "
        )
        used = f"{median(taken):6.2f} s   {median(cpu[racer.name]):7.2f} s"
        print(f"  {racer.name:{width}}  {shown}   {used}   {memory[racer.name] / 1e6:6.0f} MB", flush=True)
