"""The audit's course: the log, then the objects in groups, then what belongs to nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import chain, islice
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.fixity.audit import objects
from muniment.archive.fixity.audit.again import check_object, check_rest, locked, look_again
from muniment.archive.fixity.audit.content import check_content
from muniment.archive.fixity.audit.index import IndexCheck
from muniment.archive.fixity.audit.log import LoggedDigests, check_log
from muniment.archive.fixity.audit.repaired import check_repaired
from muniment.archive.fixity.audit.resource import ObjectCheck
from muniment.archive.fixity.audit.root_files import check_root_files, check_tombstones
from muniment.archive.fixity.audit.untracked import check_untracked
from muniment.archive.index.rebuild import FEW_OBJECTS, Unlisted, object_roots
from muniment.content import FINDINGS, Finding, Progress, quiet
from muniment.content.events import Head

GROUP_OBJECTS = 256
GROUP_FILES = 50_000
"""A group is checked together, so that small objects keep every processor busy; then the cursor moves on."""

_TELL_EVERY = 500


def audit(
    context: ArchiveContext,
    *,
    roots: list[Path] | None = None,
    after: str = "",
    fast: bool = False,
    every_digest: bool = False,
    since: Head | None = None,
    progress: Progress = quiet,
    passed: Callable[[str], None] | None = None,
) -> Iterator[Finding]:
    """Every finding about the archive, or only about the objects in `roots`.

    `after` resumes past an object's place, which `passed` is told after each group. `fast` compares
    names and sizes and reads no content. Content is compared by sha256; `every_digest` also by the
    others that were recorded. With `since` the log must be the one that once reached as far as that head, which
    is looked at also when only some objects are. What is found about an object is looked at again under its lock
    before it is said: others may be writing, purging or repairing.

    Raises:
        WorkerDied: A digesting process ended; resume at the cursor.
    """
    whole = roots is None
    logged = LoggedDigests()
    yield from _of_the_log(context, logged, since, say=(whole and not after) or since is not None)
    began = logged.newest
    large: set[bytes] = set()
    done = size = 0
    all_read = True
    index = IndexCheck(context)
    unread: list[Finding] = []
    beside: list[Path] = []
    told = (_said_later(context, unread), beside.append)
    walk = iter(roots) if roots is not None else object_roots(context.layout, after, *told)
    many, walk = _many(context, walk, fast=fast)
    if many:
        done, all_read = yield from _by_processes(context, walk, logged, (index, large), (progress, passed))
    for group in _groups(context, walk, logged):
        all_read = _look(group, index, large, fast=fast) and all_read
        if fast:
            done += len(group)
            progress("auditing", done, None)
        if not fast:
            for check, finding, took in check_content(context, group, every_digest=every_digest):
                done += 1
                size += took
                if finding:
                    check.findings.append(finding)
                if done % _TELL_EVERY == 0 or took > (1 << 24):
                    progress("auditing", done, None, size=size)
        for check in group:
            yield from _settled(context, check, logged, fast=fast)
        if passed and group:
            passed(str(group[-1].root.relative_to(context.layout.objects)))
    progress("auditing", done, done, size=size)
    yield from unread
    all_read = all_read and not unread
    if whole and not after:
        yield from index.find()
        yield from _beside_objects(context, logged, large if all_read else None, began, beside)


def _of_the_log(context: ArchiveContext, logged: LoggedDigests, since: Head | None, *, say: bool) -> Iterator[Finding]:
    """Read the log, whose findings are told of only if `say`."""
    for finding in check_log(context.log, logged, context.layout.locks / "events", since):
        if say:
            yield finding


def _look(group: list[ObjectCheck], index: IndexCheck, large: set[bytes], *, fast: bool) -> bool:
    """Compare the objects of a group with index, disk and parity; whether all their records could be read."""
    for check in group:
        index.note(check.project, check.resource, check.head)
        check_rest(check, fast=fast, seen=large)
    return all(check.readable for check in group)


def _said_later(context: ArchiveContext, unread: list[Finding]) -> Unlisted:
    """Keep a finding for each folder that cannot be listed: what is in it may be right or wrong."""

    def keep(folder: Path, error: OSError) -> None:
        place = str(folder.relative_to(context.layout.root))
        unread.append(Finding(FINDINGS["M104"], place, "", error.strerror or str(error)))

    return keep


def _beside_objects(
    context: ArchiveContext, logged: LoggedDigests, large: set[bytes] | None, began: int, beside: list[Path]
) -> Iterator[Finding]:
    """What is wrong that no object tells of; the arguments are as `check_untracked` takes them."""
    yield from _lost(context, logged)
    yield from check_root_files(context)
    yield from check_tombstones(context, logged)
    yield from check_untracked(context, large, began, beside)


def audit_object(context: ArchiveContext, root: Path, logged: LoggedDigests) -> list[Finding]:
    """Every finding about one object, its content read whole."""
    check = check_object(context, root, logged)
    check_rest(check, fast=False, seen=set())
    for _, finding, _ in check_content(context, [check], every_digest=True):
        if finding:
            check.findings.append(finding)
    return _settled(context, check, logged, fast=False)


def _settled(context: ArchiveContext, check: ObjectCheck, logged: LoggedDigests, *, fast: bool) -> list[Finding]:
    """What is still so of an object's findings, with what stands repaired beside it; the object is let go of."""
    findings = check.findings
    if findings:
        findings = look_again(context, check.root, findings, logged, fast=fast)
    if not fast:
        findings = [*findings, *check_repaired(check)]
    check.findings = []
    check.files.clear()
    return findings


def _many(context: ArchiveContext, walk: Iterator[Path], *, fast: bool) -> tuple[bool, Iterator[Path]]:
    """Whether a fast audit has objects enough for several processes, and all of them."""
    first = list(islice(walk, FEW_OBJECTS)) if fast and context.shared else []
    return len(first) == FEW_OBJECTS, chain(first, walk)


def _by_processes(
    context: ArchiveContext,
    walk: Iterator[Path],
    logged: LoggedDigests,
    noted: tuple[IndexCheck, set[bytes]],
    told: tuple[Progress, Callable[[str], None] | None],
) -> Generator[Finding, None, tuple[int, bool]]:
    """As a fast audit's groups, looked at by several processes: in the end how many, and whether all could be read."""
    index, large = noted
    progress, passed = told
    layout = context.layout
    done, all_read = 0, True
    groups = context.copier.answers(objects.__name__, (str(layout.root), str(layout.state)), walk)
    for group in groups:
        for root, row in group:
            known = objects.settle(context, row, logged, large)
            if known is None:
                check = check_object(context, root, logged)
                all_read = _look([check], index, large, fast=True) and all_read
                yield from _settled(context, check, logged, fast=True)
            else:
                state, findings = known
                index.note(state.project, state.resource, state.head)
                yield from look_again(context, root, findings, logged, fast=True) if findings else ()
        done += len(group)
        progress("auditing", done, None)
        if passed:
            passed(str(group[-1][0].relative_to(layout.objects)))
    return done, all_read


def _groups(context: ArchiveContext, walk: Iterator[Path], logged: LoggedDigests) -> Iterator[list[ObjectCheck]]:
    group: list[ObjectCheck] = []
    files = 0
    for root in walk:
        check = check_object(context, root, logged)
        group.append(check)
        files += len(check.files)
        if len(group) >= GROUP_OBJECTS or files >= GROUP_FILES:
            yield group
            group, files = [], 0
    if group:
        yield group


def _lost(context: ArchiveContext, logged: LoggedDigests) -> Iterator[Finding]:
    """A finding for each instance the log records that is not on disk, nor was purged meanwhile."""
    for event in logged.unseen(context.log):
        root = context.layout.object(event.project, event.resource)
        with locked(context, root):
            logged.catch_up(context.log)
            lost = logged.has(event) and not (root / f"v{event.instance}").is_dir()
        if lost:
            what = f"instance {event.instance} of {event.resource}"
            where = f"event {event.seq}"
            yield Finding(FINDINGS["M304"], where, what, "", event.resource, str(event.instance), event.project)
