"""What a server says, as values with the same fields as the archive's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from muniment.content import Entry, Finding, LogicalPath
from muniment.content.findings import FINDINGS


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of the archive."""

    id: str
    created: str
    mode: str
    digests: tuple[str, ...]
    redundancy: int
    project: str
    format: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """From the server's document."""
        return cls(**{**picked(cls, record), "digests": tuple(record["digests"])})


@dataclass(frozen=True, slots=True)
class Summary:
    """A resource in a list."""

    project: str
    id: str
    head: int
    created: str
    modified: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log."""

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
        """Plain data, number and time first; what says nothing is left out."""
        record = asdict(self)
        first = ("seq", "timestamp", "event", "project", "resource", "instance", "outcome", "agent", "transaction")
        return {name: record[name] for name in (*first, "detail", "previous") if record[name] not in ("", {}, 0)}

    def as_line(self) -> bytes:
        """The event as the log holds it, without the line's end."""
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A transaction that was never closed."""

    transaction: str
    project: str
    id: str
    base: int
    started: str
    files: int
    agent: str
    group: str = ""
    decided_at: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about one place."""

    where: str
    repaired: bool
    how: str
    instance: str = ""
    resource: str = ""


def picked(kind: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `record` that a record class has; a newer server may say more."""
    return {each.name: record[each.name] for each in fields(kind) if each.name in record}


def entry_of(record: Mapping[str, Any]) -> Entry:
    """A file's entry."""
    return Entry(LogicalPath.parse(record["path"]), record["size"], dict(record["digests"]), record.get("modified"))


def finding_of(record: Mapping[str, str]) -> Finding:
    """A finding; its code is looked up in the table of findings."""
    names = ("where", "expected", "found", "resource", "instance")
    return Finding(FINDINGS[record["code"]], **{name: record.get(name, "") for name in names})
