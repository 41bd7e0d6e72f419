"""What of an instance is checked before it is committed, and what becomes of infected files: they go to quarantine."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, rename, sync_folder, write_file
from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.staging import StagingArea
from muniment.archive.package.bag import format_lines
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import Inventory
from muniment.archive.package.objects import newest_inventory
from muniment.content.checks import CheckedFile, CheckReport, Format
from muniment.content.events import Event
from muniment.errors.base import StorageError
from muniment.errors.checks import InfectedFiles


def examine(context: ArchiveContext, area: StagingArea, draft: Draft, staged: Mapping[str, str]) -> CheckReport | None:
    """Have a transaction's files checked; None where nothing is to be checked.

    Raises:
        InfectedFiles: Some are infected; they are in quarantine, and the transaction has lost them.
        FileNotScanned, FormatRefused: It must not be committed.
        ScannerUnavailable, FormatToolFailed, ReadFailed: It cannot be told now.
    """
    if context.checks is None:
        return None
    record = area.record
    algorithm = context.config.digests[0]
    base: Instance | None = None
    inventory: Inventory | None = None
    root = context.layout.object(record.project, record.id)
    with contextlib.suppress(FileNotFoundError):
        if record.base:
            inventory, _ = newest_inventory(root, algorithm)
            base = Instance(root, record.project, record.id, inventory, min(record.base, inventory.head))
    known = _known_formats(base, algorithm)
    before = base.record.get("checks", {}) if base else {}
    files = candidates(draft, staged, area.content, inventory, root, known, algorithm)
    try:
        return context.checks.examine(files, before if isinstance(before, dict) else {})
    except InfectedFiles as error:
        places = infected_places(error, draft, staged, area, algorithm)
        set_infected_aside(context, area, error, places)
        raise


def candidates(
    draft: Draft,
    staged: Mapping[str, str],
    content: Path,
    inventory: Inventory | None,
    root: Path,
    known: Mapping[str, tuple[Format, ...]],
    algorithm: str,
) -> Iterator[CheckedFile]:
    """Every file of a draft with the place its bytes lie at: in `content` what is staged, else in the object at `root`.

    `known` are the formats recorded before, by digest of `algorithm`.
    """
    for entry in draft:
        digest = entry.digests[algorithm]
        place = staged.get(digest)
        if place is not None:
            yield CheckedFile(entry.path, entry.size or 0, os.fspath(content / place), fresh=True)
        elif inventory is not None:
            location = os.fspath(root / inventory.content_path(digest))
            yield CheckedFile(entry.path, entry.size or 0, location, fresh=False, formats=known.get(digest))


def infected_places(
    error: InfectedFiles, draft: Draft, staged: Mapping[str, str], area: StagingArea, algorithm: str
) -> dict[str, Path]:
    """Where the files lie that were found infected, by path."""
    digests = {path: draft.entries[path].digests[algorithm] for path in error.details["infected"]}
    return {path: area.content / staged[digest] for path, digest in digests.items() if digest in staged}


def tag_files_of(checked: CheckReport | None) -> dict[str, bytes]:
    """The tag files that a report adds to an instance."""
    return {} if checked is None or checked.formats is None else format_lines(checked.formats)


def drafts_of(checked: CheckReport | None) -> list[dict[str, Any]]:
    """The events of a report, as a seal keeps them."""
    found = checked.events if checked else []
    return [{"event": each.event, "outcome": each.outcome, "detail": dict(each.detail)} for each in found]


def set_infected_aside(
    context: ArchiveContext, area: StagingArea, error: InfectedFiles, places: Mapping[str, Path]
) -> None:
    """Move infected files out of a transaction into quarantine, and write the events that say so.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    record = area.record
    name = f"{record.transaction}-infected"
    folder = context.layout.quarantine / name
    make_folder(folder)
    moved: dict[str, str] = {}
    for number, (path, place) in enumerate(places.items(), 1):
        with contextlib.suppress(FileNotFoundError):
            rename(place, folder / f"{number}")
            moved[path] = f"{number}"
    about = {
        "project": record.project,
        "id": record.id,
        "transaction": record.transaction,
        "scanner": error.details["scanner"],
        "files": [{"path": path, "found": found, "kept": moved.get(path, "")} for path, found in _found(error).items()],
    }
    with contextlib.suppress(FileExistsError):
        write_file(folder / "about.json", (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))
    sync_folder(folder)
    sync_folder(folder.parent)
    agent = record.committed_by or str(record.agent)
    found = {"scanner": error.details["scanner"], "infected": _found(error)}
    kept = {"reason": "infected", "quarantine": name, "paths": list(moved)}
    whose = (agent, record.project, record.id)
    drafts = [
        Event("virus check", *whose, outcome="failure", detail=found, transaction=record.transaction),
        Event("quarantine", *whose, detail=kept, transaction=record.transaction),
    ]
    # The refusal stands, whether or not the log could be written.
    with contextlib.suppress(StorageError):
        context.log.append(drafts)


def _found(error: InfectedFiles) -> dict[str, str]:
    return dict(list(error.details["infected"].items())[:100])


def _known_formats(base: Instance | None, algorithm: str) -> dict[str, tuple[Format, ...]]:
    if base is None:
        return {}
    formats = dict(base.formats())
    return {entry.digests[algorithm]: formats[entry.path] for entry in base.files() if entry.path in formats}
