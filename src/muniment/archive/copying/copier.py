"""The copier: decides who does the work, shares it out in batches and hands the answers back as they come."""

from __future__ import annotations

import os
import selectors
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from muniment.archive.copying import copy_and_digest
from muniment.archive.copying.answers import answers_of
from muniment.archive.copying.jobs import Copied, CopyJob, Failed, Hashed, HashJob, Joined, JoinJob
from muniment.archive.copying.workers import Worker, Workers
from muniment.content import ALGORITHMS
from muniment.content.pieces import PIECE
from muniment.errors.content import UnknownDigest

FEW = 300
SMALL = 32 << 20
"""Fewer files than FEW with fewer bytes than SMALL are done before a worker would have started."""
BATCH_FILES = 128
BATCH_BYTES = 4 << 20
MOST_WORKERS = 8

Job = TypeVar("Job", CopyJob, HashJob, JoinJob)
Answer = TypeVar("Answer")


class _Batch(NamedTuple):
    jobs: list[Any]
    size: int


class Copier:
    """Copies and digests files with a set of digests; keeps its worker processes until closed.

    Several threads may use one copier: whoever finds the workers busy does the work itself.
    """

    def __init__(self, algorithms: Iterable[str] = ("sha512", "sha256"), *, workers: int | None = None) -> None:
        """Start nothing yet. `workers` is the number of processes, by default one for each core; 0 or 1 means none.

        Raises:
            UnknownDigest: An algorithm is not one of ours.
        """
        self.algorithms = _checked(algorithms)
        count = usable_cores() if workers is None else workers
        self._workers = Workers(min(count, MOST_WORKERS) if count > 1 and sys.executable else 0)

    @property
    def processes(self) -> int:
        """How many processes share its work; 0 where this one does it."""
        return self._workers.count

    def __enter__(self) -> Self:
        """The copier; its processes end with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes; the copier can still be used, and starts new ones if need be."""
        self._workers.close()

    def expect(self, count: int) -> None:
        """Let the processes start that so many files will need, if there are enough to need any.

        Raises:
            WorkerDied: A process could not be started.
        """
        if count >= FEW:
            self._workers.start()

    def worker_pids(self) -> list[int]:
        """The worker processes running now, for whoever measures their memory."""
        return self._workers.pids()

    def answers(self, module: str, told: tuple[str, ...], jobs: Iterator[Path]) -> Iterator[list[tuple[Path, Any]]]:
        """What `answering` of `module`, made of `told`, says of each of `jobs`: as `answers_of`, by all processes.

        Raises:
            WorkerDied: A process ended, or could not be started.
        """
        return answers_of(module, told, jobs, os.fspath, self.processes)

    def copy(self, jobs: Iterable[CopyJob]) -> Generator[Copied | Failed, None, None]:
        """Copy files; answers come in no particular order, while the work goes on.

        `jobs` is read a little ahead. Breaking off (closing the iterator) ends the work in hand: files
        may then be left at the targets of jobs that were not answered.

        Raises:
            WorkerDied: A worker process ended; jobs that were not answered may have left files behind.
        """

        # The pipes carry plain strings only, not the subclasses a caller's paths may be.
        def ask(job: CopyJob) -> tuple[Any, ...]:
            return (str(job.source), str(job.target), self.algorithms, tuple(job.known), PIECE)

        def answer(job: CopyJob, row: tuple[Any, ...]) -> Copied | Failed:
            if not row[0]:
                return Failed.of(job.key, job.source, job.target, row[1:])
            _, size, mtime_ns, values, stored, pieces = row
            return Copied(job.key, size, dict(zip(self.algorithms, values, strict=True)), mtime_ns, stored, pieces)

        return self._run("copy", jobs, ask, answer)

    def hash(self, jobs: Iterable[HashJob]) -> Generator[Hashed | Failed, None, None]:
        """Digest files where they are; answers come in no particular order, while the work goes on.

        Raises:
            UnknownDigest: A job asks for an algorithm that is not one of ours.
            WorkerDied: A worker process ended.
        """

        def ask(job: HashJob) -> tuple[Any, ...]:
            names = _checked(job.algorithms) if job.algorithms else self.algorithms
            return (str(job.path), names, PIECE if job.pieces else 0)

        def answer(job: HashJob, row: tuple[Any, ...]) -> Hashed | Failed:
            if not row[0]:
                return Failed.of(job.key, job.path, "", row[1:])
            _, size, mtime_ns, values, pieces = row
            names = dict.fromkeys(job.algorithms or self.algorithms)
            return Hashed(job.key, size, dict(zip(names, values, strict=True)), mtime_ns, pieces)

        return self._run("hash", jobs, ask, answer)

    def join(self, jobs: Iterable[JoinJob]) -> Generator[Joined | Failed, None, None]:
        """Join files, each job by one process; one that failed does not say by which of its files.

        Raises:
            WorkerDied: A worker process ended.
        """

        def ask(job: JoinJob) -> tuple[Any, ...]:
            return (job.target, job.files)

        def answer(job: JoinJob, row: tuple[Any, ...]) -> Joined | Failed:
            return Joined(job.key, *row[1:]) if row[0] else Failed.of(job.key, job.target, job.target, row[1:])

        return self._run("join", jobs, ask, answer)

    def _run(
        self,
        verb: str,
        jobs: Iterable[Job],
        ask: Callable[[Job], tuple[object, ...]],
        answer: Callable[[Job, tuple[object, ...]], Answer],
    ) -> Generator[Answer, None, None]:
        waiting = iter(jobs)
        first, few = _look_ahead(waiting)
        workers = [] if few else self._workers.take()
        everything = chain(first, waiting)
        if not workers:
            work = copy_and_digest.WORK[verb]
            for job in everything:
                yield answer(job, copy_and_digest.do_one(work, ask(job)))
            return
        try:
            for batch, rows in _share_out(verb, workers, _batches(everything), ask):
                for job, row in zip(batch.jobs, rows, strict=True):
                    yield answer(job, row)
        finally:
            self._workers.give_back(workers)


def _share_out(
    verb: str, workers: list[Worker], batches: Iterator[_Batch], ask: Callable[[Any], tuple[object, ...]]
) -> Iterator[tuple[_Batch, list[tuple[object, ...]]]]:
    coming = next(batches, None)
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.fileno(), selectors.EVENT_READ, worker)
        while True:
            while coming and (free := [worker for worker in workers if worker.has_room]):
                batch, coming = coming, next(batches, None)
                # The last one has the machine to itself in the end.
                spread = coming is None
                free[0].send((verb, [ask(job) for job in batch.jobs], spread), batch, batch.size)
            if all(worker.idle for worker in workers):
                return
            for key, _ in selector.select():
                yield key.data.receive()


def _look_ahead(jobs: Iterator[Job]) -> tuple[list[Job], bool]:
    """The first jobs, and whether they are all there is and not worth starting workers for."""
    first: list[Job] = []
    size = 0
    for job in jobs:
        first.append(job)
        size += job.size
        if len(first) > 1 and (len(first) >= FEW or size >= SMALL):
            return first, False
    return first, True


def _batches(jobs: Iterable[Any]) -> Iterator[_Batch]:
    batch: list[object] = []
    size = 0
    for job in jobs:
        if batch and (len(batch) >= BATCH_FILES or size + job.size > BATCH_BYTES):
            yield _Batch(batch, size)
            batch, size = [], 0
        batch.append(job)
        size += job.size
    if batch:
        yield _Batch(batch, size)


def _checked(algorithms: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(algorithms))
    for name in names:
        if name not in ALGORITHMS:
            raise UnknownDigest(digest=name)
    return names


def usable_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
