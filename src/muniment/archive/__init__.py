"""The archive: write-once packages on disk. Import from here; the modules below are its own affair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.archive.adopt import Arrival, Arriving
from muniment.archive.archive import Archive
from muniment.archive.config import Config, Mode
from muniment.archive.events import Event
from muniment.archive.identity import Agent, new_uuid
from muniment.archive.index import Summary
from muniment.archive.instance import Instance
from muniment.archive.lending import make_parity, mend, parity_of
from muniment.archive.recovery import Leftover
from muniment.archive.repair import Repair
from muniment.archive.serving import Receiving, Upload, Wanted, acting_as, check_upload, note_links, receiving, touch
from muniment.archive.transaction import Transaction

if TYPE_CHECKING:
    from muniment.archive.rules import recognise as recognise
    from muniment.archive.rules import validate_path as validate_path

__all__ = [
    "Agent",
    "Archive",
    "Arrival",
    "Arriving",
    "Config",
    "Event",
    "Instance",
    "Leftover",
    "Mode",
    "Receiving",
    "Repair",
    "Summary",
    "Transaction",
    "Upload",
    "Wanted",
    "acting_as",
    "check_upload",
    "make_parity",
    "mend",
    "new_uuid",
    "note_links",
    "parity_of",
    "receiving",
    "recognise",
    "touch",
    "validate_path",
]


def __getattr__(name: str) -> object:
    """Load the rules of foreign formats on first use: few commands need them, and they are many modules."""
    if name in {"recognise", "validate_path"}:
        from muniment.archive import rules

        return getattr(rules, name)
    message = f"module 'muniment.archive' has no attribute {name!r}"
    raise AttributeError(message)
