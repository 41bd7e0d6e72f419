"""What the log lacks in both its places, and the lines from elsewhere that the chain of hashes proves to belong there.

Each event holds the hash of the line before. So of a line that was lost or altered, the one after it tells whether
what somebody else kept is the very same; only behind the end of the log nobody does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.log import FIRST, EventLog
from muniment.content.events import UNREADABLE

LinesOf = Callable[[int], Iterable[bytes]]
"""The lines, without their ends, that others have of the event with a number."""
_AT_ONCE = 50_000


class MissingLine(NamedTuple):
    """The line before event `number`, which is not as it was: it should have the hash `previous`."""

    number: int
    previous: str


def missing_lines(log: EventLog) -> Iterator[MissingLine]:
    """Every place where the chain is broken, as log and mirror have it together."""
    last, expected = 0, FIRST
    for line, _, event in log.entries():
        if event.event == UNREADABLE or event.seq <= last:
            continue
        if event.seq != last + 1 or event.previous != expected:
            yield MissingLine(event.seq, event.previous)
        last, expected = event.seq, line_hash(line)


def lines_for(log: EventLog, gap: MissingLine, lines_of: LinesOf) -> dict[int, bytes]:
    """The lines before a gap's event as far back as they are proven, or until the log's own are right again."""
    found: dict[int, bytes] = {}
    number, wanted = gap.number - 1, gap.previous
    while number and len(found) < _AT_ONCE and log.hash_at(number) != wanted:
        line = next((line for line in lines_of(number) if line_hash(line) == wanted), None)
        read = None if line is None else event_of(line + b"\n")
        if line is None or read is None or read[1].seq != number:
            break
        found[number] = line
        number, wanted = number - 1, read[1].previous
    return found


def lines_behind(log: EventLog, newest: int, lines_of: LinesOf) -> dict[int, bytes]:
    """The lines behind the log's end, up to event `newest`, that go on from it."""
    found: dict[int, bytes] = {}
    head = log.head()
    number, previous = head.seq + 1, head.hash
    while number <= newest and len(found) < _AT_ONCE:
        for line in lines_of(number):
            read = event_of(line + b"\n")
            if read is not None and (read[1].seq, read[1].previous) == (number, previous):
                found[number] = line
                break
        else:
            break
        number, previous = number + 1, line_hash(found[number])
    return found
