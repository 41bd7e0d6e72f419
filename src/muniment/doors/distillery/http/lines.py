"""A line of a batch's log as text, the same in the file, in the stream and on the page."""

from __future__ import annotations

from datetime import UTC, datetime

from muniment.doors.distillery.batches import Line


def line_text(line: Line) -> str:
    """A line of a log as text."""
    where = f"{line.folder}: " if line.folder else ""
    mark = "" if line.kind == "info" else f"{line.kind}: "
    at = datetime.fromtimestamp(line.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{line.number:>4}  {at}  {mark}{where}{line.text}"
