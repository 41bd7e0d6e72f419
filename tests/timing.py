"""Time in tests: waiting until something is so, and measuring work, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE = 170.0
"""Seconds after which something that does not happen is a failure: no test may rely on it being short."""


def eventually(
    check: Callable[[], Found],
    *,
    every: float = 0.02,
    told: Callable[[], object] | None = None,
    patience: float = PATIENCE,
) -> Found:
    """What `check` gives as soon as that is true.

    `every` is the pause between two looks, in seconds; `told` gives what to show when it never becomes so within
    `patience` seconds.
    """
    until = time.monotonic() + patience
    while not (found := check()):
        assert time.monotonic() < until, f"it never became so: {told() if told else check}"
        time.sleep(every)
    return found


def own_seconds(work: Callable[[], object], *, rounds: int = 20) -> float:
    """The seconds of processor time that `work` takes in this thread, in the best of some rounds.

    Others on the machine cannot make it longer than by what they take from the caches.
    """
    best = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        work()
        best = min(best, time.thread_time() - begun)
    return best
