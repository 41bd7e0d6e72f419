"""The audit's course: the log, then the objects in groups, then what belongs to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.copying import Failed, Hashed, HashJob
from muniment.archive.fixity.audit.bags import check_bags
from muniment.archive.fixity.audit.log import LoggedDigests, check_log
from muniment.archive.fixity.audit.resource import ObjectCheck, check_parity, check_presence, check_records
from muniment.archive.fixity.audit.untracked import check_untracked
from muniment.archive.index.rebuild import object_roots
from muniment.content import Finding, Progress, quiet

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
    progress: Progress = quiet,
    passed: Callable[[str], None] | None = None,
) -> Iterator[Finding]:
    """Every finding about the archive, or only about the objects in `roots`.

    `after` resumes past an object's place, which `passed` is told after each group. `fast` compares
    names and sizes and reads no content. Content is compared by sha256; `every_digest` also by the
    others that were recorded.

    Raises:
        WorkerDied: A digesting process ended; resume at the cursor.
    """
    whole = roots is None
    logged = LoggedDigests()
    log_findings = check_log(context.log, logged)
    if whole and not after:
        yield from log_findings
    else:
        for _ in log_findings:
            pass
    large: set[bytes] = set()
    done = size = 0
    all_read = True
    for group in _groups(context, roots, after, logged):
        for check in group:
            check_presence(check)
            check_parity(check, fast=fast, seen=large)
            all_read = all_read and check.readable
            if not fast:
                check_bags(check)
            yield from check.findings
            check.findings.clear()
        if not fast:
            for finding, took in _content(context, group, every_digest=every_digest):
                done += 1
                size += took
                if finding:
                    yield finding
                if done % _TELL_EVERY == 0 or took > (1 << 24):
                    progress("auditing", done, None, size=size)
        if passed and group:
            passed(str(group[-1].root.relative_to(context.layout.objects)))
    progress("auditing", done, done, size=size)
    if whole and not after:
        yield from logged.unseen(context.log)
        yield from check_untracked(context, large if all_read else None)


def _groups(
    context: ArchiveContext, roots: list[Path] | None, after: str, logged: LoggedDigests
) -> Iterator[list[ObjectCheck]]:
    group: list[ObjectCheck] = []
    files = 0
    for root in roots if roots is not None else object_roots(context.layout, after):
        check = check_records(context, root, logged)
        group.append(check)
        files += len(check.files)
        if len(group) >= GROUP_OBJECTS or files >= GROUP_FILES:
            yield group
            group, files = [], 0
    if group:
        yield group


def _content(
    context: ArchiveContext, group: list[ObjectCheck], *, every_digest: bool
) -> Iterator[tuple[Finding | None, int]]:
    def jobs() -> Iterator[HashJob]:
        for check in group:
            for name, expected in check.files.items():
                algorithms = tuple(expected.digests) if every_digest else ("sha256",)
                yield HashJob((check, name), str(check.root / name), expected.size or 0, algorithms)

    for answer in context.copier.hash(jobs()):
        yield _judge(answer), answer.size if isinstance(answer, Hashed) else 0


def _judge(answer: Hashed | Failed) -> Finding | None:
    check, name = answer.key
    expected = check.files[name].digests
    instance = name.split("/", 1)[0][1:]
    if isinstance(answer, Failed):
        if answer.kind == "missing":
            return None  # said already by the comparison with the disk
        return check.finding("M104", name, "", answer.reason, instance)  # type: ignore[no-any-return] # the key is ours
    for algorithm, found in answer.digests.items():
        if found != expected.get(algorithm):
            right = f"{algorithm}:{expected.get(algorithm)}"
            return check.finding("M101", name, right, f"{algorithm}:{found}", instance)  # type: ignore[no-any-return] # the key is ours
    return None
