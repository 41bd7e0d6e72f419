"""Judge a bag, in a folder or in a tar or zip file, with a profile if one is named."""

from __future__ import annotations

import os
from collections.abc import Iterator

from muniment.content import Finding, Progress, Severity, quiet
from muniment.content.trees import temporary_folder
from muniment.validation.bagit.folder import judge_folder
from muniment.validation.bagit.profile import Profile, read_profile
from muniment.validation.bagit.serialised import Serialised, check_members, reading, room_in, unpack


def validate_bag(
    path: str | os.PathLike[str],
    *,
    profile: str | os.PathLike[str] | None = None,
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Finding]:
    """Every finding of the bag at `path`, BagIt 0.93 to 1.0; nothing is raised.

    A serialised bag (tar, tar.gz, zip) is unpacked into the temporary folder of the system, and only when
    none of its members could do harm there.

    Args:
        path: The bag's folder or file.
        profile: The JSON file of a BagIt profile the bag must follow as well.
        progress: Told of each batch of files whose digests were compared.
        jobs: Files read at a time; by default one per processor.
    """
    demands: Profile | None = None
    if profile is not None:
        demands, findings = read_profile(profile)
        yield from findings
    if os.path.isfile(path):
        yield from _serialised(os.fspath(path), demands, progress, jobs)
    else:
        yield from judge_folder(path, demands, "", progress, jobs)


def _serialised(path: str, demands: Profile | None, progress: Progress, jobs: int | None) -> Iterator[Finding]:
    name = os.path.basename(path)
    findings: list[Finding] = []
    folder = media_type = ""
    with temporary_folder("muniment-bag-") as target:
        with reading(name, findings):
            serialised = Serialised(path)
            media_type = serialised.media_type
            findings += check_members(name, serialised.members(), room_in(target))
            if all(finding.severity is Severity.WARNING for finding in findings):
                folder = unpack(serialised, target)
        yield from findings
        if folder:
            yield from judge_folder(folder, demands, media_type, progress, jobs)
