"""An audit from beginning to end: resumable, counted, and recorded in the log."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from muniment.archive import Archive
from muniment.content import Finding, Progress, quiet
from muniment.errors.base import StorageError


def run_audit(
    archive: Archive,
    id: str | None = None,
    project: str | None = None,
    *,
    fast: bool = False,
    every_digest: bool = False,
    resume: bool = False,
    progress: Progress = quiet,
) -> Iterator[Finding]:
    """Audit an archive or one resource, and write a `fixity check` event with the result.

    With `resume` an audit of the whole archive that was broken off goes on where it was.

    Raises:
        ResourceNotFound, AmbiguousId: There is no such resource.
        WorkerDied: A digesting process ended; resume.
    """
    bookmark = archive.state / "audit.json"
    after = _read_bookmark(bookmark) if resume and id is None else ""
    counts: Counter[str] = Counter()
    whole = id is None

    def passed(place: str) -> None:
        if whole:
            with contextlib.suppress(OSError):
                bookmark.write_text(json.dumps({"after": place}), "utf-8")

    for finding in archive.audit(
        id,
        project=project,
        fast=fast,
        every_digest=every_digest,
        after=after,
        progress=progress,
        passed=passed,
    ):
        counts[finding.severity] += 1
        yield finding
    if whole:
        with contextlib.suppress(OSError):
            bookmark.unlink(missing_ok=True)
    failed = counts["error"] + counts["unknown"]
    detail = {"findings": dict(counts), "fast": fast, **({"resumed after": after} if after else {})}
    # A reader without the right to write may audit too; only the record of it is then missing.
    with contextlib.suppress(StorageError):
        archive.record_event(
            "fixity check",
            resource=id or "",
            project=(project or "") if id else "",
            outcome="failure" if failed else "success",
            detail=detail,
        )


def _read_bookmark(bookmark: Path) -> str:
    try:
        found = json.loads(bookmark.read_bytes())
        return str(found["after"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
