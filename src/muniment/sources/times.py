"""Times as services state them, as RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def rfc3339(text: str | None) -> str | None:
    """An ISO 8601 or HTTP date as RFC 3339 in UTC; None if it is neither, or beyond the years 1 to 9999.

    A time without a zone counts as UTC.
    """
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    try:
        return _written(when.astimezone(UTC))
    except OverflowError:
        return None


def from_epoch(seconds: float) -> str | None:
    """A time in seconds since 1970 as RFC 3339 in UTC; None beyond the years 1 to 9999."""
    try:
        return _written(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _written(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
