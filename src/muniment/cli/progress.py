"""Progress bars on the terminal."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from muniment.cli.context import size_text


class ProgressBars:
    """Shows a bar for each step it is told of, once `after` seconds have passed."""

    def __init__(self, after: float) -> None:
        self._from = time.monotonic() + after
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Nothing is shown yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the finished bars on the screen."""
        if self._bars:
            self._bars.stop()

    def __call__(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        """Move the bar of `step`."""
        if self._bars is None:
            if time.monotonic() < self._from:
                return
            self._bars = Progress(
                TextColumn("{task.description:>10}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[size]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total, size="")
        self._bars.update(self._tasks[step], completed=done, total=total, size=size_text(size) if size else "")
