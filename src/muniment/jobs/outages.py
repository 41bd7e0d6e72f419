"""Saying once that something failed and once that it works again, however often it was tried in between."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from muniment.errors.base import MunimentError
from muniment.jobs.waiting import News

_LONGEST_PAUSE = 10.0


class OutageLog:
    """The outages that one loop of a process has met, as its log tells them. Thread-safe."""

    def __init__(self, logger: logging.Logger) -> None:
        """Write to `logger`."""
        self._logger = logger
        self._since: dict[str, float] = {}
        self._tries = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """A round of the loop: what it raises is told, once, and goes no further; a round that ends well ends it all.

        Nothing may end the loop: without it everything that is owed would stand still.
        """
        try:
            yield
        except MunimentError as error:
            self.failed(error.code(), error)
        except Exception as error:  # noqa: BLE001 - as said above
            self.failed(type(error).__name__, error)
        else:
            self.works()

    def failed(self, name: str, error: Exception) -> None:
        """Something failed: a line if that is news."""
        with self._lock:
            self._tries += 1
            if name in self._since:
                return
            self._since[name] = time.monotonic()
        if isinstance(error, MunimentError):
            self._logger.error("%s Until it works again, nothing more is said of it here.", error)
        else:
            self._logger.error("a round failed, and the next is tried", exc_info=error)

    def works(self) -> None:
        """Everything works: a line for each outage that is over."""
        with self._lock:
            over, self._since = self._since, {}
            self._tries = 0
        for name, since in over.items():
            self._logger.warning("over after %.0f seconds: %s", time.monotonic() - since, name)

    @property
    def lasting(self) -> frozenset[str]:
        """The outages that have begun and not ended."""
        with self._lock:
            return frozenset(self._since)

    def pause(self, usual: float) -> float:
        """Seconds until the next round: the `usual` ones, and up to ten while nothing works."""
        return min(max(usual, _LONGEST_PAUSE), usual * 2.0 ** min(self._tries, 10)) if self._tries else usual


def tell(logger: logging.Logger, news: News) -> None:
    """Write a line for each outage that began in the ledger, and one for each that is over."""
    for outage in news.began:
        logger.error("outage: %s: %s Steps that meet it wait until it is over.", outage.name, outage.reason)
    for outage in news.over:
        logger.warning("over, since what waited for it goes on: %s", outage.name)
