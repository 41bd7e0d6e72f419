"""Where material comes from: one module for each kind of service, all on one HTTP session, all read the same way.

A source is made by `open_source` from a submission's fields and read by `pages`, `entries` and `open`
(`muniment.sources.protocol`). No kind knows another; what they share lies in `session` and the modules beside it.
"""

from __future__ import annotations

from muniment.session import Guard, Limits, Session, SystemClock
from muniment.sources.checking import checked
from muniment.sources.limited import Limited
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext
from muniment.sources.protocol import Failure, Item, Page, Source, SourceEntry, failure_of
from muniment.sources.registry import MODULES, faults, find, installed, open_source, submittable

__all__ = [
    "ALL_VERSIONS",
    "MODULES",
    "Failure",
    "Guard",
    "Item",
    "Kind",
    "Limited",
    "Limits",
    "Page",
    "Param",
    "Session",
    "Source",
    "SourceContext",
    "SourceEntry",
    "SystemClock",
    "checked",
    "failure_of",
    "faults",
    "find",
    "installed",
    "open_source",
    "submittable",
]
