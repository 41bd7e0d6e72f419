"""The daily seal of the log: its head, put into every store that has copies, out of reach of who changes the log.

```
seals/2026-11-29.json    the archive, the day, number and hash of the newest event, and the seal of the day before
```

A seal is never put anew. Each line of the log holds the hash of the line before, so a seal stands for everything up to
its event; it is made on the first replication of a day (UTC) to a store, whatever else is scheduled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from muniment.archive import Archive
from muniment.content.events import Head
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.stores import KeyTaken
from muniment.stores import PutOptions, Store, put_bytes, read_bytes
from muniment.workflows.copies.keys import SEALS

FORMAT = "muniment seal 1"
EVENT = "message digest calculation"
"""The PREMIS type of the event that records a seal."""
_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Seal:
    """What was sealed on a day: how far the log of an archive reached; `before` is the sha256 of the seal before."""

    archive: str
    day: str
    head: Head
    before: str = ""

    @property
    def key(self) -> str:
        """Where it lies in a store."""
        return f"{SEALS}/{self.day}.json"

    def as_bytes(self) -> bytes:
        """As it is written."""
        head = {"seq": self.head.seq, "hash": self.head.hash}
        found = {"format": FORMAT, "archive": self.archive, "day": self.day, "log": head, "before": self.before}
        return json.dumps(found, indent=1).encode() + b"\n"


def parse_seal(data: bytes) -> Seal:
    """A seal from its bytes.

    Raises:
        ValueError: They are none.
    """
    try:
        found: Any = json.loads(data)
        head = Head(int(found["log"]["seq"]), str(found["log"]["hash"]))
        seal = Seal(str(found["archive"]), str(found["day"]), head, str(found["before"]))
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
    if found.get("format") != FORMAT or seal.as_bytes() != data:
        message = "it is not as it was written"
        raise ValueError(message)
    return seal


def put_seal(archive: Archive, store: Store, name: str, at: float) -> Seal | None:
    """Put the seal of the day (of `at`, seconds since 1970 UTC) into a store, read it back and record it.

    None where the store has it already.

    Raises:
        StoreUnreachable, StoreRefused, StoreFull: The store cannot be used.
        StoredWrong: It did not read back.
    """
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    place = f"{SEALS}/{day}.json"
    if store.stat(place) is not None:
        return None
    newest = max((each.key for each in store.list(f"{SEALS}/")), default="")
    before = hashlib.sha256(read_bytes(store, newest, _LARGEST)).hexdigest() if newest and _readable(store) else ""
    seal = Seal(archive.config.id, day, archive.head(), before)
    try:
        receipt = put_bytes(store, seal.key, seal.as_bytes(), PutOptions(warm=True))
    except KeyTaken:
        return None  # by another process, at the same moment
    store.flush()
    store.check(receipt)
    about = {"store": name, "day": day, "log": {"seq": seal.head.seq, "hash": seal.head.hash}}
    archive.record_event(EVENT, detail={"seal": about})
    return seal


def _readable(store: Store) -> bool:
    return not store.capabilities.cold


def seals_of(store: Store) -> Iterator[tuple[str, Seal | str]]:
    """The seals in a store by their keys, the oldest first; for one that cannot be read, why.

    Raises:
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    for found in store.list(f"{SEALS}/"):
        try:
            yield found.key, parse_seal(read_bytes(store, found.key, _LARGEST))
        except RemoteError:
            raise
        except (ValueError, MunimentError) as error:
            yield found.key, str(error)


def broken_seals(archive: Archive, store: Store) -> dict[str, str]:
    """The seals in a store that the archive's log does not keep, by key, with the reason; none where all is well.

    Raises:
        StoreUnreachable, StoreRefused: The store cannot be used.
    """
    said: dict[str, str] = {}
    for key, seal in seals_of(store):
        if isinstance(seal, str):
            said[key] = f"the seal itself cannot be read: {seal}"
        elif seal.archive != archive.config.id:
            said[key] = f"it is of the archive {seal.archive}"
        elif seal.head.seq and (found := archive.context.log.hash_at(seal.head.seq)) != seal.head.hash:
            there = (
                f"event {seal.head.seq} has the hash {found}" if found else f"there is no whole event {seal.head.seq}"
            )
            said[key] = f"on {seal.day} event {seal.head.seq} had the hash {seal.head.hash}, and now {there}"
    return said
