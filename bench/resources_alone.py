"""The folders and files of small resources without an archive around them, as a floor beside `muniment batch`.

`python -m bench.resources_alone ARCHIVE TARGET COUNT` writes so many times what the one resource of an archive is made
of, a hundred at once as a batch does: all of them, one flush, a rename each, one flush, and a log's lines with theirs.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from muniment.archive.disk.durable import sync_tree

AT_ONCE = 100


def write(source: Path, target: Path, count: int) -> None:
    """Write the object at `source` so many times below `target`, which is made.

    Raises:
        MunimentError: The storage could not promise that it lasts.
    """
    folders = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_dir())
    files = {path.relative_to(source): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    staging, objects = target / "staging", target / "objects"
    staging.mkdir(parents=True)
    objects.mkdir()
    with (target / "log").open("ab") as log:
        for group in (range(first, min(first + AT_ONCE, count)) for first in range(0, count, AT_ONCE)):
            for number in group:
                _write_one(f"{staging}/{number}", folders, files)
            sync_tree(staging)
            for number in group:
                os.rename(f"{staging}/{number}", f"{objects}/{number}")  # noqa: PTH104 - ten thousand times
            sync_tree(objects)
            log.write(b"x" * 500 * len(group))
            log.flush()
            os.fsync(log.fileno())


def _write_one(top: str, folders: list[Path], files: dict[Path, bytes]) -> None:
    for folder in ("", "/a", "/a/b", *(f"/a/b/{each}" for each in folders)):
        os.mkdir(top + folder)  # noqa: PTH102 - as above
    for name, data in files.items():
        descriptor = os.open(f"{top}/a/b/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, data)
        os.close(descriptor)


def first_object(archive: Path) -> Path:
    """The object of an archive that has one resource alone."""
    return next((archive / "objects").rglob("0=ocfl_object_1.1")).parent


if __name__ == "__main__":
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    write(first_object(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
