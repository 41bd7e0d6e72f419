"""Rate limits: when each service may be called again, by what it said and by the budget it was given."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from muniment.errors.sources import RateLimited
from muniment.sources.session.clock import Clock

_HOUR = 3600.0
_LONGEST = 24 * _HOUR
_EPOCH_FROM = 1_000_000_000
_LIMITED = frozenset({403, 429, 503})


class Limits:
    """What this process knows of the services' limits; one for all sources.

    A wait of up to `patience` seconds is waited here; a longer one is an error that says until when.
    """

    def __init__(self, clock: Clock, *, patience: float = 60.0) -> None:
        self._clock = clock
        self._patience = patience
        self._closed_until: dict[str, float] = {}
        self._calls: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, service: str, hourly_calls: int | None) -> None:
        """Return when `service` may be called, and count that call.

        Raises:
            RateLimited: That would take longer than `patience`.
        """
        while True:
            with self._lock:
                now = self._clock.now()
                until = max(self._closed_until.get(service, 0.0), self._budget_opens(service, hourly_calls, now))
                if until <= now:
                    if hourly_calls is not None:
                        self._calls.setdefault(service, deque()).append(now)
                    return
            if until - now > self._patience:
                raise RateLimited(service=service, until=_rfc3339(until))
            self._clock.sleep(until - now)

    def note(self, service: str, status: int, headers: Mapping[str, str]) -> bool:
        """Take in what an answer says of limits; whether it was itself a refusal because of one."""
        now = self._clock.now()
        until = _asked_wait(headers, now) if status in _LIMITED else None
        remaining = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining"))
        if until is None and remaining is not None and remaining.strip() == "0":
            until = _reset(headers, now)
        if status == 429 and until is None:  # noqa: PLR2004 - Too Many Requests (RFC 6585 §4)
            until = now + 60.0
        if until is None:
            return False
        with self._lock:
            known = self._closed_until.get(service, 0.0)
            self._closed_until[service] = max(known, min(until, now + _LONGEST))
        return status in _LIMITED

    def opens(self, service: str) -> str:
        """When `service` may be called again, as far as it said so."""
        with self._lock:
            return _rfc3339(max(self._closed_until.get(service, 0.0), self._clock.now()))

    def _budget_opens(self, service: str, hourly_calls: int | None, now: float) -> float:
        if hourly_calls is None:
            return 0.0
        calls = self._calls.setdefault(service, deque())
        while calls and calls[0] <= now - _HOUR:
            calls.popleft()
        return 0.0 if len(calls) < hourly_calls else calls[len(calls) - hourly_calls] + _HOUR


def _asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """The end of `Retry-After`, which is seconds or a date (RFC 9110 §10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return now + float(text)
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """The end of a window: some services give the time, others the seconds until then."""
    text = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", "")).strip()
    if not (text.isascii() and text.isdigit()):
        return None
    value = float(text)
    return value if value >= _EPOCH_FROM else now + value


def _rfc3339(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
