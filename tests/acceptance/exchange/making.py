"""Archives with a history, what is to be seen of a resource, and the judges of what was exported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from muniment.archive import Archive, Instance

ID = "urn:x-test:a b/ä"
PROJECT = "org/things"
VENV = Path(sys.executable).parent


def new_archive(path: Path, **settings: Any) -> Archive:
    return Archive.init(path, parity=False, workers=1, **settings)


def with_history(archive: Archive, scratch: Path) -> Archive:
    """Two resources: one of three instances with everything that is hard to carry, one without any file."""
    folder = scratch / "folder"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "sub" / "file").write_bytes(b"from a folder")
    os.symlink("file", folder / "sub" / "link")
    with archive.new(ID, PROJECT, message="first") as first:
        first.add(b"one", "a.txt")
        first.add(b"one", "same/as/a.txt")
        first.add(b"", "nothing")
        first.add(b"the user's own", "instance.json")
        first.add(b"long", "n" * 254 + "ä")
        first.add(b"odd", "line\nbreak %0A")
        first.add(os.fspath(folder))
        first.metadata["title"] = ["Über", {"n": 1}]
    with archive.get(ID, "a", project=PROJECT) as second:
        second.replace(b"the user's own, changed", "instance.json")
        second.delete("a.txt")
        second.add(b"two", "new/b.bin")
    with archive.get(ID, "a", project=PROJECT, message="third") as third:
        third.add(b"one", "a.txt")
        third.delete("sub")
    with archive.new("empty"):
        pass
    return archive


def view(instance: Instance) -> dict[str, Any]:
    """All that is known of an instance, its bytes included; not how far the log of the archive was that it is in."""
    return {
        "id": instance.id,
        "project": instance.project,
        "number": instance.number,
        "instance": instance.instance,
        "created": instance.created,
        "agent": dict(instance.agent),
        "message": instance.message,
        "record": {name: value for name, value in instance.record.items() if name != "log"},
        "files": [(entry.path, entry.size, dict(entry.digests), entry.modified) for entry in instance.files()],
        "bytes": {path: instance.read(path) for path in instance},
    }


def views(archive: Archive, id: str = ID, project: str | None = None) -> list[dict[str, Any]]:
    return [view(instance) for instance in archive.history(id, project)]


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([os.fspath(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)


def judged_by_bagit(folder: Path) -> str:
    """What bagit.py finds wrong with a bag, nothing when it is valid."""
    done = run(VENV / "bagit.py", "--validate", "--quiet", folder)
    return "" if done.returncode == 0 else done.stderr


def judged_by_ocfl(folder: Path) -> str:
    """What ocfl-validate.py says of an object, warnings included; nothing when it is valid without any."""
    done = run(VENV / "ocfl-validate.py", "--very-quiet", folder)
    return "" if done.returncode == 0 and "W0" not in done.stdout else done.stdout + done.stderr


def judged_by_coreutils(folder: Path) -> str:
    """What md5sum, sha256sum and sha512sum find wrong with the manifests of a bag."""
    wrong = ""
    for manifest in sorted(folder.glob("*manifest-*.txt")):
        algorithm = manifest.stem.rpartition("-")[2]
        if manifest.stat().st_size:
            done = run(f"{algorithm}sum", "--check", "--strict", "--quiet", manifest.name, cwd=folder)
            wrong += done.stdout + done.stderr
    return wrong


def unpacked_by_tar(tar: Path, target: Path) -> Path:
    """The one folder GNU tar unpacks."""
    target.mkdir()
    done = run("tar", "--extract", "--file", tar, "--directory", target)
    assert (done.returncode, done.stderr) == (0, "")
    (top,) = target.iterdir()
    return top
