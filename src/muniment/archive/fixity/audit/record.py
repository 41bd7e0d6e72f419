"""An audit from beginning to end: resumable, counted, and recorded in the log."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from muniment.archive.context import ArchiveContext
from muniment.archive.fixity.audit.blocks import needed_blocks
from muniment.archive.fixity.audit.run import audit
from muniment.archive.index.index import FIXITY_CHECK
from muniment.archive.package.objects import head_of
from muniment.content import Finding, Progress, quiet
from muniment.content.events import Event, Head
from muniment.content.identity import Agent
from muniment.content.regular import read_regular
from muniment.content.times import now
from muniment.errors.base import StorageError

BOOKMARK = "audit.json"
"""In the state folder: how far an audit of the whole archive came."""
_MOST_MEASURED = 100
"""Damaged resources of one check whose need of parity is measured: a disk may fail whole."""
_MOST_PLACES = 20
_MOST_LETTERS = 4000
"""What one event names of the places of its findings at most: the log is read for ever, and a disk may fail whole."""


def recorded_audit(
    context: ArchiveContext,
    resource: tuple[str, str] | None,
    roots: list[Path] | None,
    *,
    fast: bool = False,
    every_digest: bool = False,
    resume: bool = False,
    since: Head | None = None,
    progress: Progress = quiet,
) -> Iterator[Finding]:
    """Audit the objects at `roots`, those of one `resource` (project and id), or without both everything.

    `fixity check` events with the result are written at its end: one of the whole, and behind it one for each
    resource in which something is wrong. With `resume` an audit of everything that was broken off goes on
    where it was.

    Raises:
        WorkerDied: A digesting process ended; resume.
    """
    whole = roots is None
    bookmark = context.layout.state / BOOKMARK
    result = (AuditResult.read(bookmark) if resume and whole else None) or AuditResult(begun=now())
    resumed = result.after

    def passed(place: str) -> None:
        if whole:
            result.after = place
            with contextlib.suppress(OSError):
                bookmark.write_text(json.dumps(asdict(result)), "utf-8")

    def told(step: str, done: int, total: int | None, *, size: int = 0) -> None:
        result.size = max(result.size, size)
        progress(step, done, total, size=size)

    found = audit(
        context,
        roots=roots,
        after=resumed,
        fast=fast,
        every_digest=every_digest,
        since=since,
        progress=told,
        passed=passed,
    )
    for finding in found:
        result.note(finding)
        yield finding
    if not fast:
        result.measure(context)
    if whole:
        with contextlib.suppress(OSError):
            bookmark.unlink(missing_ok=True)
    further: dict[str, object] = {"resumed after": resumed} if resumed else {}
    further |= {"since": str(since)} if since else {}

    def head(project: str, id: str) -> int:
        return head_of(context.layout.object(project, id))

    events = result.events(context.agent, resource, head, fast=fast, further=further)
    # A reader without the right to write may audit too; only the record of it is then missing.
    with contextlib.suppress(StorageError):
        context.log.append(events)


@dataclass(slots=True)
class AuditResult:
    """How far an audit of a whole archive has come and what it found, as the bookmark keeps it."""

    begun: str
    after: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    damaged: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """Project to resource to the code of each finding to how often it was found."""
    places: dict[str, dict[str, dict[str, list[str]]]] = field(default_factory=dict)
    """Project to resource to `error` or `unknown` to the first places of such findings, as findings name them."""
    unnamed: dict[str, dict[str, int]] = field(default_factory=dict)
    """Project to resource to how many findings have a place that is not named."""
    needed: dict[str, dict[str, list[dict[str, object]]]] = field(default_factory=dict)
    """Project to resource to what mending it from parity asks of each set, as `NeededBlocks` has it."""
    size: int = 0
    """Bytes that were read; those before it was broken off are not counted."""

    @classmethod
    def read(cls, bookmark: Path) -> AuditResult | None:
        """What the bookmark says, or None where there is none that can be read."""
        try:
            found: dict[str, Any] = json.loads(read_regular(bookmark))
            known = cls(
                str(found["begun"]),
                str(found["after"]),
                dict(found["counts"]),
                dict(found["damaged"]),
                dict(found.get("places", {})),
                dict(found.get("unnamed", {})),
            )
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return known

    @property
    def failed(self) -> bool:
        """Whether anything was found that is wrong or could not be checked."""
        return bool(self.counts.get("error") or self.counts.get("unknown"))

    def note(self, finding: Finding) -> None:
        """Count a finding."""
        self.counts[finding.severity] = self.counts.get(finding.severity, 0) + 1
        if finding.failed and finding.resource and finding.project:
            codes = self.damaged.setdefault(finding.project, {}).setdefault(finding.resource, {})
            codes[finding.code] = codes.get(finding.code, 0) + 1
            self._name(finding)

    def _name(self, finding: Finding) -> None:
        """Keep the place of a finding, once, while there is room."""
        named = self.places.setdefault(finding.project, {}).setdefault(finding.resource, {})
        known = named.setdefault(str(finding.severity), [])
        if finding.where in known:
            return
        letters = sum(len(each) for each in known) + len(finding.where)
        if len(known) < _MOST_PLACES and letters <= _MOST_LETTERS:
            known.append(finding.where)
        else:
            left = self.unnamed.setdefault(finding.project, {})
            left[finding.resource] = left.get(finding.resource, 0) + 1

    def _places_of(self, project: str, id: str) -> dict[str, object]:
        found = self.places.get(project, {}).get(id)
        left = self.unnamed.get(project, {}).get(id)
        needed = self.needed.get(project, {}).get(id)
        said: dict[str, object] = {"places": found} if found else {}
        return said | ({"places not named": left} if left else {}) | ({"parity needed": needed} if needed else {})

    def measure(self, context: ArchiveContext) -> None:
        """Find out what mending the damaged files that are named asks of their parity, for `_MOST_MEASURED` resources.

        It reads these files once more, and no others.
        """
        for project, id in islice(((each, id) for each, ids in self.places.items() for id in ids), _MOST_MEASURED):  # noqa: A001 - the domain's word
            if found := needed_blocks(context, project, id, self.places[project][id].get("error", ())):
                self.needed.setdefault(project, {})[id] = [each.as_json() for each in found]

    def events(
        self,
        agent: Agent,
        resource: tuple[str, str] | None,
        head: Callable[[str, str], int],
        *,
        fast: bool,
        further: Mapping[str, object],
    ) -> list[Event]:
        """What the log says of an audit: one event of it all, and one for each resource in which something is wrong.

        `resource` is the only one that was audited, as project and id; `head` gives a resource's newest instance.
        """
        by = f"{agent.name} <{agent.address}>"
        detail = {"findings": self.counts, "fast": fast, "begun": self.begun, **further}
        detail |= {"read": self.size} if self.size else {}
        project, id = resource or ("", "")  # noqa: A001 - the domain's word
        detail |= self._places_of(project, id)
        outcome = "failure" if self.failed else "success"
        events = [Event(FIXITY_CHECK, by, project, id, head(project, id) if resource else 0, outcome, detail)]
        if resource is None:
            for place, resources in sorted(self.damaged.items()):
                for each, codes in sorted(resources.items()):
                    what = {"findings": codes, "fast": fast, **self._places_of(place, each)}
                    events.append(Event(FIXITY_CHECK, by, place, each, head(place, each), "failure", what))
        return events
