"""Times as services state them, as RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from muniment.content.times import read_time

_LONGEST = 100
"""Characters; no time has as many."""


def rfc3339(text: object) -> str | None:
    """An ISO 8601 or HTTP date as RFC 3339 in UTC; None for anything else, or beyond the years 1 to 9999.

    A time without a zone counts as UTC.
    """
    if not isinstance(text, str) or not text or len(text) > _LONGEST:
        return None
    when = read_time(text) or read_time(f"{text}+00:00") or read_time(f"{text}T00:00:00+00:00") or _http_date(text)
    try:
        return None if when is None else _written(when.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _http_date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def from_epoch(seconds: float) -> str | None:
    """A time in seconds since 1970 as RFC 3339 in UTC; None beyond the years 1 to 9999."""
    try:
        return _written(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _written(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
