"""Times as the archive writes and reads them: RFC 3339 in UTC with microseconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from muniment.errors.content import BadTime

SMALLEST_UNIX_TIME = 1_000_000_000
"""A whole number below this is an event's number, from here on a Unix time (September 2001)."""


def now() -> str:
    """The present, as `2026-11-21T08:00:00.000000Z`."""
    return from_ns(time.time_ns())


def from_ns(nanoseconds: int) -> str:
    """A file time as text; times before 1970 included."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    # Not strftime, which takes ten times as long: this is done for every file.
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest // 1000:06d}Z"


def to_ns(text: str) -> int:
    """The nanoseconds since 1970 of a time this module wrote.

    Raises:
        BadTime: The text is not an RFC 3339 time.
    """
    moment = _parse(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def parse_start(start: str | float | datetime | None) -> int | str:
    """A place in the log: an event number, or a time as the log writes it. None is the beginning.

    Raises:
        BadTime: It is none of an ISO 8601 time, a Unix time or an event number.
    """
    if start is None:
        return 0
    if isinstance(start, datetime):
        return _text(start)
    text = str(start).strip()
    try:
        number = float(text)
    except ValueError:
        return _text(_parse(text))
    if number.is_integer() and 0 <= number < SMALLEST_UNIX_TIME:
        return int(number)
    try:
        return _text(datetime.fromtimestamp(number, UTC))
    except (ValueError, OverflowError, OSError):
        raise BadTime(value=text) from None


def _parse(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise BadTime(value=text) from None


def _text(moment: datetime) -> str:
    # A time without a zone is taken as UTC: the log knows no other.
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise BadTime(value=str(moment)) from None
    return f"{moment.year:04d}" + moment.strftime("-%m-%dT%H:%M:%S.%fZ")
