"""Rate limits: when each service may be called again, by what it said and by the budget it was given."""

from __future__ import annotations

import hmac
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from muniment.errors.base import MunimentError
from muniment.errors.sources import RateLimited
from muniment.session.clock import Clock

_log = logging.getLogger(__name__)

_HOUR = 3600.0
_LONGEST = 100 * 366 * 24 * _HOUR
"""What is longer is not told in dates any more."""
_LAST = 253_402_300_799.0
"""The last second of the year 9999, since 1970."""
_EPOCH_FROM = 1_000_000_000
_LIMITED = frozenset({403, 429, 503})
_LOOK = 1.0
"""Seconds between two looks at what other processes were told."""
_BLOCK_LIFE = 55.0
"""Seconds in which calls that were given are used; a little less than those who count them allow."""
_SHARE = 100
"""A block of calls is at most this part of an hour's."""


class Shared(Protocol):
    """What all processes know together. Times are seconds from now."""

    def closed(self, service: str) -> float:
        """How long the service may not be called."""

    def close(self, service: str, seconds: float, answer: str) -> None:
        """Tell everybody that it may not be called for so long, and by whose answer."""

    def take(self, service: str, wanted: int, hourly: int) -> tuple[int, float]:
        """Up to so many of the hour's calls, to be made within a minute; or none, and how long to wait."""


@dataclass(slots=True)
class _Block:
    """Calls that were given to this process, and how many it asked for."""

    left: int = 0
    given: int = 0
    until: float = 0.0

    def next_wanted(self, now: float, hourly: int) -> int:
        """Twice as many when all were used before their time, else as many as were: who calls rarely wastes none."""
        used = self.given - self.left
        return max(1, min(used * 2 if now < self.until else used, hourly // _SHARE))


class Limits:
    """What is known of the services' limits; one for all sources of a process.

    A wait of up to `patience` seconds is waited here; a longer one is an error that says until when. With `shared`
    (called for each use, so that it may be opened late) all processes keep the budgets together, and what one is
    told the others know within a second; without it each process is alone.

    A limit is a credential's, or a host's for calls without one: what one submitter is told says nothing of another.
    `key` is what all processes hash credentials with, so that their limits have the same names and these tell nothing.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        patience: float = 60.0,
        shared: Callable[[], Shared] | None = None,
        key: bytes = b"",
    ) -> None:
        self._key = key
        self._clock = clock
        self._patience = patience
        self._shared = shared
        self._closed_until: dict[str, float] = {}
        self._untold: set[str] = set()
        self._looked_at: dict[str, float] = {}
        self._blocks: dict[str, _Block] = {}
        self._calls: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, service: str, hourly_calls: int | None) -> None:
        """Return when `service` may be called, and count that call.

        Raises:
            RateLimited: That would take longer than `patience`.
            MunimentError: Nobody can say what is left of the budget.
        """
        while True:
            with self._lock:
                now = self._clock.now()
                self._look(service, now)
                until = self._closed_until.get(service, 0.0)
                if until <= now and hourly_calls is not None:
                    until = self._count(service, hourly_calls, now)
                if until <= now:
                    return
            if until - now > self._patience:
                raise RateLimited(service=service, until=_rfc3339(until), limit=service)
            self._clock.sleep(until - now)

    def name(self, service: str, host: str, credential: str | None) -> str:
        """What the limit for calls of a service at a host is called, by the credential they are made with."""
        if credential is None:
            return f"{service} ({host})"
        return f"{service} ({host}, credential {hmac.digest(self._key, credential.encode(), 'sha256').hex()[:10]})"

    def note(self, service: str, status: int, headers: Mapping[str, str], where: str = "") -> bool:
        """Take in what an answer from `where` says of limits; whether it was itself a refusal because of one."""
        now = self._clock.now()
        until = _asked_wait(headers, now) if status in _LIMITED else None
        remaining = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining"))
        if until is None and remaining is not None and remaining.strip() == "0":
            until = _reset(headers, now)
        if status == 429 and until is None:  # noqa: PLR2004 - Too Many Requests (RFC 6585 §4)
            until = now + 60.0
        if until is None:
            return False
        until = min(until, now + _LONGEST)
        with self._lock:
            known = self._closed_until.get(service, 0.0)
            self._closed_until[service] = max(known, until)
        if self._shared is not None and until > max(known, now):
            answer = f"status {status}" + (f" to {where}" if where else "")
            try:
                self._shared().close(service, until - now, answer)
                self._untold.discard(service)
            except MunimentError as error:
                self._untold.add(service)
                _log.warning("other workers were not told that %s is busy: %s", service, error)
        return status in _LIMITED

    def opens(self, service: str) -> str:
        """When `service` may be called again, as far as it said so."""
        with self._lock:
            return _rfc3339(max(self._closed_until.get(service, 0.0), self._clock.now()))

    def _look(self, service: str, now: float) -> None:
        """Hear what other processes were told, and whether a limit was lifted, at most once in `_LOOK` seconds."""
        if self._shared is None or now - self._looked_at.get(service, 0.0) < _LOOK:
            return
        try:
            seconds = self._shared().closed(service)
        except MunimentError as error:
            _log.warning("it is not known whether another worker found %s busy: %s", service, error)
        else:
            self._looked_at[service] = now
            known = self._closed_until.get(service, 0.0) if service in self._untold else 0.0
            self._closed_until[service] = max(known, now + seconds if seconds > 0 else 0.0)

    def _count(self, service: str, hourly_calls: int, now: float) -> float:
        """Count a call of the budget now, or say when there will be one."""
        if self._shared is None:
            return self._count_alone(service, hourly_calls, now)
        block = self._blocks.setdefault(service, _Block())
        if not block.left or now >= block.until:
            given, seconds = self._shared().take(service, block.next_wanted(now, hourly_calls), hourly_calls)
            self._blocks[service] = block = _Block(given, given, now + _BLOCK_LIFE)
            if not given:
                return now + max(seconds, _LOOK)
        block.left -= 1
        return 0.0

    def _count_alone(self, service: str, hourly_calls: int, now: float) -> float:
        calls = self._calls.setdefault(service, deque())
        while calls and calls[0] <= now - _HOUR:
            calls.popleft()
        if len(calls) >= hourly_calls:
            return calls[len(calls) - hourly_calls] + _HOUR
        calls.append(now)
        return 0.0


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
    # A service may ask for a wait beyond all years.
    return datetime.fromtimestamp(min(when, _LAST), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
