"""Standard output: its failures are told from those of other files, and a bar below it gives way to it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from muniment.errors.archive import OutputFailed

_PAUSE: ContextVar[Callable[[], None] | None] = ContextVar("_PAUSE", default=None)

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that change the direction of the text after them."""


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


class TerminalText(io.TextIOWrapper):
    """Text for a terminal, in which no name of a file moves the cursor, changes colours or runs backwards."""

    def write(self, text: str, /) -> int:
        """Write `text` with what a terminal would obey made visible."""
        super().write(visible(text))
        return len(text)


def visible(text: str) -> str:
    r"""`text` with control characters, but for tabs and ends of lines, as '\x1b' and the like."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def standard_output() -> TextIO:
    """Standard output as it is, but that a failure of it is known for what it is; nowhere where it was closed."""
    if sys.stdout is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    output: io.BufferedWriter[io.FileIO] = io.BufferedWriter(Output(sys.stdout.fileno(), "wb", closefd=False))
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    if sys.stdout.isatty():
        return TerminalText(output, encoding, errors, line_buffering=True)
    return io.TextIOWrapper(output, encoding, errors)


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
