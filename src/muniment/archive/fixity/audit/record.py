"""An audit from beginning to end: resumable, counted, and recorded in the log."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.fixity.audit.run import audit
from muniment.content import Finding, Progress, quiet
from muniment.content.events import Event
from muniment.errors.base import StorageError

BOOKMARK = "audit.json"
"""In the state folder: how far an audit of the whole archive came."""


def recorded_audit(
    context: ArchiveContext,
    resource: tuple[str, str] | None,
    roots: list[Path] | None,
    *,
    fast: bool = False,
    every_digest: bool = False,
    resume: bool = False,
    progress: Progress = quiet,
) -> Iterator[Finding]:
    """Audit the objects at `roots`, those of one `resource` (project and id), or without both everything.

    A `fixity check` event with the result is written at its end. With `resume` an audit of everything
    that was broken off goes on where it was.

    Raises:
        WorkerDied: A digesting process ended; resume.
    """
    whole = roots is None
    bookmark = context.layout.state / BOOKMARK
    after = _read_bookmark(bookmark) if resume and whole else ""
    counts: Counter[str] = Counter()

    def passed(place: str) -> None:
        if whole:
            with contextlib.suppress(OSError):
                bookmark.write_text(json.dumps({"after": place}), "utf-8")

    found = audit(
        context,
        roots=roots,
        after=after,
        fast=fast,
        every_digest=every_digest,
        progress=progress,
        passed=passed,
    )
    for finding in found:
        counts[finding.severity] += 1
        yield finding
    if whole:
        with contextlib.suppress(OSError):
            bookmark.unlink(missing_ok=True)
    _record(context, resource or ("", ""), counts, fast=fast, after=after)


def _record(
    context: ArchiveContext, resource: tuple[str, str], counts: Counter[str], *, fast: bool, after: str
) -> None:
    detail = {"findings": dict(counts), "fast": fast, **({"resumed after": after} if after else {})}
    outcome = "failure" if counts["error"] + counts["unknown"] else "success"
    agent = f"{context.agent.name} <{context.agent.address}>"
    project, id = resource  # noqa: A001 - the domain's word
    # A reader without the right to write may audit too; only the record of it is then missing.
    with contextlib.suppress(StorageError):
        context.log.append([Event("fixity check", agent, project, id, outcome=outcome, detail=detail)])


def _read_bookmark(bookmark: Path) -> str:
    try:
        found = json.loads(bookmark.read_bytes())
        return str(found["after"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
