"""A line of the log: its hash, and the event it holds if it is whole."""

from __future__ import annotations

import hashlib

from muniment.content.events import Event, parse_event


def line_hash(line: bytes) -> str:
    """What the next event's `previous` must be; `line` is without its end."""
    return hashlib.sha256(line).hexdigest()


def event_of(line: bytes) -> tuple[bytes, Event] | None:
    """A whole line without its end and its event, or None where it has no end or is no event."""
    if not line.endswith(b"\n"):
        return None
    try:
        return line[:-1], parse_event(line)
    except (ValueError, TypeError):
        return None
