"""One entry of the archive's log, as a value and as the line it is written as; and the log's head."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from muniment.errors.base import BadInput
from muniment.errors.content import BadHead

UNREADABLE = "unreadable"
"""The `event` of what stands in for a line of the log that is damaged and whose copy is too; never written."""


OWN_TYPES = frozenset(
    {"creation", "deletion", "fixity check", "ingestion", "quarantine", "recovery", "repair", UNREADABLE}
)
"""Types of events that only the archive itself writes: index, audit and recovery draw conclusions from them."""


def refuse_own_type(event: str) -> None:
    """Refuse a type of event that is not for others to write.

    Raises:
        BadInput: It is one of the archive's own, or no type at all.
    """
    if event in OWN_TYPES:
        raise BadInput(reason=f"events of the type {event!r} are written by the archive itself")
    if not event.strip() or not event.isprintable():
        raise BadInput(reason="a type of event is a word or two, such as 'capture'")


class Head(NamedTuple):
    """How far the log reached at some moment: the newest event's number and the sha256 of its line.

    Every line holds the hash of the line before, so who keeps a head elsewhere can tell later whether
    anything up to it was changed.
    """

    seq: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `seq:hash`, as `str` writes it.

        Raises:
            BadHead: It is not that.
        """
        found = re.fullmatch(r"([0-9]{1,15})[: ]([0-9a-f]{64})", text.strip(), re.ASCII)
        if found is None:
            raise BadHead(head=text[:100])
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        """The head as people note it down: `seq:hash`."""
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log; `event` is a PREMIS event type, `outcome` is `success` or `failure`.

    The order of events is that of `seq`. `timestamp` is what the clock said; where an event before had
    a later one, because a clock was ahead, `latest` is the latest of all before.
    """

    event: str
    agent: str
    project: str = ""
    resource: str = ""
    instance: int = 0
    outcome: str = "success"
    detail: dict[str, Any] = field(default_factory=dict)
    transaction: str = ""
    seq: int = 0
    timestamp: str = ""
    latest: str = ""
    previous: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data, number and time first."""
        return copy.deepcopy(self._said())

    def _said(self) -> dict[str, Any]:
        return {name: value for name in _ORDER if (value := getattr(self, name)) not in ("", {}, 0)}

    def as_line(self) -> bytes:
        """The event as the log holds it, without the line's end."""
        return _encode(self._said()).encode("utf-8")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ORDER = (
    "seq",
    "timestamp",
    "latest",
    "event",
    "project",
    "resource",
    "instance",
    "outcome",
    "agent",
    "transaction",
    "detail",
    "previous",
)


_TYPES = {name: int if name in {"seq", "instance"} else dict if name == "detail" else str for name in _ORDER}


def parse_event(line: bytes) -> Event:
    """An event from its line.

    Raises:
        ValueError, TypeError: The line is not an event.
    """
    try:
        record = json.loads(line)
    except RecursionError:
        message = "too deeply nested"
        raise ValueError(message) from None
    if not isinstance(record, dict) or not isinstance(record.get("seq"), int):
        message = "not an event"
        raise TypeError(message)
    for name, value in record.items():
        if type(value) is not _TYPES.get(name):
            message = f"no event has the {name!r} {str(value)[:40]!r}"
            raise TypeError(message)
    return Event(**record)
