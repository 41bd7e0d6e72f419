"""A folder in the staging area for a package to be unpacked in while it is imported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.content.identity import new_uuid
from muniment.content.times import now


@contextlib.contextmanager
def unpacking_folder(context: ArchiveContext) -> Iterator[Path]:
    """An empty folder below the archive's staging area; it is gone after the block.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    agent = context.agent
    record = TransactionRecord(new_uuid(), "", "", 0, now(), agent.name, agent.address, kind="unpacking")
    # A transaction's folder, because its lock keeps recovery away, and because recovery removes it after a crash.
    area = StagingArea.begin(context.layout, record)
    try:
        target = area.folder / "unpacked"
        make_folder(target)
        yield target
    finally:
        area.discard()
