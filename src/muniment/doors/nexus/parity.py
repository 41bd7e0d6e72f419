"""Makes parity for new instances in the background, when no upload is running.

Parity of a small document takes ten times as long as storing it, and a client waits for the storing alone.
What is still owed when the process ends is made by `muniment repair`; an audit says where parity is missing.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from muniment.archive import Archive
from muniment.errors.archive import ResourceNotFound
from muniment.errors.base import MunimentError

Failed = Callable[[str, str, MunimentError], None]
_MOST_OWED = 100_000


class ParityMaker:
    """A thread that protects resources some time after the last one came."""

    def __init__(self, archive: Archive, *, quiet: float = 5.0, failed: Failed | None = None) -> None:
        """Work after `quiet` seconds without anything new; `failed` is told what was not made."""
        self._archive = archive
        self._quiet = quiet
        self._failed = failed
        self._owed: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._changed = threading.Condition()
        self._last = 0.0
        self._ended = False
        self._thread: threading.Thread | None = None

    def owe(self, project: str, id: str) -> None:
        """A resource has something new."""
        with self._changed:
            self._last = time.monotonic()
            # Beyond this an audit finds them as well; memory is not to grow for it.
            if len(self._owed) < _MOST_OWED:
                self._owed[project, id] = None
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._work, name="parity", daemon=True)
                self._thread.start()
            self._changed.notify()

    @property
    def owed(self) -> int:
        """How many resources wait."""
        return len(self._owed)

    def close(self) -> None:
        """End after the piece of work at hand."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (due := self._next()) is not None:
            project, id = due  # noqa: A001 - the domain's word
            try:
                self._archive.protect(id, project)
            except ResourceNotFound:
                continue
            except MunimentError as error:
                if self._failed:
                    self._failed(project, id, error)

    def _next(self) -> tuple[str, str] | None:
        with self._changed:
            while not self._ended:
                left = self._last + self._quiet - time.monotonic()
                if self._owed and left <= 0:
                    return self._owed.popitem(last=False)[0]
                self._changed.wait(left if self._owed else None)
            return None
