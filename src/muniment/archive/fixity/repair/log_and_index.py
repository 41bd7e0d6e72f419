"""Repair of the log, from its mirror or the mirror from it, and of the index, from the objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, rename
from muniment.archive.fixity.audit.index import IndexCheck
from muniment.archive.fixity.audit.log import LoggedDigests, check_log
from muniment.archive.fixity.repair.damaged_object import left_as_it_is
from muniment.archive.index.rebuild import object_roots
from muniment.archive.package.objects import head_of, identity_of
from muniment.content import Finding
from muniment.content.archive import Repair
from muniment.content.config import Mode
from muniment.content.events import Event
from muniment.content.identity import new_uuid
from muniment.content.regular import is_regular

_OF_LOG = {"M202", "M301", "M306"}
_STAYS = "worm mode leaves it as it is; its mirror has the right lines, which are read in their place"


def is_of_log(finding: Finding) -> bool:
    """Whether a finding is about what the log says, or that it and its mirror differ."""
    return finding.code in _OF_LOG and finding.where.startswith("events/")


def repair_log(context: ArchiveContext, findings: list[Finding]) -> Iterator[Repair]:
    """Make the log and its mirror the same, where it can be told which of them is right."""
    if not findings:
        return
    for finding in findings:
        _make_room(context, context.layout.parity / finding.where.partition(",")[0])
    done = {f"events/{path.parent.name}/{path.name}": how for path, how in context.log.repair()}
    if done:
        agent = f"{context.agent.name} <{context.agent.address}>"
        detail = {"note": "log and mirror made the same", "paths": list(done)}
        context.log.append([Event("repair", agent, detail=detail)])
    left = list(check_log(context.log, LoggedDigests(), context.layout.locks / "events"))
    still = {finding.where for finding in left}
    for place in dict.fromkeys(finding.where for finding in findings if finding.where not in still):
        yield Repair(place, repaired=True, how=done.get(place, "right again, now that the rest is"))
    chained = not any(finding.code in {"M202", "M301"} for finding in left)
    for finding in left:
        if finding.failed:
            stays = chained and finding.code == "M306" and context.config.mode is Mode.WORM
            yield left_as_it_is(finding, _STAYS if stays else done.get(finding.where, ""))


def _make_room(context: ArchiveContext, mirror: Path) -> None:
    """Set aside what stands in the place of a file of the mirror and is none."""
    if os.path.lexists(mirror) and not is_regular(mirror):
        make_folder(context.layout.quarantine)
        rename(mirror, context.layout.quarantine / f"event-{new_uuid()}")


def repair_index(context: ArchiveContext, findings: list[Finding]) -> Iterator[Repair]:
    """Build the index anew from the objects, and ask it again."""
    if not findings:
        return
    context.reindex()
    check = IndexCheck(context)
    for root in object_roots(context.layout):
        check.note(*identity_of(root, context.config.digests[0]), head_of(root))
    left = {finding.where for finding in check.find()}
    for finding in findings:
        if finding.where in left:
            yield left_as_it_is(finding)
        else:
            how = "the index was built anew from the objects"
            yield Repair(finding.where, repaired=True, how=how, resource=finding.resource)


def list_repaired(context: ArchiveContext, roots: Iterable[Path]) -> None:
    """Let the index list objects whose records could not be read before."""
    check = IndexCheck(context)
    for root in roots:
        check.note(*identity_of(root, context.config.digests[0]), head_of(root))
    if any(True for _ in check.differing()):
        context.reindex()
