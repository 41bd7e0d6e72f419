"""Limits on failed sign-ins, and on how many refusals are recorded in the log."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from muniment.access import Caller
from muniment.access.failures import SignInFailures
from muniment.archive import Agent

READ = "resources/read"
WRITE = "resources/write"
EVENTS = "events/read"
ADMIN = "admin"

_WINDOW = 60.0
_MOST_KNOWN = 10_000


def agent_of(caller: Caller) -> Agent:
    """The caller as the log and the instances name an agent."""
    return Agent.stated(caller.agent_name, caller.agent_address)


class Failures:
    """Counts failed sign-ins by address and by credentials: this process in memory, and all together in `shared`."""

    def __init__(self, most: int, shared: SignInFailures | None = None) -> None:
        self._most = most
        self._shared = shared
        self._seen: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, *whose: str) -> float:
        """Seconds until another try is let through, 0 for at once."""
        now = time.monotonic()
        with self._lock:
            recent = [self._recent(who, now) for who in whose]
        worst = max(recent, key=len, default=[])
        if len(worst) >= self._most:
            return worst[-self._most] + _WINDOW - now
        return self._shared.wait(whose, self._most) if self._shared is not None else 0.0

    def count(self, *whose: str) -> None:
        """One more failure."""
        now = time.monotonic()
        with self._lock:
            for who in whose:
                self._seen[who] = [*self._recent(who, now), now][-self._most :]
                self._seen.move_to_end(who)
            while len(self._seen) > _MOST_KNOWN:
                self._seen.popitem(last=False)
        if self._shared is not None:
            self._shared.count(whose)

    def _recent(self, who: str, now: float) -> list[float]:
        return [moment for moment in self._seen.get(who, ()) if now - moment < _WINDOW]


class Sparse:
    """Lets through at most so many things a minute, and counts what it held back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = 0.0
        self._passed = 0
        self.held_back = 0
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """How many were held back before this one, or None when this one is too."""
        now = time.monotonic()
        with self._lock:
            if now - self._began >= _WINDOW:
                self._began, self._passed = now, 0
            if self._passed >= self._most:
                self.held_back += 1
                return None
            self._passed += 1
            before, self.held_back = self.held_back, 0
            return before
