"""What this machine knows of a bucket's intake: which transactions in it were killed or rolled back for ever.

Their marks stay in the bucket, so that a writer that wakes up after however long cannot seal them. What a machine has
once seen to be nothing but a mark it notes in its state folder, and does not ask for again at every opening: only once
a week, for a writer that woke up may have put something more below it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from muniment.archive.bucket.intake import transactions
from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import INTAKE
from muniment.archive.disk.durable import make_folder, remove_tree

_BELIEVED = 7 * 86_400.0
"""Seconds for which it is believed, at most, that there is nothing but a mark."""


class KilledTransactions:
    """The transactions that were killed or rolled back, of the bucket of one state folder."""

    def __init__(self, keys: Keys, local: Path, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._known = local / INTAKE
        self._clock = clock

    def standing(self) -> list[str]:
        """The transactions in the intake but for those of which it is known that they came to nothing.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        known: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            known = {each.name for each in self._week().iterdir()}
        return [each for each in transactions(self._keys) if each not in known]

    def note(self, transaction: str) -> None:
        """Note that a transaction was killed or rolled back, and that nothing but the mark of it is there.

        Raises:
            StorageError: It could not be noted.
        """
        week = self._week()
        if not week.is_dir() and self._known.is_dir():
            for older in self._known.iterdir():
                remove_tree(older)
        make_folder(week / transaction)

    def _week(self) -> Path:
        return self._known / str(int(self._clock() // _BELIEVED))
