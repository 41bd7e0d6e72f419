"""What copies in stores need of an archive's own files: the lines of its log, exactly as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from muniment.archive.archive import Archive
from muniment.content.events import UNREADABLE
from muniment.errors.archive import DamagedRecord


def log_lines(archive: Archive, after: int) -> Iterator[tuple[int, bytes]]:
    """Number and line, its end included, of every event after number `after`.

    Raises:
        DamagedRecord: A line is damaged in the log and its mirror: what comes after it is not handed out.
    """
    for line, path, event in archive.context.log.entries(after):
        if event.event == UNREADABLE:
            raise DamagedRecord(path=path, reason="a line of the log cannot be read; run `muniment audit`")
        if event.seq > after:
            yield event.seq, line + b"\n"


def tombstone_files(archive: Archive) -> Iterator[tuple[str, Path]]:
    """The records of what was purged, by their paths below the archive's root."""
    layout = archive.context.layout
    for path in sorted(layout.tombstones.glob("*/*.json")):
        yield path.relative_to(layout.root).as_posix(), path
