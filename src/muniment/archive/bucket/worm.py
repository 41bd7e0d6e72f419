"""The keys of an archive in worm mode: what is no part of the intake is put once, locked, and never removed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from muniment.archive.bucket.keys import Keys, KeyStat
from muniment.archive.bucket.layout import INTAKE, OBJECTS
from muniment.content.buckets import BucketRules, KeyVersion
from muniment.content.locks import KeyLock, LockRule
from muniment.content.requests import RequestCounts
from muniment.errors.stores import ChangeRefused, KeyHeld, StoredWrong

_CHUNK = 1 << 20
_AT_ONCE = 16
_SLACK = 3600.0
"""Seconds by which a lock may end before it should: clocks differ, and a large file is on its way for long."""


@dataclass(frozen=True, slots=True)
class WormKeys:
    """Keys that are locked as they are put.

    Every put outside the intake is on the condition that nothing is there, so that no key gets a second version. What
    lies below `objects/` is read back once its version is laid out (`hold`), everything else at once.
    """

    keys: Keys
    rule: LockRule

    def __str__(self) -> str:
        return str(self.keys)

    def put(self, key: str, source: bytes | Path) -> None:
        """Put a key; outside the intake only where nothing is, or the same.

        Raises:
            KeyHeld: It holds something else.
            StoredWrong: Something else arrived than was sent, or its lock is not what was asked for.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done, or nobody can tell.
        """
        if key.startswith(INTAKE):
            self.keys.put(key, source)
        elif not self.put_once(key, source):
            raise KeyHeld(key=key, store=str(self))

    def put_once(self, key: str, source: bytes | Path, note: str = "", lock: KeyLock | None = None) -> bool:
        """Put a key where nothing is, locked.

        Raises:
            StoredWrong: Its lock is not what was asked for.
            MunimentError: As `Keys.put_once`.
        """
        if key.startswith(INTAKE):
            return self.keys.put_once(key, source, note)
        ours = self.keys.put_once(key, source, note, lock or self.rule.at(time.time()))
        if ours and not key.startswith(OBJECTS):
            self.hold([key])
        return ours

    def copy(self, source: str, target: str) -> None:
        """Put under `target` what lies under `source`: no copy is conditional on every service, so it comes here first.

        Raises:
            KeyNotFound: There is nothing under `source`.
            MunimentError: As `put`.
        """
        with tempfile.NamedTemporaryFile(prefix="muniment-") as file:
            with self.keys.open(source) as stream:
                while piece := stream.read(_CHUNK):
                    file.write(piece)
            file.flush()
            self.put(target, Path(file.name))

    def remove(self, keys: Iterable[str]) -> None:
        """Remove keys of the intake.

        Raises:
            ChangeRefused: One of them is no part of it.
            StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
        """
        wanted = list(keys)
        for key in wanted:
            if not key.startswith(INTAKE):
                raise ChangeRefused(store=str(self), key=key, reason="nothing is removed from an archive in worm mode")
        self.keys.remove(wanted)

    def hold(self, keys: Iterable[str]) -> None:
        """Have keys locked for as long as the archive says, and read that back.

        Raises:
            StoredWrong: One is not, although the store took the request.
            ChangeRefused, StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
        """
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="locking") as pool:
            for _ in pool.map(self._hold, keys):
                pass

    def _hold(self, key: str) -> None:
        wanted = self.rule.at(time.time())
        found = self.keys.locked(key)
        if self._lasts(found, wanted, key):
            return
        self.keys.lock(key, wanted)
        found = self.keys.locked(key)
        if not self._lasts(found, wanted, key):
            shown = str(found or "none")
            raise StoredWrong(store=str(self), key=key, what="lock", found=shown, expected=str(wanted))

    def _lasts(self, found: KeyLock | None, wanted: KeyLock, key: str) -> bool:
        """Whether a lock lasts as long as one that is set now, or as one that was set when the key was put."""
        if is_enough(found, wanted, self.rule):
            return True
        stat = self.keys.stat(key) if found is not None else None
        return stat is not None and is_enough(found, self.wanted(stat), self.rule)

    def wanted(self, stat: KeyStat) -> KeyLock:
        """The lock that a key should have by the time at which it was put."""
        put = datetime.fromisoformat(stat.modified).timestamp() if stat.modified else time.time()
        return self.rule.at(put)

    # --- as they are

    def open(self, key: str, offset: int = 0, size: int | None = None) -> BinaryIO:
        """The bytes under a key.

        Raises:
            KeyNotFound: There is nothing.
        """
        return self.keys.open(key, offset, size)

    def stat(self, key: str) -> KeyStat | None:
        """What is under a key, or None."""
        return self.keys.stat(key)

    def note(self, key: str) -> str:
        """What was noted with a key when it was put once.

        Raises:
            KeyNotFound: There is nothing.
        """
        return self.keys.note(key)

    def list(self, prefix: str = "", after: str = "") -> Iterator[KeyStat]:
        """What lies under keys that begin with `prefix`."""
        return self.keys.list(prefix, after)

    def folders(self, prefix: str) -> Sequence[str]:
        """The first segments behind `prefix`."""
        return self.keys.folders(prefix)

    def refuses_twice(self, key: str, source: bytes) -> bool:
        """Whether a key that is there is refused when it is put once more."""
        return self.keys.refuses_twice(key, source)

    def locked(self, key: str) -> KeyLock | None:
        """The lock on a key.

        Raises:
            KeyNotFound: There is nothing.
        """
        return self.keys.locked(key)

    def lock(self, key: str, lock: KeyLock) -> None:
        """Lock a key for longer than it is."""
        self.keys.lock(key, lock)

    def versions(self, prefix: str = "") -> Iterator[KeyVersion]:
        """Every version of every key that begins with `prefix`."""
        return self.keys.versions(prefix)

    def remove_version(self, key: str, version: str) -> None:
        """Remove one version of a key."""
        self.keys.remove_version(key, version)

    def requests_made(self) -> RequestCounts:
        """What was asked of the store so far."""
        return self.keys.requests_made()

    def rules(self) -> BucketRules:
        """What the bucket does on its own."""
        return self.keys.rules()


def is_enough(found: KeyLock | None, wanted: KeyLock, rule: LockRule) -> bool:
    """Whether a lock is as strict as one that is wanted, and ends no earlier, give or take an hour.

    A rule of less than two hours gives or takes half of itself.
    """
    if found is None or (rule.mode == "compliance" and found.mode != "compliance"):
        return False
    return (wanted.end - found.end).total_seconds() <= min(_SLACK, rule.seconds / 2)
