"""The course of a repair: an audit, the remedy for each finding, another look, and only then a word about it.

What cannot be repaired is left exactly as it was and named; what repair has no remedy for is named too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.root_files import ROOT_FILES
from muniment.archive.fixity.audit import audit
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.archive.fixity.audit.run import audit_object
from muniment.archive.fixity.repair.content import repair_content
from muniment.archive.fixity.repair.damaged_object import DamagedObject, left_as_it_is
from muniment.archive.fixity.repair.log_and_index import is_of_log, list_repaired, repair_index, repair_log
from muniment.archive.fixity.repair.parity import renew_parity
from muniment.archive.fixity.repair.records import is_record, repair_records
from muniment.archive.fixity.repair.root_files import is_root_file, repair_root_files
from muniment.archive.fixity.repair.unused_parity import remove_unused_parity
from muniment.archive.package.objects import newest_inventory
from muniment.content import Finding, Progress, quiet
from muniment.content.archive import Repair
from muniment.content.regular import is_regular
from muniment.errors.archive import DamagedRecord, ReadFailed

_FILES = {"M101", "M102", "M103", "M104", "M106"}
_PARITY = {"M401", "M402"}
_PASSES = 3
"""Repaired records show what else is damaged, and repaired files what parity can be made of them."""
_VERSION = re.compile(r"v[1-9][0-9]*\Z")


def repair(context: ArchiveContext, roots: list[Path] | None = None, *, progress: Progress = quiet) -> Iterator[Repair]:
    """Audit, repair what can be repaired, look again, and say of each place what became of it.

    Raises:
        DiskFull: There is no room; what was repaired so far stays repaired.
    """
    objects: dict[Path, list[Finding]] = {}
    others: list[Finding] = []
    unused: list[Finding] = []
    since = context.log.head().seq
    for finding in audit(context, roots=roots, progress=progress):
        if finding.code == "M403":
            unused.append(finding)
        elif _matters(context, finding):
            root = _object_of(context, finding)
            objects.setdefault(root, []).append(finding) if root else others.append(finding)
    # First the log: it says what an inventory should be.
    yield from repair_log(context, [finding for finding in others if is_of_log(finding)])
    logged = LoggedDigests()
    logged.catch_up(context.log)
    for root, findings in objects.items():
        yield from _repair_object(DamagedObject.of(context, root, logged), findings)
    list_repaired(context, objects)
    yield from remove_unused_parity(context, unused, since)
    yield from repair_root_files(context, [finding for finding in others if is_root_file(finding.where)], logged)
    yield from repair_index(context, [finding for finding in others if finding.code == "M701"])
    for finding in others:
        if is_of_log(finding) or is_root_file(finding.where) or finding.code == "M701":
            continue
        if finding.code == "M106" and is_regular(context.layout.root / finding.where):
            yield Repair(finding.where, repaired=True, how="made anew with what it belongs to")
        elif finding.code == "M304" and any(finding.resource == event.resource for event in logged.purges_since(since)):
            how = "it was purged, and the purge is finished now"
            yield Repair(finding.where, repaired=True, how=how, resource=finding.resource)
        else:
            yield left_as_it_is(finding)


def _matters(context: ArchiveContext, finding: Finding) -> bool:
    return finding.failed or (finding.code == "M401" and context.config.redundancy > 0)


def _object_of(context: ArchiveContext, finding: Finding) -> Path | None:
    """The object a finding is about: it lies there, or is parity of it."""
    parts = Path(finding.where).parts
    if parts[:1] == ("repaired",):
        parts = parts[2:]
    if finding.where in ROOT_FILES or finding.code == "M701" or (parts[0] == "parity" and not finding.resource):
        return None  # what lies in the parity's folders and is none has no resource
    if len(parts) >= 4 and parts[0] == "objects":  # noqa: PLR2004 - objects, two tuples, the object
        root = context.layout.root.joinpath(*parts[:4])
    elif parts[:2] == ("parity", "packs") and len(parts) > 5:  # noqa: PLR2004 - parity, packs, two tuples, the object
        root = context.layout.objects.joinpath(*parts[2:5])
    elif finding.resource:
        found = (context.layout.object(project, finding.resource) for project in _projects(context, finding.resource))
        root = next((place for place in found if place.is_dir()), context.layout.root)
    else:
        return None
    return root if root.is_dir() and root != context.layout.root else None


def _projects(context: ArchiveContext, resource: str) -> Iterable[str]:
    return dict.fromkeys((context.config.project, *context.index.projects_of(resource)))


def _repair_object(damaged: DamagedObject, findings: list[Finding]) -> Iterator[Repair]:
    said: dict[str, str] = {}
    beside: dict[str, str] = {}
    left = findings
    for _ in range(_PASSES):
        said |= _try(damaged, left)
        found = audit_object(damaged.context, damaged.root, damaged.logged)
        beside = {finding.where: finding.found for finding in found if finding.code == "M107"}
        again = [finding for finding in found if _matters(damaged.context, finding)]
        gained = {(finding.code, finding.where) for finding in again} != {(each.code, each.where) for each in left}
        left = again
        if not gained or not left:
            break
    still = {finding.where: finding for finding in reversed(left)}
    for place, finding in {finding.where: finding for finding in reversed(findings)}.items():
        if place not in still:
            how = said.get(place, "right again, now that the rest is")
            yield Repair(place, repaired=True, how=how, instance=finding.instance, resource=finding.resource)
    for finding in still.values():
        if finding.code == "M401" and finding.where not in said:
            continue  # of an instance that came meanwhile: whoever brings it makes it
        yield left_as_it_is(finding, _why(finding, said, beside))


def _why(finding: Finding, said: dict[str, str], beside: dict[str, str]) -> str:
    if finding.where in beside:
        place = beside[finding.where]
        return f"worm mode leaves it as it is; its repaired bytes stand in {place} and are used in its place"
    return said.get(finding.where, "")


def _try(damaged: DamagedObject, findings: list[Finding]) -> dict[str, str]:
    """Do what there is to do about the findings of one object; what was done or why not, by place."""
    names = dict.fromkeys(_name(damaged, finding) for finding in findings if finding.code in _FILES)
    names = {name: None for name in names if name and not name.startswith("..")}
    lost = [f"{name}/inventory.json" for name in names if _VERSION.match(name)]
    records = [*(name for name in names if is_record(name)), *lost]
    if any(finding.code in {"M203", "M303"} for finding in findings):
        records += [_name(damaged, finding) for finding in findings if finding.code in {"M203", "M303"}]
    said = {damaged.where(name): how for name, how in repair_records(damaged, dict.fromkeys(records)).items()}
    content = [name for name in names if "/content/" in name]
    if content:
        try:
            inventory, _ = newest_inventory(damaged.root, damaged.algorithm)
            done = repair_content(damaged, inventory, content)
        except (FileNotFoundError, DamagedRecord, ReadFailed) as error:
            done = dict.fromkeys(content, f"the object's records are lost ({error})")
        said |= {damaged.where(name): how for name, how in done.items()}
    parity = [
        finding.expected if finding.code == "M401" else finding.where for finding in findings if _is_parity(finding)
    ]
    if parity:
        made = renew_parity(damaged, dict.fromkeys(parity))
        for finding in findings:
            place = finding.expected if finding.code == "M401" else finding.where
            if place in made:
                said[finding.where] = made[place]
    return said


def _is_parity(finding: Finding) -> bool:
    return finding.code in _PARITY or (finding.code in _FILES and finding.where.startswith("parity/"))


def _name(damaged: DamagedObject, finding: Finding) -> str:
    """The place of a finding relative to the object; '' when it lies elsewhere."""
    prefix = damaged.where("")
    return finding.where[len(prefix) :] if finding.where.startswith(prefix) else ""
