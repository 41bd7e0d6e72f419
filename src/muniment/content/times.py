"""Times as the archive writes and reads them: RFC 3339 in UTC with microseconds."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from muniment.errors.content import BadTime, BadValue

SMALLEST_UNIX_TIME = 1_000_000_000
"""A whole number below this is an event's number, from here on a Unix time (September 2001)."""

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_LEAP = re.compile(r"(.*[T ]?[0-9]{2}:?59:?)60((?:[.,][0-9]+)?.*)", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> str:
    """The present, as `2026-11-21T08:00:00.000000Z`."""
    return from_ns(time.time_ns()) or ""


def from_ns(nanoseconds: int) -> str | None:
    """A file time as text, times before 1970 included; None beyond the years 1 to 9999, which no reader can show."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        # Not strftime, which takes ten times as long: this is done for every file.
        return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest // 1000:06d}Z"
    except (ValueError, OverflowError, OSError):
        return None


def read_time(value: object) -> datetime | None:
    """The moment a text states, with its zone; None for whatever states none that can be told in UTC.

    A leap second is the second after it, as POSIX has it.
    """
    if not isinstance(value, str) or len(value) > 100 or not value.isascii():  # noqa: PLR2004 - no time is as long
        return None
    leap = _LEAP.fullmatch(value)
    try:
        moment = datetime.fromisoformat(f"{leap[1]}59{leap[2]}" if leap else value)
        if leap:
            moment += timedelta(seconds=1)
        if moment.tzinfo is None:
            return None
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment


def check_time(value: object, what: str = "a time") -> str:
    """Accept a time with its zone, and give it in RFC 3339: as it was given where it is, else in UTC.

    Raises:
        BadValue: It is none, has no zone, or lies beyond the years 1 to 9999.
    """
    moment = read_time(value)
    if moment is None:
        raise BadValue(what=what, reason=f"{value!r:.100} is no time in RFC 3339 with its zone, in the years 1 to 9999")
    text = str(value)
    if _RFC3339.fullmatch(text) and not _LEAP.fullmatch(text):
        return text
    return _text(moment)


def seconds(value: object) -> int:
    """A time as whole seconds since 1970 UTC, rounded down; 0 for what states none."""
    moment = read_time(value)
    return 0 if moment is None else (moment - _EPOCH) // timedelta(seconds=1)


def parse_start(start: str | float | datetime | None) -> int | str:
    """A place in the log: an event number, or a time as the log writes it. None is the beginning.

    Raises:
        BadTime: It is none of an ISO 8601 time, a Unix time or an event number.
    """
    if start is None:
        return 0
    if isinstance(start, datetime):
        return _start(start)
    text = str(start).strip()
    if not _NUMBER.fullmatch(text):
        try:
            return _start(datetime.fromisoformat(text))
        except ValueError:
            raise BadTime(value=text[:100]) from None
    number = float(text)
    if number.is_integer() and 0 <= number < SMALLEST_UNIX_TIME:
        return int(number)
    try:
        return _text(datetime.fromtimestamp(number, UTC))
    except (ValueError, OverflowError, OSError):
        raise BadTime(value=text[:100]) from None


def _start(moment: datetime) -> str:
    # A time without a zone is taken as UTC: the log knows no other.
    try:
        return _text(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    except OverflowError:
        raise BadTime(value=str(moment)) from None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
