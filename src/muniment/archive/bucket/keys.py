"""What an archive asks of an object store: a handful of requests, of which one alone decides anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from muniment.content.buckets import BucketRules, KeyVersion
from muniment.content.locks import KeyLock
from muniment.content.requests import RequestCounts


class KeyStat(Protocol):
    """What a store says of a key: its size in bytes and when it was last put, in RFC 3339."""

    @property
    def key(self) -> str:
        """The key."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def modified(self) -> str | None:
        """When it was put, by the store's clock."""


class Keys(Protocol):
    """The keys below one prefix of a bucket. Safe to use from many threads.

    Every method may also raise `StoreUnreachable`, `StoreFailed` and `StoreRefused`: it was not done, or nobody can
    tell.
    """

    def open(self, key: str, offset: int = 0, size: int | None = None) -> BinaryIO:
        """The bytes under a key from `offset` on, `size` of them or all.

        Raises:
            KeyNotFound: There is nothing.
        """

    def stat(self, key: str) -> KeyStat | None:
        """What is under a key, or None."""

    def note(self, key: str) -> str:
        """What was noted with a key when it was put once; '' where nothing was, or where nothing is.

        Raises:
            KeyNotFound: There is nothing.
        """

    def list(self, prefix: str = "", after: str = "") -> Iterator[KeyStat]:
        """What lies under keys that begin with `prefix`, in their order, from after `after`."""

    def folders(self, prefix: str) -> Sequence[str]:
        """The first segments behind `prefix`, which ends with a slash, of keys that go on behind them."""

    def put(self, key: str, source: bytes | Path) -> None:
        """Put a key, whatever was there: only where everybody would put the same bytes, or the name is unique.

        Raises:
            StoredWrong: Something else arrived than was sent.
        """

    def put_once(self, key: str, source: bytes | Path, note: str = "", lock: KeyLock | None = None) -> bool:
        """Put a key where nothing is: True when what is there now is ours, False when it is another's.

        The only request that decides anything. An answer that was lost is found out about by reading the key back:
        what is put so must be unlike what anybody else would put there.

        Raises:
            StoreUnreachable: Nobody can tell. It may have happened.
            ConditionsIgnored: The store does not know the condition.
        """

    def refuses_twice(self, key: str, source: bytes) -> bool:
        """Whether a key that is there is refused when it is put once more on the condition that nothing is there."""

    def copy(self, source: str, target: str) -> None:
        """Copy a key within the store.

        Raises:
            KeyNotFound: There is nothing under `source`.
        """

    def remove(self, keys: Iterable[str]) -> None:
        """Remove keys with every version of them; what is gone already is nothing to do."""

    def locked(self, key: str) -> KeyLock | None:
        """The lock on a key, as the store has it.

        Raises:
            KeyNotFound: There is nothing.
        """

    def lock(self, key: str, lock: KeyLock) -> None:
        """Lock a key for longer than it is."""

    def versions(self, prefix: str = "") -> Iterator[KeyVersion]:
        """Every version of every key that begins with `prefix`, and every mark that one was deleted."""

    def remove_version(self, key: str, version: str) -> None:
        """Remove one version of a key, or a mark that it was deleted."""

    def requests_made(self) -> RequestCounts:
        """What was asked of the store so far, each try counted."""

    def rules(self) -> BucketRules:
        """What the bucket does on its own; what it does not tell is named as untold."""
