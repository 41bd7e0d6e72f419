"""The journal's lines: what each says, and how a draft is built again from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.staging import StagingArea
from muniment.content import Entry, LogicalPath
from muniment.errors.archive import DamagedRecord


@dataclass(slots=True)
class Rebuilt:
    """A transaction's state as its journal tells it; `staged` is digest to content path."""

    draft: Draft
    algorithm: str
    staged: dict[str, str] = field(default_factory=dict)
    provenance: list[object] = field(default_factory=list)

    def follow(self, area: StagingArea, start: int = 0) -> None:
        """Move on by all that the journal says from byte `start` on.

        Raises:
            DamagedRecord: A line says what cannot be.
        """
        for note in area.notes(start):
            try:
                self.apply(note)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DamagedRecord(path=area.journal, reason=f"a line says what cannot be ({error})") from error

    def apply(self, note: Mapping[str, Any]) -> None:
        """Move on by one line."""
        if "add" in note:
            entry = Entry(LogicalPath(note["add"]), note["size"], note["digests"], note["modified"])
            self.draft.put(entry)
            if note["staged"]:
                self.staged[entry.digests[self.algorithm]] = note["staged"]
        elif "delete" in note:
            self.draft.remove(note["delete"])
        elif "metadata" in note:
            self.draft.metadata.clear()
            self.draft.metadata.update(note["metadata"])
            self.draft.touched = True
            self.provenance[:] = note["provenance"]
        elif "links" in note:
            self.draft.note(note["links"], note["folders"])
        elif "left out" in note:
            self.draft.left_out += note["left out"]


def addition(entry: Entry, staged: str | None) -> dict[str, object]:
    """The line for an entry that was added."""
    return {
        "add": entry.path,
        "size": entry.size,
        "digests": dict(entry.digests),
        "modified": entry.modified,
        "staged": staged,
    }
