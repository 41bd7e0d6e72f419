"""The archive: write-once packages on disk. Import from here; the modules below are its own affair."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.archive.config import Config, Mode
from muniment.archive.index.index import Summary
from muniment.archive.ingest.recovery import Leftover
from muniment.archive.ingest.transaction import Transaction
from muniment.archive.package.instance import Instance
from muniment.content.events import Event
from muniment.content.identity import Agent, new_uuid

if TYPE_CHECKING:
    from muniment.archive.fixity.repair import Repair as Repair
    from muniment.archive.ingest.import_history import Arrival as Arrival
    from muniment.archive.ingest.import_history import Arriving as Arriving
    from muniment.archive.ingest.uploads import Receiving as Receiving
    from muniment.archive.ingest.uploads import Upload as Upload
    from muniment.archive.ingest.uploads import Wanted as Wanted
    from muniment.archive.ingest.uploads import acting_as as acting_as
    from muniment.archive.ingest.uploads import check_upload as check_upload
    from muniment.archive.ingest.uploads import note_links as note_links
    from muniment.archive.ingest.uploads import receiving as receiving
    from muniment.archive.ingest.uploads import touch as touch
    from muniment.archive.parity.external import make_parity as make_parity
    from muniment.archive.parity.external import mend as mend
    from muniment.archive.parity.external import parity_of as parity_of

_LATE = {
    "ingest.import_history": ("Arrival", "Arriving"),
    "parity.external": ("make_parity", "mend", "parity_of"),
    "fixity.repair": ("Repair",),
    "ingest.uploads": (
        "Receiving",
        "Upload",
        "Wanted",
        "acting_as",
        "check_upload",
        "note_links",
        "receiving",
        "touch",
    ),
}
"""What is loaded on first use, by module: few commands need it, and together it takes as long as all the rest."""
_MODULE_OF = {name: module for module, names in _LATE.items() for name in names}

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
    "touch",
]


def __getattr__(name: str) -> object:
    """Load what few need on first use."""
    if name in _MODULE_OF:
        return getattr(import_module(f"muniment.archive.{_MODULE_OF[name]}"), name)
    message = f"module 'muniment.archive' has no attribute {name!r}"
    raise AttributeError(message)
