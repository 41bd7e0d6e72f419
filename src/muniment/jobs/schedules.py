"""When a periodic job is due: every so many seconds, or by five cron fields in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from muniment.errors.jobs import BadPeriod
from muniment.jobs.model import Call, Priority

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_DAYS_AHEAD = 8 * 366
"""29 February comes at the latest after eight years (2096 to 2104)."""
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_WEEKDAYS = "sun mon tue wed thu fri sat"
_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS.split(), 1)},
    "weekday": {name: number for number, name in enumerate(_WEEKDAYS.split())},
}


@dataclass(frozen=True, slots=True)
class Period:
    """A job that is submitted again and again. `rule` is seconds (`"3600"`) or cron fields in UTC (`"30 2 * * *"`).

    While one run is outstanding no other begins; a time missed so, or because nothing ran, is not made up for.
    """

    name: str
    rule: str
    kind: str
    call: Call
    requester: str = "period"
    priority: Priority = Priority.BULK


def due_after(rule: str, at: float) -> float:
    """The first time after `at` (seconds since 1970 UTC) that `rule` names.

    Seconds are counted from 1970, not from the start of a program, so that every process agrees.

    Raises:
        BadPeriod: The rule is not one, or names a date that never comes.
    """
    try:
        every = float(rule)
    except ValueError:
        return _cron_after(rule, at)
    if not 1 <= every < float("inf"):
        raise BadPeriod(period=rule, reason="a period is at least one second")
    return (at // every + 1) * every


def _cron_after(rule: str, at: float) -> float:
    fields = rule.lower().split()
    if len(fields) != len(_FIELDS):
        raise BadPeriod(period=rule, reason=f"it has {len(fields)} fields, not {len(_FIELDS)}")
    minutes, hours, days, months, weekdays = (
        _values(rule, field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)
    )
    weekdays = {day % 7 for day in weekdays}
    # As cron has it: if both day fields are restricted, either is enough.
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    start = datetime.fromtimestamp(at, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for ahead in range(_DAYS_AHEAD):
        day = start.date() + timedelta(days=ahead)
        by_date, by_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month not in months or not (by_date or by_weekday if either else by_date and by_weekday):
            continue
        first = start.hour * 60 + start.minute if ahead == 0 else 0
        for hour in sorted(hours):
            for minute in sorted(minutes):
                if hour * 60 + minute >= first:
                    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC).timestamp()
    raise BadPeriod(period=rule, reason="that date never comes")


def _values(rule: str, field: str, name: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            pace = int(step) if step else 1
            start = low if first == "*" else _number(first, name)
            # `*` and `5/20` go on to the last value there is.
            open_end = first == "*" or (step and not dash)
            end = high if open_end else _number(last if dash else first, name)
        except ValueError:
            raise BadPeriod(period=rule, reason=f"{part!r} is no {name}") from None
        if not low <= start <= end <= high or pace < 1 or ("/" in part and not step):
            raise BadPeriod(period=rule, reason=f"{part!r} is no {name}; it goes from {low} to {high}")
        found.update(range(start, end + 1, pace))
    return found


def _number(text: str, name: str) -> int:
    known = _NAMES.get(name, {}).get(text)
    if known is not None:
        return known
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)
