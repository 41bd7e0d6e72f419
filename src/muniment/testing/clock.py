"""A clock for tests: time passes only when somebody sleeps."""

from __future__ import annotations

import threading
import time


class FakeClock:
    """Begins at the present; `sleeps` records every wait, in seconds."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self._now = time.time()
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        with self._lock:
            self.sleeps.append(seconds)
            self._now += seconds
