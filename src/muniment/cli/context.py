"""What every command is given: the archive it works on, and how to show progress and results."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.cli.output import give_way, pausing, visible
from muniment.content.progress import Progress
from muniment.content.progress import quiet as no_progress
from muniment.errors.archive import OutputExists, WriteFailed
from muniment.errors.base import BadInput

if TYPE_CHECKING:
    from muniment.app import App, ArchiveOpener
    from muniment.content.archive import Archive
    from muniment.settings import Settings

CURRENT: ContextVar[Context | None] = ContextVar("CURRENT", default=None)
"""The context of the command that runs, for what it says on its way."""
_SHOW_AFTER = 1.0
_LARGEST_NOTE = 10_000_000
"""Bytes."""


class Context:
    """The global options, and what follows from them once a command needs it."""

    def __init__(
        self,
        archive: str | None,
        state: str | None,
        key_file: str | None = None,
        config: str | None = None,
        *,
        quiet: bool,
        verbose: bool = False,
    ) -> None:
        self._archive = archive
        self._config = config
        self._key_file = key_file
        self._state = state
        self.quiet = quiet
        self.verbose = verbose
        self.interrupted = ""
        """What somebody who presses Ctrl-C now has to know."""
        self._read: Settings | None = None

    def opening(self) -> ArchiveOpener:
        """What opens archives, built on first use so that `--help` need not load it."""
        from muniment.app import ArchiveOpener

        return ArchiveOpener(self._settings())

    def app(self) -> App:
        """The whole application, for commands that serve or work."""
        from muniment.app import App

        return App(self._settings())

    def name(self, archive: str) -> None:
        """Work on this archive, which a command itself was given.

        Raises:
            BadInput: `--archive` names another.
        """
        # One that is named by a configuration file is only the usual one.
        named = self._settings().archive if self._archive else None
        if named and Path(named).absolute() != Path(archive).absolute():
            raise BadInput(reason=f"two archives are named: {archive}, and {named} by --archive or MUNIMENT_ARCHIVE")
        self._archive, self._read = archive, None

    def _settings(self) -> Settings:
        """The settings of this command, read once."""
        from muniment.settings import Settings

        if self._read is None:
            self._read = Settings(None, self._config, archive=self._archive, state=self._state, key_file=self._key_file)
            for old, new in self._read.outdated.items():
                note(f"{old} is called {new} now")
            for path in self._read.files:
                detail(f"settings are read from {path}")
        return self._read

    @contextlib.contextmanager
    def archive(self, *, parity: bool = True) -> Iterator[Archive]:
        """The archive, open for the length of a command; says what recovery did and what was left behind."""
        opening = self.opening()
        with opening.archive(parity=parity) as archive:
            detail(f"the archive is {archive.path}, in {archive.config.mode} mode")
            for event in archive.recovered:
                note(f"recovery: {event.detail.get('note', event.event)} ({event.resource or 'log'})")
            # What is left at a server is the affair of its keeper.
            left = 0 if opening.remote else len(archive.leftovers())
            if left:
                note(f"{left} unfinished transaction{'s' * (left > 1)} left behind: see `muniment recover`")
            yield archive

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """A progress bar on the terminal, once the work has taken a second; nothing where nobody looks."""
        if self.quiet or not sys.stderr.isatty():
            yield no_progress
            return
        from muniment.cli.progress import ProgressBars

        with ProgressBars(after=_SHOW_AFTER) as bars, pausing(bars.pause):
            yield bars


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def refuse_inside(archive: Archive, output: Path | None) -> None:
    """Nothing but the archive writes below its root; and an address is no folder of this machine.

    Raises:
        BadInput: `output` lies in the archive, or is an address.
    """
    if output is not None:
        refuse_address(output)
    if (
        isinstance(archive.path, Path)
        and output is not None
        and output.resolve().is_relative_to(archive.path.resolve())
    ):
        raise BadInput(reason=f"{output} lies inside the archive; name a place outside it")


def refuse_address(output: Path) -> None:
    """An address is no folder of this machine: a bucket or a server would not get what is written there.

    Raises:
        BadInput: `output` is one.
    """
    if _ADDRESS.match(str(output)):
        raise BadInput(reason=f"{output} is an address; name a folder or file of this machine")


def read_small(path: Path) -> bytes:
    """What is in a file that a person names: a note, a certificate, a stamp.

    Raises:
        BadInput: It cannot be read, or is far too large for any of these.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_NOTE + 1)
    except OSError as error:
        raise BadInput(reason=f"{path} cannot be read ({error.strerror})") from error
    if len(data) > _LARGEST_NOTE:
        raise BadInput(reason=f"{path} has more than {size_text(_LARGEST_NOTE)}")
    return data


def write_new(path: Path, data: bytes) -> None:
    """Write a file that a person names, where there is none yet.

    Raises:
        OutputExists: There is.
        WriteFailed: The storage refused.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise OutputExists(path=path) from error
    except OSError as error:
        raise WriteFailed(path=path, reason=error.strerror or str(error)) from error


def note(text: str) -> None:
    """Say something to the person, beside the command's output; nothing where they want to hear nothing."""
    if not _asked("quiet"):
        warn(text)


def warn(text: str) -> None:
    """Say what must be known also by those who want to hear nothing."""
    give_way()
    sys.stderr.write(f"muniment: {visible(text) if sys.stderr.isatty() else text}\n")


def detail(text: str) -> None:
    """Say what only those want to hear who want to hear more."""
    if _asked("verbose"):
        warn(text)


def say(text: str) -> None:
    """Say on standard output that something was done; nothing where they want to hear nothing."""
    if not _asked("quiet"):
        sys.stdout.write(f"{text}\n")


def _asked(what: str) -> bool:
    """Whether the command that runs was asked to be `quiet`, or `verbose`."""
    return bool(getattr(CURRENT.get(), what, False))


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_json_list(items: Iterable[object]) -> None:
    """A JSON list on standard output, written while it is made."""
    separator = "[\n"
    for item in items:
        sys.stdout.write(separator + json.dumps(item, ensure_ascii=False))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def size_text(size: int) -> str:
    """Bytes as people read them."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":  # noqa: PLR2004 - SI units
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{size} B"
