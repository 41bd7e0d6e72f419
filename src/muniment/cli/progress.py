"""Progress bars on the terminal: below what is printed, and gone when the work is done."""

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
        """Leave nothing on the screen but what was printed."""
        self.pause()

    def pause(self) -> None:
        """Take the bars off the screen until the next step, for a line that is printed where they are."""
        if self._bars and self._bars.live.is_started:
            self._bars.stop()

    def __call__(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        """Move the bar of `step`."""
        if self._bars is None:
            if time.monotonic() < self._from:
                return
            # Rich would send what is printed meanwhile to standard error, also where it was meant for a file.
            self._bars = Progress(
                TextColumn("{task.description:>10}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[size]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                redirect_stdout=False,
                redirect_stderr=False,
                transient=True,
            )
        if not self._bars.live.is_started:
            self._bars.start()
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total, size="")
        self._bars.update(self._tasks[step], completed=done, total=total, size=size_text(size) if size else "")
