"""Many small pieces of work for processes that know Muniment, with the answers in the order of the questions.

A process is a plain subprocess, as those that copy and digest are, and for their reasons. It ends with the work, and
by itself when this one is gone, as its questions then end.
"""

from __future__ import annotations

import importlib
import json
import marshal
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from muniment.archive.copying.copy_and_digest import LENGTH
from muniment.archive.copying.workers import Worker

AT_ONCE = 128
"""So many questions go in one batch."""
_IN_HAND = 2
_BEGIN = "from muniment.archive.copying.answers import begin; begin()"

Asked = TypeVar("Asked")


def answers_of(
    module: str, told: tuple[str, ...], jobs: Iterable[Asked], ask: Callable[[Asked], str], processes: int
) -> Iterator[list[tuple[Asked, Any]]]:
    """The answers to `jobs`, some at a time, as the function that `answering` of `module` makes of `told` gives them.

    `ask` makes the question of a job. Memory is that of a few batches for each process, however many jobs come.

    Raises:
        WorkerDied: A process ended, or could not be started.
    """
    # By turns: so the answers are in order, and each process has the next batch in hand while it is at one.
    workers: list[Worker] = []
    waiting: deque[Worker] = deque()
    coming = iter(jobs)
    try:
        workers += (Worker(_command(module, told)) for _ in range(processes))
        turn = 0
        while batch := list(islice(coming, AT_ONCE)):
            if len(waiting) == _IN_HAND * processes:
                yield _received(waiting.popleft())
            worker = workers[turn % processes]
            worker.send(tuple(map(ask, batch)), batch, 0)
            waiting.append(worker)
            turn += 1
        while waiting:
            yield _received(waiting.popleft())
    finally:
        for worker in workers:
            worker.kill()


def _received(worker: Worker) -> list[tuple[Any, Any]]:
    batch, rows = worker.receive()
    assert isinstance(batch, list)
    return list(zip(batch, rows, strict=True))


def _command(module: str, told: tuple[str, ...]) -> list[str]:
    # -I makes it blind to the environment, so that it is told where Muniment is and how file names are spelt.
    utf8 = ["-X", "utf8"] if sys.flags.utf8_mode else []
    path = f"import sys, json; sys.path[:] = json.loads(sys.argv[1]); {_BEGIN}"
    return [sys.executable, "-I", *utf8, "-c", path, json.dumps(sys.path), module, json.dumps(told)]


def begin() -> None:
    """What such a process does: it answers until there are no more questions."""
    _, _, module, told = sys.argv
    answer = importlib.import_module(module).answering(*json.loads(told))
    with os.fdopen(0, "rb") as questions, os.fdopen(1, "wb") as answers:
        while head := questions.read(LENGTH.size):
            batch = marshal.loads(questions.read(*LENGTH.unpack(head)))  # noqa: S302 - from our own parent process
            body = marshal.dumps([answer(question) for question in batch])
            answers.write(LENGTH.pack(len(body)) + body)
            answers.flush()
