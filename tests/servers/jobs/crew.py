"""Worker processes in the hands of a test: started, killed, stopped, and gone when the test is over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from muniment.jobs import Job, Ledger

WORKSHOP = Path(__file__).with_name("workshop.py")


class Crew:
    """Worker processes, each with its children in a process group of its own, as on a machine of its own."""

    def __init__(self, place: str | Path, folder: Path, broker: str = "", size: int = 2) -> None:
        self._command = [sys.executable, str(WORKSHOP), str(place), str(folder), *([broker] if broker else [])]
        self._folder = folder
        self._size = size
        self.workers: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def hire(self) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            worker = subprocess.Popen(self._command, stdout=output, stderr=output, start_new_session=True)
        self.workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """As if its machine had lost power."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(10)
        self.workers.remove(worker)
        self.kills += 1

    def stop(self, worker: subprocess.Popen[bytes]) -> None:
        worker.terminate()
        worker.wait(20)
        self.workers.remove(worker)

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self.hire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for worker in list(self.workers):
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(10)
        if error is not None:
            print((self._folder / "output").read_text(errors="replace")[-5000:])

    def harass(self, ledger: Ledger, job: str, *, kills: int, pause: tuple[float, float], seed: int = 1) -> None:
        """Kill a random worker now and then while steps run, and hire another, until the job has ended.

        Every third time only a process of its pool is killed, if it has one.
        """
        chance = random.Random(seed)
        while self.kills < kills and not ledger.job(job).ended:
            time.sleep(chance.uniform(*pause))
            if not ledger.progress(job).running:
                continue
            worker = chance.choice(self.workers)
            children = children_of(worker.pid) if self.kills % 3 == 2 else []
            if children:
                os.kill(chance.choice(children), signal.SIGKILL)
                self.kills += 1
            else:
                self.kill(worker)
                self.hire()


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until_ended(ledger: Ledger, job: str, seconds: float) -> Job:
    """The job when it has ended; an error with what is owed if it does not."""
    for progress in ledger.watch(job, every=0.1, timeout=seconds):
        if progress.job.ended:
            return progress.job
    owed = [(step.name, step.state, step.reason) for step in ledger.steps(job) if step.outcome is None]
    raise AssertionError(f"job {job} is stuck: {owed[:10]} of {len(owed)}; {ledger.job(job)}")


def marks(folder: Path, name: str) -> Sequence[Path]:
    """The effects that steps of this name left."""
    return sorted(folder.glob(f"{name}-*"))


def begun(folder: Path, name: str) -> int:
    """How often steps of this name were begun."""
    return sum(line.startswith(f"{name} ") for line in (folder / "log").read_text().splitlines())
