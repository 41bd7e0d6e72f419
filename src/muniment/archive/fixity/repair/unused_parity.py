"""Removal of parity that protects nothing any more: in dynamic mode, of what was purged."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, rename, sync_folder
from muniment.archive.disk.locks import exclusive
from muniment.archive.fixity.audit.untracked_parity import UntrackedParity
from muniment.content import Finding
from muniment.content.archive import Repair
from muniment.content.config import Mode


def remove_unused_parity(context: ArchiveContext, findings: list[Finding], since: int) -> Iterator[Repair]:
    """Remove the parity that `findings` call unused, of an audit that began when `since` was the log's newest event.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    if context.config.mode is not Mode.DYNAMIC:
        return
    for finding in findings:
        place = context.layout.root / finding.where
        if _removed(context, place, lambda place=place: _is_needed(context, place, since)):  # type: ignore[misc] # bound at once
            yield Repair(finding.where, repaired=True, how="parity that protected nothing was removed")


def _is_needed(context: ArchiveContext, place: Path, since: int) -> bool:
    """Whether something that came in since the audit began has use of it."""
    packs = context.layout.parity / "packs"
    if place.is_relative_to(packs):
        return context.layout.objects.joinpath(*place.relative_to(packs).parts[:3]).is_dir()
    return UntrackedParity(context, set(), since).needed(place.name.split(".", 1)[0])


def _removed(context: ArchiveContext, place: Path, needed: Callable[[], bool]) -> bool:
    """Remove a file or folder, unless it is needed; whether it was removed."""
    aside = context.layout.scratch / f"unused-parity-{secrets.token_hex(8)}"
    make_folder(context.layout.scratch)
    with exclusive(context.layout.locks / "parity"):
        if needed() or not place.exists():
            return False
        rename(place, aside)
        # Whoever found it there a moment ago, and therefore made none, had its event written before.
        if needed():
            rename(aside, place)
            return False
        sync_folder(place.parent)
    remove_tree(aside)
    return True
