"""Times as Nexus writes them: ISO 8601 in UTC with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """This moment."""
    return at(datetime.now(UTC).timestamp())


def at(seconds: float) -> str:
    """A moment given in seconds since 1970 UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
