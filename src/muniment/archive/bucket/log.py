"""The log of an archive in a bucket: one key for each append, put once, in the order in which the puts succeeded.

All who commit meet at the next number. Whoever was beaten to it twice also tells, in the same put, of what others have
committed and not told of yet: they then find themselves in the log.

A copy of all keys lies in the state folder: they never change, so that only those past the newest are asked for.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from muniment.archive.bucket.intake import Seal
from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import EVENTS, is_log_key
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.locks import exclusive
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.log import FIRST, EventLog
from muniment.content.events import Event, Head
from muniment.errors.archive import ArchiveGone, DamagedRecord
from muniment.errors.base import MunimentError
from muniment.errors.stores import StoreUnreachable

_TRIES = 200
"""Other writers that may be first in a row before one gives up; each of them got on meanwhile."""
_ALONE = 2
"""Times that one is beaten before one asks what others wait to tell."""


class BucketLog(EventLog):
    """The log of one bucket, and its copy in the state folder."""

    def __init__(self, layout: ArchiveLayout, keys: Keys) -> None:
        super().__init__(layout, worm=True)
        self._keys = keys

    def append(self, drafts: Iterable[Event]) -> list[Event]:
        """Number, chain and put the drafts; on return they are in the bucket.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: They are not, or nobody can tell.
            DamagedRecord: What others appended does not follow what is known.
        """
        return self._append(list(drafts))

    def append_once(
        self, drafts: Iterable[Event], transaction: str, after: int, others: Callable[[], Iterable[Seal]] = tuple
    ) -> list[Event]:
        """As `append`, unless an event of this transaction is there, past the number `after`; what was appended.

        `others` gives, when it is crowded, the seals of what is committed and may not be in the log.

        Raises:
            MunimentError: As `append`.
        """
        return self._append(list(drafts), transaction, after, others)

    def _append(
        self,
        drafts: list[Event],
        transaction: str = "",
        after: int = 0,
        others: Callable[[], Iterable[Seal]] = tuple,
    ) -> list[Event]:
        if not drafts:
            return []
        waiting: Iterable[Seal] = ()
        with exclusive(self._layout.locks / "events"):
            for attempt in range(1, _TRIES + 1):
                self._pull()
                if transaction and self.mentions(transaction, after):
                    return []
                # Of each it is looked up after the last pull, and the put decides about just that log: nothing is
                # told of twice.
                waiting = [each for each in waiting if not self.mentions(each.transaction, each.log)]
                told = drafts + [event for each in waiting for event in each.events]
                lines, events = self._chained(told, self._last(self._files.last()))
                data = b"".join(lines)
                place = self._files.place(events[0].seq)
                if self._keys.put_once(_key(place), data):
                    self._keep(place, data)
                    return events[: len(drafts)]
                if attempt % _ALONE == 0:
                    with contextlib.suppress(MunimentError):  # who cannot help others can still tell of its own
                        waiting = others()
        raise StoreUnreachable(store=str(self._keys), reason=f"others were first {_TRIES} times in a row")

    def pull(self) -> None:
        """Take in what others appended.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
            DamagedRecord: It does not follow what is known.
            ArchiveGone: What is known here is gone.
        """
        with exclusive(self._layout.locks / "events"):
            self._pull()

    def settled_head(self) -> Head:
        """The newest event's number and the hash of its line, of those in the bucket now.

        Raises:
            MunimentError: As `pull`.
        """
        self.pull()
        return self.head()

    def recover(self) -> None:
        """Take in what others appended; a put happened or it did not, so that nothing is torn.

        Raises:
            MunimentError: As `pull`.
        """
        self.pull()

    def stored(self, after: str = "") -> Iterator[tuple[str, bytes]]:
        """Every key of the log in the bucket behind `after`, and its bytes, oldest first: for who trusts no copy.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        for each in (found for found in self._keys.list(EVENTS, after) if is_log_key(found.key)):
            with self._keys.open(each.key) as stream:
                yield each.key, stream.read()

    def _pull(self) -> None:
        newest = self._files.last()
        known = _key(newest) if newest else ""
        listed = iter(self._keys.list(EVENTS, known[:-1]))  # from the newest on that is known here: it may be gone
        first = next(listed, None)
        if known and (first is None or first.key != known) and self._keys.stat(known) is None:
            raise ArchiveGone(place=str(self._keys), name=known, state=self._layout.root)
        for each in itertools.chain([first] if first is not None else [], listed):
            if each.key <= known or not is_log_key(each.key):  # an audit names what else lies here
                continue
            place = self._layout.root / each.key
            with self._keys.open(each.key) as stream:
                data = stream.read()
            self._refuse_unchained(each.key, data)
            self._keep(place, data)

    def _refuse_unchained(self, key: str, data: bytes) -> None:
        head = self.head()
        seq, previous = head.seq, head.hash if head.seq else FIRST
        for line in data.splitlines(keepends=True):
            found = event_of(line)
            if found is None or found[1].seq != seq + 1 or found[1].previous != previous:
                raise DamagedRecord(path=key, reason=f"it does not go on from event {seq}")
            seq, previous = seq + 1, line_hash(found[0])

    def _keep(self, place: Path, data: bytes) -> None:
        if not place.exists():
            self._put(place, [data])
        self._known = None


def _key(place: Path) -> str:
    return f"{EVENTS}{place.parent.name}/{place.name}"
