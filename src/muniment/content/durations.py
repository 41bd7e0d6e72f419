"""Lengths of time as people write them: 90d, 12h, 10y."""

from __future__ import annotations

import re

from muniment.errors.copies import BadDuration

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 31_556_952}
"""Seconds; a year is that of the Gregorian calendar on average."""
_FORM = re.compile(r"([0-9]{1,9}) ?([smhdwy])")


def parse_duration(text: str) -> float:
    """Seconds in a length of time.

    Raises:
        BadDuration: It is none.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise BadDuration(given=text)
    return float(int(found[1]) * _UNITS[found[2]])


def duration_text(seconds: float) -> str:
    """Seconds as a length of time, in the largest unit that says it exactly or nearly so."""
    whole = round(seconds)
    for unit in ("y", "w", "d", "h", "m"):
        if whole >= _UNITS[unit] and whole % _UNITS[unit] == 0:
            return f"{whole // _UNITS[unit]}{unit}"
    for unit in ("d", "h", "m"):
        if whole >= 2 * _UNITS[unit]:
            return f"{whole // _UNITS[unit]}{unit}"
    return f"{whole}s"
