"""Judge a bag in a folder, with a profile if one is named."""

from __future__ import annotations

import os
from collections.abc import Iterator

from muniment.content import Finding, Progress, quiet
from muniment.validation.bagit.folder import judge_folder
from muniment.validation.bagit.profile import Profile, read_profile


def validate_bag(
    path: str | os.PathLike[str],
    *,
    profile: str | os.PathLike[str] | None = None,
    serialisation: str = "",
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Finding]:
    """Every finding of the bag at `path`, BagIt 0.93 to 1.0; nothing is raised.

    Args:
        path: The bag's folder.
        profile: The JSON file of a BagIt profile the bag must follow as well.
        serialisation: The media type of the file the bag came in, '' for a folder.
        progress: Told of each batch of files whose digests were compared.
        jobs: Files read at a time; by default one per processor.
    """
    demands: Profile | None = None
    if profile is not None:
        demands, findings = read_profile(profile)
        yield from findings
    yield from judge_folder(path, demands, serialisation, progress, jobs)
