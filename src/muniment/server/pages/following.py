"""Keeping the index of contents up with the log, beside the answering of requests."""

from __future__ import annotations

import threading
import time

from structlog import get_logger

from muniment.archive import ContentIndex
from muniment.errors.base import MunimentError

_LOOK_EVERY = 2.0
_AT_ONCE = 200
_STEP = 0.01


class ContentFollower:
    """A thread that takes new events into the index. Several processes may do it at once: each event counts once."""

    def __init__(self, contents: ContentIndex) -> None:
        self._contents = contents
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, also once more after an end: an application may be started several times."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._follow, name="contents", daemon=True)
        self._thread.start()

    def catch_up(self, seconds: float) -> None:
        """Wait so long at the most for what has happened to be in the index. Large instances take their time."""
        until = time.monotonic() + seconds
        while self._alive() and self._contents.behind() and time.monotonic() < until:
            self._wake.set()
            time.sleep(_STEP)

    def close(self) -> None:
        """End, and let go of the index."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)
        self._contents.close()

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                more = bool(self._contents.behind() and self._contents.follow(_AT_ONCE))
            except (MunimentError, OSError) as error:
                more = False
                get_logger().error("the index of contents stands still", message=str(error))
            if not more:
                self._wake.wait(_LOOK_EVERY)
                self._wake.clear()
