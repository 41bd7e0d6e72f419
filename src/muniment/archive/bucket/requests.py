"""How many requests this machine made of one bucket, in a file of the state folder; it may be lost."""

from __future__ import annotations

import contextlib
import json

from muniment.archive.disk.durable import replace_file
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.locks import exclusive
from muniment.content.regular import read_regular
from muniment.content.requests import RequestCounts
from muniment.errors.base import StorageError

_FILE = "requests.json"


def noted_requests(layout: ArchiveLayout) -> RequestCounts:
    """What was noted so far; nothing where the file is not there, or is none."""
    try:
        found = json.loads(read_regular(layout.root / _FILE))
        return RequestCounts(**{name: int(found[name]) for name in RequestCounts.__slots__})
    except (OSError, ValueError, KeyError, TypeError):
        return RequestCounts()


def note_requests(layout: ArchiveLayout, made: RequestCounts) -> None:
    """Add to what was noted. A state folder that is gone, or full, loses the count and nothing else."""
    if made == RequestCounts():
        return
    with contextlib.suppress(OSError, StorageError), exclusive(layout.locks / "requests"):
        told = json.dumps((noted_requests(layout) + made).as_json()).encode("utf-8")
        replace_file(layout.root / _FILE, told, scratch=layout.scratch)
