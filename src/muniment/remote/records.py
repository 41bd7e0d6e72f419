"""What a server says, turned into the values that every kind of archive gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from muniment.content import Entry, Finding, LogicalPath
from muniment.content.archive import Leftover, Repair, Summary
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.events import Event
from muniment.content.findings import FINDINGS


def config_of(record: Mapping[str, Any]) -> ArchiveConfig:
    """The archive's settings.

    Raises:
        KeyError, TypeError, ValueError: It is not such a document.
    """
    known = {"layout": "", **_picked(ArchiveConfig, record)}
    return ArchiveConfig(**{**known, "mode": Mode(record["mode"]), "digests": tuple(record["digests"])})


def summary_of(record: Mapping[str, Any]) -> Summary:
    """A resource in a list."""
    return Summary(**_picked(Summary, record))


def event_of(record: Mapping[str, object]) -> Event:
    """One entry of the log."""
    return Event(**_picked(Event, record))


def leftover_of(record: Mapping[str, object]) -> Leftover:
    """A transaction that was never closed."""
    return Leftover(**_picked(Leftover, record))


def repair_of(record: Mapping[str, object]) -> Repair:
    """What was done about one place."""
    return Repair(**_picked(Repair, record))


def entry_of(record: Mapping[str, Any]) -> Entry:
    """A file's entry."""
    return Entry(LogicalPath.parse(record["path"]), record["size"], dict(record["digests"]), record.get("modified"))


def finding_of(record: Mapping[str, str]) -> Finding:
    """A finding; its code is looked up in the table of findings."""
    names = ("where", "expected", "found", "resource", "instance", "project")
    return Finding(FINDINGS[record["code"]], **{name: record.get(name, "") for name in names})


def _picked(kind: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `record` that a value has; a newer server may say more."""
    return {each.name: record[each.name] for each in fields(kind) if each.name in record}
