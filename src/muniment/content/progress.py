"""Progress: how long work tells whoever watches what it has done, without knowing who that is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then while work goes on, from one thread at a time."""

    def __call__(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        """Say that `done` of `total` things of `step` are finished, `size` bytes so far."""


def quiet(step: str, done: int, total: int | None, *, size: int = 0) -> None:
    """The progress nobody watches."""
