"""Another look, under the object's lock, before anything is said.

Others write, purge and repair beside an audit: what it saw may have been the middle of their work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext, ArchiveFolder
from muniment.archive.disk.locks import held_if_possible
from muniment.archive.fixity.audit.bags import check_bags
from muniment.archive.fixity.audit.content import judge_file
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.archive.fixity.audit.parity import check_packs, check_parity
from muniment.archive.fixity.audit.resource import Logged, ObjectCheck, check_presence, check_records
from muniment.content import Finding
from muniment.content.regular import is_regular


def check_object(context: ArchiveFolder, root: Path, logged: Logged) -> ObjectCheck:
    """Read the records of one object; what goes wrong because it changes meanwhile is settled by another look."""
    try:
        return check_records(context, root, logged)
    except OSError as error:
        return _interrupted(context, root, error)


def check_rest(check: ObjectCheck, *, fast: bool, seen: set[bytes] | None) -> None:
    """Compare an object with the disk, its parity with its sidecars and its bags with its inventory.

    Without `seen` the sets of large files are left to somebody else.
    """
    try:
        check_presence(check)
        if seen is None:
            check_packs(check, fast=fast)
        else:
            check_parity(check, fast=fast, seen=seen)
        if not fast:
            check_bags(check)
    except OSError as error:
        check.findings += _interrupted(check.context, check.root, error).findings


def _interrupted(context: ArchiveFolder, root: Path, error: OSError) -> ObjectCheck:
    check = ObjectCheck(context, root)
    check.say("M104", "", "", error.strerror or str(error))
    return check


def look_again(
    context: ArchiveContext, root: Path, findings: list[Finding], logged: LoggedDigests, *, fast: bool
) -> list[Finding]:
    """What is still so of `findings` about one object, now that nobody publishes in it, purges or repairs it."""
    if all(finding.code == "M401" for finding in findings):
        # Of archives without parity that is all there is, of every object.
        return [finding for finding in findings if not _has_come(context, finding) and root.is_dir()]
    with locked(context, root):
        if not root.is_dir():
            return []  # purged; had it been lost, the log would tell
        logged.catch_up(context.log)
        check = check_object(context, root, logged)
        check_rest(check, fast=fast, seen=set())
        content = {finding.where for finding in findings if finding.code in {"M101", "M104"}}
        found = list(check.findings)
        said = {(finding.code, finding.where) for finding in found}
        for name in check.files:
            if check.where(name) in content and name not in check.irregular:
                finding = judge_file(check, name)
                if finding and (finding.code, finding.where) not in said:
                    found.append(finding)
        return found


def _has_come(context: ArchiveContext, finding: Finding) -> bool:
    return is_regular(context.layout.root / f"{finding.expected}.json")


@contextlib.contextmanager
def locked(context: ArchiveContext, root: Path) -> Iterator[None]:
    """Hold the object's lock, or go without it where this process may not even make the lock's file."""
    with held_if_possible(context.object_lock(root)):
        yield
