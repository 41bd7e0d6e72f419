"""Standard output: its failures are told from those of other files, and a bar below it gives way to it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from muniment.errors.archive import OutputFailed

_PAUSE: ContextVar[Callable[[], None] | None] = ContextVar("_PAUSE", default=None)


class Output(io.FileIO):
    """Standard output, whose failures are told from those of other files."""

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer comes with 3.12
        """Write some of `data`, as other files do.

        Raises:
            BrokenPipeError: Nobody reads any more.
            OutputFailed: It is full, or fails.
        """
        if self.isatty():
            give_way()
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed(reason=error.strerror) from error


def standard_output() -> TextIO:
    """Standard output as it is, but that a failure of it is known for what it is; nowhere where it was closed."""
    if sys.stdout is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    output: io.BufferedWriter[io.FileIO] = io.BufferedWriter(Output(sys.stdout.fileno(), "wb", closefd=False))
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    return io.TextIOWrapper(output, encoding, errors, line_buffering=sys.stdout.isatty())


def give_way() -> None:
    """Take a bar off the terminal, if there is one, for what is written where it stands."""
    pause = _PAUSE.get()
    if pause is not None:
        pause()


@contextlib.contextmanager
def pausing(pause: Callable[[], None]) -> Iterator[None]:
    """Have `pause` called before anything else goes to the terminal, so that no bar is in its way."""
    before = _PAUSE.set(pause)
    try:
        yield
        sys.stdout.flush()
    finally:
        _PAUSE.reset(before)
