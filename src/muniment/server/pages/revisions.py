"""Revisions as all pages of administration show them: who made which, what it said, and what makes it so again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A revision in the list of them."""

    number: int
    at: float | str
    """Seconds since 1970 UTC, or RFC 3339."""
    by: str
    text: str = ""
    """What it said, where that is text."""
    fields: tuple[tuple[str, str], ...] = ()
    """What it said, where that is fields: the name of each, and its value."""
    undo: Mapping[str, str] | None = None
    """The fields of the form that make it so again; None for the newest, and for whoever may change nothing."""
    remark: str = ""
