"""One entry of the archive's log, as a value and as the line it is written as."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log; `event` is a PREMIS event type, `outcome` is `success` or `failure`."""

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
    previous: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data, number and time first."""
        record = asdict(self)
        return {name: record[name] for name in _ORDER if record[name] not in ("", {}, 0)}

    def as_line(self) -> bytes:
        """The event as the log holds it, without the line's end."""
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


_ORDER = (
    "seq",
    "timestamp",
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


def parse_event(line: bytes) -> Event:
    """An event from its line.

    Raises:
        ValueError, TypeError: The line is not an event.
    """
    record = json.loads(line)
    if not isinstance(record, dict) or not isinstance(record.get("seq"), int):
        message = "not an event"
        raise TypeError(message)
    return Event(**record)
