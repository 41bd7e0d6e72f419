"""The archive's copying without an archive around it: `python -m bench.copying_alone SOURCE TARGET DIGEST...`.

It shows what copying and digesting cost, so that what the archive adds can be told from it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.copying import Copier, CopyJob, Failed
from muniment.archive.disk.durable import sync_tree


def copy(source: str, target: str, algorithms: list[str]) -> None:
    """Copy a tree durably, digesting every file.

    Raises:
        MunimentError: A file could not be copied, or not made durable.
    """
    with Copier(algorithms) as copier:
        for answer in copier.copy(_jobs(source, target)):
            if isinstance(answer, Failed):
                raise answer.error()
    sync_tree(Path(target))


def _jobs(source: str, target: str) -> Iterator[CopyJob]:
    Path(target).mkdir()
    with os.scandir(source) as entries:
        for entry in entries:
            place = os.path.join(target, entry.name)  # noqa: PTH118 - ten thousand times
            if entry.is_dir(follow_symlinks=False):
                yield from _jobs(entry.path, place)
            else:
                yield CopyJob(None, entry.path, place, entry.stat().st_size)


if __name__ == "__main__":
    copy(sys.argv[1], sys.argv[2], sys.argv[3:])
