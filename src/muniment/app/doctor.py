"""A look over an installation: what it is made of, what it may do here, and what will trouble it soon."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from muniment import __version__
from muniment.app.archive import FolderArchive
from muniment.app.opener import ArchiveOpener
from muniment.content.archive import Archive
from muniment.content.extras import EXTRAS, installed
from muniment.content.times import read_time
from muniment.errors.base import MunimentError

_LOW = 0.05
"""The share of a disk below which its free space is low."""
_LONG_AGO = 92
"""Days after which an audit is long ago."""
_OTHERS = 0o077
_WORLD = 0o002


class Sign(NamedTuple):
    """One thing that was looked at: `ok`, `warning` for what will trouble, `failed` for what does."""

    what: str
    state: Literal["ok", "warning", "failed"]
    said: str


def examine(opener: ArchiveOpener) -> Iterator[Sign]:
    """Look over everything that can be looked at from here; nothing is changed."""
    yield _program()
    yield _parity_tool()
    yield from _settings(opener)
    if not opener.settings.archive:
        yield Sign("archive", "warning", "none is named: archive = … in the configuration, or MUNIMENT_ARCHIVE")
        return
    try:
        with opener.archive() as archive:
            yield Sign("archive", "ok", f"{archive.path}, {archive.config.mode}, {archive.count()} resources")
            yield from _log(archive)
            if isinstance(archive, FolderArchive):
                yield from _folder(archive)
                yield from _control(opener)
    except MunimentError as error:
        yield Sign("archive", "failed", error.message)
    try:
        if opener.checks is not None:
            with contextlib.closing(opener.checks) as checks:
                checks.examine([], {})  # of nothing, but their programs are asked who they are
            yield Sign("checks on ingest", "ok", "their programs answer")
    except MunimentError as error:
        yield Sign("checks on ingest", "failed", error.message)


def _program() -> Sign:
    there = ", ".join(extra for extra in EXTRAS if installed(extra)) or "none"
    return Sign("program", "ok", f"muniment {__version__}, Python {platform.python_version()}, extras: {there}")


def _parity_tool() -> Sign:
    from muniment.archive import find_program  # noqa: PLC0415 - few commands need it

    try:
        command = find_program()
        done = subprocess.run([command, "-V"], capture_output=True, text=True, timeout=30, check=True)
    except (MunimentError, OSError, subprocess.SubprocessError) as error:
        return Sign("parity", "failed", f"par2 does not run, so no parity is made: {error}")
    return Sign("parity", "ok", f"{(done.stdout.splitlines() or ['par2'])[0]}, {command}")


def _settings(opener: ArchiveOpener) -> Iterator[Sign]:
    settings = opener.settings
    files = ", ".join(map(str, settings.files)) or "no file"
    yield Sign("settings", "ok", f"from {files}; said are {', '.join(sorted(settings.given)) or 'none'}")
    for old, new in settings.outdated.items():
        yield Sign("settings", "warning", f"{old} is called {new} now")
    if settings.key_file is not None and settings.key_file.exists() and settings.key_file.stat().st_mode & _OTHERS:
        yield Sign("key", "warning", f"others may read {settings.key_file}: chmod 600 {settings.key_file}")


def _log(archive: Archive) -> Iterator[Sign]:
    """The clock, against what the log says; and how long ago the archive was audited."""
    newest, audited = None, None
    for event in archive.events():
        newest = read_time(event.timestamp) or newest
        if event.event == "fixity check" and not event.resource and not event.detail.get("fast"):
            audited = read_time(event.timestamp) or audited
    now = datetime.now(UTC)
    if newest is not None and newest > now:
        yield Sign("clock", "failed", f"it is behind the newest event of the log, {newest.isoformat()}")
    else:
        yield Sign("clock", "ok", now.isoformat(timespec="seconds"))
    if audited is None:
        yield Sign("audit", "warning", "the whole archive was never audited: muniment audit")
    elif (days := (now - audited).days) > _LONG_AGO:
        yield Sign("audit", "warning", f"the last of the whole archive is {days} days old: muniment audit")
    else:
        yield Sign("audit", "ok", f"the last of the whole archive is of {audited.isoformat(timespec='seconds')}")


def _folder(archive: FolderArchive) -> Iterator[Sign]:
    disk = shutil.disk_usage(archive.path)
    share = disk.free / disk.total if disk.total else 0
    said = f"{disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB are free"
    yield Sign("disk", "warning" if share < _LOW else "ok", said)
    staging, objects = archive.path / "staging", archive.path / "objects"
    if not os.access(staging, os.W_OK):
        yield Sign("staging", "failed", f"{staging} cannot be written to by this user: nothing can be added")
    elif staging.stat().st_dev != objects.stat().st_dev:
        yield Sign("staging", "failed", f"{staging} is on another filesystem than {objects}: no commit is one rename")
    else:
        yield Sign("staging", "ok", "it can be written to, on the filesystem of the objects")
    if archive.path.stat().st_mode & _WORLD:
        yield Sign("rights", "failed", f"everybody may write to {archive.path}: chmod o-w {archive.path}")
    left = len(archive.leftovers())
    if left:
        yield Sign("transactions", "warning", f"{left} were never closed: muniment recover")


def _control(opener: ArchiveOpener) -> Iterator[Sign]:
    """The control database and the key that seals what is in it."""
    if not opener.has_control:
        yield Sign("control database", "ok", "there is none; keys, stores and jobs would make it")
        return
    settings = opener.settings
    key = settings.secrets_file or (settings.state or opener.place()) / "control.key"
    if key.exists() and key.stat().st_mode & _OTHERS:
        yield Sign("control key", "failed", f"others may read {key}: chmod 600 {key}")
    if not installed("server"):
        yield Sign("control database", "warning", "it is there, and the extra `server` that opens it is not")
        return
    from muniment.database import Database  # noqa: PLC0415 - an extra

    place = settings.ledger or (settings.state or opener.place()) / "control.db"
    try:
        with Database.open(place if isinstance(place, Path) or "://" in place else Path(place)):
            yield Sign("control database", "ok", "it opens, and its tables are those of this program")
    except MunimentError as error:
        yield Sign("control database", "failed", error.message)
