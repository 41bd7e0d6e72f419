"""The keys under which copies lie in a store: which is the archive's own tree, and what stands beside it.

```
muniment-store.json                                       which store this is, and whose
muniment.json  objects/…  events/…  tombstones/…          as in the archive's folder
bags/<project>/<resource>/v3.tar                          an instance as one tar
bags/<project>/<resource>/v3.tar.parity/<sha256>…         and its parity
copies/<layout>/<project>/<resource>/v3.json              the record of a copy, put last
seals/2026-11-29.json                                     how far the log reached on a day
again/2/…                                                 the same once more, where a first one could not be repaired
```
"""

from __future__ import annotations

import re

from muniment.layouts.packages import folder_name

MARK = "muniment-store.json"
MARK_FORMAT = "muniment store 1"
SETTINGS = "muniment.json"
EVENTS = "events"
TOMBSTONES = "tombstones"
RECORDS = "copies"
SEALS = "seals"
OWN_FILES = "root-files.json"
"""The record of the archive's own files."""
FOUNDATION = (
    SETTINGS,
    "README.txt",
    "muniment_exit.py",
    "bagit-profile.json",
    OWN_FILES,
    "objects/0=ocfl_1.1",
    "objects/ocfl_layout.json",
)
"""Files of an archive that are the same from its beginning."""
_BUCKET = 10_000
_RECORD = re.compile(r"copies/(ocfl|bag)/([^/]+/[^/]+)/([^/]+)/v([1-9][0-9]*)(?:\.([1-9][0-9]*))?\.json")


def record_key(layout: str, project: str, resource: str, number: int, generation: int = 1) -> str:
    """Where the record of a copy lies."""
    again = f".{generation}" if generation > 1 else ""
    return f"{RECORDS}/{layout}/{project}/{folder_name(resource)}/v{number}{again}.json"


def parse_record_key(key: str) -> tuple[str, str, str, int, int] | None:
    """Layout, project, the resource's folder, number and generation of a record's key; None where it is none."""
    found = _RECORD.fullmatch(key)
    return None if found is None else (found[1], found[2], found[3], int(found[4]), int(found[5] or 1))


def bag_key(project: str, resource: str, number: int) -> str:
    """Where an instance lies as a tar."""
    return f"bags/{project}/{folder_name(resource)}/v{number}.tar"


def within(generation: int, key: str) -> str:
    """A key as it is in a generation of a copy."""
    return key if generation == 1 else f"again/{generation}/{key}"


def segment_key(first: int) -> str:
    """Where events from number `first` on lie: as the archive names the files of its log."""
    return f"{EVENTS}/{first // _BUCKET:08d}/{first:012d}.jsonl"
